//! Network interfaces of hosts.

use pool_domain::decide::pif_address::{self, Ipv4Settings, Ipv6Settings};
use pool_domain::decide::{pif, pif_hardware, vlan};
use pool_domain::query;
use pool_ops::network::bond::DestroyBond;
use pool_ops::network::cards::LookForCards;
use pool_ops::network::link::{PlugCard, ReconfigureIp};
use pool_ops::network::tunnel::DestroyTunnel;
use pool_ops::network::vlan::{Answer, DestroyVlan, MakeVlans};
use proto_types::generated::pif as class;
use proto_types::{ApiError, Args, Field, Value};

use super::{Handler, Table, Work, job};

/// The messages.
pub const TABLE: Table = &[
    (
        "PIF.scan",
        Handler::Run(|_, args| job(LookForCards::scan(args.reference(0)?))),
    ),
    (
        "PIF.introduce",
        Handler::Run(|_, args| {
            job(LookForCards::introduce(
                args.reference(0)?,
                args.text(1)?,
                args.text(2)?,
                args.truth(3)?,
            ))
        }),
    ),
    (
        "PIF.forget",
        Handler::Write(|d, _, args| pif_hardware::forget(d, args.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "PIF.plug",
        Handler::Run(|_, args| job(PlugCard::plug(args.reference(0)?))),
    ),
    (
        "PIF.unplug",
        Handler::Run(|_, args| job(PlugCard::unplug(args.reference(0)?))),
    ),
    (
        "PIF.reconfigure_ip",
        Handler::Run(|_, args| {
            let new = Ipv4Settings {
                mode: args.text(1)?.to_owned(),
                ip: args.text(2)?.to_owned(),
                netmask: args.text(3)?.to_owned(),
                gateway: args.text(4)?.to_owned(),
                dns: args.text(5)?.to_owned(),
            };
            job(ReconfigureIp::v4(args.reference(0)?, new))
        }),
    ),
    (
        "PIF.reconfigure_ipv6",
        Handler::Run(|_, args| {
            let new = Ipv6Settings {
                mode: args.text(1)?.to_owned(),
                ipv6: args.text(2)?.to_owned(),
                gateway: args.text(3)?.to_owned(),
                dns: args.text(4)?.to_owned(),
            };
            job(ReconfigureIp::v6(args.reference(0)?, new))
        }),
    ),
    (
        "PIF.set_primary_address_type",
        Handler::Write(|d, _, args| {
            pif_address::set_primary_address_type(d, args.reference(0)?, args.text(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "PIF.set_disallow_unplug",
        Handler::Write(|d, _, args| {
            pif::set_disallow_unplug(d, args.reference(0)?, args.truth(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "PIF.set_property",
        Handler::Write(|d, _, args| {
            pif::set_property(d, args.reference(0)?, args.text(1)?, args.text(2)?).map(|()| Value::Void)
        }),
    ),
    (
        "PIF.create_VLAN",
        Handler::Run(|db, args| {
            let base = vlan::base_on(db, args.reference(2)?, args.text(0)?)?;
            job(MakeVlans::new(
                vec![base],
                args.int(3)?,
                args.reference(1)?,
                Answer::Card,
            ))
        }),
    ),
    ("PIF.destroy", Handler::Run(destroy)),
    (
        "PIF.db_forget",
        Handler::Write(|d, _, args| pif_hardware::db_forget(d, args.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "PIF.db_introduce",
        Handler::Write(|d, _, args| pif_hardware::db_introduce(d, given(args)?).map(Value::from)),
    ),
    (
        "PIF.pool_introduce",
        Handler::Write(|d, _, args| pif_hardware::db_introduce(d, given(args)?).map(Value::from)),
    ),
];

/// What stands for a VLAN, bond or tunnel goes with it.
fn destroy(db: &pool_domain::Database, args: &Args) -> Result<Work, ApiError> {
    let this = args.reference(0)?;
    let row = query::find(db, class::CLASS, this)?;
    let master = row.get(class::VLAN_MASTER_OF).as_ref();
    if pif::is_vlan(row) && !master.is_null() {
        job(DestroyVlan::new(master))
    } else if let Some(bond) = pif::bond_of(row) {
        job(DestroyBond::new(bond))
    } else if let Some(tunnel) = pif::tunnel_of(row) {
        job(DestroyTunnel::new(tunnel))
    } else {
        Err(ApiError::new("PIF_IS_PHYSICAL", [this.to_string()]))
    }
}

/// The parameters of `db_introduce` in their order.
const GIVEN: [Field; 23] = [
    class::DEVICE,
    class::NETWORK,
    class::HOST,
    class::MAC,
    class::MTU,
    class::VLAN,
    class::PHYSICAL,
    class::IP_CONFIGURATION_MODE,
    class::IP,
    class::NETMASK,
    class::GATEWAY,
    class::DNS,
    class::BOND_SLAVE_OF,
    class::VLAN_MASTER_OF,
    class::MANAGEMENT,
    class::OTHER_CONFIG,
    class::DISALLOW_UNPLUG,
    class::IPV6_CONFIGURATION_MODE,
    class::IPV6,
    class::IPV6_GATEWAY,
    class::PRIMARY_ADDRESS_TYPE,
    class::MANAGED,
    class::PROPERTIES,
];

fn given(args: &Args) -> Result<Vec<(Field, Value)>, ApiError> {
    GIVEN
        .iter()
        .enumerate()
        .map(|(position, field)| Ok((*field, args.at(position)?.clone())))
        .collect()
}
