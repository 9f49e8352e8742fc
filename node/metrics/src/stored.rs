//! Archives as bytes in a file: tagged protobuf, so that fields can come and go.

use std::collections::VecDeque;

use prost::Message;

use crate::archive::{Archive, Function, Pending, Shape, Track};
use crate::column::Column;
use crate::rrd::{MOST_COLUMNS, Rrd};
use crate::source::{Kind, Moment, Raw, Source};

/// No file is larger; a longer one is not read.
pub const LARGEST_FILE: usize = 32 * 1024 * 1024;
/// Archives that one owner may have.
const MOST_ARCHIVES: usize = 16;
/// Rows that one archive may have.
const MOST_ROWS: u32 = 10_000;
/// Steps that one row may have: a year.
const MOST_STEPS: u32 = 6_307_200;

/// Bytes that are no archives.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// It is longer than [`LARGEST_FILE`].
    #[error("{bytes} bytes are more than archives have")]
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// It does not decode.
    #[error("the bytes are no stored archives")]
    Malformed(#[source] prost::DecodeError),
    /// It decodes, and cannot be.
    #[error("stored archives contradict themselves: {what}")]
    Contradictory {
        /// Where.
        what: &'static str,
    },
}

#[derive(Clone, PartialEq, Message)]
struct StoredRrd {
    #[prost(int64, tag = "1")]
    updated_ms: i64,
    #[prost(message, repeated, tag = "2")]
    columns: Vec<StoredColumn>,
    #[prost(message, repeated, tag = "3")]
    archives: Vec<StoredArchive>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredColumn {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    kind: String,
    #[prost(double, tag = "3")]
    min: f64,
    #[prost(double, tag = "4")]
    max: f64,
    #[prost(uint64, optional, tag = "5")]
    last_count: Option<u64>,
    #[prost(double, optional, tag = "6")]
    last_real: Option<f64>,
    #[prost(double, tag = "7")]
    sum: f64,
    #[prost(double, tag = "8")]
    unknown: f64,
    #[prost(double, tag = "9")]
    current: f64,
}

#[derive(Clone, PartialEq, Message)]
struct StoredArchive {
    #[prost(string, tag = "1")]
    function: String,
    #[prost(uint32, tag = "2")]
    per_row: u32,
    #[prost(uint32, tag = "3")]
    rows: u32,
    #[prost(double, tag = "4")]
    xff: f64,
    #[prost(message, repeated, tag = "5")]
    tracks: Vec<StoredTrack>,
}

#[derive(Clone, PartialEq, Message)]
struct StoredTrack {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(uint32, tag = "2")]
    known: u32,
    #[prost(uint32, tag = "3")]
    unknown: u32,
    #[prost(float, repeated, tag = "4")]
    rows: Vec<f32>,
}

/// The bytes of archives.
pub fn encode(rrd: &Rrd) -> Vec<u8> {
    StoredRrd {
        updated_ms: rrd.updated.0,
        columns: rrd.columns.iter().map(store_column).collect(),
        archives: rrd.archives.iter().map(store_archive).collect(),
    }
    .encode_to_vec()
}

/// Reads them back.
///
/// # Errors
/// [`StoredError`]; whoever reads begins anew then.
pub fn decode(bytes: &[u8]) -> Result<Rrd, StoredError> {
    if bytes.len() > LARGEST_FILE {
        return Err(StoredError::TooLarge { bytes: bytes.len() });
    }
    let stored = StoredRrd::decode(bytes).map_err(StoredError::Malformed)?;
    if stored.columns.len() > MOST_COLUMNS || stored.archives.len() > MOST_ARCHIVES {
        return contradictory("too many sources or archives");
    }
    let columns = stored
        .columns
        .into_iter()
        .map(load_column)
        .collect::<Result<Vec<_>, _>>()?;
    let archives = stored
        .archives
        .into_iter()
        .map(|archive| load_archive(archive, columns.len()))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Rrd {
        updated: Moment(stored.updated_ms),
        columns,
        archives,
    })
}

fn contradictory<T>(what: &'static str) -> Result<T, StoredError> {
    Err(StoredError::Contradictory { what })
}

fn store_column(column: &Column) -> StoredColumn {
    let (last_count, last_real) = match column.last {
        Raw::Count(count) => (Some(count), None),
        Raw::Real(number) => (None, Some(number)),
        Raw::Unknown => (None, None),
    };
    StoredColumn {
        name: column.source.name.clone(),
        kind: column.source.kind.name().to_owned(),
        min: column.source.min,
        max: column.source.max,
        last_count,
        last_real,
        sum: column.sum,
        unknown: column.unknown,
        current: column.current,
    }
}

fn load_column(stored: StoredColumn) -> Result<Column, StoredError> {
    let Some(kind) = Kind::named(&stored.kind) else {
        return contradictory("a kind of source that nobody knows");
    };
    let last = match (stored.last_count, stored.last_real) {
        (Some(count), _) => Raw::Count(count),
        (None, Some(number)) => Raw::Real(number),
        (None, None) => Raw::Unknown,
    };
    Ok(Column {
        source: Source {
            name: stored.name,
            kind,
            min: stored.min,
            max: stored.max,
        },
        last,
        sum: stored.sum,
        unknown: stored.unknown,
        current: stored.current,
    })
}

fn store_archive(archive: &Archive) -> StoredArchive {
    StoredArchive {
        function: archive.function.name().to_owned(),
        per_row: archive.shape.per_row,
        rows: archive.shape.rows,
        xff: archive.xff,
        tracks: archive
            .tracks
            .iter()
            .map(|track| StoredTrack {
                value: track.pending.value,
                known: track.pending.known,
                unknown: track.pending.unknown,
                rows: track.rows.iter().copied().collect(),
            })
            .collect(),
    }
}

fn load_archive(stored: StoredArchive, columns: usize) -> Result<Archive, StoredError> {
    let Some(function) = Function::named(&stored.function) else {
        return contradictory("a function that nobody knows");
    };
    if stored.tracks.len() != columns {
        return contradictory("columns without sources");
    }
    if !(1..=MOST_STEPS).contains(&stored.per_row) || !(1..=MOST_ROWS).contains(&stored.rows) {
        return contradictory("the shape of an archive");
    }
    let most = usize::try_from(stored.rows).unwrap_or(usize::MAX);
    if stored.tracks.iter().any(|track| track.rows.len() > most) {
        return contradictory("more rows than there is room for");
    }
    Ok(Archive {
        function,
        shape: Shape {
            per_row: stored.per_row,
            rows: stored.rows,
        },
        xff: stored.xff,
        tracks: stored
            .tracks
            .into_iter()
            .map(|track| Track {
                pending: Pending {
                    value: track.value,
                    known: track.known,
                    unknown: track.unknown,
                },
                rows: VecDeque::from(track.rows),
            })
            .collect(),
    })
}
