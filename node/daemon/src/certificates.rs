//! Keeps this host's certificates: renews its own before it ends, follows the pool's authorities, shows an operator's own
//! certificate to clients, and lays what the pool trusts where programs of the host find it.
//!
//! Connections that stand are never cut for it: each keeps what it began with.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use gateway_server::{ServerIdentity, certificates as texts};
use node_agent::CertificateKeeper;
use node_commands::ShownCertificates;
use pool_domain::Database;
use pool_domain::decide::certificate::CertificateFacts;
use pool_domain::decide::{authority, certificate, certificate_alerts, learner};
use pool_domain::transaction::Origin;
use pool_ops::Ops;
use pool_raft::Pool;
use proto_types::generated::{host, tarn_authority, tarn_member};
use proto_types::{ApiError, Ref};
use proto_wire::ca::{self, Authority};
use proto_wire::channel::{Credentials, Identity, Lane, Peers};
use proto_wire::pool::pool_client::PoolClient;
use proto_wire::pool::{RenewReply, RenewRequest};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::identity;

/// Between two looks at what the pool trusts and how long the certificate is still good.
const LOOK: Duration = Duration::from_secs(3);
/// Between two tries to renew, when one has failed.
const AGAIN: Duration = Duration::from_secs(30);
/// How long the leader may take to give a certificate.
const ANSWER: Duration = Duration::from_secs(20);

/// The certificates of this host. Cheap to copy.
#[derive(Clone)]
pub struct Keeper {
    inner: Arc<Inner>,
}

struct Inner {
    dir: PathBuf,
    pool: Pool,
    peers: Peers,
    node: Mutex<Identity>,
    /// An operator's own certificate for the API, without its key.
    own: Mutex<Option<String>>,
    api: ServerIdentity,
    credentials: Credentials,
    ops: OnceLock<Ops>,
    /// One renewal at a time.
    turn: tokio::sync::Mutex<()>,
    /// What lies in the folders for programs.
    laid: Mutex<Option<Laid>>,
}

/// Certificates and revocation lists by file name.
type Laid = (Vec<certificate::TrustFile>, Vec<certificate::TrustFile>);

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keeper")
    }
}

fn chain_of(who: &Identity) -> String {
    format!("{}{}", who.certificate_pem, who.trust_pem)
}

impl Keeper {
    /// Loads what the host shows to clients: an operator's own certificate, or that of the pool.
    ///
    /// # Errors
    /// When neither can be used.
    pub fn load(
        dir: &Path,
        who: Identity,
        credentials: Credentials,
        peers: Peers,
        pool: Pool,
    ) -> Result<Keeper> {
        let own = identity::api(dir)?;
        let used = own.and_then(|text| {
            match ServerIdentity::from_pem(text.as_bytes(), text.as_bytes()) {
                Ok(api) => Some((without_keys(&text), api)),
                Err(error) => {
                    // The API must answer, if only so that another can be installed.
                    tracing::error!(%error, "the API's own certificate cannot be used: the pool's is shown");
                    None
                }
            }
        });
        let (own, api) = match used {
            Some((text, api)) => (Some(text), api),
            None => {
                let api = ServerIdentity::from_pem(chain_of(&who).as_bytes(), who.key_pem.as_bytes());
                (None, api.context("load certificates")?)
            }
        };
        Ok(Keeper {
            inner: Arc::new(Inner {
                dir: dir.to_owned(),
                pool,
                peers,
                node: Mutex::new(who),
                own: Mutex::new(own),
                api,
                credentials,
                ops: OnceLock::new(),
                turn: tokio::sync::Mutex::new(()),
                laid: Mutex::new(None),
            }),
        })
    }

    /// What the API's listener shows.
    pub fn api(&self) -> ServerIdentity {
        self.inner.api.clone()
    }

    /// With these this node gives itself certificates while it leads.
    pub fn begin(&self, ops: Ops) {
        let _ = self.inner.ops.set(ops);
    }

