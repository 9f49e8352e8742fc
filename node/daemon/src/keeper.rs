//! The leader's part of high availability: gives hosts up whose leases are over, and has their VMs started elsewhere.

use std::sync::Arc;
use std::time::Duration;

use pool_domain::decide::ha as rules;
use pool_ops::ha::restart::Memory;
use pool_ops::{Ops, ha};
use pool_raft::Pool;
use proto_types::generated::host;
use proto_types::{ApiError, Ref};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::lease::Leases;

/// Between two looks at the leases.
const LOOK: Duration = Duration::from_millis(250);
/// Between two looks at whether there is anything to look after.
const REST: Duration = Duration::from_secs(1);
/// Between two looks at the plan, if anything was written since.
const PLAN: Duration = Duration::from_secs(5);

/// Runs while this node leads.
pub async fn keep(pool: Pool, ops: Ops, leases: Arc<Leases>, stop: CancellationToken) {
    let mut plans = tokio::time::interval(PLAN);
    let mut planned_at = 0;
    let mut was_on = false;
    let mut idle = Some(Memory::default());
    let mut at_work: Option<JoinHandle<Memory>> = None;
    loop {
        let rest = if rules::is_on(&pool.snapshot()) {
            LOOK
        } else {
            REST
        };
        tokio::select! {
            () = stop.cancelled() => break,
            _ = plans.tick() => {
                let db = pool.snapshot();
                if rules::is_on(&db) && db.applied() != planned_at {
                    planned_at = db.applied();
                    said(ha::refresh_plan(&ops).await);
                }
                continue;
            }
            () = tokio::time::sleep(rest) => {}
        }
        let db = pool.snapshot();
        if !rules::is_on(&db) {
            was_on = false;
            // What was put off is put off no longer; a start under way is decided again for what is wanted now.
            if let Some(work) = at_work.take() {
                work.abort();
            }
            idle = Some(Memory::default());
            continue;
        }
        if !was_on {
            // Hosts were armed before it counted: from now on each is waited for in full.
            leases.begin();
            was_on = true;
        }
        if at_work.as_ref().is_some_and(JoinHandle::is_finished)
            && let Some(done) = at_work.take()
        {
            idle = Some(done.await.unwrap_or_else(|failure| {
                // What it remembered is lost with it: VMs that it had put off are tried at once.
                tracing::error!(%failure, "a round of restarts broke off");
                Memory::default()
            }));
        }
        for (uuid, reference) in hosts(&db) {
            if leases.is_over(uuid)
                && concerns(&db, reference)
                && let Err(error) = ha::host_lost(&ops, reference, || leases.is_over(uuid)).await
            {
                tracing::debug!(%error, "a host was not given up yet");
            }
        }
        if let Some(memory) = idle.take() {
            let ops = ops.clone();
            at_work = Some(tokio::spawn(
                async move { ha::restart::round(&ops, memory).await },
            ));
        }
    }
    if let Some(work) = at_work {
        work.abort();
    }
}

fn said(answer: Result<(), ApiError>) {
    if let Err(error) = answer {
        tracing::debug!(%error, "the plan was not brought up to date");
    }
}

fn hosts(db: &pool_domain::Database) -> Vec<(Uuid, Ref)> {
    db.rows(host::CLASS)
        .filter_map(|h| Some((Uuid::try_parse(h.uuid()).ok()?, h.reference)))
        .collect()
}

/// Whether there is anything to write about a host whose lease is over.
fn concerns(db: &pool_domain::Database, reference: Ref) -> bool {
    db.of_class(host::CLASS, reference).is_some_and(|row| {
        let control = row.get(host::CONTROL_DOMAIN).as_ref();
        pool_domain::placement::is_live(db, row)
            || row
                .get(host::RESIDENT_VMS)
                .as_refs()
                .iter()
                .any(|v| *v != control)
    })
}
