//! A host that was sent away: it sees its own row go, waits until it counts no more, and begins a pool of its own.
//!
//! Its disks stay as they are. XenServer erases them at this point; here whoever wants them gone erases them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use pool_domain::Database;
use pool_raft::Pool;
use proto_types::generated::{host, tarn_credential};
use proto_wire::channel::{Lane, Peers};
use proto_wire::pool::StatusRequest;
use proto_wire::pool::pool_client::PoolClient;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::Config;
use crate::{command, identity};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(500);
/// How long one member may take to answer.
const ANSWER: Duration = Duration::from_secs(3);

/// Watches for this host's row to go. Returns once the node is to start anew, alone.
pub async fn watch(pool: Pool, peers: Peers, own: Uuid, dir: PathBuf, restart: CancellationToken) {
    let uuid = own.to_string();
    let is_host = |db: &Database| db.by_uuid(host::CLASS, &uuid).is_some();
    // A host that has just joined has no rows at all yet.
    let mut was_host = false;
    loop {
        let db = pool.snapshot();
        if is_host(&db) {
            was_host = true;
        } else if was_host && still_counts(&pool, &peers, own).await == Some(false) {
            break;
        }
        tokio::time::sleep(LOOK).await;
    }
    let db = pool.snapshot();
    let superusers = db
        .rows(tarn_credential::CLASS)
        .map(|c| {
            let text = |field| c.get(field).as_str().to_owned();
            (text(tarn_credential::NAME), text(tarn_credential::HASH))
        })
        .collect();
    match identity::note_alone(&dir, &superusers) {
        Ok(()) => {
            tracing::warn!("this host has been sent away: it starts anew, alone");
            restart.cancel();
        }
        Err(error) => tracing::error!(%error, "this host has been sent away and cannot start anew"),
    }
}

/// Asks the other members whether they still count this host; `None` if no one says. A host that went before the others
/// had agreed on it would leave a pool of two without a majority.
async fn still_counts(pool: &Pool, peers: &Peers, own: Uuid) -> Option<bool> {
    let members = pool.members();
    if !members.iter().any(|(m, _)| m.host == own) {
        return Some(false);
    }
    for (member, _) in members.into_iter().filter(|(m, _)| m.host != own) {
        let channel = peers.channel(member.host, &member.address, member.port, Lane::Agent);
        let call = async move { PoolClient::new(channel).status(StatusRequest {}).await };
        let Ok(Ok(reply)) = tokio::time::timeout(ANSWER, call).await else {
            continue;
        };
        let Ok(status) = serde_json::from_slice::<serde_json::Value>(&reply.into_inner().json) else {
            continue;
        };
        if status["is_leader"] != true {
            continue;
        }
        let own = own.to_string();
        let listed = status["members"].as_array()?;
        return Some(listed.iter().any(|m| m["host"] == own.as_str()));
    }
    None
}

/// Makes a pool of this host alone, if it was sent away before its node stopped.
///
/// # Errors
/// When the new pool cannot be made; the next start tries again.
pub async fn begin_alone(config: &Config) -> Result<()> {
    let dir = &config.node.state_dir;
    let Some(superusers) = identity::begins_alone(dir)? else {
        return Ok(());
    };
    let Some((user, hash)) = superusers.first() else {
        anyhow::bail!("it is not known who may log in: run `tarn pool create`");
    };
    command::create_with(config, "", (user, hash)).await?;
    identity::is_alone_now(dir)
}
