//! `tarn backup` and `tarn restore`.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, Write};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pool_domain::apply::apply;
use pool_domain::decide::host::MemberFacts;
use pool_domain::decide::restore::{self as decide, Place};
use pool_domain::{Database, Facts, Transaction};
use pool_raft::Member;
use pool_store::backup::{self, Backup, BackupHeader};
use proto_types::DateTime;
use proto_types::generated::{host, pool, tarn_authority};
use proto_wire::ca::Authority;
use proto_wire::channel::Lane;
use proto_wire::pool::BackupRequest;
use proto_wire::pool::pool_client::PoolClient;
use uuid::Uuid;

use crate::config::{self, Config};
use crate::redirect::follow;
use crate::{command, history, identity};

/// How long the leader may be silent while it sends.
const SILENCE: Duration = Duration::from_secs(60);

/// Who and when, for the head of a backup.
pub fn header(db: &Database) -> BackupHeader {
    let pool = db.only(pool::CLASS);
    let master = pool.and_then(|p| db.of_class(host::CLASS, p.get(pool::MASTER).as_ref()));
    BackupHeader {
        release: node_commands::release().to_owned(),
        pool: pool.map(|p| p.uuid().to_owned()).unwrap_or_default(),
        name: pool
            .map(|p| p.get(pool::NAME_LABEL).as_str().to_owned())
            .unwrap_or_default(),
        master: master.map(|h| h.uuid().to_owned()).unwrap_or_default(),
        taken: pool_ops::core::now().0,
        ..BackupHeader::default()
    }
}

/// Who says what the database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Teller {
    /// The leader, whose word is the pool's.
    Leader,
    /// This machine's node, whoever leads: what it has heard of.
    Own,
}

/// Fetches the whole database of this host's pool as it was at a moment, now if it is 0, in the form of a backup.
///
/// # Errors
/// When who is to tell does not answer.
pub async fn fetch(config: &Config, moment: DateTime, teller: Teller) -> Result<Vec<u8>> {
    let (peers, first) = command::way_in(config)?;
    let own = teller == Teller::Own;
    let mut stream = follow(first, |at| {
        let channel = peers.channel(at.host, &at.address, at.port, Lane::Agent);
        let mut client = PoolClient::new(channel).max_decoding_message_size(proto_wire::LARGEST_MESSAGE);
        let request = BackupRequest { at: moment.0, own };
        async move { Ok(client.backup(request).await?.into_inner()) }
    })
    .await?;
    let mut bytes = Vec::new();
    loop {
        let part = tokio::time::timeout(SILENCE, stream.message()).await;
        let part = part.context("the master stopped sending")?;
        match part.map_err(|status| anyhow::anyhow!("{}", status.message()))? {
            Some(part) => bytes.extend_from_slice(&part.data),
            None => return Ok(bytes),
        }
    }
}

/// Takes a backup and checks it by restoring it in memory.
///
/// # Errors
/// When who is to tell does not answer or keep that moment, the file cannot be written, or what was written cannot be restored.
pub async fn take(settings: &Path, at: Option<&str>, teller: Teller, file: &Path) -> Result<()> {
    let moment = at.map_or(Ok(DateTime::EPOCH), |at| {
        history::moment(at, pool_ops::core::now())
    })?;
    let bytes = fetch(&config::load(settings)?, moment, teller).await?;
    let part = file.with_extension("part");
    let written = write(&part, &bytes).and_then(|()| checked(&part));
    let backup = match written {
        Ok(backup) => backup,
        Err(error) => {
            let _ = fs::remove_file(&part);
            return Err(error);
        }
    };
    fs::rename(&part, file).with_context(|| format!("write {}", file.display()))?;
    command::print(&format!("{}\nchecked by restoring it", described(&backup.header)))
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        // Keys and password hashes lie in it.
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(file)?;
        let mut out = BufWriter::new(file);
        out.write_all(bytes)?;
        out.into_inner()?.sync_all()
    };
    write().with_context(|| format!("write {}", file.display()))
}

