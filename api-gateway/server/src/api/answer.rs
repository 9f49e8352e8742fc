//! What a message comes to, and its bytes.

use std::sync::Arc;

use gateway_codec::ValueWriter;
use gateway_codec::jsonrpc::{self, Envelope};
use gateway_codec::xmlrpc::{self, XmlWriter};
use pool_domain::{Database, Row, query};
use proto_types::{ApiError, Ref, Value};

use super::listing::Listing;
use crate::service::{CallReply, Content};

/// How the answer is written.
pub enum Shape {
    /// XML-RPC.
    Xml,
    /// JSON-RPC, with what must be echoed.
    Json(Envelope),
}

/// What a message comes to.
pub enum Answer {
    /// A value.
    Value(Value),
    /// One object's record.
    Record(Box<Database>, Arc<Row>),
    /// Records by reference.
    Records(Box<Database>, Vec<Arc<Row>>),
    /// `system.listMethods`: no envelope in XML.
    Methods(Vec<String>),
    /// A failure.
    Failure(ApiError),
}

impl From<Result<Value, ApiError>> for Answer {
    fn from(result: Result<Value, ApiError>) -> Self {
        match result {
            Ok(value) => Answer::Value(value),
            Err(error) => Answer::Failure(error),
        }
    }
}

/// Room for one record when nothing better is known, in bytes.
const ROOM: usize = 4096;

/// An answer with more records than this is put together while it is sent, and not by the threads that answer calls.
pub const SHORT_LIST: usize = 256;

impl Answer {
    /// The bytes.
    pub fn encode(self, shape: &Shape) -> CallReply {
        match shape {
            Shape::Xml => CallReply::xml(self.xml()),
            Shape::Json(envelope) => CallReply::json(self.json(envelope)),
        }
    }

    fn xml(self) -> Content {
        match self {
            Answer::Value(value) => xmlrpc::success(&value).into(),
            Answer::Failure(error) => xmlrpc::failure(&error).into(),
            Answer::Record(db, row) => {
                let encoded = encoded(&db, &row);
                xmlrpc::success_with(encoded.len(), |w| w.encoded(encoded)).into()
            }
            Answer::Records(db, rows) if rows.len() > SHORT_LIST => {
                Content::Listing(Listing::new(&db, &rows))
            }
            Answer::Records(db, rows) => {
                let room = rows
                    .first()
                    .map_or(ROOM, |r| encoded(&db, r).len().saturating_add(128));
                xmlrpc::success_with(room.saturating_mul(rows.len()), |w| {
                    w.map(|w| {
                        for row in &rows {
                            w.member(&row.reference.to_string(), |w| w.encoded(encoded(&db, row)));
                        }
                    });
                })
                .into()
            }
            Answer::Methods(names) => xmlrpc::bare(|w| w.strings(&names)).into(),
        }
    }

    fn json(self, envelope: &Envelope) -> Vec<u8> {
        match self {
            Answer::Value(value) => jsonrpc::success(envelope, &value),
            Answer::Failure(error) => jsonrpc::failure(envelope, &error),
            Answer::Record(db, row) => jsonrpc::success_with(envelope, ROOM, |w| write_record(w, &db, &row)),
            Answer::Records(db, rows) => {
                jsonrpc::success_with(envelope, ROOM.saturating_mul(rows.len()), |w| {
                    w.map(|w| {
                        for row in &rows {
                            w.member(&row.reference.to_string(), |w| write_record(w, &db, row));
                        }
                    });
                })
            }
            Answer::Methods(names) => jsonrpc::success_with(envelope, ROOM, |w| w.strings(&names)),
        }
    }
}

/// The XML of a row's record; kept with the row, so that listing many is mostly copying.
pub fn encoded<'a>(db: &Database, row: &'a Row) -> &'a Arc<[u8]> {
    encoded_in(&mut Vec::new(), db, row)
}

/// Writes the records that were not written before.
pub fn write_all(db: &Database, rows: &[Arc<Row>]) {
    let mut room = Vec::new();
    for row in rows {
        encoded_in(&mut room, db, row);
    }
}

/// As [`encoded`], in memory that serves for one record after another.
fn encoded_in<'a>(room: &mut Vec<u8>, db: &Database, row: &'a Row) -> &'a Arc<[u8]> {
    row.encoded.get_or_init(|| {
        room.clear();
        room.reserve(ROOM);
        let mut writer = XmlWriter::new(std::mem::take(room));
        write_record(&mut writer, db, row);
        *room = writer.into_bytes();
        Arc::from(room.as_slice())
    })
}

fn write_record<W: ValueWriter>(writer: &mut W, db: &Database, row: &Row) {
    writer.map(|w| {
        for (def, index) in row.class.def().fields.iter().zip(0u16..) {
            if !def.internal {
                if query::may_be_derived(def) {
                    w.field(def.name, &query::field(db, row, index));
                } else {
                    w.field(def.name, row.at(index));
                }
            }
        }
    });
}

/// A set of references as an answer.
pub fn refs(items: impl IntoIterator<Item = Ref>) -> Answer {
    Answer::Value(Value::refs(items))
}
