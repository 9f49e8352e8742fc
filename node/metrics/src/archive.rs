//! Steps consolidated into rows, the newest of which are kept.

use std::collections::VecDeque;

/// How steps become a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Function {
    /// Their mean.
    Average,
    /// The least.
    Min,
    /// The greatest.
    Max,
    /// The last.
    Last,
}

impl Function {
    /// The name in dumps and queries.
    pub fn name(self) -> &'static str {
        match self {
            Function::Average => "AVERAGE",
            Function::Min => "MIN",
            Function::Max => "MAX",
            Function::Last => "LAST",
        }
    }

    /// Reads the name back.
    pub fn named(name: &str) -> Option<Function> {
        [Function::Average, Function::Min, Function::Max, Function::Last]
            .into_iter()
            .find(|function| function.name() == name)
    }
}

/// How long an archive reaches back and how fine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shape {
    /// Steps in a row; at least one.
    pub per_row: u32,
    /// Rows kept; at least one.
    pub rows: u32,
}

/// Steps of 5 s for ten minutes, of a minute for two hours, of an hour for a week, of a day for a year.
pub const SHAPES: [Shape; 4] = [
    Shape {
        per_row: 1,
        rows: 120,
    },
    Shape {
        per_row: 12,
        rows: 120,
    },
    Shape {
        per_row: 720,
        rows: 168,
    },
    Shape {
        per_row: 17_280,
        rows: 366,
    },
];

/// Rows of all columns by one function in one shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Archive {
    /// How steps become rows.
    pub function: Function,
    /// How many.
    pub shape: Shape,
    /// The share of a row's steps that may be unknown.
    pub xff: f64,
    pub(crate) tracks: Vec<Track>,
}

/// One column's rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Track {
    pub(crate) pending: Pending,
    /// The oldest first; those that were never written are not there.
    pub(crate) rows: VecDeque<f32>,
}

/// The row under way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Pending {
    /// Sum, least, greatest or last of the known steps.
    pub(crate) value: f64,
    /// Steps that are known.
    pub(crate) known: u32,
    /// Steps that are not.
    pub(crate) unknown: u32,
}

impl Pending {
    fn add(&mut self, function: Function, step: f64, times: u32) {
        if times == 0 {
            return;
        }
        if step.is_nan() {
            self.unknown = self.unknown.saturating_add(times);
            return;
        }
        let first = self.known == 0;
        self.value = match function {
            Function::Average if first => step * f64::from(times),
            Function::Average => self.value + step * f64::from(times),
            Function::Min if !first => self.value.min(step),
            Function::Max if !first => self.value.max(step),
            Function::Min | Function::Max | Function::Last => step,
        };
        self.known = self.known.saturating_add(times);
    }

    fn finish(&mut self, function: Function, shape: Shape, xff: f64) -> f64 {
        let done = std::mem::take(self);
        if done.known == 0 || f64::from(done.unknown) > xff * f64::from(shape.per_row) {
            return f64::NAN;
        }
        match function {
            Function::Average => done.value / f64::from(done.known),
            Function::Min | Function::Max | Function::Last => done.value,
        }
    }
}

impl Archive {
    pub(crate) fn new(function: Function, shape: Shape, xff: f64) -> Archive {
        Archive {
            function,
            shape,
            xff,
            tracks: Vec::new(),
        }
    }

    /// Begins a column, when `steps` of the row under way have passed without it.
    pub(crate) fn add_column(&mut self, steps: u32) {
        self.tracks.push(Track {
            pending: Pending {
                unknown: steps,
                ..Pending::default()
            },
            rows: VecDeque::new(),
        });
    }

    pub(crate) fn remove_column(&mut self, column: usize) {
        if column < self.tracks.len() {
            self.tracks.remove(column);
        }
    }

    /// Takes in `count` equal steps, the first of which has the number `first` counted from 1970.
    pub(crate) fn take(&mut self, first: i64, count: u64, steps: &[f64]) {
        let per_row = u64::from(self.shape.per_row);
        let passed = u64::try_from(first.rem_euclid(i64::from(self.shape.per_row))).unwrap_or(0);
        let missing = per_row.saturating_sub(passed);
        let (function, shape, xff) = (self.function, self.shape, self.xff);
        for (track, step) in self.tracks.iter_mut().zip(steps) {
            if count < missing {
                track.pending.add(function, *step, narrow(count));
                continue;
            }
            track.pending.add(function, *step, narrow(missing));
            let row = track.pending.finish(function, shape, xff);
            push(&mut track.rows, shape, row);
            let rest = count.saturating_sub(missing);
            let whole = rest.checked_div(per_row).unwrap_or(0).min(u64::from(shape.rows));
            for _ in 0..whole {
                push(&mut track.rows, shape, *step);
            }
            let begun = rest.checked_rem(per_row).unwrap_or(0);
            track.pending.add(function, *step, narrow(begun));
        }
    }

    /// A column's row, counted back from the newest.
    pub(crate) fn row(&self, column: usize, back: usize) -> f64 {
        let Some(track) = self.tracks.get(column) else {
            return f64::NAN;
        };
        let from_oldest = track
            .rows
            .len()
            .checked_sub(1)
            .and_then(|newest| newest.checked_sub(back));
        from_oldest
            .and_then(|at| track.rows.get(at))
            .map_or(f64::NAN, |value| f64::from(*value))
    }

    /// What a dump says of the row under way: for an average the sum over the steps that may still be known.
    pub(crate) fn pending_value(&self, track: &Track) -> f64 {
        let pending = track.pending;
        match self.function {
            _ if pending.known == 0 => match self.function {
                Function::Average => 0.0,
                Function::Min => f64::INFINITY,
                Function::Max => f64::NEG_INFINITY,
                Function::Last => f64::NAN,
            },
            Function::Average => {
                let possible = self.shape.per_row.saturating_sub(pending.unknown).max(1);
                pending.value / f64::from(possible)
            }
            Function::Min | Function::Max | Function::Last => pending.value,
        }
    }
}

/// Rows are kept in half the width: seven digits are more than are ever printed.
#[allow(clippy::cast_possible_truncation, reason = "wanted")]
fn push(rows: &mut VecDeque<f32>, shape: Shape, value: f64) {
    let most = usize::try_from(shape.rows).unwrap_or(usize::MAX);
    while rows.len() >= most {
        rows.pop_front();
    }
    rows.push_back(value as f32);
}

/// Counts here are below the number of steps in a row.
fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
