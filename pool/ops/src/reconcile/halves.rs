//! Settles what the last step of a migration has left paused on a host that nobody could reach then. The migration has
//! ended since, and the records say whose the guest is: it goes on here, or its remains go.

use std::time::Duration;

use node_commands::Fate;
use node_hypervisor::{Domain, DomainState, PauseReason};
use pool_domain::vm_rules;
use proto_types::Ref;
use proto_types::generated::vm;

use super::later::{Found, present, settled, until_settled};
use crate::core::Ops;

/// How long the host may take.
const WAIT: Duration = Duration::from_secs(20);

/// Settles all halves that a host reports: at once, or as soon as nobody is at work on them and the host answers.
pub(super) async fn settle(ops: &Ops, on: Ref, domains: &[Domain]) {
    let halves = domains
        .iter()
        .filter(|d| d.state == DomainState::Paused(PauseReason::Migrating));
    for domain in halves {
        if settle_one(ops, on, domain).await == Found::Open {
            let domain = domain.clone();
            until_settled(ops, move |ops| {
                let domain = domain.clone();
                async move { settle_one(&ops, on, &domain).await }
            });
        }
    }
}

async fn settle_one(ops: &Ops, on: Ref, domain: &Domain) -> Found {
    let db = ops.pool.snapshot();
    let Some(row) = db.by_uuid(vm::CLASS, &domain.uuid.to_string()) else {
        return Found::Settled;
    };
    if vm_rules::is_busy(row) {
        return Found::Open;
    }
    let home = row.get(vm::RESIDENT_ON).as_ref();
    let Some(host) = present(&db, on) else {
        return Found::Settled;
    };
    if home.is_null() {
        // A stray as any other.
        return Found::Settled;
    }
    // The migration is over, so that it is known not to have run on its destination: one of which that is not known does
    // not end before its source has answered.
    let fate = if home == on { Fate::GoOn } else { Fate::Cancel };
    settled(ops, host, domain, fate, WAIT).await
}
