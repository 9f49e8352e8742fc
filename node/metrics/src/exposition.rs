//! The last sample in Prometheus' text form: counters as they are, so that the reader makes rates of its own.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use node_hypervisor::{CountedDomain, DiskStatistics, LinkStatistics, NicStatistics};
use uuid::Uuid;

use crate::figures::Sample;

/// The content type of the form.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the host's node adds of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeState {
    /// Its version.
    pub version: String,
    /// Whether it leads the pool.
    pub leads: bool,
    /// The Raft term.
    pub term: u64,
}

/// The text.
pub fn text(host: Uuid, sample: Option<&Sample>, node: &NodeState) -> String {
    let mut page = Page {
        host: Some(host),
        ..Page::default()
    };
    page.node(node);
    if let Some(sample) = sample {
        page.host(sample);
        page.domains(sample);
    }
    page.out
}

/// A text in the making.
#[derive(Default)]
pub struct Page {
    out: String,
    /// On every value, if there is one.
    host: Option<Uuid>,
}

impl Page {
    /// The text so far.
    pub fn into_text(self) -> String {
        self.out
    }

    /// Begins a family of values; `kind` is `gauge` or `counter`.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One value; `labels` are pairs of name and value.
    pub fn value(&mut self, name: &str, labels: &[(&str, &dyn Display)], value: impl Display) {
        self.out.push_str(name);
        let host = self.host;
        let host = host.as_ref().map(|host| ("host", host as &dyn Display));
        let mut before = '{';
        for (label, content) in host.iter().chain(labels) {
            let _ = write!(self.out, "{before}{label}=\"");
            before = ',';
            let content = content.to_string();
            for c in content.chars() {
                match c {
                    '\\' => self.out.push_str("\\\\"),
                    '"' => self.out.push_str("\\\""),
                    '\n' => self.out.push_str("\\n"),
                    c => self.out.push(c),
                }
            }
            self.out.push('"');
        }
        let end = if before == ',' { "}" } else { "" };
        let _ = writeln!(self.out, "{end} {value}");
    }

    fn node(&mut self, node: &NodeState) {
        self.family("tarn_node_info", "gauge", "The node's version.");
        self.value("tarn_node_info", &[("version", &node.version)], 1);
        self.family("tarn_node_leads", "gauge", "Whether the node leads its pool.");
        self.value("tarn_node_leads", &[], u8::from(node.leads));
        self.family("tarn_node_term", "gauge", "The Raft term that the node is in.");
        self.value("tarn_node_term", &[], node.term);
    }

    fn host(&mut self, sample: &Sample) {
        if let Some(memory) = sample.node_memory {
            self.family(
                "tarn_node_memory_bytes",
                "gauge",
                "Memory that the node's program occupies.",
            );
            self.value("tarn_node_memory_bytes", &[], memory.0);
        }
        let Some(host) = &sample.host else { return };
        self.family(
            "tarn_host_cpu_busy_seconds_total",
            "counter",
            "Busy time of a processor of the host.",
        );
        for (number, time) in host.cpu_times.iter().enumerate() {
            self.value(
                "tarn_host_cpu_busy_seconds_total",
                &[("cpu", &number)],
                time.as_secs_f64(),
            );
        }
        self.family("tarn_host_memory_bytes", "gauge", "All memory of the host.");
        self.value("tarn_host_memory_bytes", &[], host.memory_total.0);
        self.family(
            "tarn_host_memory_free_bytes",
            "gauge",
            "Memory that new VMs could take.",
        );
        self.value("tarn_host_memory_free_bytes", &[], host.memory_free.0);
        self.family("tarn_host_load1", "gauge", "Load of the host, mean of a minute.");
        self.value("tarn_host_load1", &[], host.load);
        self.links(&host.links);
    }

    fn links(&mut self, links: &BTreeMap<String, LinkStatistics>) {
        for (name, help, pick) in [
            (
                "tarn_host_network_received_bytes_total",
                "Bytes received on an interface of the host.",
                (|l| l.received.0) as fn(&LinkStatistics) -> u64,
            ),
            (
                "tarn_host_network_sent_bytes_total",
                "Bytes sent on an interface of the host.",
                |l| l.sent.0,
            ),
            (
                "tarn_host_network_errors_total",
                "Packets of an interface of the host that were lost to errors.",
                |l| l.receive_errors.saturating_add(l.send_errors),
            ),
        ] {
            self.family(name, "counter", help);
            for (device, link) in links {
                self.value(name, &[("device", device)], pick(link));
            }
        }
    }

