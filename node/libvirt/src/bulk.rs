//! Counters of all domains from one call of libvirt, and of the host from the kernel.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use node_hypervisor::{
    Bytes, CountedDomain, DiskIndex, DiskStatistics, DomainStatistics, HostStatistics, LinkStatistics,
    MemoryStatistics, NicIndex, NicStatistics,
};
use uuid::Uuid;
use virt::connect::Connect;
use virt_sys as sys;

use crate::bridge::find;
use crate::error::Fault;
use crate::ffi::{self, Parameter, Parameters};
use crate::lifecycle::live;

/// Which interface of a VM each tap is and which disk each name, as far as it has been looked up: libvirt counts by these.
#[derive(Clone, Default)]
pub(crate) struct Numbers(Arc<Mutex<HashMap<Uuid, Known>>>);

/// One without a number is none of ours.
#[derive(Clone, Default)]
struct Known {
    domain: i64,
    taps: BTreeMap<String, Option<NicIndex>>,
    disks: BTreeMap<String, Option<DiskIndex>>,
}

impl Numbers {
    /// The numbers of a domain's devices. Its XML is read only if it has one that is not known.
    fn of(&self, connect: &Connect, vm: Uuid, domain: i64, taps: &[String], disks: &[String]) -> Known {
        let known = {
            let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.get(&vm).filter(|known| known.domain == domain).cloned()
        };
        if let Some(known) = known
            && taps.iter().all(|name| known.taps.contains_key(name))
            && disks.iter().all(|name| known.disks.contains_key(name))
        {
            return known;
        }
        let Ok(read) = find(connect, vm).and_then(|domain| live(&domain)) else {
            return Known::default();
        };
        let mut known = Known {
            domain,
            taps: taps.iter().map(|name| (name.clone(), None)).collect(),
            disks: disks.iter().map(|name| (name.clone(), None)).collect(),
        };
        for nic in read.nics() {
            if let Some(tap) = nic.tap {
                known.taps.insert(tap, Some(nic.index));
            }
        }
        for disk in read.disks() {
            known.disks.insert(disk.target, Some(disk.index));
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(vm, known.clone());
        known
    }

    /// Forgets domains that are gone.
    fn keep(&self, here: &BTreeMap<Uuid, CountedDomain>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|vm, _| here.contains_key(vm));
    }
}

pub(crate) fn all_statistics(
    connect: &Connect,
    numbers: &Numbers,
) -> Result<BTreeMap<Uuid, CountedDomain>, Fault> {
    let mut all = BTreeMap::new();
    for (vm, id, parameters) in ffi::all_statistics(connect)? {
        let (taps, disks) = (names(&parameters, "net"), names(&parameters, "block"));
        let known = if taps.is_empty() && disks.is_empty() {
            Known::default()
        } else {
            numbers.of(connect, vm, id, &taps, &disks)
        };
        all.insert(
            vm,
            CountedDomain {
                id,
                running: number(&parameters, "state.state") == u64::from(sys::VIR_DOMAIN_RUNNING),
                statistics: statistics(&parameters, &known),
            },
        );
    }
    numbers.keep(&all);
    Ok(all)
}

fn number(parameters: &Parameters, name: &str) -> u64 {
    match parameters.get(name) {
        Some(Parameter::Number(number)) => *number,
        Some(Parameter::Text(_)) | None => 0,
    }
}

fn optional(parameters: &Parameters, name: &str) -> Option<Bytes> {
    parameters.contains_key(name).then(|| kib(parameters, name))
}

fn kib(parameters: &Parameters, name: &str) -> Bytes {
    Bytes(number(parameters, name).saturating_mul(Bytes::KIB))
}

fn text<'a>(parameters: &'a Parameters, name: &str) -> Option<&'a str> {
    match parameters.get(name) {
        Some(Parameter::Text(text)) => Some(text),
        Some(Parameter::Number(_)) | None => None,
    }
}

/// Names of a domain's devices of a kind, which are `net` and `block`.
fn names(parameters: &Parameters, kind: &str) -> Vec<String> {
    (0..number(parameters, &format!("{kind}.count")))
        .filter_map(|at| text(parameters, &format!("{kind}.{at}.name")).map(str::to_owned))
        .collect()
}

