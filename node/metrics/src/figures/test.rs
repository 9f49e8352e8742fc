//! Tests of the names and of what is compared with what.

use super::*;
use node_hypervisor::{MemoryStatistics, NicIndex};

fn counted(id: i64, requests: u64) -> CountedDomain {
    CountedDomain {
        id,
        running: true,
        statistics: DomainStatistics {
            cpu_time: Duration::from_secs(9),
            vcpu_times: vec![Duration::from_secs(2), Duration::from_secs(4)],
            memory: MemoryStatistics {
                actual: Bytes::mib(64),
                guest_free: Some(Bytes::mib(1)),
                ..MemoryStatistics::default()
            },
            disks: vec![DiskStatistics {
                index: DiskIndex(0),
                read: Bytes::mib(requests),
                written: Bytes(0),
                read_requests: requests,
                write_requests: 0,
                read_time: Duration::from_millis(requests),
                write_time: Duration::ZERO,
            }],
            nics: vec![NicStatistics {
                index: NicIndex(1),
                received: Bytes(5),
                sent: Bytes(6),
                received_packets: 0,
                sent_packets: 0,
                receive_errors: 0,
                send_errors: 0,
            }],
        },
    }
}

fn value(all: &[Measure], name: &str) -> Option<Raw> {
    all.iter().find(|m| m.source.name == name).map(|m| m.value)
}

#[test]
fn a_vm_has_the_names_that_clients_parse() {
    let all = of_vm(&counted(1, 30), Some(&counted(1, 10)));
    assert_eq!(value(&all, "cpu1"), Some(Raw::Real(4.0)));
    assert_eq!(value(&all, "cpu_usage"), Some(Raw::Real(3.0)));
    assert_eq!(value(&all, "memory"), Some(Raw::Count(64 << 20)));
    assert_eq!(value(&all, "memory_internal_free"), Some(Raw::Count(1024)));
    assert_eq!(value(&all, "vif_1_rx"), Some(Raw::Count(5)));
    assert_eq!(value(&all, "vbd_xvda_read"), Some(Raw::Count(30 << 20)));
    assert_eq!(value(&all, "vbd_xvda_iops_read"), Some(Raw::Count(20)));
    assert_eq!(value(&all, "vbd_xvda_io_throughput_total"), Some(Raw::Real(20.0)));
    assert_eq!(value(&all, "vbd_xvda_read_latency"), Some(Raw::Count(1000)));
    assert_eq!(value(&all, "vbd_xvda_write_latency"), Some(Raw::Count(0)));
}

#[test]
fn names_are_unique_per_owner() {
    let sample = sample(1, 10);
    for all in [
        of_vm(&counted(1, 30), None),
        of_host(&sample, None),
        of_host(&sample, Some(&sample)),
    ] {
        let mut names: Vec<&str> = all.iter().map(|m| m.source.name.as_str()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}

fn sample(id: i64, requests: u64) -> Sample {
    Sample {
        at: Moment::seconds(10),
        host: Some(HostStatistics {
            cpu_times: vec![Duration::from_secs(1), Duration::from_secs(3)],
            memory_total: Bytes::gib(2),
            memory_free: Bytes::gib(1),
            load: 0.5,
            links: BTreeMap::from([(
                "eth0".to_owned(),
                LinkStatistics {
                    received: Bytes(7),
                    ..LinkStatistics::default()
                },
            )]),
        }),
        node_memory: Some(Bytes::mib(40)),
        domains: BTreeMap::from([(Uuid::from_u128(1), counted(id, requests))]),
        repositories: BTreeMap::from([(
            (Uuid::from_u128(1), DiskIndex(0)),
            Uuid::from_u128(0xabcd_ef12 << 96),
        )]),
    }
}

#[test]
fn a_host_has_the_names_that_clients_parse() {
    let all = of_host(&sample(1, 30), Some(&sample(1, 10)));
    assert_eq!(value(&all, "cpu_avg"), Some(Raw::Real(2.0)));
    assert_eq!(value(&all, "memory_total_kib"), Some(Raw::Count(2 << 20)));
    assert_eq!(value(&all, "loadavg"), Some(Raw::Real(0.5)));
    assert_eq!(value(&all, "pif_eth0_rx"), Some(Raw::Count(7)));
    assert_eq!(value(&all, "pif_aggr_rx"), Some(Raw::Count(7)));
    assert_eq!(value(&all, "running_vcpus"), Some(Raw::Count(2)));
    assert_eq!(value(&all, "hostload"), Some(Raw::Real(1.0)));
    assert_eq!(value(&all, "xapi_memory_usage_kib"), Some(Raw::Count(40 << 10)));
    assert_eq!(value(&all, "iops_read_abcdef12"), Some(Raw::Count(20)));
}

#[test]
fn a_domain_started_anew_is_not_compared_with_the_one_before() {
    let all = of_host(&sample(2, 5), Some(&sample(1, 10)));
    assert_eq!(value(&all, "iops_read_abcdef12"), Some(Raw::Count(0)));
    let all = of_vm(&counted(1, 5), Some(&counted(1, 10)));
    assert_eq!(
        value(&all, "vbd_xvda_iops_read"),
        Some(Raw::Unknown),
        "counters went back"
    );
}