    fn node(&self) -> Identity {
        self.inner
            .node
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn has_own(&self) -> bool {
        self.inner
            .own
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }

    /// Looks after everything until the node stops.
    pub async fn keep(self, stop: CancellationToken) {
        let mut rest = LOOK;
        let mut lays_from = Instant::now();
        loop {
            tokio::select! {
                () = tokio::time::sleep(rest) => {}
                () = stop.cancelled() => return,
            }
            // A folder that cannot be written must not keep this host from trusting and renewing.
            if Instant::now() >= lays_from
                && let Err(error) = self.lay(certificate::files(&self.inner.pool.snapshot()))
            {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "what the pool trusts was not laid out whole"
                );
                lays_from = Instant::now() + AGAIN;
            }
            rest = match self.look().await {
                Ok(()) => LOOK,
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "certificates were not looked after");
                    AGAIN
                }
            };
        }
    }

    async fn look(&self) -> Result<()> {
        let db = self.inner.pool.snapshot();
        let who = self.node();
        let all = authority::all(&db);
        let text = |row: &pool_domain::Row| row.get(tarn_authority::CERTIFICATE).as_str().to_owned();
        let known = all
            .iter()
            .any(|row| ca::names_issuer(&who.certificate_pem, &text(row)));
        let Some(signs) = all.last().filter(|_| known) else {
            // This node is behind the pool.
            return Ok(());
        };
        let trust = trust(&db);
        if trust != who.trust_pem {
            self.trust(trust)?;
        }
        let due = ca::is_due(&who.certificate_pem, pool_ops::core::now().0)?;
        if due || !ca::names_issuer(&who.certificate_pem, &text(signs)) {
            self.fetch().await?;
        }
        Ok(())
    }

    /// Trusts other authorities from now on.
    fn trust(&self, trust_pem: String) -> Result<()> {
        let who = Identity {
            trust_pem,
            ..self.node()
        };
        self.inner
            .credentials
            .reload(&who)
            .context("trust the pool's authorities")?;
        identity::save_trust(&self.inner.dir, &who.trust_pem)?;
        self.take(who)
    }

    /// Shows an identity that has been written.
    fn take(&self, who: Identity) -> Result<()> {
        if !self.has_own() {
            let shown = self
                .inner
                .api
                .replace(chain_of(&who).as_bytes(), who.key_pem.as_bytes());
            shown.context("show the certificate to clients")?;
        }
        *self.inner.node.lock().unwrap_or_else(PoisonError::into_inner) = who;
        Ok(())
    }

    /// Shows clients what it shows other hosts. Needs no leader.
    ///
    /// # Errors
    /// When the operator's own certificate cannot be removed.
    pub fn drop_own(&self) -> Result<()> {
        identity::save_api(&self.inner.dir, None)?;
        *self.inner.own.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.take(self.node())
    }

    /// Gets a certificate with a new key from the leader, and shows it.
    async fn fetch(&self) -> Result<()> {
        let _turn = self.inner.turn.lock().await;
        let own = self.node().host;
        let key_pem = ca::make_key().context("make a key")?;
        let request_pem = ca::make_request(&key_pem, own).context("make a certificate request")?;
        let given = self.ask(own, request_pem).await?;
        let who = Identity {
            host: own,
            certificate_pem: given.certificate_pem,
            key_pem,
            trust_pem: given.trust_pem,
        };
        // What does not fit is refused here, before anything is written.
        self.inner
            .credentials
            .reload(&who)
            .context("use the new certificate")?;
        identity::renew(&self.inner.dir, &who)?;
        self.take(who)?;
        tracing::info!("this host has a new certificate");
        Ok(())
    }

    async fn ask(&self, own: Uuid, request_pem: String) -> Result<RenewReply> {
        let leadership = self.inner.pool.leadership().borrow().clone();
        if leadership.is_me {
            let ops = self.inner.ops.get().context("the node is starting")?;
            return issue(ops, own, &request_pem)
                .await
                .map_err(|error| anyhow!(error.to_string()));
        }
        let leader = leadership.leader.context("no node leads now")?;
        let channel = self
            .inner
            .peers
            .channel(leader.host, &leader.address, leader.port, Lane::Agent);
        let call = async move { PoolClient::new(channel).renew(RenewRequest { request_pem }).await };
        let reply = tokio::time::timeout(ANSWER, call).await.context("no answer")?;
        Ok(reply.context("the leader gives no certificate")?.into_inner())
    }

    /// Writes what the pool trusts into two folders, and takes away what it trusts no more.
    fn lay(&self, wanted: Laid) -> Result<()> {
        let mut laid = self.inner.laid.lock().unwrap_or_else(PoisonError::into_inner);
        if laid.as_ref() == Some(&wanted) {
            return Ok(());
        }
        let trusted = lay_folder(&self.inner.dir.join("trusted-certificates"), &wanted.0);
        let revoked = lay_folder(&self.inner.dir.join("revocation-lists"), &wanted.1);
        trusted.and(revoked)?;
        *laid = Some(wanted);
        Ok(())
    }
}

