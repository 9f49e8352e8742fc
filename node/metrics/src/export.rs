//! What has come since a moment, of several owners at once, as `/rrd_updates` answers it: rrdtool's `xport`.

use std::fmt::Write as _;

use crate::archive::{Archive, Function, Shape};
use crate::dump::{escape, separated, text};
use crate::number::print;
use crate::rrd::{Rrd, STEP};
use crate::source::Moment;

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Rows from this second on; a negative number counts back from the newest update.
    pub start: i64,
    /// The step that rows should at least have, in seconds.
    pub interval: i64,
    /// Only rows by this function.
    pub function: Option<Function>,
}

/// Rows of several owners, aligned by time.
#[derive(Clone, Debug, PartialEq)]
pub struct Xport {
    /// When the first row that was asked for ends, in seconds.
    pub start: i64,
    /// Seconds between rows.
    pub step: i64,
    /// When the newest row ends, in seconds.
    pub end: i64,
    /// A name for each column: `AVERAGE:vm:<uuid>:cpu0`.
    pub legend: Vec<String>,
    /// The newest first.
    pub rows: Vec<(i64, Vec<f64>)>,
}

/// One archive that takes part, and what its columns are called.
struct Part<'a> {
    prefix: &'a str,
    rrd: &'a Rrd,
    archive: &'a Archive,
    /// When its newest row ends, in seconds.
    end: i64,
}

impl Xport {
    /// Picks the finest archives that are coarse enough and reach back far enough, and aligns them.
    ///
    /// If none reaches back to the start the coarsest is taken. `owners` are names such as `vm:<uuid>:`, and archives.
    pub fn new(owners: &[(String, &Rrd)], query: Query) -> Xport {
        let newest = owners
            .iter()
            .map(|(_, rrd)| rrd.updated)
            .max()
            .unwrap_or_default();
        let start = if query.start < 0 {
            newest.whole_seconds().saturating_add(query.start)
        } else {
            query.start
        };
        let shape = owners
            .iter()
            .find_map(|(_, rrd)| pick(rrd, newest, start, query))
            .unwrap_or(crate::archive::SHAPES[0]);
        let step = seconds_of_row(shape);
        let mut parts = Vec::new();
        for (prefix, rrd) in owners {
            for archive in suitable(rrd, query).filter(|a| a.shape == shape) {
                let end = row_before(rrd.updated.whole_seconds(), step);
                parts.push(Part {
                    prefix,
                    rrd,
                    archive,
                    end,
                });
            }
        }
        let end = row_before(newest.whole_seconds(), step);
        Xport {
            start: row_before(start, step).saturating_add(step),
            step,
            end,
            legend: legend(&parts),
            rows: rows(&parts, shape, start, end),
        }
    }

    /// rrdtool's XML.
    pub fn xml(&self) -> String {
        let mut out = String::with_capacity(self.room());
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<xport><meta><start>{}</start><step>{}</step><end>{}</end>\
             <rows>{}</rows><columns>{}</columns><legend>",
            self.start,
            self.step,
            self.end,
            self.rows.len(),
            self.legend.len()
        );
        for entry in &self.legend {
            out.push_str("<entry>");
            escape(&mut out, entry);
            out.push_str("</entry>");
        }
        out.push_str("</legend></meta><data>");
        for (time, values) in &self.rows {
            let _ = write!(out, "<row><t>{time}</t>");
            for value in values {
                out.push_str("<v>");
                print(&mut out, *value);
                out.push_str("</v>");
            }
            out.push_str("</row>");
        }
        out.push_str("</data></xport>");
        out
    }

    /// The same in JSON. Values are texts, since JSON has no name for what is no number.
    pub fn json(&self) -> String {
        let mut out = String::with_capacity(self.room());
        let _ = write!(
            out,
            r#"{{"meta":{{"start":{},"step":{},"end":{},"rows":{},"columns":{},"legend":["#,
            self.start,
            self.step,
            self.end,
            self.rows.len(),
            self.legend.len()
        );
        separated(&mut out, &self.legend, |out, entry| text(out, entry));
        out.push_str("]},\"data\":[");
        separated(&mut out, &self.rows, |out, (time, values)| {
            let _ = write!(out, r#"{{"t":{time},"values":["#);
            separated(out, values, |out, value| {
                out.push('"');
                print(out, *value);
                out.push('"');
            });
            out.push_str("]}");
        });
        out.push_str("]}");
        out
    }

    fn room(&self) -> usize {
        let columns = self.legend.len();
        columns
            .saturating_mul(80)
            .saturating_add(self.rows.len().saturating_mul(columns).saturating_mul(18))
            .saturating_add(512)
    }
}

fn seconds_of_row(shape: Shape) -> i64 {
    STEP.saturating_mul(i64::from(shape.per_row)).max(1)
}

/// The end of the last whole row before or at a moment.
fn row_before(seconds: i64, step: i64) -> i64 {
    seconds.saturating_sub(seconds.rem_euclid(step.max(1)))
}

fn suitable(rrd: &Rrd, query: Query) -> impl Iterator<Item = &Archive> {
    rrd.archives
        .iter()
        .filter(move |archive| query.function.is_none_or(|wanted| archive.function == wanted))
}

/// Archives stand from the finest to the coarsest.
fn pick(rrd: &Rrd, newest: Moment, start: i64, query: Query) -> Option<Shape> {
    let last = row_before(newest.whole_seconds(), STEP);
    let fits = |shape: Shape| {
        let step = seconds_of_row(shape);
        let reach = step.saturating_mul(i64::from(shape.rows));
        step >= query.interval && start > last.saturating_sub(reach)
    };
    let shapes: Vec<Shape> = suitable(rrd, query).map(|archive| archive.shape).collect();
    shapes
        .iter()
        .copied()
        .find(|shape| fits(*shape))
        .or_else(|| shapes.last().copied())
}

fn legend(parts: &[Part<'_>]) -> Vec<String> {
    let mut legend = Vec::new();
    for part in parts {
        let function = part.archive.function.name();
        for source in part.rrd.sources() {
            legend.push(format!("{function}:{}{}", part.prefix, source.name));
        }
    }
    legend
}

fn rows(parts: &[Part<'_>], shape: Shape, start: i64, end: i64) -> Vec<(i64, Vec<f64>)> {
    let step = seconds_of_row(shape);
    let mut rows = Vec::new();
    if parts.is_empty() {
        return rows;
    }
    let mut time = end;
    for _ in 0..shape.rows {
        if time < start {
            break;
        }
        let mut values = Vec::new();
        for part in parts {
            // One that was updated earlier than others has not come as far.
            let back = part.end.saturating_sub(time).checked_div(step);
            let back = back.and_then(|rows| usize::try_from(rows).ok());
            for column in 0..part.archive.tracks.len() {
                values.push(back.map_or(f64::NAN, |back| part.archive.row(column, back)));
            }
        }
        rows.push((time, values));
        time = time.saturating_sub(step);
    }
    rows
}
