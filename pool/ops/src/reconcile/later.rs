//! Looks again, later, at a guest that ended while an operation was at work on it.
//!
//! The operation knows best what has become of its guest; but one that gives up leaves the record as it found it, and
//! nobody tells of the guest's end a second time.

use std::time::Duration;

use node_commands::{HostCommand, HostReply};
use pool_domain::decide::{ha, message, vm_power};
use proto_types::generated::vm;
use proto_types::{ApiError, Ref};
use uuid::Uuid;

use super::is_busy;
use crate::core::{Ops, own, uuid_of_host};

/// Between two looks.
const PACE: Duration = Duration::from_millis(500);
/// An operation that takes longer has its host's next report to correct it.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Why a guest is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It crashed.
    Crashed,
    /// It ended in another way, or nobody said how.
    Ended,
}

/// Waits until nobody is at work on a VM; if it is still said to run on the host and its domain is not there, it is
/// halted.
pub(super) fn look(ops: &Ops, on: Ref, reference: Ref, ending: Ending) {
    let ops = ops.clone();
    tokio::spawn(async move {
        let until = tokio::time::Instant::now() + PATIENCE;
        while ops.pool.is_leader() && tokio::time::Instant::now() < until {
            tokio::time::sleep(PACE).await;
            match once(&ops, on, reference, ending).await {
                Ok(Found::Settled) => return,
                Ok(Found::Busy) => {}
                Err(error) => tracing::debug!(vm = %reference, %error, "not known yet what became of it"),
            }
        }
    });
}

enum Found {
    Settled,
    Busy,
}

async fn once(ops: &Ops, on: Ref, reference: Ref, ending: Ending) -> Result<Found, ApiError> {
    let db = ops.pool.snapshot();
    let Some(row) = db.of_class(vm::CLASS, reference) else {
        return Ok(Found::Settled);
    };
    // Busy first: a guest on its way may yet become this host's.
    if is_busy(&db, reference) {
        return Ok(Found::Busy);
    }
    if row.get(vm::RESIDENT_ON).as_ref() != on {
        return Ok(Found::Settled);
    }
    let uuid = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", reference))?;
    let command = HostCommand::DomainState { vm: uuid };
    let host = uuid_of_host(&db, on)?;
    let wait = Duration::from_secs(10);
    match ops.agents.call(host, Uuid::new_v4(), command, wait).await {
        Ok(HostReply::Domain(None)) => {}
        Ok(_) => return Ok(Found::Settled),
        Err(failure) => return Err(failure.api),
    }
    // It may have been started again since the question was asked: then its row has changed.
    let asked_at = row.version;
    let (halted, _) = ops
        .decide(&own("guest ended"), |d| {
            let same = d.read(vm::CLASS, reference)?.version == asked_at;
            if same {
                if ending == Ending::Crashed {
                    ha::lost(d, reference);
                } else {
                    vm_power::halted(d, reference);
                }
                if ending == Ending::Crashed {
                    message::about_vm(d, reference, "VM_CRASHED", "crashed");
                }
            }
            Ok(same)
        })
        .await?;
    if halted {
        tracing::info!(vm = %reference, "ended while an operation was at work on it");
        Ok(Found::Settled)
    } else {
        Ok(Found::Busy)
    }
}
