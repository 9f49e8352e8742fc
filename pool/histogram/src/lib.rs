//! Coarse histograms under the name of the crate that openraft counts its batches with.
//!
//! openraft makes one such histogram whether or not its statistics are asked for, and the crate it takes for that fills
//! tables of 26 MiB with the first: a third of what a node at rest had resident. Nothing here reads openraft's statistics, so
//! this crate takes the other's place (`[patch.crates-io]` in the workspace's Cargo.toml; see `pool/decisions/0008`). It
//! has the part of its interface that openraft uses, and counts by powers of two.

use std::fmt;
use std::marker::PhantomData;

/// One bucket for 0, and one for each number of bits a value may have.
const BUCKETS: usize = 65;

/// How often values were seen, by their number of bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    counts: [u64; BUCKETS],
    of: PhantomData<T>,
}

impl<T> Histogram<T> {
    /// Without a value.
    #[must_use]
    pub fn new() -> Self {
        Self {
            counts: [0; BUCKETS],
            of: PhantomData,
        }
    }

    /// Counts a value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts a value that was seen so many times.
    pub fn record_n(&mut self, value: u64, times: u64) {
        if let Some(count) = self.counts.get_mut(bits(value)) {
            *count = count.saturating_add(times);
        }
    }

    /// How many values were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The least value of the bucket below whose end lie so many thousandths of all values; 0 without values.
    fn per_mille(&self, wanted: u64) -> u64 {
        let total = u128::from(self.total());
        let mut seen = 0_u128;
        for (bits, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count);
            if *count > 0 && seen * 1000 >= total * u128::from(wanted) {
                return least(bits);
            }
        }
        0
    }

    /// The usual percentiles.
    #[must_use]
    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats {
            samples: self.total(),
            p0_1: self.per_mille(1),
            p1: self.per_mille(10),
            p5: self.per_mille(50),
            p10: self.per_mille(100),
            p50: self.per_mille(500),
            p90: self.per_mille(900),
            p99: self.per_mille(990),
            p99_9: self.per_mille(999),
        }
    }
}

impl<T> Default for Histogram<T> {
    fn default() -> Self {
        Self::new()
    }
}

fn bits(value: u64) -> usize {
    (u64::BITS - value.leading_zeros()) as usize
}

fn least(bits: usize) -> u64 {
    bits.checked_sub(1).map_or(0, |shift| 1 << shift)
}

/// Percentiles, each the least value of its bucket: a power of two, or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PercentileStats {
    /// How many values there were.
    pub samples: u64,
    /// 0.1 of 100 lie in or below this bucket.
    pub p0_1: u64,
    /// 1 of 100.
    pub p1: u64,
    /// 5 of 100.
    pub p5: u64,
    /// 10 of 100.
    pub p10: u64,
    /// The median's.
    pub p50: u64,
    /// 90 of 100.
    pub p90: u64,
    /// 99 of 100.
    pub p99: u64,
    /// 99.9 of 100.
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            samples, p50, p99, ..
        } = self;
        write!(
            f,
            "{samples} values, half from {p50}, one in a hundred from {p99}"
        )
    }
}

/// Several histograms, to be shown below one another.
#[derive(Clone, Debug, Default)]
pub struct AsciiChart(Vec<(String, Histogram)>);

impl AsciiChart {
    /// Without a histogram.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more.
    #[must_use]
    #[expect(clippy::should_implement_trait, reason = "the name openraft calls")]
    pub fn add(mut self, name: &str, histogram: Histogram) -> Self {
        self.0.push((name.to_owned(), histogram));
        self
    }

    /// With all there is to show, which is all it ever shows.
    #[must_use]
    pub fn detailed(self) -> Self {
        self
    }
}

impl fmt::Display for AsciiChart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, histogram) in &self.0 {
            writeln!(f, "{name}: {}", histogram.percentile_stats())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_least_values_of_their_buckets() {
        let mut counted = Histogram::<()>::new();
        assert_eq!(counted.percentile_stats().p99, 0);
        for value in 0..1000 {
            counted.record(value);
        }
        counted.record(u64::MAX);
        let told = counted.percentile_stats();
        assert_eq!((told.samples, told.p0_1, told.p50, told.p99), (1001, 1, 256, 512));
        assert_eq!(told.p99_9, 512);
        assert!(size_of::<Histogram>() < 1024);
    }
}
