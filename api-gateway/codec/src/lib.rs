//! The gateway's codec: XML-RPC and JSON-RPC bytes to values and back. Pure: no clock, no socket, no state.
//!
//! ```text
//! bytes --xmlrpc::decode_call / jsonrpc::decode_call--> Call { method, params: Vec<WireValue> }
//! WireValue + schema::Type --typed::decode--> Value          (arguments checked against the data model)
//! Value --ValueWriter (XmlWriter, JsonWriter)--> bytes       (xmlrpc::success, jsonrpc::success, task_result)
//! ```
//!
//! Decoding never panics and is bounded by [`Limits`] in size, depth and number of values. A [`Value`] knows its own
//! shape, so that encoding needs no schema; rows may be written field by field through [`ValueWriter`] without building a
//! [`Value::Record`] first.
//!
//! [`Value`]: proto_types::Value
//! [`Value::Record`]: proto_types::Value::Record
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, clippy::indexing_slicing))]

mod decimal;
mod error;
mod float;
pub mod jsonrpc;
mod limits;
mod text;
pub mod typed;
mod wire_value;
mod writer;
pub mod xmlrpc;

pub use error::DecodeError;
pub use limits::Limits;
pub use text::is_allowed_text;
pub use typed::TypeError;
pub use wire_value::{Call, Outcome, WireValue};
pub use writer::ValueWriter;
