//! Bonds of hosts' interfaces.

use std::sync::Arc;

use proto_types::generated::{bond, network, pif, tunnel, vif, vlan, vm};
use proto_types::{ApiError, Field, Ref, Value};

use super::pif::{
    NewVirtual, about, assert_managed, assert_unconnected, free_device, has_ip_configuration, insert_virtual,
    is_bond_member, is_ha_enabled, is_vlan, remove as remove_pif, tunnel_of,
};
use super::pif_hardware::links_up;
use super::vif::is_unicast;
use crate::database::Database;
use crate::draft::Draft;
use crate::row::Row;

/// What moves from an interface to the one that takes its place.
const MOVED: [Field; 10] = [
    pif::IP_CONFIGURATION_MODE,
    pif::IP,
    pif::NETMASK,
    pif::GATEWAY,
    pif::DNS,
    pif::IPV6_CONFIGURATION_MODE,
    pif::IPV6,
    pif::IPV6_GATEWAY,
    pif::PRIMARY_ADDRESS_TYPE,
    pif::DISALLOW_UNPLUG,
];

/// What `Bond.create` is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBond {
    /// The network on which the bond is to be.
    pub network: Ref,
    /// The interfaces it is made of.
    pub members: Vec<Ref>,
    /// Its MAC address; empty for that of the primary member.
    pub mac: String,
    /// How traffic is spread.
    pub mode: String,
    /// Settings of the mode.
    pub properties: Value,
}

/// A bond that is being made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its row.
    pub bond: Ref,
    /// The interface that stands for it.
    pub master: Ref,
    /// Its host.
    pub host: Ref,
    /// Interfaces of VMs that move with it.
    pub guests: Vec<Ref>,
}

/// Begins to make a bond: its rows are there from now on, not yet plugged, and its members are its own.
///
/// # Errors
/// `HANDLE_INVALID`; `PIF_BOND_NEEDS_MORE_MEMBERS`; `PIF_ALREADY_BONDED [pif]`; `PIF_VLAN_EXISTS [pif]`;
/// `IS_TUNNEL_ACCESS_PIF [pif]`; `PIF_IS_NOT_PHYSICAL [pif]`; `PIF_CANNOT_BOND_CROSS_HOST`;
/// `HA_CANNOT_CHANGE_BOND_STATUS_OF_MGMT_IFACE`; `PIF_UNMANAGED [pif]`; `INCOMPATIBLE_PIF_PROPERTIES`;
/// `PIF_BOND_MORE_THAN_ONE_IP`; `MAC_INVALID [mac]`; `INVALID_VALUE ["properties", key]`;
/// `NETWORK_ALREADY_CONNECTED [host, pif]`.
pub fn begin(draft: &mut Draft<'_>, new: &NewBond) -> Result<Made, ApiError> {
    let net = draft.read(network::CLASS, new.network)?;
    let mut distinct: Vec<Ref> = Vec::new();
    for member in &new.members {
        if !distinct.contains(member) {
            distinct.push(*member);
        }
    }
    let members: Vec<Arc<Row>> = distinct
        .iter()
        .map(|member| draft.read(pif::CLASS, *member))
        .collect::<Result<_, _>>()?;
    let (Some(first), true) = (members.first(), members.len() > 1) else {
        return Err(ApiError::bare("PIF_BOND_NEEDS_MORE_MEMBERS"));
    };
    let on = first.get(pif::HOST).as_ref();
    for member in &members {
        check_member(draft.db(), member, on)?;
    }
    if members
        .iter()
        .any(|m| m.get(pif::PROPERTIES) != first.get(pif::PROPERTIES))
    {
        return Err(ApiError::bare("INCOMPATIBLE_PIF_PROPERTIES"));
    }
    if members.iter().filter(|m| has_ip_configuration(m)).count() > 1 {
        return Err(ApiError::bare("PIF_BOND_MORE_THAN_ONE_IP"));
    }
    if !new.mac.is_empty() && !is_unicast(&new.mac) {
        return Err(ApiError::new("MAC_INVALID", [new.mac.as_str()]));
    }
    let properties = checked_properties(&new.mode, &new.properties)?;
    assert_unconnected(draft.db(), new.network, on)?;
    // The host's own address decides, then any address, then the order given.
    let primary = Arc::clone(
        members
            .iter()
            .find(|m| m.get(pif::MANAGEMENT).as_bool())
            .or_else(|| members.iter().find(|m| has_ip_configuration(m)))
            .unwrap_or(first),
    );
    let mac = if new.mac.is_empty() {
        primary.get(pif::MAC).as_str().to_owned()
    } else {
        new.mac.to_lowercase()
    };
    let device = free_device(draft.db(), on, "bond");
    let master = insert_virtual(
        draft,
        NewVirtual {
            device: &device,
            network: new.network,
            host: on,
            mac: &mac,
            mtu: net.get(network::MTU).as_int(),
            vlan: -1,
        },
    );
    draft.set(master, pif::PROPERTIES, first.get(pif::PROPERTIES).clone());
    let made = draft.insert(
        bond::CLASS,
        vec![
            (bond::MASTER, master.into()),
            (bond::PRIMARY_SLAVE, primary.reference.into()),
            (bond::MODE, new.mode.as_str().into()),
            (bond::PROPERTIES, properties),
            (bond::AUTO_UPDATE_MAC, new.mac.is_empty().into()),
        ],
    );
    for member in &members {
        draft.set(member.reference, pif::BOND_SLAVE_OF, made);
    }
    let guests = guests_of(draft.db(), &members, on);
    Ok(Made {
        bond: made,
        master,
        host: on,
        guests,
    })
}