/// A text's certificates without its keys.
fn without_keys(pem: &str) -> String {
    let mut kept = String::new();
    let mut rest = pem;
    while let Some(at) = rest.find("-----BEGIN CERTIFICATE-----") {
        let (block, behind) = ca::split_first(rest.get(at..).unwrap_or_default());
        kept.push_str(block.trim_end());
        kept.push('\n');
        rest = behind;
    }
    kept
}

/// Writes what can be written and removes what can be removed; the first failure is told at the end.
fn lay_folder(folder: &Path, files: &[certificate::TrustFile]) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let mut all = Ok(());
    for (name, text) in files {
        let file = folder.join(name);
        // Names were checked before they were taken into the pool; the file system has the last word.
        let written = std::fs::write(&file, text).with_context(|| format!("write {}", file.display()));
        all = all.and(written);
    }
    let names: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let entry = entry.with_context(|| format!("read {}", folder.display()))?;
        if !entry
            .file_name()
            .to_str()
            .is_some_and(|name| names.contains(name))
        {
            let removed = std::fs::remove_file(entry.path())
                .with_context(|| format!("remove {}", entry.path().display()));
            all = all.and(removed);
        }
    }
    all
}

#[async_trait]
impl CertificateKeeper for Keeper {
    fn shown(&self) -> ShownCertificates {
        let who = self.node();
        let own = self
            .inner
            .own
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let first = |text: &str| ca::split_first(text).0.to_owned();
        ShownCertificates {
            api: first(own.as_deref().unwrap_or(&who.certificate_pem)),
            node: first(&who.certificate_pem),
        }
    }

    async fn install(&self, certificates: &str, key: &str) -> Result<(), String> {
        let done = || -> Result<()> {
            // Refused here if they do not fit: then nothing is written.
            ServerIdentity::from_pem(certificates.as_bytes(), key.as_bytes())?;
            identity::save_api(&self.inner.dir, Some(&format!("{certificates}\n{key}\n")))?;
            self.inner.api.replace(certificates.as_bytes(), key.as_bytes())?;
            let mut own = self.inner.own.lock().unwrap_or_else(PoisonError::into_inner);
            *own = Some(without_keys(certificates));
            Ok(())
        };
        done().map_err(|error| format!("{error:#}"))
    }

    async fn reset(&self) -> Result<(), String> {
        self.drop_own().map_err(|error| format!("{error:#}"))?;
        self.renew().await
    }

    async fn renew(&self) -> Result<(), String> {
        self.fetch().await.map_err(|error| format!("{error:#}"))
    }
}

/// Whom hosts are to trust: the authority that signs comes last.
pub fn trust(db: &Database) -> String {
    let texts = authority::all(db)
        .into_iter()
        .map(|row| ca::split_first(row.get(tarn_authority::CERTIFICATE).as_str()).0);
    texts.map(|text| format!("{}\n", text.trim_end())).collect()
}

fn origin(method: &str) -> Origin {
    Origin {
        method: method.to_owned(),
        ..Origin::default()
    }
}

fn unreadable(_: ca::CaError) -> ApiError {
    ApiError::internal("the pool's certificate authority cannot be used")
}

/// The authority that signs, and its row.
fn signing(db: &Database) -> Result<(Ref, Authority), ApiError> {
    let row =
        authority::active(db).ok_or_else(|| ApiError::internal("the pool has no certificate authority"))?;
    let text = |field| row.get(field).as_str();
    let signs = Authority::from_pem(text(tarn_authority::CERTIFICATE), text(tarn_authority::KEY));
    Ok((row.reference, signs.map_err(unreadable)?))
}

