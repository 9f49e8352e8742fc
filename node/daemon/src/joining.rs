//! `tarn pool join` and `tarn pool learn`: a machine that is in no pool asks to be taken in.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use node_commands::Facts;
use proto_wire::ca;
use proto_wire::channel::{Identity, Pinned};
use proto_wire::pool::JoinRequest;
use proto_wire::pool::pool_client::PoolClient;
use uuid::Uuid;

use crate::command::{own_facts, own_status};
use crate::config::Config;
use crate::identity;
use crate::redirect::{Elsewhere, follow};

/// How long a node may take to answer.
const ANSWER: Duration = Duration::from_secs(20);

/// As whom a host joins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum JoinAs {
    /// As a new member.
    New,
    /// As a host that the pool has already, and which is lost.
    Lost(Uuid),
    /// As itself, with an empty database.
    Itself,
}

/// A token, taken apart.
struct Token<'a> {
    address: &'a str,
    port: u16,
    fingerprint: &'a str,
    secret: &'a str,
}

impl<'a> Token<'a> {
    /// `tarn1:ADDRESS:PORT:FINGERPRINT:SECRET`; an IPv6 address has colons of its own.
    fn parse(text: &'a str) -> Result<Token<'a>> {
        let parts: Vec<&str> = text.trim().rsplitn(4, ':').collect();
        let [secret, fingerprint, port, front] = parts.as_slice() else {
            bail!("this is no join token")
        };
        Ok(Token {
            address: front.strip_prefix("tarn1:").context("this is no join token")?,
            port: port.parse().context("this is no join token")?,
            fingerprint,
            secret,
        })
    }
}

/// Makes this host, which is in no pool, a member of one.
///
/// # Errors
/// When the host is in a pool already or cannot say what it is, or the pool does not answer or refuses.
pub async fn join(config: &Config, token: &str, who: JoinAs) -> Result<()> {
    let dir = &config.node.state_dir;
    if who == JoinAs::Itself {
        // A node that runs holds its database, and would go on with it.
        if own_status(config).await.is_ok() {
            bail!("this host's node runs: stop it first");
        }
    } else if identity::load(dir).is_ok() {
        bail!("this host is in a pool already");
    }
    if let JoinAs::Lost(lost) = who {
        identity::take_uuid(dir, lost)?;
    }
    let token = Token::parse(token)?;
    let facts = own_facts(config, identity::host_uuid(dir)?).await?;
    let facts = serde_json::to_vec(&with_name(facts, &config.node.name)).context("encode facts")?;
    let request = JoinRequest {
        facts: facts.into(),
        replaces: who != JoinAs::New,
        ..JoinRequest::default()
    };
    let taken_in = ask(config, &token, request).await?;
    // Only now: until the pool has agreed, what is here may still be of use.
    if who == JoinAs::Itself {
        identity::set_aside(dir)?;
    }
    identity::save(dir, &taken_in)
}

/// Has this machine, which is in no pool, take in the log of one.
///
/// # Errors
/// As [`join`].
pub async fn learn(config: &Config, token: &str) -> Result<()> {
    let dir = &config.node.state_dir;
    if identity::load(dir).is_ok() {
        bail!("this machine is in a pool already");
    }
    let request = JoinRequest {
        learns: true,
        ..JoinRequest::default()
    };
    let taken_in = ask(config, &Token::parse(token)?, request).await?;
    identity::note_learner(dir)?;
    identity::save(dir, &taken_in)
}

/// Asks the pool, with a key and a request for a certificate that are made now.
async fn ask(config: &Config, token: &Token<'_>, request: JoinRequest) -> Result<Identity> {
    let host = identity::host_uuid(&config.node.state_dir)?;
    let key_pem = ca::make_key().context("make a key")?;
    let request = JoinRequest {
        secret: token.secret.to_owned(),
        host: Bytes::copy_from_slice(host.as_bytes()),
        request_pem: ca::make_request(&key_pem, host).context("make a certificate request")?,
        address: config.node.address.clone(),
        grpc_port: u32::from(config.listen.grpc.port()),
        api_port: u32::from(config.listen.https.port()),
        ..request
    };
    let first = Elsewhere {
        host: Uuid::nil(),
        address: token.address.to_owned(),
        port: token.port,
    };
    let reply = follow(first, |at| {
        let request = request.clone();
        let channel = Pinned::channel(&at.address, at.port, token.fingerprint);
        async move {
            let channel = channel.map_err(|e| tonic::Status::internal(e.to_string()))?;
            let call = tokio::time::timeout(
                ANSWER,
                async move { PoolClient::new(channel).join(request).await },
            );
            match call.await {
                Ok(answer) => answer.map(tonic::Response::into_inner),
                Err(_) => Err(tonic::Status::unavailable("no answer")),
            }
        }
    })
    .await
    .context("join")?;
    if !reply.refusal.is_empty() {
        bail!("the pool refuses: {}", reply.refusal.join(" "));
    }
    Ok(Identity {
        host,
        certificate_pem: reply.certificate_pem,
        key_pem,
        trust_pem: reply.trust_pem,
    })
}

/// The name in the settings is the host's name in the pool.
fn with_name(mut facts: Facts, name: &str) -> Facts {
    facts.host.hostname = name.to_owned();
    facts
}