fn check_member(db: &Database, member: &Row, on: Ref) -> Result<(), ApiError> {
    let reference = member.reference;
    if is_bond_member(member) {
        return Err(about("PIF_ALREADY_BONDED", reference));
    }
    if is_vlan(member) {
        return Err(about("PIF_VLAN_EXISTS", reference));
    }
    if tunnel_of(member).is_some() {
        return Err(about("IS_TUNNEL_ACCESS_PIF", reference));
    }
    if !member.get(pif::PHYSICAL).as_bool() {
        return Err(about("PIF_IS_NOT_PHYSICAL", reference));
    }
    if member.get(pif::HOST).as_ref() != on {
        return Err(ApiError::bare("PIF_CANNOT_BOND_CROSS_HOST"));
    }
    if member.get(pif::MANAGEMENT).as_bool() && is_ha_enabled(db) {
        return Err(ApiError::bare("HA_CANNOT_CHANGE_BOND_STATUS_OF_MGMT_IFACE"));
    }
    assert_managed(member)
}

/// Settings that a mode has, with their defaults where none are given.
///
/// # Errors
/// `INVALID_VALUE ["properties", key]`.
fn checked_properties(mode: &str, given: &Value) -> Result<Value, ApiError> {
    let mut all = std::collections::BTreeMap::new();
    if mode == "lacp" {
        for (name, _, default) in PROPERTIES {
            all.insert(Value::str(name), Value::str(default));
        }
    }
    for (key, value) in given.as_map().into_iter().flatten() {
        check_property(mode, key.as_str(), value.as_str())?;
        all.insert(key.clone(), value.clone());
    }
    Ok(Value::Map(all))
}

/// Each property with its values and default; all are of mode lacp.
const PROPERTIES: [(&str, &[&str], &str); 3] = [
    ("hashing_algorithm", &["tcpudp_ports", "src_mac"], "tcpudp_ports"),
    ("lacp-time", &["slow", "fast"], "slow"),
    ("lacp-fallback-ab", &["true", "false"], "true"),
];

