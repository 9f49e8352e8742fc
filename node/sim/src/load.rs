//! What simulated guests and hosts do with their time: made up, but moving, never going back, and the same for a domain
//! wherever it runs.

use std::collections::BTreeMap;
use std::time::Duration;

use node_hypervisor::{
    Bytes, DiskSource, DiskStatistics, DomainState, DomainStatistics, HostStatistics, LinkStatistics,
    MemoryStatistics, NicStatistics,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::domain::SimDomain;
use crate::host::{Shared, State};

/// The share of a processor that a guest uses in the mean.
const CPU: f64 = 0.1;
/// The share of each processor that the host itself uses.
const HOST_CPU: f64 = 0.01;
/// Seconds from one busy time of a guest to the next.
const PERIOD: f64 = 120.0;
/// Bytes of one request to a disk.
const REQUEST: u64 = 16 * 1024;
/// Microseconds that a request takes.
const REQUEST_MICROS: u64 = 400;

/// What `mean` per second comes to after `seconds`, if it rises and falls by two thirds of itself. Never falls.
fn total(mean: f64, seconds: f64, phase: f64) -> f64 {
    let turn = std::f64::consts::TAU / PERIOD;
    let wave = |at: f64| -(turn * at + phase).cos() / turn;
    mean * (seconds + 2.0 / 3.0 * (wave(seconds) - wave(0.0)))
}

/// Where in its period a guest begins: another place for each.
fn phase(vm: Uuid, salt: u8) -> f64 {
    let byte = vm
        .as_bytes()
        .iter()
        .fold(salt, |sum, b| sum.wrapping_mul(31).wrapping_add(*b));
    f64::from(byte) / 256.0 * std::f64::consts::TAU
}

/// A count of whole things.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never negative, far below 2^53"
)]
fn whole(number: f64) -> u64 {
    number.max(0.0) as u64
}

/// Counters of a guest, by how long it has run.
pub(crate) fn domain(domain: &SimDomain) -> DomainStatistics {
    let spec = &domain.carried.spec;
    let (vm, run) = (spec.uuid, domain.count());
    let seconds = run.as_secs_f64();
    let vcpu_times: Vec<Duration> = (0..domain.carried.vcpus)
        .map(|number| {
            let salt = u8::try_from(number % 256).unwrap_or(0);
            Duration::from_secs_f64(total(CPU, seconds, phase(vm, salt)).max(0.0))
        })
        .collect();
    let target = domain.carried.memory_target;
    let use_now = 0.5 + 0.1 * (seconds / PERIOD * std::f64::consts::TAU + phase(vm, 1)).sin();
    DomainStatistics {
        cpu_time: vcpu_times.iter().sum(),
        vcpu_times,
        memory: MemoryStatistics {
            actual: target,
            maximum: spec.memory.maximum,
            guest_total: Some(target),
            guest_free: Some(portion(target, 1.0 - use_now)),
            resident: Some(portion(target, use_now)),
        },
        disks: spec
            .disks
            .iter()
            .filter(|d| d.source != DiskSource::Empty)
            .map(|d| {
                let salt = u8::try_from(d.index.0 % 256).unwrap_or(0);
                let read_requests = whole(total(4.0, seconds, phase(vm, salt)));
                let write_requests = if d.read_only {
                    0
                } else {
                    whole(total(8.0, seconds, phase(vm, salt.wrapping_add(64))))
                };
                DiskStatistics {
                    index: d.index,
                    read: Bytes(read_requests.saturating_mul(REQUEST)),
                    written: Bytes(write_requests.saturating_mul(REQUEST)),
                    read_requests,
                    write_requests,
                    read_time: Duration::from_micros(read_requests.saturating_mul(REQUEST_MICROS)),
                    write_time: Duration::from_micros(write_requests.saturating_mul(REQUEST_MICROS)),
                }
            })
            .collect(),
        nics: spec
            .nics
            .iter()
            .map(|n| {
                let salt = u8::try_from(n.index.0 % 256).unwrap_or(0);
                let received_packets = whole(total(12.0, seconds, phase(vm, salt.wrapping_add(16))));
                let sent_packets = whole(total(6.0, seconds, phase(vm, salt.wrapping_add(32))));
                NicStatistics {
                    index: n.index,
                    received: Bytes(received_packets.saturating_mul(700)),
                    sent: Bytes(sent_packets.saturating_mul(300)),
                    received_packets,
                    sent_packets,
                    receive_errors: 0,
                    send_errors: 0,
                }
            })
            .collect(),
    }
}

