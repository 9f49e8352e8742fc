//! How long this host's commands took, by verb, since its node's start.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use node_commands::Timing;
use proto_types::population::Population;

/// The figures.
#[derive(Debug, Default)]
pub(crate) struct Timings {
    by_verb: Mutex<BTreeMap<&'static str, Population>>,
}

impl Timings {
    /// Takes one in.
    pub(crate) fn note(&self, verb: &'static str, took: Duration) {
        let mut all = self.by_verb.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(verb).or_default().add(took.as_secs_f64());
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Timing> {
        let all = self.by_verb.lock().unwrap_or_else(PoisonError::into_inner);
        let timing = |(verb, seen): (&&str, &Population)| Timing {
            name: (*verb).to_owned(),
            count: seen.count(),
            mean: seen.mean(),
            deviation: seen.deviation(),
        };
        all.iter().map(timing).collect()
    }
}
