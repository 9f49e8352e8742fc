//! What is asked of a host as a machine, outside of any operation.

use std::collections::BTreeSet;
use std::time::Duration;

use node_commands::{HostCommand, HostReply};
pub use node_commands::{MachineReply, MachineVerb, SecretText, ShownCertificates, Timing, UsbDevice};
use proto_types::{ApiError, Bytes, Ref};
use uuid::Uuid;

use crate::core::Ops;

/// Asks a host and waits for its answer.
///
/// # Errors
/// `HANDLE_INVALID`; `HOST_OFFLINE [host]` if it does not answer; the host's own refusal.
pub async fn ask(ops: &Ops, host: Ref, verb: MachineVerb, wait: Duration) -> Result<MachineReply, ApiError> {
    let uuid = ops.host_uuid(host)?;
    let command = HostCommand::Machine { verb };
    match ops.agents.call(uuid, Uuid::new_v4(), command, wait).await {
        Ok(HostReply::Machine(reply)) => Ok(reply),
        Ok(_) => Err(ApiError::internal("the host answered something else")),
        Err(failure) => Err(failure.api),
    }
}

/// Asks for a text.
///
/// # Errors
/// As [`ask`].
pub async fn text(ops: &Ops, host: Ref, verb: MachineVerb) -> Result<String, ApiError> {
    match ask(ops, host, verb, Duration::from_secs(30)).await? {
        MachineReply::Text(text) => Ok(text),
        _ => Err(ApiError::internal("the host answered something else")),
    }
}

/// What a host can do beyond the necessary, by the names of [`node_commands::Facts::capabilities`].
///
/// # Errors
/// As [`ask`].
pub async fn capabilities(ops: &Ops, host: Ref) -> Result<BTreeSet<String>, ApiError> {
    let uuid = ops.host_uuid(host)?;
    let wait = Duration::from_secs(10);
    match ops
        .agents
        .call(uuid, Uuid::new_v4(), HostCommand::Facts, wait)
        .await
    {
        Ok(HostReply::Facts(facts)) => Ok(facts.capabilities),
        Ok(_) => Err(ApiError::internal("the host answered something else")),
        Err(failure) => Err(failure.api),
    }
}

/// How much memory a guest has at this moment; `None` if its host does not say.
///
/// # Errors
/// `HANDLE_INVALID`; the host's own refusal.
pub async fn actual_memory(ops: &Ops, host: Ref, vm: Uuid) -> Result<Option<Bytes>, ApiError> {
    let uuid = ops.host_uuid(host)?;
    let command = HostCommand::DomainStatistics { vm };
    let wait = Duration::from_secs(10);
    match ops.agents.call(uuid, Uuid::new_v4(), command, wait).await {
        Ok(HostReply::Statistics(seen)) => Ok(Some(seen.memory.actual)),
        Ok(_) => Ok(None),
        Err(failure) if failure.is_unknown => Ok(None),
        Err(failure) => Err(failure.api),
    }
}
