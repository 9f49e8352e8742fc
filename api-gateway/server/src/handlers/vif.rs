//! Network interfaces of VMs.

use pool_domain::decide::vif;
use pool_ops::vm::plug::PlugDevice;
use proto_types::Value;

use super::{Handler, Table, job};

/// The messages.
pub const TABLE: Table = &[
    (
        "VIF.create",
        Handler::Write(|d, _, args| vif::create(d, args.at(0)?).map(Value::from)),
    ),
    (
        "VIF.destroy",
        Handler::Write(|d, _, args| vif::destroy(d, args.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "VIF.plug",
        Handler::Run(|_, args| job(PlugDevice::new(args.reference(0)?, "plug"))),
    ),
    (
        "VIF.unplug",
        Handler::Run(|_, args| job(PlugDevice::new(args.reference(0)?, "unplug"))),
    ),
    (
        "VIF.unplug_force",
        Handler::Run(|_, args| job(PlugDevice::new(args.reference(0)?, "unplug_force"))),
    ),
];
