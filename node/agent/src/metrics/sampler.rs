//! Counts the host and its domains at a steady pace.
//!
//! One sample at a time: a hypervisor that does not answer delays the next one, for as long as the driver waits for it,
//! and the host's own figures go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Weak;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use node_commands::{DomainFigures, HostEvent};
use node_hypervisor::{Bytes, CountedDomain, DiskIndex};
use node_metrics::figures::Sample;
use node_metrics::{Moment, Owner, Rrd};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Newest;
use crate::agent::{Agent, Inner};

/// Samples between two looks at which interfaces are NICs.
const LOOK_AT_NICS: u64 = 12;
/// Samples between two reports to the leader if nothing else is new.
const REPORT: u64 = 6;
/// Domains whose archives are looked for at once.
const SEARCHES: usize = 8;
/// How often archives are looked for again while a host that may have them does not answer, a sample's time apart.
const LATER_SEARCHES: usize = 12;

/// Begins, until stopped.
pub(crate) fn spawn(agent: &Agent, stop: &CancellationToken) {
    let weak = std::sync::Arc::downgrade(&agent.inner);
    let sampler = Sampler {
        number: 0,
        nics: BTreeSet::new(),
        domains: BTreeMap::new(),
    };
    let settings = &agent.inner.settings;
    let work = run(sampler, weak, settings.sampling, settings.archiving);
    tokio::spawn(stop.clone().run_until_cancelled_owned(work));
}

async fn run(mut sampler: Sampler, weak: Weak<Inner>, pace: Duration, archiving: Duration) {
    let mut ticks = tokio::time::interval(pace);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut saved = Instant::now();
    loop {
        ticks.tick().await;
        let Some(agent) = weak.upgrade().map(|inner| Agent { inner }) else {
            return;
        };
        sampler.sample(&agent).await;
        if saved.elapsed() >= archiving {
            saved = Instant::now();
            agent.inner.metrics.save().await;
            agent.inner.metrics.files.tidy().await;
        }
    }
}

struct Sampler {
    number: u64,
    /// Interfaces that are NICs.
    nics: BTreeSet<String>,
    /// Live domains of the last sample, and the hypervisor's numbers of them.
    domains: BTreeMap<Uuid, i64>,
}

impl Sampler {
    async fn sample(&mut self, agent: &Agent) {
        let inner = &agent.inner;
        if self.number.is_multiple_of(LOOK_AT_NICS) {
            match inner.network.list_nics().await {
                Ok(nics) => self.nics = nics.into_iter().map(|nic| nic.name).collect(),
                Err(error) => tracing::debug!(%error, "NICs are not known"),
            }
        }
        let domains = inner.hypervisor.all_statistics().await;
        let host = match inner.hypervisor.host_statistics().await {
            Ok(mut host) => {
                host.links.retain(|name, _| self.nics.contains(name));
                Some(host)
            }
            Err(error) => {
                tracing::debug!(error = error.chain(), "the host was not counted");
                None
            }
        };
        self.number = self.number.wrapping_add(1);
        let mut sample = Sample {
            at: now(),
            host,
            node_memory: own_memory(),
            ..Sample::default()
        };
        match domains {
            Ok(domains) => sample.domains = domains,
            Err(error) => {
                tracing::debug!(error = error.chain(), "domains were not counted");
                inner.metrics.collection().take_host(sample);
                return;
            }
        }
        self.bring_archives(agent, &sample.domains).await;
        let repositories = inner.holdings.repositories().await;
        sample.repositories = repositories
            .into_iter()
            .map(|((vm, disk), sr)| ((vm, DiskIndex(disk)), sr))
            .collect();
        self.report(agent, &sample);
        inner.metrics.take(sample).await;
    }

    /// Finds the archives of domains that are new here, so that a VM's go on where they ended.
    async fn bring_archives(&self, agent: &Agent, domains: &BTreeMap<Uuid, CountedDomain>) {
        let metrics = &agent.inner.metrics;
        let new: Vec<Uuid> = domains
            .iter()
            .filter(|(vm, counted)| counted.running && !metrics.is_here(Owner::Vm(**vm)))
            .map(|(vm, _)| *vm)
            .collect();
        let mut found = futures::stream::iter(new.into_iter().map(|vm| async move {
            let own = metrics.find(Owner::Vm(vm)).await;
            (vm, metrics.newest(vm, own).await)
        }))
        .buffer_unordered(SEARCHES);
        while let Some((vm, Newest { rrd, incomplete })) = found.next().await {
            if incomplete {
                let reach = rrd.as_ref().map(Rrd::updated);
                let pause = agent.inner.settings.sampling;
                tokio::spawn(search_on(
                    std::sync::Arc::downgrade(&agent.inner),
                    vm,
                    reach,
                    pause,
                ));
            }
            if let Some(rrd) = rrd {
                metrics.collection().restore(Owner::Vm(vm), rrd);
            }
        }
    }

    /// Tells the leader now and then, and at once when other domains are here than before.
    fn report(&mut self, agent: &Agent, sample: &Sample) {
        let here: BTreeMap<Uuid, i64> = sample.domains.iter().map(|(vm, c)| (*vm, c.id)).collect();
        let is_new = std::mem::replace(&mut self.domains, here) != self.domains;
        let Some(host) = &sample.host else { return };
        if !is_new && !self.number.is_multiple_of(REPORT) {
            return;
        }
        agent.tell(HostEvent::Figures {
            memory_total: host.memory_total,
            memory_free: host.memory_free,
            domains: sample
                .domains
                .iter()
                .filter(|(_, counted)| counted.running)
                .map(|(vm, counted)| DomainFigures {
                    vm: *vm,
                    memory: counted.statistics.memory.actual,
                })
                .collect(),
        });
    }
}

/// Asks again for the archives of a VM until all hosts have answered, and goes on with what reaches further than what was
/// found first: one lost call between two hosts is not to cost a VM its history.
async fn search_on(weak: Weak<Inner>, vm: Uuid, mut reach: Option<Moment>, pause: Duration) {
    for _ in 0..LATER_SEARCHES {
        tokio::time::sleep(pause).await;
        let Some(inner) = weak.upgrade() else { return };
        if !inner.metrics.is_here(Owner::Vm(vm)) {
            return;
        }
        let Newest { rrd, incomplete } = inner.metrics.newest(vm, None).await;
        if let Some(rrd) = rrd
            && reach.is_none_or(|reach| rrd.updated() > reach)
        {
            reach = Some(rrd.updated());
            inner.metrics.collection().go_on_with(vm, rrd);
        }
        if !incomplete {
            return;
        }
    }
}

fn now() -> Moment {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Moment(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// What this process occupies.
fn own_memory() -> Option<Bytes> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(Bytes(kib.saturating_mul(Bytes::KIB)))
}
