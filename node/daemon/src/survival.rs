//! What a node does at its start because a majority was lost: it goes on alone, or follows one that did.
//!
//! Both are written down first and done at the next start, before the database is opened. Cut off anywhere they are
//! begun again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use pool_domain::decide::pool_members;
use pool_domain::transaction::Origin;
use pool_domain::{Draft, Facts, Outcome};
use pool_raft::{Member, RaftConfig, Survived};
use proto_types::generated::host;
use proto_wire::channel::{Credentials, Lane, Peers};
use proto_wire::pool::RejoinRequest;
use proto_wire::pool::pool_client::PoolClient;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::Config;
use crate::identity;
use crate::redirect::{Elsewhere, follow};

const ALONE: &str = "survive.json";
const FOLLOW: &str = "follow.json";
/// How long the lone member may take to elect itself.
const ELECTION: Duration = Duration::from_secs(30);

/// Whom to follow, and who is not listened to any more.
#[derive(Debug, Serialize, Deserialize)]
struct Following {
    host: Uuid,
    address: String,
    port: u16,
    left: Vec<u64>,
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let fresh = dir.join(format!("{name}.new"));
    std::fs::write(&fresh, bytes)?;
    std::fs::File::open(&fresh)?.sync_all()?;
    std::fs::rename(&fresh, dir.join(name))?;
    Ok(())
}

fn remove(file: &Path) -> Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Has this node go on alone at its next start.
///
/// # Errors
/// When that cannot be written.
pub fn note_alone(dir: &Path) -> Result<()> {
    write(dir, ALONE, b"{}").context("write that this host goes on alone")
}

/// Has this node follow another at its next start. What it knows of `left` is not believed any more.
///
/// # Errors
/// When that cannot be written.
pub fn note_following(dir: &Path, whom: &Member, left: Vec<u64>) -> Result<()> {
    let following = Following {
        host: whom.host,
        address: whom.address.clone(),
        port: whom.port,
        left,
    };
    write(dir, FOLLOW, &serde_json::to_vec(&following)?).context("write whom this host follows")
}

/// Does what was written down before the node stopped.
///
/// # Errors
/// When it cannot be done; the next start tries again.
pub async fn at_start(config: &Config) -> Result<()> {
    let dir = &config.node.state_dir;
    if dir.join(FOLLOW).exists() {
        return start_following(config).await;
    }
    if dir.join(ALONE).exists() {
        go_on_alone(config).await?;
    }
    Ok(())
}

/// Makes this host, whose node does not run, the only member of its pool that votes.
///
/// # Errors
/// When the database cannot be opened or written.
pub async fn go_on_alone(config: &Config) -> Result<Survived> {
    let dir = &config.node.state_dir;
    let who = identity::load(dir)?;
    let own = Member::new(who.host, config.node.address.clone(), config.listen.grpc.port());
    let raft = RaftConfig::new(own.node_id, dir.join("raft"));
    let survived = pool_raft::survive_alone(&raft, own).await?;
    let pool = pool_raft::start(raft, Peers::new(Credentials::new(&who)?)).await?;
    let written = forget_others(&pool, who.host).await;
    pool.shutdown().await;
    written?;
    remove(&dir.join(ALONE)).context("note that it is done")?;
    for member in &survived.barred {
        tracing::warn!(host = %member.host, address = member.address, "is left behind");
    }
    tracing::warn!(
        last = survived.last,
        "this host goes on alone; what it has not heard of is lost"
    );
    Ok(survived)
}

/// The others count no more for the majority, and nothing is known of them.
async fn forget_others(pool: &pool_raft::Pool, own: Uuid) -> Result<()> {
    let mut leadership = pool.leadership();
    let leads = leadership.wait_for(|now| now.is_me && now.ready);
    tokio::time::timeout(ELECTION, leads)
        .await
        .context("this host does not elect itself")?
        .context("consensus has stopped")?;
    let db = pool.read_barrier().await.context("read the database")?;
    let Some(reference) = db.by_uuid(host::CLASS, &own.to_string()).map(|h| h.reference) else {
        bail!("this host is none of its pool");
    };
    let transaction = {
        let facts = Facts::new(pool_ops::core::now(), Uuid::new_v4);
        let mut draft = Draft::new(&db, &facts);
        pool_members::survive(&mut draft, reference);
        draft.finish(
            Uuid::new_v4(),
            Origin {
                method: "pool recover".to_owned(),
                ..Origin::default()
            },
        )
    };
    match pool.propose(transaction).await {
        Ok((Outcome::Applied(_), _)) => Ok(()),
        Ok((Outcome::Conflict(_), _)) => bail!("the database changes while it is recovered"),
        Err(error) => Err(error).context("write that the others are gone"),
    }
}

async fn start_following(config: &Config) -> Result<()> {
    let dir = &config.node.state_dir;
    let file = dir.join(FOLLOW);
    let following: Following =
        serde_json::from_slice(&std::fs::read(&file)?).context("read whom to follow")?;
    let who = identity::load(dir)?;
    let peers = Peers::new(Credentials::new(&who).context("load certificates")?);
    let request = RejoinRequest {
        address: config.node.address.clone(),
        grpc_port: u32::from(config.listen.grpc.port()),
        api_port: u32::from(config.listen.https.port()),
    };
    let first = Elsewhere {
        host: following.host,
        address: following.address.clone(),
        port: following.port,
    };
    // Before anything is given up: a host that is not taken in keeps what it has.
    follow(first, |at| {
        let channel = peers.channel(at.host, &at.address, at.port, Lane::Agent);
        let request = request.clone();
        async move { PoolClient::new(channel).rejoin(request).await.map(|_| ()) }
    })
    .await
    .context("be taken in again")?;
    identity::forget_pool(dir)?;
    let raft: PathBuf = dir.join("raft");
    pool_raft::bar(&raft, following.left).context("write who is not listened to")?;
    remove(&file).context("note that it is done")?;
    tracing::warn!(
        address = following.address,
        "this host has given its copy of the pool up and follows another"
    );
    Ok(())
}