fn check_property(mode: &str, name: &str, value: &str) -> Result<(), ApiError> {
    let known = PROPERTIES.iter().find(|(known, ..)| *known == name);
    match known {
        Some((_, values, _)) if values.contains(&value) && mode == "lacp" => Ok(()),
        Some((_, values, _)) if !values.contains(&value) => {
            Err(ApiError::new("INVALID_VALUE", ["properties", value]))
        }
        Some(_) | None => Err(ApiError::new("INVALID_VALUE", ["properties", name])),
    }
}

/// Attached interfaces of VMs on a host that are on the members' networks.
fn guests_of(db: &Database, members: &[Arc<Row>], on: Ref) -> Vec<Ref> {
    members
        .iter()
        .filter_map(|m| db.of_class(network::CLASS, m.get(pif::NETWORK).as_ref()))
        .flat_map(|net| net.get(network::VIFS).as_refs())
        .filter(|nic| {
            db.of_class(vif::CLASS, *nic).is_some_and(|row| {
                row.get(vif::CURRENTLY_ATTACHED).as_bool()
                    && db
                        .of_class(vm::CLASS, row.get(vif::VM).as_ref())
                        .is_some_and(|v| v.get(vm::RESIDENT_ON).as_ref() == on)
            })
        })
        .collect()
}

/// The bond works: what its members carried is its own now.
pub fn commit(draft: &mut Draft<'_>, made: &Made) -> Result<(), ApiError> {
    let row = draft.read(bond::CLASS, made.bond)?;
    let primary = row.get(bond::PRIMARY_SLAVE).as_ref();
    for member in row.get(bond::SLAVES).as_refs() {
        hand_over(draft, member, made.master, member == primary);
    }
    let net = draft.read(pif::CLASS, made.master)?.get(pif::NETWORK).clone();
    for guest in &made.guests {
        draft.set(*guest, vif::NETWORK, net.clone());
    }
    let up = links_up(draft.db(), made.bond);
    draft.set(made.bond, bond::LINKS_UP, up);
    draft.set(made.master, pif::CURRENTLY_ATTACHED, true);
    Ok(())
}

/// Moves VLANs, tunnels, and with `addresses` also addresses and management, from one interface to another.
fn hand_over(draft: &mut Draft<'_>, from: Ref, to: Ref, addresses: bool) {
    let Some(row) = draft.db().of_class(pif::CLASS, from).cloned() else {
        return;
    };
    let Some(heir) = draft.db().of_class(pif::CLASS, to).cloned() else {
        return;
    };
    for carried in row.get(pif::VLAN_SLAVE_OF).as_refs() {
        draft.set(carried, vlan::TAGGED_PIF, to);
        let untagged = draft
            .db()
            .of_class(vlan::CLASS, carried)
            .map_or(Ref::NULL, |v| v.get(vlan::UNTAGGED_PIF).as_ref());
        draft.update(
            untagged,
            vec![
                (pif::DEVICE, heir.get(pif::DEVICE).clone()),
                (pif::METRICS, heir.get(pif::METRICS).clone()),
            ],
        );
    }
    for carried in row.get(pif::TUNNEL_TRANSPORT_PIF_OF).as_refs() {
        draft.set(carried, tunnel::TRANSPORT_PIF, to);
    }
    if addresses {
        draft.update(
            to,
            MOVED
                .iter()
                .map(|field| (*field, row.get(*field).clone()))
                .collect(),
        );
        draft.set(to, pif::MANAGEMENT, row.get(pif::MANAGEMENT).clone());
        draft.update(
            from,
            vec![
                (pif::IP_CONFIGURATION_MODE, "None".into()),
                (pif::IP, "".into()),
                (pif::NETMASK, "".into()),
                (pif::GATEWAY, "".into()),
                (pif::DNS, "".into()),
                (pif::IPV6_CONFIGURATION_MODE, "None".into()),
                (pif::IPV6, Value::strings::<&str>([])),
                (pif::IPV6_GATEWAY, "".into()),
                (pif::DISALLOW_UNPLUG, false.into()),
                (pif::MANAGEMENT, false.into()),
            ],
        );
    }
}

