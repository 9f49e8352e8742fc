//! Bytes at rest and between nodes: protobuf messages and services, the mTLS channel, the pool's own CA.
//!
//! Every `.proto` file of the crate's folder is compiled by `build.rs`; a new package gets its line below.
#![forbid(unsafe_code)]

pub mod ca;
pub mod channel;
pub mod value;

#[allow(
    missing_docs,
    clippy::allow_attributes_without_reason,
    clippy::large_enum_variant,
    clippy::doc_markdown,
    clippy::or_fun_call,
    unused_qualifications,
    reason = "written by the protobuf compiler; the .proto files carry the comments"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/tarn_wire.rs"));
}

pub use generated::tarn::agent::v1 as agent;
pub use generated::tarn::pool::v1 as pool;
pub use generated::tarn::raft::v1 as raft;
pub use generated::tarn::stored::v1 as stored;

/// The largest gRPC message that is sent or accepted between nodes, in bytes.
pub const LARGEST_MESSAGE: usize = 64 * 1024 * 1024;
