//! From what a host's drivers count to the sources that XenServer knows, by its names and units.
//!
//! Left out is what KVM does not count: run states of all virtual processors together, requests in flight.

use std::collections::BTreeMap;
use std::time::Duration;

use node_hypervisor::{
    Bytes, CountedDomain, DiskIndex, DiskStatistics, DomainStatistics, HostStatistics, LinkStatistics,
    NicStatistics,
};
use uuid::Uuid;

use crate::source::{Measure, Moment, Raw};

/// Everything that was counted on a host at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// When.
    pub at: Moment,
    /// The host, if it could be asked; of its links those that are NICs.
    pub host: Option<HostStatistics>,
    /// What this node's program occupies.
    pub node_memory: Option<Bytes>,
    /// Live domains by VM.
    pub domains: BTreeMap<Uuid, CountedDomain>,
    /// The repositories of their disks.
    pub repositories: BTreeMap<(Uuid, DiskIndex), Uuid>,
}

/// Measures of a VM. `before` is the sample before this one, if it is of the same domain.
pub fn of_vm(now: &CountedDomain, before: Option<&CountedDomain>) -> Vec<Measure> {
    let statistics = &now.statistics;
    let mut all = Vec::new();
    for (number, time) in statistics.vcpu_times.iter().enumerate() {
        all.push(
            Measure::counter(
                format!("cpu{number}"),
                Raw::Real(time.as_secs_f64()),
                "(fraction)",
                format!("Use of virtual processor {number}"),
            )
            .fraction(),
        );
    }
    all.push(
        Measure::counter(
            "cpu_usage",
            vcpu_mean(statistics),
            "(fraction)",
            "Mean use of the VM's virtual processors",
        )
        .fraction(),
    );
    let memory = &statistics.memory;
    all.push(Measure::gauge(
        "memory",
        Raw::Count(memory.actual.0),
        "B",
        "Memory that the VM has now",
    ));
    if let Some(free) = memory.guest_free {
        all.push(Measure::gauge(
            "memory_internal_free",
            kib(free),
            "KiB",
            "Memory that the guest says is free",
        ));
    }
    for nic in &statistics.nics {
        nic_measures(&mut all, nic);
    }
    for disk in &statistics.disks {
        let flow = Flow::of(disk, disk_before(before, disk.index));
        let name = format!("xvd{}", disk.index.letters());
        disk_measures(&mut all, &name, disk, flow);
    }
    all
}

/// Processor time of one virtual processor in the mean.
fn vcpu_mean(statistics: &DomainStatistics) -> Raw {
    let count = u32::try_from(statistics.vcpu_times.len()).unwrap_or(0);
    let sum: Duration = statistics.vcpu_times.iter().sum();
    match sum.checked_div(count) {
        Some(mean) => Raw::Real(mean.as_secs_f64()),
        None => Raw::Unknown,
    }
}

fn nic_measures(all: &mut Vec<Measure>, nic: &NicStatistics) {
    let number = nic.index.0;
    let name = format!("vif_{number}");
    all.push(Measure::counter(
        format!("{name}_rx"),
        Raw::Count(nic.received.0),
        "B/s",
        format!("Bytes per second that the VM received on interface {number}"),
    ));
    all.push(Measure::counter(
        format!("{name}_tx"),
        Raw::Count(nic.sent.0),
        "B/s",
        format!("Bytes per second that the VM sent on interface {number}"),
    ));
    for (way, count) in [("rx", nic.receive_errors), ("tx", nic.send_errors)] {
        all.push(
            Measure::counter(
                format!("{name}_{way}_errors"),
                Raw::Count(count),
                "err/s",
                format!("Errors per second on interface {number}, {way}"),
            )
            .on_demand(),
        );
    }
}

fn disk_before(before: Option<&CountedDomain>, index: DiskIndex) -> Option<&DiskStatistics> {
    before?.statistics.disks.iter().find(|disk| disk.index == index)
}

/// What has gone through disks between two samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flow {
    reads: u64,
    writes: u64,
    read: u64,
    written: u64,
    read_time: Duration,
    write_time: Duration,
}

impl Flow {
    /// `None` if there is nothing to compare with, or counters began anew.
    fn of(now: &DiskStatistics, before: Option<&DiskStatistics>) -> Option<Flow> {
        let before = before?;
        Some(Flow {
            reads: now.read_requests.checked_sub(before.read_requests)?,
            writes: now.write_requests.checked_sub(before.write_requests)?,
            read: now.read.0.checked_sub(before.read.0)?,
            written: now.written.0.checked_sub(before.written.0)?,
            read_time: now.read_time.checked_sub(before.read_time)?,
            write_time: now.write_time.checked_sub(before.write_time)?,
        })
    }