#[allow(clippy::cast_precision_loss, reason = "bytes of memory are far below 2^53")]
fn portion(of: Bytes, share: f64) -> Bytes {
    Bytes(whole(of.0 as f64 * share))
}

/// The busy time of a host's processors, which guests that come and go leave behind.
#[derive(Debug, Default)]
pub(crate) struct HostMeter {
    read_at: Option<Instant>,
    busy: Vec<Duration>,
    link: LinkStatistics,
}

/// Bytes per second that the host itself receives, and as many that it sends.
const OWN_TRAFFIC: f64 = 2000.0;
/// Bytes per second that each running processor of guests adds.
const GUEST_TRAFFIC: f64 = 4000.0;

impl HostMeter {
    /// Adds what has been used since the last time.
    fn read(&mut self, cpus: u32, running_vcpus: u32) -> Vec<Duration> {
        let now = Instant::now();
        let passed = self.read_at.replace(now).map_or(Duration::ZERO, |at| now - at);
        self.busy
            .resize(usize::try_from(cpus).unwrap_or(0), Duration::ZERO);
        let share = (HOST_CPU + CPU * f64::from(running_vcpus) / f64::from(cpus.max(1))).min(1.0);
        for time in &mut self.busy {
            *time += passed.mul_f64(share);
        }
        let traffic = OWN_TRAFFIC + GUEST_TRAFFIC * f64::from(running_vcpus);
        let carried = whole(traffic * passed.as_secs_f64());
        self.link.received.0 = self.link.received.0.saturating_add(carried);
        self.link.sent.0 = self.link.sent.0.saturating_add(carried / 2);
        self.busy.clone()
    }
}

/// Virtual processors that run.
fn running_vcpus(state: &State) -> u32 {
    state
        .domains
        .values()
        .filter(|domain| domain.state == DomainState::Running)
        .map(|domain| domain.carried.vcpus)
        .sum()
}

/// Counters of a simulated host.
pub(crate) fn host(shared: &Shared) -> HostStatistics {
    let facts = &shared.settings.facts;
    let memory_free = shared.memory_free();
    let mut state = shared.state();
    let running = running_vcpus(&state);
    let cpu_times = state.meter.read(facts.cpus, running);
    HostStatistics {
        cpu_times,
        links: BTreeMap::from([("eth0".to_owned(), state.meter.link)]),
        memory_total: facts.memory_total,
        memory_free,
        load: CPU * f64::from(running),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_is_counted_moves_and_never_goes_back() {
        for salt in 0..20 {
            let phase = phase(Uuid::from_u128(u128::from(salt) * 77), salt);
            let mut before = 0.0;
            let mut rates = Vec::new();
            for step in 1..200 {
                let now = total(CPU, f64::from(step) * 5.0, phase);
                let rate = (now - before) / 5.0;
                assert!((0.0..=1.0).contains(&rate), "{rate}");
                rates.push(rate);
                before = now;
            }
            let least = rates.iter().copied().fold(1.0, f64::min);
            let most = rates.iter().copied().fold(0.0, f64::max);
            assert!(most > 2.0 * least, "it moves: {least} to {most}");
            assert!((before / 995.0 - CPU).abs() < CPU / 10.0, "about the mean");
        }
    }

    #[test]
    fn a_host_keeps_the_time_of_guests_that_left() {
        let mut meter = HostMeter::default();
        meter.read(2, 8);
        let busy = meter.read(2, 8);
        let later = meter.read(2, 0);
        assert!(later.iter().zip(&busy).all(|(later, earlier)| later >= earlier));
    }
}
