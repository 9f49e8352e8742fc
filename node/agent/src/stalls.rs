//! Domains that stand still because a disk could not be read or written: they go on by themselves once their disks work.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::Duration;

use node_hypervisor::{DomainState, PauseReason};
use tokio::time::Instant;
use uuid::Uuid;

use crate::agent::{Agent, Inner};
use crate::turns::Turn;

/// A domain that stops again and again, on a medium that stays full, is let go on no rarer than this.
const RAREST: Duration = Duration::from_secs(60);

/// When a domain was let go on last, and how long it is left alone from then.
struct Try {
    at: Instant,
    wait: Duration,
}

/// Looks round after round, until stopped.
pub(crate) async fn follow(pace: Duration, inner: Weak<Inner>) {
    let mut tries = BTreeMap::new();
    loop {
        tokio::time::sleep(pace).await;
        let Some(agent) = inner.upgrade().map(|inner| Agent { inner }) else {
            return;
        };
        agent.help_stalled(pace, &mut tries).await;
    }
}

impl Agent {
    async fn help_stalled(&self, pace: Duration, tries: &mut BTreeMap<Uuid, Try>) {
        let Ok(domains) = self.inner.hypervisor.list().await else {
            return;
        };
        let now = Instant::now();
        // One that has not stopped again for as long begins anew.
        tries.retain(|_, last| now < last.at + last.wait * 2);
        for domain in domains {
            let vm = domain.uuid;
            let wait = match tries.get(&vm) {
                Some(last) if now < last.at + last.wait => continue,
                Some(last) => (last.wait * 2).min(RAREST),
                None => pace,
            };
            if is_stalled(domain.state) && self.disks_work(vm).await {
                let at = Instant::now();
                tries.insert(vm, Try { at, wait });
                self.let_go_on(vm).await;
            }
        }
    }

    /// Whether each volume of a domain answers; no for a domain of which nothing is known.
    async fn disks_work(&self, vm: Uuid) -> bool {
        let Some(holding) = self.inner.holdings.of(vm).await else {
            return false;
        };
        for volume in holding.disks.values() {
            let Ok(sr) = self.inner.storage.get(volume.sr) else {
                return false;
            };
            if sr.stat(&volume.location).await.is_err() {
                return false;
            }
        }
        true
    }

    async fn let_go_on(&self, vm: Uuid) {
        let _turn = self.inner.turns.take(Turn::Devices(vm)).await;
        // Somebody may have decided otherwise meanwhile.
        let state = self.inner.hypervisor.state(vm).await;
        if !state.is_ok_and(|domain| domain.is_some_and(|d| is_stalled(d.state))) {
            return;
        }
        match self.inner.hypervisor.unpause(vm).await {
            Ok(()) => tracing::info!(%vm, "its disks work again: it goes on"),
            Err(error) => tracing::warn!(%vm, %error, "its disks work again, and it does not go on"),
        }
    }
}

fn is_stalled(state: DomainState) -> bool {
    state == DomainState::Paused(PauseReason::DiskError)
}