    fn and(self, other: Flow) -> Flow {
        Flow {
            reads: self.reads.saturating_add(other.reads),
            writes: self.writes.saturating_add(other.writes),
            read: self.read.saturating_add(other.read),
            written: self.written.saturating_add(other.written),
            read_time: self.read_time.saturating_add(other.read_time),
            write_time: self.write_time.saturating_add(other.write_time),
        }
    }
}

/// Microseconds of one request in the mean.
fn latency(time: Duration, requests: u64) -> u64 {
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    micros.checked_div(requests).unwrap_or(0)
}

fn mib(bytes: u64) -> f64 {
    Raw::Count(bytes).number() / 1_048_576.0
}

fn disk_measures(all: &mut Vec<Measure>, disk: &str, counted: &DiskStatistics, flow: Option<Flow>) {
    let named = |key: &str| format!("vbd_{disk}_{key}");
    all.push(Measure::counter(
        named("read"),
        Raw::Count(counted.read.0),
        "B/s",
        format!("Bytes per second read from {disk}"),
    ));
    all.push(Measure::counter(
        named("write"),
        Raw::Count(counted.written.0),
        "B/s",
        format!("Bytes per second written to {disk}"),
    ));
    flow_measures(all, &named, disk, flow);
}

/// What is told of a disk, and of all disks of a repository together.
fn flow_measures(all: &mut Vec<Measure>, named: &dyn Fn(&str) -> String, what: &str, flow: Option<Flow>) {
    let count = |pick: fn(Flow) -> u64| flow.map_or(Raw::Unknown, |flow| Raw::Count(pick(flow)));
    let real = |pick: fn(Flow) -> f64| flow.map_or(Raw::Unknown, |flow| Raw::Real(pick(flow)));
    all.push(Measure::gauge(
        named("read_latency"),
        count(|f| latency(f.read_time, f.reads)),
        "μs",
        format!("Microseconds that a read from {what} took"),
    ));
    all.push(Measure::gauge(
        named("write_latency"),
        count(|f| latency(f.write_time, f.writes)),
        "μs",
        format!("Microseconds that a write to {what} took"),
    ));
    for (key, value, doing) in [
        ("read", real(|f| mib(f.read)), "read from"),
        ("write", real(|f| mib(f.written)), "written to"),
        (
            "total",
            real(|f| mib(f.read.saturating_add(f.written))),
            "read from and written to",
        ),
    ] {
        all.push(Measure::amount(
            named(&format!("io_throughput_{key}")),
            value,
            "MiB/s",
            format!("MiB per second {doing} {what}"),
        ));
    }
    for (key, value, which) in [
        ("read", count(|f| f.reads), "Reads"),
        ("write", count(|f| f.writes), "Writes"),
        (
            "total",
            count(|f| f.reads.saturating_add(f.writes)),
            "Reads and writes",
        ),
    ] {
        all.push(Measure::amount(
            named(&format!("iops_{key}")),
            value,
            "requests/s",
            format!("{which} per second on {what}"),
        ));
    }
    all.push(Measure::amount(
        named("iowait"),
        real(|f| f.read_time.saturating_add(f.write_time).as_secs_f64()),
        "s/s",
        format!("Seconds that requests on {what} waited, per second"),
    ));
}

/// Measures of the host. `before` is the sample before this one.
pub fn of_host(now: &Sample, before: Option<&Sample>) -> Vec<Measure> {
    let mut all = Vec::new();
    if let Some(host) = &now.host {
        host_measures(&mut all, host);
        load_measures(&mut all, host, &now.domains);
        link_measures(&mut all, &host.links);
    }
    if let Some(memory) = now.node_memory {
        all.push(Measure::gauge(
            "xapi_memory_usage_kib",
            kib(memory),
            "KiB",
            "Memory that the host's management program occupies",
        ));
    }
    repository_measures(&mut all, now, before);
    all
}

