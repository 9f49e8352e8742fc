//! XML-RPC as XenServer speaks it.

mod decode;
mod encode;
mod reader;
mod thin;

pub use decode::{decode_call, decode_response, decode_value};
pub use encode::{
    XmlWriter, bare, call, failure, success, success_around_members, success_with, task_result,
};
pub use thin::thinned;
