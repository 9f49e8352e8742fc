//! Vocabulary shared by every part: references, values, errors, and the schema derived from the data model.
//!
//! `schema` defines what a class description looks like at run time, `generated` holds the 72 classes
//! themselves (written by `cargo xtask codegen` from `proto/datamodel`).
#![forbid(unsafe_code)]

pub mod args;
pub mod datetime;
#[rustfmt::skip]
pub mod generated;
pub mod ids;
pub mod population;
pub mod rbac;
pub mod schema;
pub mod units;
pub mod value;
mod view;
pub mod wire_error;

pub use args::Args;
pub use datetime::DateTime;
pub use ids::Ref;
pub use schema::{ClassId, Field, MessageId};
pub use units::Bytes;
pub use value::Value;
pub use wire_error::ApiError;
