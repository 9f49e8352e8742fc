//! The pool.

use proto_types::Value;

use super::{Handler, Table};
use crate::api::ports::Role;

/// The messages.
pub const TABLE: Table = &[
    (
        "pool.is_slave",
        Handler::Special(|api, _, _| {
            Box::pin(async move { Ok(Value::Bool(!matches!(api.cluster.role(), Role::Leader))) })
        }),
    ),
    (
        // Every acknowledged write is on a majority already.
        "pool.sync_database",
        Handler::Read(|_, _| Ok(Value::Void)),
    ),
];