fn described(header: &BackupHeader) -> String {
    format!(
        "pool {:?} ({}), {} objects at entry {} of the log, release {}, format {}",
        header.name, header.pool, header.rows, header.applied, header.release, header.format
    )
}

fn read(file: &Path) -> Result<Backup> {
    let input = File::open(file).with_context(|| format!("open {}", file.display()))?;
    backup::read(&mut BufReader::new(input)).with_context(|| format!("read {}", file.display()))
}

/// Reads a backup and restores it in memory.
fn checked(file: &Path) -> Result<Backup> {
    let backup = read(file)?;
    let place = Place {
        host: backup.header.master.clone(),
        address: "127.0.0.1".to_owned(),
        member: MemberFacts::default(),
    };
    let mut restored = Database::default();
    for (index, entry) in (1..).zip(entries(&backup, &place)?) {
        apply(&mut restored, index, &entry);
    }
    ensure!(
        decide::objects(&backup.database).eq(decide::objects(&restored)),
        "what was restored is not what was backed up"
    );
    Ok(backup)
}

fn entries(backup: &Backup, place: &Place) -> Result<Vec<Transaction>> {
    let facts = Facts::new(pool_ops::core::now(), Uuid::new_v4);
    Ok(decide::transactions(&backup.database, place, &facts)?)
}

/// Says what is in a backup.
///
/// # Errors
/// When it is not whole.
pub fn show(file: &Path) -> Result<()> {
    let backup = checked(file)?;
    let mut lines = vec![described(&backup.header)];
    for row in backup.database.rows(host::CLASS) {
        let master = if row.uuid() == backup.header.master {
            ", the master"
        } else {
            ""
        };
        lines.push(format!(
            "host {} {}{master}",
            row.uuid(),
            row.get(host::NAME_LABEL).as_str()
        ));
    }
    lines.push("it is whole and can be restored".to_owned());
    command::print(&lines.join("\n"))
}

/// Makes this host the first of a pool that comes back from a backup.
///
/// # Errors
/// When the host is in a pool already, or the backup is not whole or has no such host.
pub async fn restore(settings: &Path, file: &Path, host: Option<Uuid>) -> Result<()> {
    let config = config::load(settings)?;
    let dir = &config.node.state_dir;
    if identity::load(dir).is_ok() || dir.join("raft").exists() {
        bail!("this host is in a pool already: a backup is restored on a host that is in none");
    }
    let backup = checked(file)?;
    let host = match host {
        Some(host) => host,
        None => {
            Uuid::try_parse(&backup.header.master).context("the backup does not say who was the master")?
        }
    };
    let address: IpAddr = config
        .node
        .address
        .parse()
        .context("node.address is no IP address")?;
    let member = Member::new(host, config.node.address.clone(), config.listen.grpc.port());
    let place = Place {
        host: host.to_string(),
        address: config.node.address.clone(),
        member: MemberFacts {
            node_id: member.node_id,
            grpc_port: config.listen.grpc.port(),
            api_port: config.listen.https.port(),
        },
    };
    let entries = entries(&backup, &place)?;
    let row = backup
        .database
        .rows(tarn_authority::CLASS)
        .find(|a| a.get(tarn_authority::ACTIVE).as_bool());
    let row = row.context("the backup has no certificate authority")?;
    let authority = Authority::from_pem(
        row.get(tarn_authority::CERTIFICATE).as_str(),
        row.get(tarn_authority::KEY).as_str(),
    )
    .context("read the pool's certificate authority")?;
    identity::take_uuid(dir, host)?;
    if let Err(error) = command::begin_log(&config, &authority, &member, address, entries).await {
        // Half a pool must not be taken for one.
        let _ = fs::remove_dir_all(dir.join("raft"));
        return Err(error);
    }
    command::print(&format!(
        "{}\nrestored: start this host's node, then let the other hosts come in, each with `tarn pool join --replaces`",
        described(&backup.header)
    ))
}
