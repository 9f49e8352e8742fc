//! Hosts.

use pool_domain::decide::host;
use pool_domain::{placement, query};
use proto_types::Value;
use proto_types::generated::host as class;

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
        "host.compute_free_memory",
        Handler::Read(|s, args| {
            let row = query::find(s.db, class::CLASS, args.reference(0)?)?;
            Ok(placement::memory_free(s.db, row, None).into())
        }),
    ),
];
