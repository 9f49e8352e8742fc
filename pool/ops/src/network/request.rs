//! What a network is on a host, in the host's words.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use node_commands::{BondRequest, BridgeRequest, IpRequest, NicLock, NicPolicy, TunnelRequest};
use pool_domain::decide::pif as cards;
use pool_domain::decide::pif_address::prefix_of;
use pool_domain::decide::tunnel as tunnels;
use pool_domain::decide::vif_settings::{Lock, lock_of, rate_of};
use pool_domain::{Database, Row};
use proto_types::generated::{bond, network, pif, pool, tunnel};
use proto_types::{Ref, Value};

/// The bridge of a network on a host, with all that it stands on there.
pub fn bridge_request(db: &Database, net: &Row, on: Ref) -> BridgeRequest {
    let mut request = BridgeRequest::internal(net.get(network::BRIDGE).as_str());
    request.must_exist = !net.get(network::MANAGED).as_bool();
    request.mtu = u32::try_from(net.get(network::MTU).as_int())
        .ok()
        .filter(|mtu| *mtu > 0);
    if let Some(card) = cards::on_host(db, net.reference, on) {
        over_card(db, net, &card, &mut request);
    }
    request
}

/// The same for the network of a host's interface, as it is made when the interface is plugged: with its addresses, and
/// kept over restarts of the host.
pub fn plug_request(db: &Database, card: &Row) -> Option<BridgeRequest> {
    let net = db.of_class(network::CLASS, card.get(pif::NETWORK).as_ref())?;
    let mut request = BridgeRequest::internal(net.get(network::BRIDGE).as_str());
    request.must_exist = !net.get(network::MANAGED).as_bool();
    request.mtu = u32::try_from(net.get(network::MTU).as_int())
        .ok()
        .filter(|mtu| *mtu > 0);
    over_card(db, net, card, &mut request);
    request.ip = addresses(card);
    request.keep = true;
    Some(request)
}

fn over_card(db: &Database, net: &Row, card: &Row, request: &mut BridgeRequest) {
    if let Some(mtu) = card
        .get(pif::OTHER_CONFIG)
        .get("mtu")
        .and_then(|mtu| mtu.parse().ok())
    {
        request.mtu = Some(mtu);
    }
    if let Some(access) = cards::tunnel_of(card) {
        request.tunnel = tunnel_request(db, net, card, access);
        return;
    }
    request.uplink = Some(card.get(pif::DEVICE).as_str().to_owned());
    request.vlan = u16::try_from(card.get(pif::VLAN).as_int()).ok();
    request.link_options = link_options(db, net, card);
    let base = base_of(db, card);
    if let Some(of) = base.as_ref().and_then(|base| cards::bond_of(base)) {
        request.bond = db.of_class(bond::CLASS, of).map(|row| bond_request(db, row));
    }
}

/// The interface beneath a VLAN; others are their own.
fn base_of(db: &Database, card: &Row) -> Option<std::sync::Arc<Row>> {
    use proto_types::generated::vlan;
    let reference = match db.of_class(vlan::CLASS, card.get(pif::VLAN_MASTER_OF).as_ref()) {
        Some(row) => row.get(vlan::TAGGED_PIF).as_ref(),
        None => card.reference,
    };
    db.of_class(pif::CLASS, reference).cloned()
}

fn bond_request(db: &Database, row: &Row) -> BondRequest {
    let primary = row.get(bond::PRIMARY_SLAVE).as_ref();
    let mut members: Vec<Ref> = row.get(bond::SLAVES).as_refs();
    members.sort_by_key(|member| *member != primary);
    let device = |member: &Ref| {
        db.of_class(pif::CLASS, *member)
            .map(|p| p.get(pif::DEVICE).as_str().to_owned())
    };
    let mac = db
        .of_class(pif::CLASS, row.get(bond::MASTER).as_ref())
        .map(|p| p.get(pif::MAC).as_str().to_owned());
    BondRequest {
        members: members.iter().filter_map(device).collect(),
        mac: mac.filter(|_| !row.get(bond::AUTO_UPDATE_MAC).as_bool()),
        mode: row.get(bond::MODE).as_str().to_owned(),
        properties: texts(row.get(bond::PROPERTIES)),
    }
}

