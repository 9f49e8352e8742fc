//! What is measured: a source's name and kind, and one measure of it.

/// Milliseconds since 1970 by the host's clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub i64);

impl Moment {
    /// From whole seconds.
    pub fn seconds(seconds: i64) -> Moment {
        Moment(seconds.saturating_mul(1000))
    }

    /// Whole seconds, rounded down.
    pub fn whole_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

/// How measures become values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The measure is the value.
    Gauge,
    /// The value is the growth of a counter per second.
    Derive,
    /// The measure is what came since the last one; the value is that per second.
    Absolute,
}

impl Kind {
    /// The name in dumps.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Gauge => "GAUGE",
            Kind::Derive => "DERIVE",
            Kind::Absolute => "ABSOLUTE",
        }
    }

    /// Reads the name back.
    pub fn named(name: &str) -> Option<Kind> {
        [Kind::Gauge, Kind::Derive, Kind::Absolute]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// A source of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its name within its owner, such as `cpu0`.
    pub name: String,
    /// How measures become values.
    pub kind: Kind,
    /// The least value that can be true.
    pub min: f64,
    /// The greatest value that can be true.
    pub max: f64,
}

/// A measure, before it becomes a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Raw {
    /// A whole number: a counter, or bytes.
    Count(u64),
    /// Any other number.
    Real(f64),
    /// Nothing was measured.
    Unknown,
}

impl Raw {
    /// As a number; not-a-number if unknown.
    pub fn number(self) -> f64 {
        match self {
            // Beyond 2^53 the last bits do not matter to a rate.
            #[allow(clippy::cast_precision_loss, reason = "far beyond what is measured")]
            Raw::Count(count) => count as f64,
            Raw::Real(number) => number,
            Raw::Unknown => f64::NAN,
        }
    }
}

/// One measure of one source, with what people are told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// The source.
    pub source: Source,
    /// What was measured.
    pub value: Raw,
    /// For people.
    pub description: String,
    /// The unit of the values.
    pub units: &'static str,
    /// Whether it is archived without being asked for.
    pub standard: bool,
}

impl Measure {
    fn new(name: String, kind: Kind, value: Raw, units: &'static str, description: String) -> Measure {
        Measure {
            source: Source {
                name,
                kind,
                min: 0.0,
                max: f64::INFINITY,
            },
            value,
            description,
            units,
            standard: true,
        }
    }

    /// A value that cannot be negative.
    pub fn gauge(
        name: impl Into<String>,
        value: Raw,
        units: &'static str,
        description: impl Into<String>,
    ) -> Measure {
        Measure::new(name.into(), Kind::Gauge, value, units, description.into())
    }

    /// A counter.
    pub fn counter(
        name: impl Into<String>,
        value: Raw,
        units: &'static str,
        description: impl Into<String>,
    ) -> Measure {
        Measure::new(name.into(), Kind::Derive, value, units, description.into())
    }

    /// What came since the last measure.
    pub fn amount(
        name: impl Into<String>,
        value: Raw,
        units: &'static str,
        description: impl Into<String>,
    ) -> Measure {
        Measure::new(name.into(), Kind::Absolute, value, units, description.into())
    }

    /// A share of a whole: between nothing and one.
    #[must_use]
    pub fn fraction(mut self) -> Measure {
        self.source.max = 1.0;
        self
    }

    /// Archived only when asked for.
    #[must_use]
    pub fn on_demand(mut self) -> Measure {
        self.standard = false;
        self
    }
}
