//! Which interface carries a host's management.

use pool_domain::decide::management;
use pool_ops::network::management::MoveManagement;
use proto_types::generated::pool;
use proto_types::{Ref, Value};

use super::{Handler, Table, job};

/// The messages.
pub const TABLE: Table = &[
    (
        "host.get_management_interface",
        Handler::Read(|s, args| management::interface(s.db, args.reference(0)?).map(Value::from)),
    ),
    (
        "host.management_reconfigure",
        Handler::Run(|_, args| job(MoveManagement::to_card(args.reference(0)?))),
    ),
    (
        // Only the master carries it out, so its own interfaces are meant.
        "host.local_management_reconfigure",
        Handler::Run(|db, args| {
            let master = db
                .only(pool::CLASS)
                .map_or(Ref::NULL, |p| p.get(pool::MASTER).as_ref());
            job(MoveManagement::to_card(management::by_name(
                db,
                master,
                args.text(0)?,
            )?))
        }),
    ),
    (
        "host.management_disable",
        Handler::Write(|d, _, _| management::disable(d).map(|()| Value::Void)),
    ),
    (
        "pool.management_reconfigure",
        Handler::Run(|_, args| job(MoveManagement::to_network(args.reference(0)?))),
    ),
];