fn tunnel_request(db: &Database, net: &Row, card: &Row, access: Ref) -> Option<TunnelRequest> {
    let row = db.of_class(tunnel::CLASS, access)?;
    let remotes = tunnels::parts(db, net.reference)
        .into_iter()
        .filter(|part| *part != access)
        .filter_map(|part| transport_address(db, part))
        .collect::<BTreeSet<_>>();
    Some(TunnelRequest {
        device: card.get(pif::DEVICE).as_str().to_owned(),
        protocol: row.get(tunnel::PROTOCOL).as_str().to_owned(),
        key: u32::try_from(row.get(tunnel::KEY).as_int()).unwrap_or(0),
        local: transport_address(db, access)?,
        remotes,
    })
}

/// The address by which a host's part of a tunnel is reached.
fn transport_address(db: &Database, part: Ref) -> Option<Ipv4Addr> {
    let row = db.of_class(tunnel::CLASS, part)?;
    let transport = db.of_class(pif::CLASS, row.get(tunnel::TRANSPORT_PIF).as_ref())?;
    transport.get(pif::IP).as_str().parse().ok()
}

fn texts(map: &Value) -> BTreeMap<String, String> {
    map.as_map()
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.as_str().to_owned(), v.as_str().to_owned()))
        .collect()
}

/// Offloads and link parameters: the interface's own before those of its network before those of the pool.
fn link_options(db: &Database, net: &Row, card: &Row) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let of_pool = db.only(pool::CLASS).map(|row| row.get(pool::OTHER_CONFIG));
    for map in of_pool
        .into_iter()
        .chain([net.get(network::OTHER_CONFIG), card.get(pif::OTHER_CONFIG)])
    {
        let keys = texts(map).into_iter();
        all.extend(keys.filter_map(|(key, value)| Some((key.strip_prefix("ethtool-")?.to_owned(), value))));
    }
    if let Some(gro) = card.get(pif::PROPERTIES).get("gro") {
        all.entry("gro".to_owned()).or_insert_with(|| gro.to_owned());
    }
    all
}

/// Addresses of a host's interface. That of the management is left alone: the host has had it since before the pool.
fn addresses(card: &Row) -> Vec<IpRequest> {
    if card.get(pif::MANAGEMENT).as_bool() {
        return Vec::new();
    }
    // Only one interface leads everywhere else: the management's, or the one that is named for it.
    let leads = card.get(pif::OTHER_CONFIG).get("defaultroute") == Some("true");
    let gateway = |field| card.get(field).as_str().parse().ok().filter(|_| leads);
    let four = match card.get(pif::IP_CONFIGURATION_MODE).as_str() {
        "DHCP" => IpRequest::Dhcp,
        "Static" => {
            let prefix = prefix_of(card.get(pif::NETMASK).as_str()).unwrap_or(32);
            IpRequest::V4 {
                addresses: vec![format!("{}/{prefix}", card.get(pif::IP).as_str())],
                gateway: gateway(pif::GATEWAY),
            }
        }
        _ => IpRequest::V4 {
            addresses: Vec::new(),
            gateway: None,
        },
    };
    let mut all = vec![four];
    match card.get(pif::IPV6_CONFIGURATION_MODE).as_str() {
        "Static" => all.push(IpRequest::V6 {
            addresses: card
                .get(pif::IPV6)
                .as_set()
                .iter()
                .map(|a| a.as_str().to_owned())
                .collect(),
            gateway: gateway(pif::IPV6_GATEWAY),
        }),
        "None" => all.push(IpRequest::V6 {
            addresses: Vec::new(),
            gateway: None,
        }),
        // The kernel listens to routers by itself.
        _ => {}
    }
    all
}

/// What a guest's interface lets through.
pub fn nic_policy(db: &Database, nic: &Row) -> NicPolicy {
    NicPolicy {
        lock: match lock_of(db, nic) {
            Lock::Open => NicLock::Open,
            Lock::Shut => NicLock::Shut,
            Lock::Only(addresses) => NicLock::Only(addresses),
        },
        rate: rate_of(nic),
    }
}
