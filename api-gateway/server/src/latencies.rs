//! How long things took, by name, as histograms in Prometheus' text form.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use proto_types::population::Population;

/// Upper ends of the buckets, in microseconds; above the last there is one more.
const ENDS: [u64; 14] = [
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    5_000_000,
    30_000_000,
    300_000_000,
];

#[derive(Clone, Copy, Default)]
struct Histogram {
    buckets: [u64; ENDS.len()],
    count: u64,
    sum: Duration,
    seconds: Population,
    failures: u64,
}

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As it should.
    Well,
    /// With an error.
    Badly,
}

/// Histograms by name. The names are constants of the program, so there are only so many.
#[derive(Default)]
pub struct Latencies {
    by_name: Mutex<BTreeMap<&'static str, Histogram>>,
}

impl Latencies {
    /// Counts one more.
    pub fn note(&self, name: &'static str, took: Duration, ended: Ended) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mut all = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        let one = all.entry(name).or_default();
        one.count = one.count.saturating_add(1);
        one.sum = one.sum.saturating_add(took);
        one.seconds.add(took.as_secs_f64());
        if ended == Ended::Badly {
            one.failures = one.failures.saturating_add(1);
        }
        for (bucket, end) in one.buckets.iter_mut().zip(ENDS) {
            if micros <= end {
                *bucket = bucket.saturating_add(1);
            }
        }
    }

    /// Mean and spread in seconds, by name.
    pub fn all(&self) -> Vec<(&'static str, Population)> {
        let all = self.by_name.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(name, one)| (*name, one.seconds)).collect()
    }

    /// The text: `<family>_seconds` and `<family>_failures_total`, each with the name as label `label`.
    pub fn page(&self, family: &str, label: &str, help: &str) -> String {
        let all = self
            .by_name
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "# HELP {family}_seconds {help}\n# TYPE {family}_seconds histogram"
        );
        for (name, one) in &all {
            for (bucket, end) in one.buckets.iter().zip(ENDS) {
                let end = Duration::from_micros(end).as_secs_f64();
                let _ = writeln!(
                    out,
                    "{family}_seconds_bucket{{{label}=\"{name}\",le=\"{end}\"}} {bucket}"
                );
            }
            let _ = writeln!(
                out,
                "{family}_seconds_bucket{{{label}=\"{name}\",le=\"+Inf\"}} {}",
                one.count
            );
            let _ = writeln!(
                out,
                "{family}_seconds_sum{{{label}=\"{name}\"}} {}",
                one.sum.as_secs_f64()
            );
            let _ = writeln!(out, "{family}_seconds_count{{{label}=\"{name}\"}} {}", one.count);
        }
        let _ = writeln!(
            out,
            "# HELP {family}_failures_total Those that ended with an error.\n# TYPE {family}_failures_total counter"
        );
        for (name, one) in &all {
            let _ = writeln!(
                out,
                "{family}_failures_total{{{label}=\"{name}\"}} {}",
                one.failures
            );
        }
        out
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn buckets_hold_everything_up_to_their_end_and_the_last_everything() {
        let latencies = Latencies::default();
        for (millis, ended) in [(0, Ended::Well), (7, Ended::Badly), (600_000, Ended::Well)] {
            latencies.note("VM.start", Duration::from_millis(millis), ended);
        }
        let page = latencies.page("t", "method", "Times.");
        for line in [
            "t_seconds_bucket{method=\"VM.start\",le=\"0.005\"} 1",
            "t_seconds_bucket{method=\"VM.start\",le=\"0.01\"} 2",
            "t_seconds_bucket{method=\"VM.start\",le=\"300\"} 2",
            "t_seconds_bucket{method=\"VM.start\",le=\"+Inf\"} 3",
            "t_seconds_count{method=\"VM.start\"} 3",
            "t_seconds_sum{method=\"VM.start\"} 600.007",
            "t_failures_total{method=\"VM.start\"} 1",
        ] {
            assert!(page.lines().any(|l| l == line), "{line}\n{page}");
        }
        let [(name, seen)] = latencies.all()[..] else {
            unreachable!("one name was noted");
        };
        assert_eq!((name, seen.count()), ("VM.start", 3));
        assert!((seen.mean() - 600.007 / 3.0).abs() < 1e-9, "{}", seen.mean());
    }
}