    fn domains(&mut self, sample: &Sample) {
        self.family("tarn_vm_running", "gauge", "Whether the VM's processors run.");
        for (vm, counted) in &sample.domains {
            self.value("tarn_vm_running", &[("vm", vm)], u8::from(counted.running));
        }
        self.family(
            "tarn_vm_cpu_seconds_total",
            "counter",
            "Time that a virtual processor has run.",
        );
        for (vm, counted) in &sample.domains {
            for (number, time) in counted.statistics.vcpu_times.iter().enumerate() {
                self.value(
                    "tarn_vm_cpu_seconds_total",
                    &[("vm", vm), ("cpu", &number)],
                    time.as_secs_f64(),
                );
            }
        }
        self.family("tarn_vm_memory_bytes", "gauge", "Memory that the VM has now.");
        for (vm, counted) in &sample.domains {
            self.value(
                "tarn_vm_memory_bytes",
                &[("vm", vm)],
                counted.statistics.memory.actual.0,
            );
        }
        self.disks(sample);
        self.nics(sample);
    }

    fn disks(&mut self, sample: &Sample) {
        type Pick = fn(&DiskStatistics) -> u64;
        let families: [(&str, &str, Pick); 4] = [
            ("tarn_vm_disk_read_bytes_total", "Bytes read from a disk.", |d| {
                d.read.0
            }),
            (
                "tarn_vm_disk_written_bytes_total",
                "Bytes written to a disk.",
                |d| d.written.0,
            ),
            ("tarn_vm_disk_reads_total", "Reads from a disk.", |d| {
                d.read_requests
            }),
            ("tarn_vm_disk_writes_total", "Writes to a disk.", |d| {
                d.write_requests
            }),
        ];
        for (name, help, pick) in families {
            self.family(name, "counter", help);
            for (vm, disk) in each(sample, |c| &c.statistics.disks) {
                let device = format!("xvd{}", disk.index.letters());
                self.value(name, &[("vm", &vm), ("device", &device)], pick(disk));
            }
        }
    }

    fn nics(&mut self, sample: &Sample) {
        type Pick = fn(&NicStatistics) -> u64;
        let families: [(&str, &str, Pick); 2] = [
            (
                "tarn_vm_network_received_bytes_total",
                "Bytes that the VM received on an interface.",
                |n| n.received.0,
            ),
            (
                "tarn_vm_network_sent_bytes_total",
                "Bytes that the VM sent on an interface.",
                |n| n.sent.0,
            ),
        ];
        for (name, help, pick) in families {
            self.family(name, "counter", help);
            for (vm, nic) in each(sample, |c| &c.statistics.nics) {
                self.value(name, &[("vm", &vm), ("device", &nic.index.0)], pick(nic));
            }
        }
    }
}

/// Devices of all domains.
fn each<'a, T: 'a>(
    sample: &'a Sample,
    devices: fn(&CountedDomain) -> &Vec<T>,
) -> impl Iterator<Item = (Uuid, &'a T)> {
    sample
        .domains
        .iter()
        .flat_map(move |(vm, counted)| devices(counted).iter().map(move |device| (*vm, device)))
}

#[cfg(test)]
mod test {
    use super::*;
    use node_hypervisor::{Bytes, HostStatistics};
    use std::time::Duration;

    #[test]
    fn each_family_is_described_before_its_values_and_labels_are_quoted() {
        let sample = Sample {
            host: Some(HostStatistics {
                cpu_times: vec![Duration::from_millis(1500)],
                memory_total: Bytes(7),
                links: BTreeMap::from([("e\"th".to_owned(), LinkStatistics::default())]),
                ..HostStatistics::default()
            }),
            ..Sample::default()
        };
        let page = text(Uuid::nil(), Some(&sample), &NodeState::default());
        assert!(page.contains(
            "# TYPE tarn_host_cpu_busy_seconds_total counter\n\
             tarn_host_cpu_busy_seconds_total{host=\"00000000-0000-0000-0000-000000000000\",cpu=\"0\"} 1.5\n"
        ));
        assert!(page.contains("device=\"e\\\"th\"} 0\n"));
        let mut described = Vec::new();
        for line in page.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                described.push(rest.split(' ').next().unwrap().to_owned());
            } else if !line.starts_with('#') {
                let name = line.split('{').next().unwrap();
                assert_eq!(described.last().map(String::as_str), Some(name), "{line}");
            }
        }
    }
}
