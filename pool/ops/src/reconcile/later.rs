//! Looks again, later, at what could not be settled at once: an operation was at work on the guest, or its host did not
//! answer.
//!
//! The operation knows best what becomes of its guest; but one that gives up leaves records and hosts as they are, and
//! nobody tells of a guest's end, or of one that should not be there, a second time.

use std::time::Duration;

use node_commands::{Fate, HostCommand, HostReply};
use node_hypervisor::{Domain, StopReason};
use pool_domain::decide::{ha, message, vm_power};
use pool_domain::{Database, Draft, Index, placement, vm_rules};
use proto_types::generated::{host, vm};
use proto_types::{ApiError, Ref};
use uuid::Uuid;

use crate::core::{Ops, own, uuid_of_host};

/// Between two looks.
const PACE: Duration = Duration::from_millis(500);
/// So many looks in a row at which this node does not lead are no moment any more.
const MOMENT: u32 = 60;

/// Why a guest is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It crashed.
    Crashed,
    /// Somebody ended it from outside, or nobody said how it ended: no one has meant it to.
    Lost,
    /// It went down by itself, or to another place.
    Ended,
}

impl Ending {
    /// What a host's word on an end means.
    pub(super) fn of(reason: StopReason) -> Ending {
        match reason {
            StopReason::Crashed | StopReason::Failed => Ending::Crashed,
            StopReason::Destroyed => Ending::Lost,
            StopReason::Shutdown | StopReason::Migrated | StopReason::Saved => Ending::Ended,
        }
    }

    /// What it comes to for the records.
    pub(super) fn write(self, draft: &mut Draft<'_>, reference: Ref) {
        match self {
            Ending::Ended => vm_power::halted(draft, reference),
            Ending::Lost => ha::lost(draft, reference),
            Ending::Crashed => {
                ha::lost(draft, reference);
                message::about_vm(draft, reference, "VM_CRASHED", "crashed");
            }
        }
    }
}

/// What a look has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is nothing left to do.
    Settled,
    /// Somebody is at work on it, or a host has not answered.
    Open,
}

/// The uuid of a host that is there. One that is away tells of all its domains when it is back, so that nobody need ask it
/// until then.
pub(super) fn present(db: &Database, on: Ref) -> Option<Uuid> {
    let row = db.of_class(host::CLASS, on)?;
    placement::is_live(db, row).then(|| Uuid::try_parse(row.uuid()).ok())?
}

/// Looks again and again until the matter is settled, or this node leads no more: its successor hears from each host anew.
/// A leader that is unsure of itself for a moment goes on afterwards, and nobody hears anything anew then.
pub(super) fn until_settled<L, F>(ops: &Ops, look: L)
where
    L: Fn(Ops) -> F + Send + 'static,
    F: Future<Output = Found> + Send,
{
    let ops = ops.clone();
    tokio::spawn(async move {
        let mut unsure = 0;
        while unsure < MOMENT {
            tokio::time::sleep(PACE).await;
            if !ops.pool.is_leader() {
                unsure += 1;
            } else if look(ops.clone()).await == Found::Settled {
                return;
            } else {
                unsure = 0;
            }
        }
    });
}

/// Has a host settle a domain that was seen there. It may be gone by now and the VM on its way to this host again: the host
/// touches the one that was seen and no other.
pub(super) async fn settled(ops: &Ops, host: Uuid, seen: &Domain, fate: Fate, wait: Duration) -> Found {
    let vm = seen.uuid;
    let command = HostCommand::SettleLeftover {
        vm,
        id: seen.id,
        operation: seen.operation.clone(),
        fate,
    };
    match ops.agents.call(host, Uuid::new_v4(), command, wait).await {
        Ok(HostReply::Domain(Some(_))) => {
            tracing::warn!(%vm, %host, ?fate, "a domain was left over: it is settled");
            Found::Settled
        }
        Ok(_) => Found::Settled,
        Err(failure) => {
            tracing::warn!(%vm, %host, ?fate, error = %failure.text, "a domain that was left over stays for now");
            Found::Open
        }
    }
}

/// Waits until nobody is at work on a VM; if it is still said to run on the host and its domain is not there, it is
/// halted.
pub(super) fn look(ops: &Ops, on: Ref, reference: Ref, ending: Ending) {
    until_settled(ops, move |ops| async move {
        once(&ops, on, reference, ending).await.unwrap_or_else(|error| {
            tracing::debug!(vm = %reference, %error, "not known yet what became of it");
            Found::Open
        })
    });
}

/// Asks a host whether a VM that should run there is gone; the version of its row before it was asked, if so.
pub(super) async fn is_gone(ops: &Ops, on: Ref, reference: Ref) -> Option<Index> {
    let db = ops.pool.snapshot();
    let row = db.of_class(vm::CLASS, reference)?;
    let (vm, host) = (Uuid::try_parse(row.uuid()).ok()?, uuid_of_host(&db, on).ok()?);
    let command = HostCommand::DomainState { vm };
    let wait = Duration::from_secs(10);
    match ops.agents.call(host, Uuid::new_v4(), command, wait).await {
        Ok(HostReply::Domain(None)) => Some(row.version),
        _ => None,
    }
}

/// The VMs that the records say run on a host, that its list lacks, and that it does not have when asked again.
pub(super) async fn gone(ops: &Ops, on: Ref, reported: &[(String, bool)]) -> Vec<(Ref, Index)> {
    let db = ops.pool.snapshot();
    let Some(row) = db.of_class(host::CLASS, on) else {
        return Vec::new();
    };
    let lacking = row
        .get(host::RESIDENT_VMS)
        .as_refs()
        .into_iter()
        .filter_map(|r| db.of_class(vm::CLASS, r))
        .filter(|v| !v.get(vm::IS_CONTROL_DOMAIN).as_bool())
        .filter(|v| !reported.iter().any(|(uuid, _)| uuid == v.uuid()));
    let mut gone = Vec::new();
    for vm_row in lacking {
        if let Some(version) = is_gone(ops, on, vm_row.reference).await {
            gone.push((vm_row.reference, version));
        }
    }
    gone
}

async fn once(ops: &Ops, on: Ref, reference: Ref, ending: Ending) -> Result<Found, ApiError> {
    let db = ops.pool.snapshot();
    let Some(row) = db.of_class(vm::CLASS, reference) else {
        return Ok(Found::Settled);
    };
    // Busy first: a guest on its way may yet become this host's.
    if vm_rules::is_busy(row) {
        return Ok(Found::Open);
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
                ending.write(d, reference);
            }
            Ok(same)
        })
        .await?;
    if halted {
        tracing::info!(vm = %reference, "ended while an operation was at work on it");
        Ok(Found::Settled)
    } else {
        Ok(Found::Open)
    }
}
