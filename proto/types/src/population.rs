//! Mean and spread of measurements, without keeping them.

/// Measurements so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Population {
    count: u32,
    mean: f64,
    /// Sum of the squares of the distances from the mean.
    spread: f64,
}

impl Population {
    /// Takes one more in.
    ///
    /// Source: Welford's method, which loses no digits where the mean is large against the spread.
    pub fn add(&mut self, value: f64) {
        self.count = self.count.saturating_add(1);
        let distance = value - self.mean;
        self.mean += distance / f64::from(self.count);
        self.spread += distance * (value - self.mean);
    }

    /// How many.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Their mean; 0 without any.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Their standard deviation; 0 with fewer than two.
    pub fn deviation(&self) -> f64 {
        if self.count < 2 {
            return 0.0;
        }
        (self.spread / f64::from(self.count)).sqrt()
    }
}

#[cfg(test)]
mod test {
    use super::Population;

    #[test]
    fn mean_and_deviation_are_those_of_what_was_taken_in() {
        let mut seen = Population::default();
        assert_eq!((seen.count(), seen.deviation()), (0, 0.0));
        for value in [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0] {
            seen.add(value);
        }
        assert_eq!(seen.count(), 8);
        assert!((seen.mean() - 5.0).abs() < 1e-9 && (seen.deviation() - 2.0).abs() < 1e-9);
    }
}
