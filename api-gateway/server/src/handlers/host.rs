//! Hosts.

use pool_domain::decide::host;
use pool_domain::{placement, query};
use proto_types::generated::host as class;
use proto_types::{ApiError, Value};

use super::{Handler, Table};
use crate::api::ports::Role;

/// The messages.
pub const TABLE: Table = &[
    (
        "host.enable",
        Handler::Write(|d, _, args| host::set_enabled(d, args.reference(0)?, true).map(|()| Value::Void)),
    ),
    (
        "host.disable",
        Handler::Write(|d, _, args| host::set_enabled(d, args.reference(0)?, false).map(|()| Value::Void)),
    ),
    (
        "host.get_servertime",
        Handler::Read(|_, _| Ok(pool_ops::core::now().into())),
    ),
    (
        "host.is_in_emergency_mode",
        Handler::Special(|api, _, _| {
            Box::pin(async move { Ok(Value::Bool(matches!(api.cluster.role(), Role::Unknown))) })
        }),
    ),
    (
        // Only of one that is gone for good: its place in the pool's majority goes with it.
        "host.destroy",
        Handler::Special(|api, entry, args| {
            Box::pin(async move {
                let reference = args.reference(0)?;
                let row = query::find(&entry.db, class::CLASS, reference)?;
                if placement::is_live(&entry.db, row) {
                    return Err(ApiError::new("HOST_IS_LIVE", [reference.to_string()]));
                }
                super::pool::remove(&api, entry, reference, "host.destroy").await
            })
        }),
    ),
    (
        "host.compute_free_memory",
        Handler::Read(|s, args| {
            let row = query::find(s.db, class::CLASS, args.reference(0)?)?;
            Ok(placement::memory_free(s.db, row, None).into())
        }),
    ),
];
