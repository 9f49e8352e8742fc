//! Starts protected VMs again, group after group.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use pool_domain::decide::ha;
use proto_types::generated::{pool, vm};
use proto_types::{ApiError, Ref};
use tokio::time::Instant;

use crate::core::{Ops, now, own};
use crate::operation::{Call, run};
use crate::vm::start::StartVm;

/// A VM that could not be started is tried again after this time, as XenServer does.
const REST: Duration = Duration::from_secs(120);

/// What is remembered between two rounds. A new leader begins without: it tries at once what its predecessor had put off.
#[derive(Debug, Default)]
pub struct Memory {
    rests: BTreeMap<Ref, Instant>,
    once: BTreeSet<Ref>,
}

impl Memory {
    /// These are to be started again once, if there is room.
    pub fn once(&mut self, guests: impl IntoIterator<Item = Ref>) {
        self.once.extend(guests);
    }

    fn rests(&self, guest: Ref) -> bool {
        self.rests
            .get(&guest)
            .is_some_and(|until| Instant::now() < *until)
    }
}

/// Goes through all VMs that must run and do not. Returns when each was tried, or at the first that could not be tried
/// because this node no longer leads.
pub async fn round(ops: &Ops, mut memory: Memory) -> Memory {
    let db = ops.pool.snapshot();
    if !ha::is_on(&db) || ha::is_prevented(&db, now()) {
        return memory;
    }
    let once: Vec<Ref> = memory.once.iter().copied().collect();
    let groups: Vec<(Vec<Ref>, u64)> = ha::to_restart(&db, &once)
        .into_iter()
        .map(|(guests, delay)| {
            (
                guests
                    .into_iter()
                    .filter(|g| !memory.rests(*g))
                    .collect::<Vec<_>>(),
                delay,
            )
        })
        .filter(|(guests, _)| !guests.is_empty())
        .collect();
    memory.once.clear();
    let last = groups.len();
    for (position, (guests, delay)) in (1..).zip(groups) {
        if !ops.pool.is_leader() {
            break;
        }
        for (guest, end) in start_all(ops, &guests).await {
            match end {
                Ok(()) => {
                    memory.rests.remove(&guest);
                }
                Err(error) => failed(ops, &mut memory, guest, &error).await,
            }
        }
        if position < last {
            tokio::time::sleep(Duration::from_secs(delay)).await;
        }
    }
    memory
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
            let operation = StartVm::new(*guest, "start", place, false);
            (*guest, run(ops, operation, call).await.map(|_| ()))
        }
    });
    join_all(starts).await
}

async fn failed(ops: &Ops, memory: &mut Memory, guest: Ref, error: &ApiError) {
    if matches!(
        error.code.as_ref(),
        "HOST_STILL_BOOTING" | "HOST_IS_SLAVE" | "VM_BAD_POWER_STATE"
    ) {
        // Another leader's business, or somebody was faster.
        return;
    }
    tracing::warn!(vm = %guest, %error, "could not be started again");
    memory.rests.insert(guest, Instant::now() + REST);
    let protected = ops
        .pool
        .snapshot()
        .of_class(vm::CLASS, guest)
        .is_some_and(|row| ha::is_protected(row));
    if !protected {
        return;
    }
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
