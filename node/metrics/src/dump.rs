//! All archives of one owner as `/host_rrd` and `/vm_rrd` answer them: rrdtool's XML, or the same in JSON.

use std::fmt::Write as _;

use crate::archive::Archive;
use crate::column::{Column, HEARTBEAT};
use crate::number::{print, printed};
use crate::rrd::{Rrd, STEP};
use crate::source::Raw;

/// The form's version.
const VERSION: &str = "0003";

/// rrdtool's XML.
pub fn xml(rrd: &Rrd) -> String {
    let mut out = String::with_capacity(room(rrd));
    out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rrd>");
    element(&mut out, "version", VERSION);
    element(&mut out, "step", &STEP.to_string());
    element(&mut out, "lastupdate", &rrd.updated.whole_seconds().to_string());
    for column in &rrd.columns {
        out.push_str("<ds>");
        element(&mut out, "name", &column.source.name);
        element(&mut out, "type", column.source.kind.name());
        element(&mut out, "minimal_heartbeat", &printed(HEARTBEAT));
        element(&mut out, "min", &printed(column.source.min));
        element(&mut out, "max", &printed(column.source.max));
        element(&mut out, "last_ds", &last(column));
        element(&mut out, "value", &printed(column.sum));
        element(&mut out, "unknown_sec", &format!("{:.0}", column.unknown.floor()));
        out.push_str("</ds>");
    }
    for archive in &rrd.archives {
        archive_xml(&mut out, archive);
    }
    out.push_str("</rrd>");
    out
}

fn archive_xml(out: &mut String, archive: &Archive) {
    out.push_str("<rra>");
    element(out, "cf", archive.function.name());
    element(out, "pdp_per_row", &archive.shape.per_row.to_string());
    out.push_str("<params>");
    element(out, "xff", &printed(archive.xff));
    out.push_str("</params><cdp_prep>");
    for track in &archive.tracks {
        out.push_str("<ds><primary_value>0.0</primary_value><secondary_value>0.0</secondary_value>");
        element(out, "value", &printed(archive.pending_value(track)));
        element(out, "unknown_datapoints", &track.pending.unknown.to_string());
        out.push_str("</ds>");
    }
    out.push_str("</cdp_prep><database>");
    each_row(archive, |row| {
        out.push_str("<row>");
        for value in row {
            out.push_str("<v>");
            print(out, value);
            out.push_str("</v>");
        }
        out.push_str("</row>");
    });
    out.push_str("</database></rra>");
}

/// The same in JSON. Whole numbers are numbers; others are texts, since JSON has no name for what is no number.
pub fn json(rrd: &Rrd) -> String {
    let mut out = String::with_capacity(room(rrd));
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        r#"{{"version":"{VERSION}","step":{STEP},"lastupdate":{},"ds":["#,
        rrd.updated.whole_seconds()
    );
    separated(&mut out, &rrd.columns, |out, column| {
        out.push_str("{\"name\":");
        text(out, &column.source.name);
        let _ = write!(
            out,
            r#","type":"{}","minimal_heartbeat":"{}","min":"{}","max":"{}","last_ds":"{}","value":"{}","unknown_sec":"{}"}}"#,
            column.source.kind.name(),
            printed(HEARTBEAT),
            printed(column.source.min),
            printed(column.source.max),
            last(column),
            printed(column.sum),
            printed(column.unknown),
        );
    });
    out.push_str("],\"rra\":[");
    separated(&mut out, &rrd.archives, archive_json);
    out.push_str("]}");
    out
}

fn archive_json(out: &mut String, archive: &Archive) {
    let _ = write!(
        out,
        r#"{{"cf":"{}","pdp_per_row":{},"params":{{"xff":"{}"}},"cdp_prep":{{"ds":["#,
        archive.function.name(),
        archive.shape.per_row,
        printed(archive.xff)
    );
    separated(out, &archive.tracks, |out, track| {
        let _ = write!(
            out,
            r#"{{"primary_value":"0.0","secondary_value":"0.0","value":"{}","unknown_datapoints":{}}}"#,
            printed(archive.pending_value(track)),
            track.pending.unknown
        );
    });
    out.push_str("]},\"database\":[");
    let mut is_first = true;
    each_row(archive, |row| {
        if !std::mem::take(&mut is_first) {
            out.push(',');
        }
        out.push('[');
        let mut begins = true;
        for value in row {
            out.push_str(if std::mem::take(&mut begins) { "\"" } else { ",\"" });
            print(out, value);
            out.push('"');
        }
        out.push(']');
    });
    out.push_str("]}");
}

/// Rows from the oldest to the newest; those never written are unknown.
fn each_row(archive: &Archive, mut write: impl FnMut(&mut dyn Iterator<Item = f64>)) {
    let rows = usize::try_from(archive.shape.rows).unwrap_or(0);
    for back in (0..rows).rev() {
        write(&mut (0..archive.tracks.len()).map(|column| archive.row(column, back)));
    }
}

fn last(column: &Column) -> String {
    match column.last {
        Raw::Count(count) => count.to_string(),
        Raw::Real(number) => printed(number),
        Raw::Unknown => "0.0".to_owned(),
    }
}

fn element(out: &mut String, name: &str, content: &str) {
    let _ = write!(out, "<{name}>");
    escape(out, content);
    let _ = write!(out, "</{name}>");
}

/// Appends a text as XML has it. Names of devices may hold anything that the host calls one.
pub(crate) fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c < ' ' && !matches!(c, '\t' | '\n' | '\r') => {}
            c => out.push(c),
        }
    }
}

/// Appends a text as JSON has it.
pub(crate) fn text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Appends items with commas between them.
pub(crate) fn separated<T>(out: &mut String, items: &[T], mut write: impl FnMut(&mut String, &T)) {
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        write(out, item);
    }
}

/// About as many bytes as a dump needs.
fn room(rrd: &Rrd) -> usize {
    let rows: usize = rrd
        .archives
        .iter()
        .map(|archive| usize::try_from(archive.shape.rows).unwrap_or(0))
        .sum();
    rows.saturating_mul(rrd.columns.len()).saturating_mul(14)
}
