//! One source within an archive file: from measures to the value of each step.

use crate::source::{Kind, Raw, Source};

/// Seconds without a measure after which nothing is known of the time between.
pub const HEARTBEAT: f64 = 300.0;
/// By how much a share may exceed its maximum: clocks and counters are not read at the same instant, and a busy
/// processor must not look like an unknown one.
const TOLERANCE: f64 = 1.1;

/// A source and what is known of the step under way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(crate) source: Source,
    /// The last measure.
    pub(crate) last: Raw,
    /// Value times seconds, summed over what is known of the step under way.
    pub(crate) sum: f64,
    /// Seconds of the step under way of which nothing is known.
    pub(crate) unknown: f64,
    /// The value of the last finished step.
    pub(crate) current: f64,
}

impl Column {
    /// A source that is first heard of when `age` seconds of the step under way have passed.
    pub(crate) fn new(source: Source, age: f64) -> Column {
        Column {
            source,
            last: Raw::Unknown,
            sum: 0.0,
            unknown: age,
            current: f64::NAN,
        }
    }

    /// Takes a measure and returns the value over the `seconds` since the last one; not-a-number if it is not known.
    ///
    /// A counter that went back was begun anew: nothing is known of that interval.
    pub(crate) fn measure(&mut self, measure: Raw, seconds: f64) -> f64 {
        let before = std::mem::replace(&mut self.last, measure);
        if seconds > HEARTBEAT {
            return f64::NAN;
        }
        match self.source.kind {
            Kind::Gauge => measure.number(),
            Kind::Absolute => measure.number() / seconds,
            Kind::Derive => match (before, measure) {
                (Raw::Count(before), Raw::Count(now)) => now
                    .checked_sub(before)
                    .map_or(f64::NAN, |grown| Raw::Count(grown).number() / seconds),
                (Raw::Real(before), Raw::Real(now)) if now >= before => (now - before) / seconds,
                _ => f64::NAN,
            },
        }
    }

    /// Adds a stretch of time to the step under way.
    pub(crate) fn add(&mut self, value: f64, seconds: f64) {
        if value.is_nan() {
            self.unknown += seconds;
        } else {
            self.sum += value * seconds;
        }
    }

    /// Ends the step, `seconds` after it began, and returns its value.
    pub(crate) fn finish(&mut self, seconds: f64) -> f64 {
        let known = seconds - self.unknown;
        // Half of it must be known.
        let value = if known > 0.0 && self.unknown <= seconds / 2.0 {
            self.within_bounds(self.sum / known)
        } else {
            f64::NAN
        };
        self.sum = 0.0;
        self.unknown = 0.0;
        self.current = value;
        value
    }

    /// Forgets the last measure and what is known of the step under way, of which `age` seconds have passed.
    pub(crate) fn restart(&mut self, age: f64) {
        self.last = Raw::Unknown;
        self.sum = 0.0;
        self.unknown = age;
    }

    fn within_bounds(&self, value: f64) -> f64 {
        let Source { min, max, .. } = self.source;
        if value > max && max.is_finite() && value <= max * TOLERANCE {
            return max;
        }
        if value < min || value > max {
            f64::NAN
        } else {
            value
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn column(kind: Kind, max: f64) -> Column {
        let source = Source {
            name: "x".into(),
            kind,
            min: 0.0,
            max,
        };
        Column::new(source, 0.0)
    }

    #[test]
    fn a_counter_that_went_back_says_nothing_and_goes_on_from_there() {
        let mut bytes = column(Kind::Derive, f64::INFINITY);
        assert!(bytes.measure(Raw::Count(1000), 5.0).is_nan());
        assert_eq!(bytes.measure(Raw::Count(1500), 5.0), 100.0);
        assert!(bytes.measure(Raw::Count(0), 5.0).is_nan());
        assert_eq!(bytes.measure(Raw::Count(50), 5.0), 10.0);
    }

    #[test]
    fn a_busy_processor_is_not_an_unknown_one() {
        let mut cpu = column(Kind::Derive, 1.0);
        cpu.measure(Raw::Real(10.0), 5.0);
        let rate = cpu.measure(Raw::Real(15.01), 5.0);
        cpu.add(rate, 5.0);
        assert_eq!(cpu.finish(5.0), 1.0);
        cpu.add(3.0, 5.0);
        assert!(cpu.finish(5.0).is_nan(), "three processors' time in one");
    }

    #[test]
    fn a_step_of_which_less_than_half_is_known_is_unknown() {
        let mut gauge = column(Kind::Gauge, f64::INFINITY);
        gauge.add(f64::NAN, 2.0);
        gauge.add(4.0, 3.0);
        assert_eq!(gauge.finish(5.0), 4.0);
        gauge.add(f64::NAN, 3.0);
        gauge.add(4.0, 2.0);
        assert!(gauge.finish(5.0).is_nan());
    }

    #[test]
    fn nothing_is_known_across_a_long_silence() {
        let mut gauge = column(Kind::Gauge, f64::INFINITY);
        assert!(gauge.measure(Raw::Count(1), HEARTBEAT + 1.0).is_nan());
        assert_eq!(gauge.measure(Raw::Count(1), HEARTBEAT), 1.0);
    }
}
