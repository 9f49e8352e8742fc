//! Starts protected VMs again, group after group.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use pool_domain::decide::ha;
use proto_types::generated::pool;
use proto_types::{ApiError, Ref};
use tokio::time::Instant;

use crate::core::{Ops, now, own};
use crate::operation::{Call, run};
use crate::vm::start::StartVm;

/// A VM that could not be started is tried again after this time, as XenServer does.
const REST: Duration = Duration::from_secs(120);

/// What is remembered between two rounds, while high availability is on. A new leader begins without: it tries at once what
/// its predecessor had put off.
#[derive(Debug, Default)]
pub struct Memory {
    rests: BTreeMap<Ref, Instant>,
}

impl Memory {
    fn rests(&self, guest: Ref) -> bool {
        self.rests
            .get(&guest)
            .is_some_and(|until| Instant::now() < *until)
    }
}

/// Goes through all VMs that must run and do not. Returns when each was tried, or as soon as none is to be tried any more.
pub async fn round(ops: &Ops, mut memory: Memory) -> Memory {
    let mut tried: BTreeSet<Ref> = BTreeSet::new();
    loop {
        // Anew before each group: while it waited somebody may have stopped a VM, or turned all of this off.
        let db = ops.pool.snapshot();
        if !ops.pool.is_leader() || !ha::is_on(&db) || ha::is_prevented(&db, now()) {
            return memory;
        }
        let mut groups =
            ha::to_restart(&db, |guest| !tried.contains(&guest) && !memory.rests(guest)).into_iter();
        let Some(group) = groups.next() else {
            return memory;
        };
        tried.extend(group.guests.iter().copied());
        for (guest, end) in start_all(ops, &group.guests).await {
            match end {
                Ok(()) => {
                    memory.rests.remove(&guest);
                }
                Err(error) => failed(ops, &mut memory, guest, &error).await,
            }
        }
        if groups.next().is_some() {
            tokio::time::sleep(Duration::from_secs(group.delay)).await;
        }
    }
}

/// Starts the VMs of a group, each where the plan for all of them places it.
async fn start_all(ops: &Ops, guests: &[Ref]) -> Vec<(Ref, Result<(), ApiError>)> {
    let db = ops.pool.snapshot();
    let master = db
        .only(pool::CLASS)
        .map_or(Ref::NULL, |p| p.get(pool::MASTER).as_ref());
    let places: BTreeMap<Ref, Option<Ref>> = ha::plan(&db, &[], guests)
        .into_iter()
        .map(|(guest, place)| (guest, place.ok()))
        .collect();
    let starts = guests.iter().map(|guest| {
        let place = places.get(guest).copied().flatten();
        async move {
            let call = Call {
                label: "VM.start".to_owned(),
                host: master,
                origin: own("ha restart"),
                ..Call::default()
            };
            let operation = StartVm::new(*guest, "start", place, false).as_restart();
            (*guest, run(ops, operation, call).await.map(|_| ()))
        }
    });
    join_all(starts).await
}

async fn failed(ops: &Ops, memory: &mut Memory, guest: Ref, error: &ApiError) {
    let db = ops.pool.snapshot();
    let is_due = ha::is_on(&db)
        && !ha::is_prevented(&db, now())
        && !ha::to_restart(&db, |waits| waits == guest).is_empty();
    if !is_due || matches!(error.code.as_ref(), "HOST_STILL_BOOTING" | "HOST_IS_SLAVE") {
        // Somebody was faster, or wants it otherwise; or it is another leader's business.
        return;
    }
    if matches!(error.code.as_ref(), "HOST_OFFLINE" | "HOST_NOT_LIVE") {
        // The host that was chosen is on its way out itself, most likely the very one that ended the guest: the next
        // round finds another, at the latest when its lease is over.
        tracing::info!(vm = %guest, %error, "its new host went too");
        return;
    }
    tracing::warn!(vm = %guest, %error, "could not be started again");
    memory.rests.insert(guest, Instant::now() + REST);
    let told = ops
        .decide(&own("ha restart"), |d| {
            ha::restart_failed(d, guest);
            Ok(())
        })
        .await;
    if let Err(error) = told {
        tracing::debug!(%error, "nobody was told of it");
    }
}
