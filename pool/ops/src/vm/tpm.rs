//! Brings what trusted platform modules hold back into the pool, from the hosts on which their VMs have ended.

use std::time::Duration;

use async_trait::async_trait;
use node_commands::{HostCommand, HostReply};
use pool_domain::decide::vtpm;
use pool_domain::placement;
use pool_saga::{Step, StepError};
use proto_types::generated::{host, vm};
use proto_types::{ApiError, Ref};
use tokio::time::Instant;
use uuid::Uuid;

use crate::core::{Ops, own};
use crate::operation::{Cx, Operation};

/// How long a host may take.
const WAIT: Duration = Duration::from_secs(10);
/// Before a host that did not answer is asked again.
const PACE: Duration = Duration::from_millis(500);

/// Fetches what one VM's module holds, if a host still has it.
///
/// # Errors
/// When the host does not answer, or this node leads no more.
pub async fn fetch(ops: &Ops, reference: Ref) -> Result<(), ApiError> {
    let db = ops.pool.snapshot();
    let at = db.of_class(vm::CLASS, reference).and_then(|row| {
        let at = vtpm::is_at(&db, row)?;
        Some((Uuid::try_parse(row.uuid()).ok()?, at.to_owned()))
    });
    let Some((vm, at)) = at else { return Ok(()) };
    let host =
        Uuid::try_parse(&at).map_err(|_| ApiError::internal("the note about a module does not read"))?;
    let command = HostCommand::TpmState { vm };
    let reply = ops.agents.call(host, Uuid::new_v4(), command, WAIT).await;
    let HostReply::Tpm(state) = reply.map_err(|failure| failure.api)? else {
        return Err(ApiError::internal("the host answered something else"));
    };
    ops.decide(&own("TPM state"), |d| {
        vtpm::fetched(d, reference, &at, state.as_ref().map(|s| s.0.as_str()));
        Ok(())
    })
    .await
    .map(|_| ())
}

/// Fetches all that can be fetched. Hosts that do not answer are asked again later.
pub async fn fetch_all(ops: Ops) {
    for (reference, _) in vtpm::to_fetch(&ops.pool.snapshot()) {
        if let Err(error) = fetch(&ops, reference).await {
            tracing::debug!(vm = %reference, %error, "what its TPM holds was not fetched");
        }
    }
}

/// What starts a VM.
pub(crate) trait Starts: Operation {
    /// The VM.
    fn vm(&self) -> Ref;
}

/// Before a start elsewhere: the newest must be had, for what a module has measured or sealed since would be lost with an
/// older one. Only if the host that has it is gone the pool's copy is used, as after any loss of a host; it is as old as
/// the VM's start there.
pub(crate) struct FetchTpm;

/// How long a host that is there may be silent before the start fails for it.
const PATIENCE: Duration = Duration::from_secs(15);

/// Whether the host that has the newest counts as there.
fn is_kept_by_the_living(ops: &Ops, reference: Ref) -> bool {
    let db = ops.pool.snapshot();
    db.of_class(vm::CLASS, reference)
        .and_then(|row| db.by_uuid(host::CLASS, vtpm::is_at(&db, row)?))
        .is_some_and(|row| placement::is_live(&db, row))
}

#[async_trait]
impl<O: Starts> Step<Cx<O>> for FetchTpm {
    fn name(&self) -> &'static str {
        "fetch_tpm"
    }

    async fn run(&self, cx: &Cx<O>) -> Result<(), StepError> {
        let guest = cx.operation.vm();
        let until = Instant::now() + PATIENCE;
        while let Err(error) = fetch(&cx.ops, guest).await {
            if matches!(error.code.as_ref(), "HOST_STILL_BOOTING" | "HOST_IS_SLAVE") {
                return Err(StepError::LeadershipLost);
            }
            if !is_kept_by_the_living(&cx.ops, guest) {
                tracing::warn!(vm = %guest, %error, "its TPM starts with what the pool has");
                return Ok(());
            }
            if Instant::now() >= until {
                return Err(StepError::Failed(error));
            }
            tokio::time::sleep(PACE).await;
        }
        Ok(())
    }

    async fn undo(&self, _: &Cx<O>) -> Result<(), StepError> {
        Ok(())
    }
}