fn host_measures(all: &mut Vec<Measure>, host: &HostStatistics) {
    for (number, time) in host.cpu_times.iter().enumerate() {
        all.push(
            Measure::counter(
                format!("cpu{number}"),
                Raw::Real(time.as_secs_f64()),
                "(fraction)",
                format!("Use of processor {number}"),
            )
            .fraction(),
        );
    }
    let count = u32::try_from(host.cpu_times.len()).unwrap_or(0);
    let sum: Duration = host.cpu_times.iter().sum();
    if let Some(mean) = sum.checked_div(count) {
        all.push(
            Measure::counter(
                "cpu_avg",
                Raw::Real(mean.as_secs_f64()),
                "(fraction)",
                "Mean use of the host's processors",
            )
            .fraction(),
        );
    }
    all.push(Measure::gauge(
        "memory_total_kib",
        kib(host.memory_total),
        "KiB",
        "All memory of the host",
    ));
    all.push(Measure::gauge(
        "memory_free_kib",
        kib(host.memory_free),
        "KiB",
        "Memory that new VMs could take",
    ));
    all.push(Measure::gauge(
        "loadavg",
        Raw::Real(host.load),
        "(fraction)",
        "Tasks that ran or wanted to, in the mean of a minute",
    ));
}

fn load_measures(all: &mut Vec<Measure>, host: &HostStatistics, domains: &BTreeMap<Uuid, CountedDomain>) {
    let running = domains.values().filter(|domain| domain.running);
    let (mut count, mut vcpus) = (0_u64, 0_u64);
    for domain in running {
        count = count.saturating_add(1);
        let own = u64::try_from(domain.statistics.vcpu_times.len()).unwrap_or(0);
        vcpus = vcpus.saturating_add(own);
    }
    all.push(Measure::gauge(
        "running_domains",
        Raw::Count(count),
        "count",
        "VMs that run on the host",
    ));
    all.push(Measure::gauge(
        "running_vcpus",
        Raw::Count(vcpus),
        "count",
        "Virtual processors of VMs that run on the host",
    ));
    if !host.cpu_times.is_empty() {
        let cpus = u64::try_from(host.cpu_times.len()).unwrap_or(u64::MAX);
        all.push(Measure::gauge(
            "hostload",
            Raw::Real(Raw::Count(vcpus).number() / Raw::Count(cpus).number()),
            "(fraction)",
            "Virtual processors of running VMs for each processor of the host",
        ));
    }
}

fn link_measures(all: &mut Vec<Measure>, links: &BTreeMap<String, LinkStatistics>) {
    let mut sum = LinkStatistics::default();
    for (device, link) in links {
        sum.received = Bytes(sum.received.0.saturating_add(link.received.0));
        sum.sent = Bytes(sum.sent.0.saturating_add(link.sent.0));
        link_traffic(
            all,
            &format!("pif_{device}"),
            link,
            &format!("interface {device}"),
        );
        for (way, count) in [("rx", link.receive_errors), ("tx", link.send_errors)] {
            all.push(
                Measure::counter(
                    format!("pif_{device}_{way}_errors"),
                    Raw::Count(count),
                    "err/s",
                    format!("Errors per second on interface {device}, {way}"),
                )
                .on_demand(),
            );
        }
    }
    if !links.is_empty() {
        link_traffic(all, "pif_aggr", &sum, "all interfaces");
    }
}

fn link_traffic(all: &mut Vec<Measure>, name: &str, link: &LinkStatistics, of: &str) {
    for (way, bytes, done) in [("rx", link.received, "received"), ("tx", link.sent, "sent")] {
        all.push(Measure::counter(
            format!("{name}_{way}"),
            Raw::Count(bytes.0),
            "B/s",
            format!("Bytes per second {done} on {of}"),
        ));
    }
}

/// What the VMs of this host do to each repository. Named by the first eight digits of its uuid.
fn repository_measures(all: &mut Vec<Measure>, now: &Sample, before: Option<&Sample>) {
    let mut flows: BTreeMap<Uuid, Flow> = BTreeMap::new();
    for (vm, counted) in &now.domains {
        let same = before
            .and_then(|sample| sample.domains.get(vm))
            .filter(|earlier| earlier.id == counted.id);
        for disk in &counted.statistics.disks {
            let Some(repository) = now.repositories.get(&(*vm, disk.index)) else {
                continue;
            };
            let sum = flows.entry(*repository).or_default();
            if let Some(flow) = Flow::of(disk, disk_before(same, disk.index)) {
                *sum = sum.and(flow);
            }
        }
    }
    for (repository, flow) in flows {
        let text = repository.to_string();
        let short: String = text.chars().take(8).collect();
        let named = |key: &str| format!("{key}_{short}");
        flow_measures(all, &named, &format!("SR {text}"), before.map(|_| flow));
    }
}

fn kib(bytes: Bytes) -> Raw {
    Raw::Count(bytes.0 >> 10)
}

#[cfg(test)]
mod test;
