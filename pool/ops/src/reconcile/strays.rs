//! Ends guests on a host that the records place elsewhere or nowhere: it was away while they were given up, or while they
//! were started on another host.

use std::time::Duration;

use node_commands::HostCommand;
use node_hypervisor::Domain;
use pool_domain::{Database, vm_rules};
use proto_types::Ref;
use proto_types::generated::vm;
use uuid::Uuid;

use super::later::{Found, present, until_settled};
use crate::core::Ops;

/// How long the host may take. Short: what is decided here must not be carried out much later.
const WAIT: Duration = Duration::from_secs(10);

/// Ends what is not the host's own: at once, or as soon as nobody is at work on it and the host answers.
pub(super) async fn clear(ops: &Ops, on: Ref, domains: &[Domain]) {
    for domain in domains.iter().filter(|d| d.state.is_live()) {
        let vm = domain.uuid;
        if clear_one(ops, on, vm).await == Found::Open {
            until_settled(ops, move |ops| async move { clear_one(&ops, on, vm).await });
        }
    }
}

/// Looks at one domain of a host.
async fn clear_one(ops: &Ops, on: Ref, domain: Uuid) -> Found {
    let db = ops.pool.snapshot();
    let Some(host) = present(&db, on) else {
        return Found::Settled;
    };
    match place(&db, on, domain) {
        Place::Its => return Found::Settled,
        Place::Unsettled => return Found::Open,
        Place::NotHere => {}
    }
    tracing::warn!(vm = %domain, %host, "runs where it should not: it is ended");
    let command = HostCommand::DestroyDomain { vm: domain };
    match ops.agents.call(host, Uuid::new_v4(), command, WAIT).await {
        Ok(_) => Found::Settled,
        Err(failure) => {
            tracing::warn!(vm = %domain, error = %failure.text, "a guest that should not run was not ended yet");
            Found::Open
        }
    }
}

/// What the records say of a live domain on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It may be there.
    Its,
    /// Somebody is at work on the VM, which may be on its way, from here or to here.
    Unsettled,
    /// The pool does not want it there.
    NotHere,
}

fn place(db: &Database, on: Ref, domain: Uuid) -> Place {
    let Some(row) = db.by_uuid(vm::CLASS, &domain.to_string()) else {
        // The hypervisor lists what this pool made: this VM was destroyed since.
        return Place::NotHere;
    };
    if vm_rules::is_busy(row) {
        return Place::Unsettled;
    }
    let fields = [vm::RESIDENT_ON, vm::SCHEDULED_TO_BE_RESIDENT_ON];
    if fields.into_iter().any(|field| row.get(field).as_ref() == on) {
        Place::Its
    } else {
        Place::NotHere
    }
}
