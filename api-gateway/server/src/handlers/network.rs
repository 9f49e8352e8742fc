//! Networks.

use pool_domain::decide::network;
use proto_types::Value;

use super::{Handler, Table};

/// The messages.
pub const TABLE: Table = &[
    (
        "network.create",
        Handler::Write(|d, _, args| network::create(d, args.at(0)?).map(Value::from)),
    ),
    (
        "network.destroy",
        Handler::Write(|d, _, args| network::destroy(d, args.reference(0)?).map(|()| Value::Void)),
    ),
];
