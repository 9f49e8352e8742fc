//! Where the leader is, carried in a refusal between nodes.

use std::future::Future;

use anyhow::{Context, Result, bail};
use tonic::{Code, Status};
use uuid::Uuid;

use pool_raft::Member;
use proto_wire::channel::distrust;

const KEY: &str = "tarn-leader";

/// Another node, as a refusal names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// Its host's uuid.
    pub host: Uuid,
    /// Its address.
    pub address: String,
    /// Its node-to-node port.
    pub port: u16,
}

/// The refusal of a node that does not lead.
#[allow(clippy::result_large_err, reason = "tonic's own type for a refused call")]
pub fn refusal(leader: Option<&Member>) -> Status {
    let mut status = match leader {
        Some(_) => Status::failed_precondition("another node leads"),
        None => Status::unavailable("no node leads now"),
    };
    if let Some(leader) = leader
        && let Ok(value) = format!("{},{},{}", leader.host, leader.address, leader.port).parse()
    {
        status.metadata_mut().insert(KEY, value);
    }
    status
}

fn named(status: &Status) -> Option<Elsewhere> {
    let text = status.metadata().get(KEY)?.to_str().ok()?;
    let mut parts = text.split(',');
    Some(Elsewhere {
        host: parts.next()?.parse().ok()?,
        address: parts.next()?.to_owned(),
        port: parts.next()?.parse().ok()?,
    })
}

/// Calls a node, and the one it names if it does not lead, for some seconds.
///
/// # Errors
/// When no leader is found, or the leader refuses.
pub async fn follow<T, F>(first: Elsewhere, mut call: impl FnMut(Elsewhere) -> F) -> Result<T>
where
    F: Future<Output = Result<T, Status>>,
{
    let mut target = first;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let status = match call(target.clone()).await {
            Ok(answer) => return Ok(answer),
            Err(status) => status,
        };
        if let Some(why) = distrust(&status) {
            bail!("{why}");
        }
        if let Some(elsewhere) = named(&status) {
            target = elsewhere;
        } else if status.code() != Code::Unavailable {
            bail!("{}: {}", status.code(), status.message());
        }
        if tokio::time::Instant::now() > deadline {
            return Err(status).context("no leader answered in time");
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