/// Removes the rows of a bond that carries nothing (any more), and frees its members.
pub fn remove(draft: &mut Draft<'_>, reference: Ref) {
    let Some(row) = draft.db().of_class(bond::CLASS, reference).cloned() else {
        return;
    };
    for member in row.get(bond::SLAVES).as_refs() {
        draft.set(member, pif::BOND_SLAVE_OF, Ref::NULL);
    }
    draft.delete(reference);
    remove_pif(draft, row.get(bond::MASTER).as_ref());
}

/// Begins to take a bond apart. Answers it as [`begin`] does, with the guests that move to the primary member's network.
///
/// # Errors
/// `HANDLE_INVALID`; `HA_CANNOT_CHANGE_BOND_STATUS_OF_MGMT_IFACE`.
pub fn begin_destroy(draft: &mut Draft<'_>, reference: Ref) -> Result<Made, ApiError> {
    let row = draft.read(bond::CLASS, reference)?;
    let master = draft.read(pif::CLASS, row.get(bond::MASTER).as_ref())?;
    if master.get(pif::MANAGEMENT).as_bool() && is_ha_enabled(draft.db()) {
        return Err(ApiError::bare("HA_CANNOT_CHANGE_BOND_STATUS_OF_MGMT_IFACE"));
    }
    let on = master.get(pif::HOST).as_ref();
    draft.set(master.reference, pif::CURRENTLY_ATTACHED, false);
    let guests = guests_of(draft.db(), std::slice::from_ref(&master), on);
    Ok(Made {
        bond: reference,
        master: master.reference,
        host: on,
        guests,
    })
}

/// The bond is taken apart: the primary member has again what the bond had.
pub fn commit_destroy(draft: &mut Draft<'_>, made: &Made) -> Result<(), ApiError> {
    let primary = draft
        .read(bond::CLASS, made.bond)?
        .get(bond::PRIMARY_SLAVE)
        .as_ref();
    let heir = draft.read(pif::CLASS, primary)?;
    hand_over(draft, made.master, primary, true);
    for guest in &made.guests {
        draft.set(*guest, vif::NETWORK, heir.get(pif::NETWORK).clone());
    }
    remove(draft, made.bond);
    Ok(())
}

/// `Bond.set_mode`: the mode changes at once, the host follows. Answers mode and properties before.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn set_mode(draft: &mut Draft<'_>, reference: Ref, mode: &str) -> Result<Settings, ApiError> {
    let row = draft.read(bond::CLASS, reference)?;
    let before = Settings::of(&row);
    // Properties are of the old mode; the new one begins with its own.
    let properties = if before.mode == mode {
        before.properties.clone()
    } else {
        checked_properties(mode, &Value::empty_map())?
    };
    Settings {
        mode: mode.to_owned(),
        properties,
    }
    .write(draft, reference);
    Ok(before)
}

/// `Bond.set_property`, as [`set_mode`].
///
/// # Errors
/// `HANDLE_INVALID`; `INVALID_VALUE ["properties", name or value]`.
pub fn set_property(
    draft: &mut Draft<'_>,
    reference: Ref,
    name: &str,
    value: &str,
) -> Result<Settings, ApiError> {
    let row = draft.read(bond::CLASS, reference)?;
    let before = Settings::of(&row);
    check_property(&before.mode, name, value)?;
    draft.put_key(reference, bond::PROPERTIES, name, value);
    Ok(before)
}

/// Mode and properties of a bond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The mode.
    pub mode: String,
    /// Its settings.
    pub properties: Value,
}

impl Settings {
    fn of(row: &Row) -> Settings {
        Settings {
            mode: row.get(bond::MODE).as_str().to_owned(),
            properties: row.get(bond::PROPERTIES).clone(),
        }
    }

    /// Writes them.
    pub fn write(&self, draft: &mut Draft<'_>, reference: Ref) {
        draft.update(
            reference,
            vec![
                (bond::MODE, self.mode.as_str().into()),
                (bond::PROPERTIES, self.properties.clone()),
            ],
        );
    }
}
