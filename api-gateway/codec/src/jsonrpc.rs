//! JSON-RPC 1.0 and 2.0 as XenServer speaks them on `/jsonrpc`.

mod decode;
mod encode;

pub use decode::{decode_call, decode_response};
pub use encode::{JsonWriter, call, failure, success, success_with};

use serde_json::value::RawValue;

/// The version of a call, which its answer follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Without a member `jsonrpc`.
    V1,
    /// With `"jsonrpc": "2.0"`.
    V2,
}

/// What of a call must be known to answer it.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The version of the call.
    pub version: Version,
    /// The `id` of the call, echoed byte by byte.
    pub id: Box<RawValue>,
}
