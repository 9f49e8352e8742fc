//! What really runs on a host, and failures that a host plays.

use std::time::Duration;

use node_commands::{Failure, HostCommand, HostReply, MachineVerb};
use pool_domain::decide::ha_switch;
use pool_domain::transaction::Origin;
use proto_types::{ApiError, Ref};
use uuid::Uuid;

use crate::core::Ops;
use crate::machine;

/// How long a host may take to answer.
const WAIT: Duration = Duration::from_secs(10);

/// The failure of a name.
pub fn failure(name: &str) -> Option<Failure> {
    match name {
        "kill" => Some(Failure::Kill),
        "cut" => Some(Failure::Cut),
        "pause" => Some(Failure::Pause),
        _ => None,
    }
}

/// The uuids of the guests that a host runs, by its own word.
///
/// # Errors
/// `HANDLE_INVALID`; `HOST_OFFLINE [host]` and the like if it does not answer.
pub async fn guests(ops: &Ops, host: Ref) -> Result<Vec<Uuid>, ApiError> {
    let uuid = ops.host_uuid(host)?;
    let asked = ops
        .agents
        .call(uuid, Uuid::new_v4(), HostCommand::ListDomains, WAIT)
        .await;
    match asked.map_err(|failure| failure.api)? {
        HostReply::Domains(domains) => Ok(domains
            .iter()
            .filter(|d| d.state.is_live())
            .map(|d| d.uuid)
            .collect()),
        _ => Err(ApiError::internal("the host answered something else")),
    }
}

/// Has a host play a failure, which begins soon after this returns.
///
/// # Errors
/// [`ha_switch::begin_drill`]'s; the host's own.
pub async fn begin(
    ops: &Ops,
    origin: &Origin,
    host: Ref,
    (failure, seconds): (Failure, i64),
) -> Result<(), ApiError> {
    ops.decide(origin, |d| ha_switch::begin_drill(d, host, seconds))
        .await?;
    let seconds = u64::try_from(seconds).unwrap_or(0);
    tracing::warn!(%host, ?failure, seconds, "a failure is played");
    machine::ask(ops, host, MachineVerb::Drill { failure, seconds }, WAIT)
        .await
        .map(|_| ())
}
