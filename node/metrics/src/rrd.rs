//! All archives of one owner: a host, a VM, a repository.

use std::collections::HashMap;

use crate::archive::{Archive, Function, SHAPES};
use crate::column::Column;
use crate::source::{Moment, Raw, Source};

/// Seconds of a step.
pub const STEP: i64 = 5;
/// Milliseconds of a step.
const STEP_MS: i64 = 5000;
/// No owner has more sources; further ones are not archived.
pub const MOST_COLUMNS: usize = 2048;

/// Which functions rows are kept by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Averages alone, as for VMs.
    Averages,
    /// Least and greatest values too where a row has several steps, as for hosts.
    Extremes,
}

/// The archives of one owner.
#[derive(Clone, Debug, PartialEq)]
pub struct Rrd {
    pub(crate) updated: Moment,
    pub(crate) columns: Vec<Column>,
    pub(crate) archives: Vec<Archive>,
}

impl Rrd {
    /// Empty archives that begin at a moment.
    pub fn new(at: Moment, detail: Detail) -> Rrd {
        let mut archives = Vec::new();
        for shape in SHAPES {
            if detail == Detail::Extremes && shape.per_row > 1 {
                for function in [Function::Average, Function::Min, Function::Max] {
                    archives.push(Archive::new(function, shape, 1.0));
                }
            } else {
                archives.push(Archive::new(Function::Average, shape, 0.5));
            }
        }
        Rrd {
            updated: at,
            columns: Vec::new(),
            archives,
        }
    }

    /// When it was last updated.
    pub fn updated(&self) -> Moment {
        self.updated
    }

    /// The sources it has archives of, in order.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.columns.iter().map(|column| &column.source)
    }

    /// The value of a source's last finished step; `None` if it has no archive.
    pub fn current(&self, name: &str) -> Option<f64> {
        self.column(name).map(|column| column.current)
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.source.name == name)
    }

    /// Begins archives of a source. One that has them already, or does not fit any more, changes nothing.
    pub fn add(&mut self, source: Source) {
        if self.columns.len() >= MOST_COLUMNS || self.column(&source.name).is_some() {
            return;
        }
        let step = self.updated.0.div_euclid(STEP_MS);
        for archive in &mut self.archives {
            let passed = step.rem_euclid(i64::from(archive.shape.per_row));
            archive.add_column(u32::try_from(passed).unwrap_or(0));
        }
        self.columns.push(Column::new(source, self.age()));
    }

    /// Drops the archives of a source. Says whether there were any.
    pub fn remove(&mut self, name: &str) -> bool {
        let Some(at) = self.columns.iter().position(|c| c.source.name == name) else {
            return false;
        };
        self.columns.remove(at);
        for archive in &mut self.archives {
            archive.remove_column(at);
        }
        true
    }

    /// Takes in measures of a moment. A source that is not among them was not measured.
    ///
    /// A moment no later than the last one makes no row. If it is earlier, time is counted from there: the clock was set
    /// back, and rows must not wait until it has caught up.
    pub fn update(&mut self, at: Moment, measures: &HashMap<&str, Raw>) {
        let interval = at.0.saturating_sub(self.updated.0);
        let measured = |column: &Column| {
            let measure = measures.get(column.source.name.as_str());
            measure.copied().unwrap_or(Raw::Unknown)
        };
        if interval <= 0 {
            self.updated = at;
            if interval < 0 {
                self.restart();
            }
            // What comes next is compared with this.
            for column in &mut self.columns {
                column.last = measured(column);
            }
            return;
        }
        let begun = self.updated.0.div_euclid(STEP_MS);
        let now = at.0.div_euclid(STEP_MS);
        let elapsed = u64::try_from(now.saturating_sub(begun)).unwrap_or(0);
        let after = if elapsed == 0 {
            0
        } else {
            at.0.rem_euclid(STEP_MS).min(interval)
        };
        let before = interval.saturating_sub(after);
        let whole = now.saturating_sub(begun).saturating_mul(STEP);
        self.updated = at;
        let mut steps = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            let value = column.measure(measured(column), seconds(interval));
            column.add(value, seconds(before));
            if elapsed > 0 {
                steps.push(column.finish(seconds(whole.saturating_mul(1000))));
                column.add(value, seconds(after));
            }
        }
        if elapsed > 0 {
            for archive in &mut self.archives {
                archive.take(begun, elapsed, &steps);
            }
        }
    }

    /// Forgets the last measures: counters begin anew, because what is counted was started anew.
    pub fn restart(&mut self) {
        let age = self.age();
        for column in &mut self.columns {
            column.restart(age);
        }
    }

    /// Seconds of the step under way that have passed.
    fn age(&self) -> f64 {
        seconds(self.updated.0.rem_euclid(STEP_MS))
    }
}

#[allow(clippy::cast_precision_loss, reason = "spans of time are far below 2^53 ms")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
