//! Network interfaces of VMs.

use pool_domain::decide::vif;
use pool_domain::decide::vif_settings::{Change, Kind};
use pool_ops::network::vif::{ChangeVif, MoveVif};
use pool_ops::vm::plug::PlugDevice;
use proto_types::{ApiError, Args, Value};

use super::{Handler, Table, Work, job};

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
        Handler::Run(|_, args| job(PlugDevice::nic(args.reference(0)?, "plug"))),
    ),
    (
        "VIF.unplug",
        Handler::Run(|_, args| job(PlugDevice::nic(args.reference(0)?, "unplug"))),
    ),
    (
        "VIF.unplug_force",
        Handler::Run(|_, args| job(PlugDevice::nic(args.reference(0)?, "unplug_force"))),
    ),
    (
        "VIF.move",
        Handler::Run(|_, args| job(MoveVif::new(args.reference(0)?, args.reference(1)?))),
    ),
    (
        "VIF.set_locking_mode",
        Handler::Run(|_, args| change(args, Change::Mode(args.text(1)?.to_owned()))),
    ),
    (
        "VIF.set_ipv4_allowed",
        Handler::Run(|_, args| change(args, Change::Allow(Kind::V4, texts(args)?))),
    ),
    (
        "VIF.set_ipv6_allowed",
        Handler::Run(|_, args| change(args, Change::Allow(Kind::V6, texts(args)?))),
    ),
    (
        "VIF.add_ipv4_allowed",
        Handler::Run(|_, args| change(args, Change::Add(Kind::V4, args.text(1)?.to_owned()))),
    ),
    (
        "VIF.add_ipv6_allowed",
        Handler::Run(|_, args| change(args, Change::Add(Kind::V6, args.text(1)?.to_owned()))),
    ),
    (
        "VIF.remove_ipv4_allowed",
        Handler::Run(|_, args| change(args, Change::Remove(Kind::V4, args.text(1)?.to_owned()))),
    ),
    (
        "VIF.remove_ipv6_allowed",
        Handler::Run(|_, args| change(args, Change::Remove(Kind::V6, args.text(1)?.to_owned()))),
    ),
];

fn change(args: &Args, change: Change) -> Result<Work, ApiError> {
    job(ChangeVif::new(args.reference(0)?, change))
}

fn texts(args: &Args) -> Result<Vec<String>, ApiError> {
    Ok(args
        .at(1)?
        .as_set()
        .iter()
        .map(|v| v.as_str().to_owned())
        .collect())
}
