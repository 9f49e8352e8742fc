//! Tests of what a sample changes.

use super::*;
use crate::archive::Function;
use node_hypervisor::{Bytes, CountedDomain, DomainStatistics, HostStatistics, MemoryStatistics};
use std::time::Duration;

const VM: Uuid = Uuid::from_u128(7);
/// Divides by all steps up to an hour.
const BEGIN: i64 = 1_700_002_800;

fn counted(id: i64, seconds: u64) -> CountedDomain {
    CountedDomain {
        id,
        running: true,
        statistics: DomainStatistics {
            vcpu_times: vec![Duration::from_secs(seconds)],
            memory: MemoryStatistics {
                actual: Bytes::mib(256),
                ..MemoryStatistics::default()
            },
            ..DomainStatistics::default()
        },
    }
}

fn sample(at: i64, domains: &[(Uuid, CountedDomain)]) -> Sample {
    Sample {
        at: Moment::seconds(at),
        host: Some(HostStatistics {
            cpu_times: vec![Duration::from_secs(1)],
            ..HostStatistics::default()
        }),
        domains: domains.iter().cloned().collect(),
        ..Sample::default()
    }
}

/// Samples every 5 s of a VM that is busy one second in five.
fn sampled(count: i64) -> Collection {
    let mut all = Collection::new(Uuid::from_u128(1));
    for number in 0..count {
        let busy = u64::try_from(number).unwrap();
        all.take(sample(BEGIN + 5 * number, &[(VM, counted(1, busy))]));
    }
    all
}

#[test]
fn updates_hold_what_was_sampled_newest_first() {
    let all = sampled(4);
    let rows = all.updates(
        Query {
            start: BEGIN,
            ..Query::default()
        },
        false,
        None,
    );
    assert_eq!((rows.start, rows.step, rows.end), (BEGIN + 5, 5, BEGIN + 15));
    let column = rows
        .legend
        .iter()
        .position(|entry| *entry == format!("AVERAGE:vm:{VM}:cpu0"))
        .unwrap();
    let of_cpu: Vec<(i64, f64)> = rows.rows.iter().map(|(t, v)| (*t, v[column])).collect();
    assert_eq!(
        of_cpu[..3],
        [(BEGIN + 15, 0.2), (BEGIN + 10, 0.2), (BEGIN + 5, 0.2)].map(near)
    );
    assert!(rows.legend.iter().all(|entry| !entry.contains(":host:")));
}

/// Rows hold numbers in half the width.
fn near((time, value): (i64, f64)) -> (i64, f64) {
    #[allow(clippy::cast_possible_truncation, reason = "as rows do")]
    let narrow = value as f32;
    (time, f64::from(narrow))
}

#[test]
fn the_host_is_told_only_when_asked_for_and_a_vm_only_when_named() {
    let all = sampled(3);
    let query = Query {
        start: -20,
        ..Query::default()
    };
    let host = all.updates(query, true, Some(&[]));
    assert!(host.legend.iter().all(|entry| entry.contains(":host:")));
    assert!(!host.legend.is_empty());
    assert!(all.updates(query, false, Some(&[Uuid::nil()])).legend.is_empty());
}

#[test]
fn a_coarser_interval_takes_a_coarser_archive() {
    let all = sampled(40);
    for (interval, step) in [
        (0, 5),
        (5, 5),
        (6, 60),
        (60, 60),
        (61, 3600),
        (86_400, 86_400),
        (99_999, 86_400),
    ] {
        let query = Query {
            start: BEGIN,
            interval,
            function: None,
        };
        assert_eq!(all.updates(query, true, None).step, step, "{interval}");
    }
    let long_ago = Query {
        start: BEGIN - 3600,
        ..Query::default()
    };
    assert_eq!(
        all.updates(long_ago, true, None).step,
        60,
        "ten minutes are not enough"
    );
}

#[test]
fn a_vm_has_averages_and_a_host_extremes_too() {
    let all = sampled(40);
    let query = Query {
        start: BEGIN,
        interval: 60,
        function: Some(Function::Max),
    };
    let rows = all.updates(query, true, None);
    assert!(rows.legend.iter().all(|entry| entry.starts_with("MAX:host:")));
    assert!(!rows.legend.is_empty());
}

#[test]
fn a_domain_that_is_gone_takes_its_archives_along_and_they_can_come_back() {
    let mut all = sampled(5);
    let gone = all.take(sample(BEGIN + 25, &[]));
    assert_eq!(gone.len(), 1);
    assert!(!all.has(Owner::Vm(VM)));
    let (vm, rrd) = gone.into_iter().next().unwrap();
    all.restore(Owner::Vm(vm), rrd);
    all.take(sample(BEGIN + 30, &[(VM, counted(2, 100))]));
    let query = Query {
        start: BEGIN,
        ..Query::default()
    };
    let rows = all.updates(query, false, None);
    let values: Vec<f64> = rows.rows.iter().map(|(_, v)| v[0]).collect();
    assert!(values[0].is_nan(), "the new domain's counters began anew");
    assert!(
        values.iter().any(|value| *value > 0.1),
        "what was before is still there"
    );
}

#[test]
fn a_paused_domain_changes_nothing() {
    let mut all = sampled(5);
    let before = all.archives(Owner::Vm(VM)).cloned();
    let mut paused = counted(1, 5);
    paused.running = false;
    all.take(sample(BEGIN + 25, &[(VM, paused)]));
    assert_eq!(
        format!("{:?}", all.archives(Owner::Vm(VM)).cloned()),
        format!("{before:?}")
    );
}

#[test]
fn sources_are_queried_recorded_and_forgotten() {
    let mut all = sampled(5);
    let vm = Owner::Vm(VM);
    assert!((all.query(vm, "cpu0").unwrap() - 0.2).abs() < 1e-9);
    assert_eq!(all.query(vm, "cpu9"), Err(no_source("cpu9")));
    assert_eq!(
        all.query(Owner::Vm(Uuid::nil()), "cpu0"),
        Err(QueryError::NoArchives)
    );
    all.forget(vm, "cpu0").unwrap();
    assert_eq!(all.forget(vm, "cpu0"), Err(no_source("cpu0")));
    let found = |all: &Collection| {
        let sources = all.sources(vm).unwrap();
        sources.into_iter().find(|s| s.source.name == "cpu0").unwrap()
    };
    assert!(!found(&all).enabled);
    assert!(found(&all).standard);
    all.record(vm, "cpu0").unwrap();
    assert!(found(&all).enabled);
    assert_eq!(all.record(vm, "nonsense"), Err(no_source("nonsense")));
}

#[test]
fn a_host_is_counted_while_its_domains_cannot_be() {
    let mut all = sampled(5);
    let before = format!("{:?}", all.archives(Owner::Vm(VM)));
    all.take_host(sample(BEGIN + 25, &[]));
    assert_eq!(
        all.archives(Owner::Host).map(Rrd::updated),
        Some(Moment::seconds(BEGIN + 25))
    );
    assert_eq!(format!("{:?}", all.archives(Owner::Vm(VM))), before);
    assert_eq!(all.query(Owner::Host, "running_domains"), Ok(1.0));
}