/// Gives a host of the pool a certificate, and notes it. On the leader.
///
/// # Errors
/// When the host belongs to the pool no more, the request does not read, or this node leads no more.
pub async fn issue(ops: &Ops, own: Uuid, request_pem: &str) -> Result<RenewReply, ApiError> {
    let db = ops.pool.snapshot();
    let uuid = own.to_string();
    let of_host = db.by_uuid(host::CLASS, &uuid).map(|h| h.reference);
    let learns = learner::find(&db, &uuid).map(|row| row.reference);
    if of_host.or(learns).is_none() {
        return Err(ApiError::internal("the host belongs to this pool no more"));
    }
    let addresses: Vec<_> = db
        .rows(tarn_member::CLASS)
        .filter(|m| Some(m.reference) == learns || Some(m.get(tarn_member::HOST).as_ref()) == of_host)
        .filter_map(|m| m.get(tarn_member::ADDRESS).as_str().parse().ok())
        .collect();
    let (row, signs) = signing(&db)?;
    let certificate_pem = signs
        .issue_for_request(request_pem, own, &addresses)
        .map_err(|_| ApiError::internal("the request for a certificate does not read"))?;
    let facts = described(&certificate_pem)?;
    ops.decide(&origin("certificate renewal"), |d| {
        d.note(row);
        if let Some(reference) = of_host {
            certificate::renewed(d, reference, &facts);
        }
        authority::signed(d, &uuid, row);
        Ok(())
    })
    .await?;
    Ok(RenewReply {
        certificate_pem,
        trust_pem: trust(&db),
    })
}

fn described(pem: &str) -> Result<CertificateFacts, ApiError> {
    texts::describe(pem).ok_or_else(|| ApiError::internal("a certificate of the pool does not read"))
}

/// Makes the authority that takes the place of the one that signs. On the leader.
///
/// # Errors
/// `OPERATION_NOT_ALLOWED` while an older one is still in use.
pub async fn rotate(ops: &Ops, by: &Origin) -> Result<(), ApiError> {
    let (_, signs) = signing(&ops.pool.snapshot())?;
    let next = signs.successor(Uuid::new_v4()).map_err(unreadable)?;
    let facts = described(next.certificate_pem())?;
    let (all, key) = (next.all_pem(), next.key_pem());
    ops.decide(by, |d| authority::succeed(d, (&all, &key), facts.not_after))
        .await?;
    look_after(ops).await
}

/// Shows the pool's authorities as objects, and lets those go that no host needs any more. On the leader, now and then.
///
/// # Errors
/// When this node leads no more.
pub async fn look_after(ops: &Ops) -> Result<(), ApiError> {
    ops.decide(&origin("certificate authorities"), |d| {
        authority::retire(d);
        let all: Vec<CertificateFacts> = authority::all(d.db())
            .into_iter()
            .filter_map(|row| texts::describe(row.get(tarn_authority::CERTIFICATE).as_str()))
            .collect();
        certificate::authorities(d, &all);
        certificate_alerts::note(d);
        Ok(())
    })
    .await
    .map(|_| ())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_file_that_cannot_be_written_or_removed_keeps_no_other_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        // Folders in the places of files: not even root can write or remove them as such.
        std::fs::create_dir(file("a.pem")).unwrap();
        std::fs::create_dir(file("0-old.pem")).unwrap();
        std::fs::write(file("old.pem"), "old").unwrap();
        let wanted = [("a.pem".into(), "a".into()), ("b.pem".into(), "b".into())];
        let error = lay_folder(folder.path(), &wanted).unwrap_err();
        assert!(error.to_string().contains("a.pem"), "{error}");
        assert_eq!(std::fs::read_to_string(file("b.pem")).unwrap(), "b");
        assert!(!file("old.pem").exists());
        for name in ["a.pem", "0-old.pem"] {
            std::fs::remove_dir(file(name)).unwrap();
        }
        lay_folder(folder.path(), &wanted).unwrap();
        assert_eq!(std::fs::read_to_string(file("a.pem")).unwrap(), "a");
    }
}
