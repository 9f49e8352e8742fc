//! Ends guests on a host that the records place elsewhere or nowhere: it was away while they were given up, or while they
//! were started on another host.

use std::time::Duration;

use node_commands::HostCommand;
use node_hypervisor::Domain;
use pool_domain::Database;
use proto_types::Ref;
use proto_types::generated::vm;
use uuid::Uuid;

use crate::core::{Ops, uuid_of_host};

/// How long the host may take. Short: what is decided here must not be carried out much later.
const WAIT: Duration = Duration::from_secs(10);

/// Ends what is not the host's own.
pub(super) async fn clear(ops: &Ops, on: Ref, domains: &[Domain]) {
    for domain in domains.iter().filter(|d| d.state.is_live()) {
        let db = ops.pool.snapshot();
        if !is_stray(&db, on, domain.uuid) {
            continue;
        }
        let Ok(host) = uuid_of_host(&db, on) else { return };
        tracing::warn!(vm = %domain.uuid, %host, "runs where it should not: it is ended");
        let command = HostCommand::DestroyDomain { vm: domain.uuid };
        if let Err(failure) = ops.agents.call(host, Uuid::new_v4(), command, WAIT).await {
            tracing::warn!(vm = %domain.uuid, error = %failure.text, "a guest that should not run was not ended");
        }
    }
}

/// Whether a live domain on a host is one that the pool does not want there. A VM that somebody is at work on may be on
/// its way, from here or to here.
fn is_stray(db: &Database, on: Ref, domain: Uuid) -> bool {
    let Some(row) = db.by_uuid(vm::CLASS, &domain.to_string()) else {
        // The hypervisor lists what this pool made: this VM was destroyed since.
        return true;
    };
    let busy = row
        .get(vm::CURRENT_OPERATIONS)
        .as_map()
        .is_some_and(|m| !m.is_empty());
    !busy
        && row.get(vm::RESIDENT_ON).as_ref() != on
        && row.get(vm::SCHEDULED_TO_BE_RESIDENT_ON).as_ref() != on
}
