//! Ends guests on a host that the records place elsewhere or nowhere: it was away while they were given up, or while they
//! were started on another host.

use std::time::Duration;

use node_commands::Fate;
use node_hypervisor::Domain;
use pool_domain::{Database, vm_rules};
use proto_types::Ref;
use proto_types::generated::vm;
use uuid::Uuid;

use super::later::{Found, present, settled, until_settled};
use crate::core::Ops;

/// How long the host may take. Short: what is decided here must not be carried out much later.
const WAIT: Duration = Duration::from_secs(10);

/// Ends what is not the host's own: at once, or as soon as nobody is at work on it and the host answers.
pub(super) async fn clear(ops: &Ops, on: Ref, domains: &[Domain]) {
    for domain in domains.iter().filter(|d| d.state.is_live()) {
        if clear_one(ops, on, domain).await == Found::Open {
            let domain = domain.clone();
            until_settled(ops, move |ops| {
                let domain = domain.clone();
                async move { clear_one(&ops, on, &domain).await }
            });
        }
    }
}

/// Looks at one domain that a host had. It may be gone by now and the VM on its way to this host again, so that the host
/// is asked to end the domain that was seen and no other.
async fn clear_one(ops: &Ops, on: Ref, domain: &Domain) -> Found {
    let vm = domain.uuid;
    let db = ops.pool.snapshot();
    let Some(host) = present(&db, on) else {
        return Found::Settled;
    };
    match place(&db, on, vm) {
        Place::Its => return Found::Settled,
        Place::Unsettled => return Found::Open,
        Place::NotHere => {}
    }
    settled(ops, host, domain, Fate::End, WAIT).await
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

fn place(db: &Database, on: Ref, vm: Uuid) -> Place {
    let Some(row) = db.by_uuid(vm::CLASS, &vm.to_string()) else {
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