/// Understands libvirt's names. What is not there counts as nothing.
fn statistics(parameters: &Parameters, known: &Known) -> DomainStatistics {
    let get = |name: String| number(parameters, &name);
    let disks = (0..get("block.count".to_owned()))
        .filter_map(|at| {
            let index = (*known.disks.get(text(parameters, &format!("block.{at}.name"))?)?)?;
            // A drive without a medium has no counters.
            parameters.get(&format!("block.{at}.rd.bytes"))?;
            Some(DiskStatistics {
                index,
                read: Bytes(get(format!("block.{at}.rd.bytes"))),
                written: Bytes(get(format!("block.{at}.wr.bytes"))),
                read_requests: get(format!("block.{at}.rd.reqs")),
                write_requests: get(format!("block.{at}.wr.reqs")),
                read_time: Duration::from_nanos(get(format!("block.{at}.rd.times"))),
                write_time: Duration::from_nanos(get(format!("block.{at}.wr.times"))),
            })
        })
        .collect();
    let nics = (0..get("net.count".to_owned()))
        .filter_map(|at| {
            let index = (*known.taps.get(text(parameters, &format!("net.{at}.name"))?)?)?;
            // libvirt has turned them round already: "rx" is what the guest received.
            Some(NicStatistics {
                index,
                received: Bytes(get(format!("net.{at}.rx.bytes"))),
                sent: Bytes(get(format!("net.{at}.tx.bytes"))),
                received_packets: get(format!("net.{at}.rx.pkts")),
                sent_packets: get(format!("net.{at}.tx.pkts")),
                receive_errors: get(format!("net.{at}.rx.errs")),
                send_errors: get(format!("net.{at}.tx.errs")),
            })
        })
        .collect();
    let vcpus = number(parameters, "vcpu.maximum").min(4096);
    DomainStatistics {
        cpu_time: Duration::from_nanos(number(parameters, "cpu.time")),
        vcpu_times: (0..vcpus)
            .filter(|at| parameters.contains_key(&format!("vcpu.{at}.time")))
            .map(|at| Duration::from_nanos(get(format!("vcpu.{at}.time"))))
            .collect(),
        memory: MemoryStatistics {
            actual: kib(parameters, "balloon.current"),
            maximum: kib(parameters, "balloon.maximum"),
            guest_total: optional(parameters, "balloon.available"),
            guest_free: optional(parameters, "balloon.unused"),
            resident: optional(parameters, "balloon.rss"),
        },
        disks,
        nics,
    }
}

/// Counters of the host, from the kernel. Blocks for a moment.
pub(crate) fn host_statistics() -> HostStatistics {
    let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let memory = file("/proc/meminfo");
    let bytes = |key: &str| {
        let line = memory
            .lines()
            .find_map(|l| l.strip_prefix(key)?.strip_prefix(':'));
        let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok());
        Bytes(kib.unwrap_or(0).saturating_mul(Bytes::KIB))
    };
    HostStatistics {
        cpu_times: cpu_times(&file("/proc/stat")),
        memory_total: bytes("MemTotal"),
        memory_free: bytes("MemAvailable"),
        load: load(&file("/proc/loadavg")),
        links: links(&file("/proc/net/dev")),
    }
}

/// Busy time of each processor: user, nice, system, interrupts; not idle, not waiting, not stolen. The kernel counts in
/// hundredths of a second for programs.
fn cpu_times(stat: &str) -> Vec<Duration> {
    stat.lines()
        .filter_map(|line| {
            let (number, rest) = line.strip_prefix("cpu")?.split_once(' ')?;
            number.parse::<u32>().ok()?;
            let ticks: Vec<u64> = rest
                .split_ascii_whitespace()
                .map_while(|field| field.parse().ok())
                .collect();
            let busy = [0, 1, 2, 5, 6].map(|at: usize| ticks.get(at).copied().unwrap_or(0));
            Some(Duration::from_millis(busy.iter().sum::<u64>().saturating_mul(10)))
        })
        .collect()
}

fn load(text: &str) -> f64 {
    text.split_ascii_whitespace()
        .next()
        .and_then(|first| first.parse().ok())
        .unwrap_or(0.0)
}

