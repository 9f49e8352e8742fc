//! Networks.

use pool_domain::decide::network;
use pool_ops::network::link::AttachNetworks;
use proto_types::Value;
use proto_types::generated::network as class;

use super::{Handler, Table, job};

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
    (
        "network.pool_introduce",
        Handler::Write(|d, _, args| {
            let fields = vec![
                (class::NAME_LABEL, args.at(0)?.clone()),
                (class::NAME_DESCRIPTION, args.at(1)?.clone()),
                (class::MTU, args.at(2)?.clone()),
                (class::OTHER_CONFIG, args.at(3)?.clone()),
                (class::BRIDGE, args.at(4)?.clone()),
                (class::MANAGED, args.at(5)?.clone()),
                (class::PURPOSE, args.at(6)?.clone()),
            ];
            Ok(network::introduce(d, fields).into())
        }),
    ),
    (
        "network.set_default_locking_mode",
        Handler::Write(|d, _, args| {
            network::set_default_locking_mode(d, args.reference(0)?, args.text(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "network.add_purpose",
        Handler::Write(|d, _, args| {
            network::add_purpose(d, args.reference(0)?, args.text(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "network.remove_purpose",
        Handler::Write(|d, _, args| {
            network::remove_purpose(d, args.reference(0)?, args.text(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "network.attach",
        Handler::Run(|_, args| job(AttachNetworks::network(args.reference(0)?, args.reference(1)?))),
    ),
    (
        "network.attach_for_vm",
        Handler::Run(|_, args| job(AttachNetworks::for_vm(args.reference(1)?, args.reference(0)?))),
    ),
    (
        "network.detach_for_vm",
        Handler::Run(|_, args| {
            job(AttachNetworks::no_longer_for_vm(
                args.reference(1)?,
                args.reference(0)?,
            ))
        }),
    ),
];
