//! VLANs, bonds and tunnels, and what belongs to switches that Tarn's hosts do not have.

use pool_domain::decide::bond::NewBond;
use pool_domain::decide::{generic, vlan};
use pool_domain::query;
use pool_ops::network::bond::{ChangeBond, DestroyBond, MakeBond};
use pool_ops::network::tunnel::{DestroyTunnel, MakeTunnel};
use pool_ops::network::vlan::{Answer, DestroyVlan, MakeVlans};
use proto_types::generated::{
    network_sriov, pif, pvs_cache_storage, pvs_proxy, pvs_server, pvs_site, sdn_controller, vif,
};
use proto_types::{ApiError, Args, ClassId, Value};

use super::{Handler, Scope, Table, job};

/// The messages.
pub const TABLE: Table = &[
    (
        "VLAN.create",
        Handler::Run(|_, args| {
            job(MakeVlans::new(
                vec![args.reference(0)?],
                args.int(1)?,
                args.reference(2)?,
                Answer::Vlan,
            ))
        }),
    ),
    (
        "VLAN.destroy",
        Handler::Run(|_, args| job(DestroyVlan::new(args.reference(0)?))),
    ),
    (
        "VLAN.pool_introduce",
        Handler::Write(|d, _, args| {
            let (tagged, untagged) = (args.reference(0)?, args.reference(1)?);
            vlan::introduce(d, tagged, untagged, args.int(2)?, args.at(3)?.clone()).map(Value::from)
        }),
    ),
    (
        "pool.create_VLAN",
        Handler::Run(|db, args| {
            let bases = vlan::bases_by_device(db, args.text(0)?)?;
            job(MakeVlans::new(
                bases,
                args.int(2)?,
                args.reference(1)?,
                Answer::Cards,
            ))
        }),
    ),
    (
        "pool.create_VLAN_from_PIF",
        Handler::Run(|db, args| {
            let bases = vlan::bases_like(db, args.reference(0)?)?;
            job(MakeVlans::new(
                bases,
                args.int(2)?,
                args.reference(1)?,
                Answer::Cards,
            ))
        }),
    ),
    (
        "Bond.create",
        Handler::Run(|_, args| {
            job(MakeBond::new(NewBond {
                network: args.reference(0)?,
                members: args.at(1)?.as_refs(),
                mac: args.text(2)?.to_owned(),
                mode: args.text(3)?.to_owned(),
                properties: args.at(4)?.clone(),
            }))
        }),
    ),
    (
        "Bond.destroy",
        Handler::Run(|_, args| job(DestroyBond::new(args.reference(0)?))),
    ),
    (
        "Bond.set_mode",
        Handler::Run(|_, args| job(ChangeBond::mode(args.reference(0)?, args.text(1)?))),
    ),
    (
        "Bond.set_property",
        Handler::Run(|_, args| {
            job(ChangeBond::property(
                args.reference(0)?,
                args.text(1)?,
                args.text(2)?,
            ))
        }),
    ),
    (
        "tunnel.create",
        Handler::Run(|_, args| {
            job(MakeTunnel::new(
                args.reference(0)?,
                args.reference(1)?,
                args.text(2)?,
            ))
        }),
    ),
    (
        "tunnel.destroy",
        Handler::Run(|_, args| job(DestroyTunnel::new(args.reference(0)?))),
    ),
    // A controller commands Open vSwitch; bridges of the kernel take no such commands.
    (
        "SDN_controller.introduce",
        Handler::Read(|_, _| Err(ApiError::bare("OPENVSWITCH_NOT_ACTIVE"))),
    ),
    (
        "SDN_controller.forget",
        Handler::Write(|d, _, args| forget(d, sdn_controller::CLASS, args)),
    ),
    // Caches of streamed disks are a feature that XenServer sells; without its licence it answers so.
    ("PVS_site.introduce", Handler::Read(no_pvs)),
    (
        "PVS_site.forget",
        Handler::Write(|d, _, args| forget(d, pvs_site::CLASS, args)),
    ),
    (
        "PVS_site.set_PVS_uuid",
        Handler::Unbuilt(|s, args| no_object(s, args, pvs_site::CLASS)),
    ),
    (
        "PVS_server.introduce",
        Handler::Read(|s, args| {
            query::find(s.db, pvs_site::CLASS, args.reference(3)?)?;
            no_pvs(s, args)
        }),
    ),
    (
        "PVS_server.forget",
        Handler::Write(|d, _, args| forget(d, pvs_server::CLASS, args)),
    ),
    (
        "PVS_proxy.create",
        Handler::Read(|s, args| {
            query::find(s.db, pvs_site::CLASS, args.reference(0)?)?;
            query::find(s.db, vif::CLASS, args.reference(1)?)?;
            no_pvs(s, args)
        }),
    ),
    (
        "PVS_proxy.destroy",
        Handler::Write(|d, _, args| forget(d, pvs_proxy::CLASS, args)),
    ),
    ("PVS_cache_storage.create", Handler::Read(no_pvs)),
    (
        "PVS_cache_storage.destroy",
        Handler::Write(|d, _, args| forget(d, pvs_cache_storage::CLASS, args)),
    ),
    // No interface is found to have virtual functions, so none is made a network of them.
    (
        "network_sriov.create",
        Handler::Read(|s, args| {
            let card = query::find(s.db, pif::CLASS, args.reference(0)?)?;
            Err(ApiError::new(
                if card.get(pif::PHYSICAL).as_bool() {
                    "PIF_IS_NOT_SRIOV_CAPABLE"
                } else {
                    "PIF_IS_NOT_PHYSICAL"
                },
                [card.reference.to_string()],
            ))
        }),
    ),
    (
        "network_sriov.destroy",
        Handler::Unbuilt(|s, args| no_object(s, args, network_sriov::CLASS)),
    ),
    (
        "network_sriov.get_remaining_capacity",
        Handler::Unbuilt(|s, args| no_object(s, args, network_sriov::CLASS)),
    ),
];

fn forget(d: &mut pool_domain::Draft<'_>, class: ClassId, args: &Args) -> Result<Value, ApiError> {
    generic::destroy(d, class, args.reference(0)?)?;
    Ok(Value::Void)
}

fn no_pvs(_: &Scope<'_>, _: &Args) -> Result<Value, ApiError> {
    Err(ApiError::new("LICENCE_RESTRICTION", ["PVS_proxy"]))
}

/// For messages on objects that nobody can make.
fn no_object(s: &Scope<'_>, args: &Args, class: ClassId) -> Result<(), ApiError> {
    query::find(s.db, class, args.reference(0)?).map(|_| ())
}