/// The kernel's table: after the name eight numbers of what was received and eight of what was sent.
fn links(table: &str) -> BTreeMap<String, LinkStatistics> {
    table
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.trim().split_once(':')?;
            let numbers: Vec<u64> = rest
                .split_ascii_whitespace()
                .map_while(|field| field.parse().ok())
                .collect();
            let get = |at: usize| numbers.get(at).copied();
            let link = LinkStatistics {
                received: Bytes(get(0)?),
                receive_errors: get(2)?,
                sent: Bytes(get(8)?),
                send_errors: get(10)?,
            };
            Some((name.to_owned(), link))
        })
        .collect()
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn libvirts_names_are_understood() {
        let numbers = [
            ("state.state", 1),
            ("cpu.time", 5_000_000_000),
            ("balloon.current", 1024),
            ("balloon.maximum", 2048),
            ("balloon.unused", 100),
            ("vcpu.current", 1),
            ("vcpu.maximum", 2),
            ("vcpu.0.time", 1_500_000_000),
            ("net.count", 2),
            ("net.0.rx.bytes", 10),
            ("net.0.tx.errs", 3),
            ("net.1.rx.bytes", 99),
            ("block.count", 2),
            ("block.0.rd.bytes", 512),
            ("block.0.rd.reqs", 1),
            ("block.0.wr.times", 7_000),
        ];
        let texts = [
            ("net.0.name", "vnet3"),
            ("net.1.name", "macvtap0"),
            ("block.0.name", "vdb"),
            ("block.1.name", "sda"),
        ];
        let parameters: Parameters = numbers
            .into_iter()
            .map(|(name, number)| (name.to_owned(), Parameter::Number(number)))
            .chain(
                texts
                    .into_iter()
                    .map(|(name, text)| (name.to_owned(), Parameter::Text(text.to_owned()))),
            )
            .collect();
        assert_eq!(names(&parameters, "net"), ["vnet3", "macvtap0"]);
        let known = Known {
            domain: 1,
            taps: BTreeMap::from([
                ("vnet3".to_owned(), Some(NicIndex(1))),
                ("macvtap0".to_owned(), None),
            ]),
            disks: BTreeMap::from([
                ("vdb".to_owned(), Some(DiskIndex(1))),
                ("sda".to_owned(), Some(DiskIndex(0))),
            ]),
        };
        let seen = statistics(&parameters, &known);
        assert_eq!(
            seen.vcpu_times,
            [Duration::from_millis(1500)],
            "the other is not plugged"
        );
        assert_eq!(seen.memory.actual, Bytes::mib(1));
        assert_eq!(seen.memory.guest_free, Some(Bytes(100 << 10)));
        assert_eq!(seen.memory.guest_total, None);
        let [nic] = seen.nics.as_slice() else {
            unreachable!("one is none of ours: {:?}", seen.nics)
        };
        assert_eq!(
            (nic.index, nic.received, nic.send_errors),
            (NicIndex(1), Bytes(10), 3)
        );
        let [disk] = seen.disks.as_slice() else {
            unreachable!("the drive is empty: {:?}", seen.disks)
        };
        assert_eq!((disk.index, disk.read), (DiskIndex(1), Bytes(512)));
        assert_eq!(disk.write_time, Duration::from_micros(7));
    }

    #[test]
    fn a_processors_idle_time_is_not_busy() {
        let stat = "cpu  9 9 9 9 9 9 9 9\ncpu0 1 2 3 1000 1000 4 5 1000 0 0\ncpu1 1 0 0 5 5 0 0 5\nintr 5\n";
        assert_eq!(
            cpu_times(stat),
            [Duration::from_millis(150), Duration::from_millis(10)]
        );
        assert_eq!(load("0.25 0.10 0.00 1/234 5678\n"), 0.25);
    }
    #[test]
    fn the_kernels_table_of_interfaces_is_read() {
        let table = "Inter-|   Receive    |  Transmit\n face |bytes packets errs |bytes\n\
                     lo:  5 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0\n  eth0: 10 1 2 0 0 0 0 0 30 3 4 0 0 0 0 0\n";
        let links = links(table);
        assert_eq!(links.len(), 2);
        let eth0 = links["eth0"];
        assert_eq!((eth0.received, eth0.receive_errors), (Bytes(10), 2));
        assert_eq!((eth0.sent, eth0.send_errors), (Bytes(30), 4));
    }
}
