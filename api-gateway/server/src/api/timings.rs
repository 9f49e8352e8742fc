//! How long calls took on this node since its start, by message.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use proto_types::population::Population;

/// The figures.
#[derive(Debug, Default)]
pub struct Timings {
    by_message: Mutex<HashMap<&'static str, Population>>,
}

impl Timings {
    /// Takes one in.
    pub fn note(&self, message: &'static str, took: Duration) {
        let mut all = self.by_message.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(message).or_default().add(took.as_secs_f64());
    }

    /// All of them.
    pub fn all(&self) -> Vec<(&'static str, Population)> {
        let all = self.by_message.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(name, seen)| (*name, *seen)).collect()
    }
}
