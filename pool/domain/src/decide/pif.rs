//! Network interfaces of hosts: what they are, plugging and unplugging, settings.

use std::sync::Arc;

use proto_types::generated::{bond, host, network, pif, pif_metrics, pool, tunnel, vif, vm};
use proto_types::{ApiError, Ref, Value};

use crate::database::Database;
use crate::draft::Draft;
use crate::row::Row;

/// The MAC address of interfaces that have none of their own.
pub const NO_MAC: &str = "fe:ff:ff:ff:ff:ff";

/// Whether an interface stands for a VLAN.
pub fn is_vlan(row: &Row) -> bool {
    row.get(pif::VLAN).as_int() >= 0
}

/// Whether an interface is a member of a bond.
pub fn is_bond_member(row: &Row) -> bool {
    !row.get(pif::BOND_SLAVE_OF).as_ref().is_null()
}

/// The bond that an interface stands for.
pub fn bond_of(row: &Row) -> Option<Ref> {
    row.get(pif::BOND_MASTER_OF).as_refs().first().copied()
}

/// The tunnel that an interface stands for.
pub fn tunnel_of(row: &Row) -> Option<Ref> {
    row.get(pif::TUNNEL_ACCESS_PIF_OF).as_refs().first().copied()
}

/// Whether an interface has a way to an address.
pub fn has_ip_configuration(row: &Row) -> bool {
    row.get(pif::IP_CONFIGURATION_MODE).as_str() != "None"
}

/// A host's interface on a network, members of bonds last.
pub fn on_host(db: &Database, net: Ref, on: Ref) -> Option<Arc<Row>> {
    let row = db.of_class(network::CLASS, net)?;
    let mut found: Vec<&Arc<Row>> = row
        .get(network::PIFS)
        .as_refs()
        .into_iter()
        .filter_map(|r| db.of_class(pif::CLASS, r))
        .filter(|p| p.get(pif::HOST).as_ref() == on)
        .collect();
    found.sort_by_key(|p| is_bond_member(p));
    found.first().map(|row| Arc::clone(row))
}

/// All interfaces of a host.
pub fn of_host(db: &Database, on: Ref) -> Vec<Arc<Row>> {
    db.of_class(host::CLASS, on)
        .map(|h| h.get(host::PIFS).as_refs())
        .unwrap_or_default()
        .into_iter()
        .filter_map(|r| db.of_class(pif::CLASS, r).cloned())
        .collect()
}

/// The first free device name of a host that begins so.
pub(crate) fn free_device(db: &Database, on: Ref, prefix: &str) -> String {
    let taken: Vec<String> = of_host(db, on)
        .iter()
        .map(|p| p.get(pif::DEVICE).as_str().to_owned())
        .collect();
    (0..=taken.len())
        .map(|n| format!("{prefix}{n}"))
        .find(|name| !taken.contains(name))
        .unwrap_or_default()
}

/// `CODE [reference]`.
pub(crate) fn about(code: &'static str, reference: Ref) -> ApiError {
    ApiError::new(code, [reference.to_string()])
}

/// # Errors
/// `PIF_UNMANAGED [pif]`.
pub(crate) fn assert_managed(row: &Row) -> Result<(), ApiError> {
    if row.get(pif::MANAGED).as_bool() {
        Ok(())
    } else {
        Err(about("PIF_UNMANAGED", row.reference))
    }
}

/// # Errors
/// `HA_IS_ENABLED`.
pub(crate) fn assert_no_ha(db: &Database) -> Result<(), ApiError> {
    if is_ha_enabled(db) {
        Err(ApiError::bare("HA_IS_ENABLED"))
    } else {
        Ok(())
    }
}

/// Whether high availability watches the pool.
pub(crate) fn is_ha_enabled(db: &Database) -> bool {
    db.only(pool::CLASS)
        .is_some_and(|p| p.get(pool::HA_ENABLED).as_bool())
}

/// A network must have no interface of that host yet.
///
/// # Errors
/// `NETWORK_ALREADY_CONNECTED [host, pif]`.
pub(crate) fn assert_unconnected(db: &Database, net: Ref, on: Ref) -> Result<(), ApiError> {
    match on_host(db, net, on) {
        Some(there) => Err(ApiError::new(
            "NETWORK_ALREADY_CONNECTED",
            [on.to_string(), there.reference.to_string()],
        )),
        None => Ok(()),
    }
}

/// An attached interface of a VM that runs on a host and is on a network.
pub fn guest_on(db: &Database, net: Ref, on: Ref) -> Option<Ref> {
    let row = db.of_class(network::CLASS, net)?;
    row.get(network::VIFS).as_refs().into_iter().find(|r| {
        let Some(nic) = db.of_class(vif::CLASS, *r) else {
            return false;
        };
        let owner = db.of_class(vm::CLASS, nic.get(vif::VM).as_ref());
        let is_here = owner.is_some_and(|v| {
            v.get(vm::RESIDENT_ON).as_ref() == on || v.get(vm::SCHEDULED_TO_BE_RESIDENT_ON).as_ref() == on
        });
        let is_coming = owner.is_some_and(|v| v.get(vm::SCHEDULED_TO_BE_RESIDENT_ON).as_ref() == on);
        is_here && (nic.get(vif::CURRENTLY_ATTACHED).as_bool() || is_coming)
    })
}

/// Checks whether an interface can be plugged.
///
/// # Errors
/// `HANDLE_INVALID`; `PIF_UNMANAGED [pif]`; `CANNOT_PLUG_BOND_SLAVE [pif]`;
/// `TRANSPORT_PIF_NOT_CONFIGURED [transport]` for a tunnel whose transport has no address.
pub fn check_plug(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = draft.read(pif::CLASS, reference)?;
    assert_managed(&row)?;
    if is_bond_member(&row) {
        return Err(about("CANNOT_PLUG_BOND_SLAVE", reference));
    }
    if let Some(access) = tunnel_of(&row) {
        let transport = draft
            .read(tunnel::CLASS, access)?
            .get(tunnel::TRANSPORT_PIF)
            .as_ref();
        if !has_ip_configuration(&*draft.read(pif::CLASS, transport)?) {
            return Err(about("TRANSPORT_PIF_NOT_CONFIGURED", transport));
        }
    }
    Ok(())
}

/// Notes that an interface works, as it was found; one that a bond or VLAN stands on works with it.
pub fn plugged(draft: &mut Draft<'_>, reference: Ref, found: &FoundLink) {
    let Some(row) = draft.db().of_class(pif::CLASS, reference).cloned() else {
        return;
    };
    let mut fields = vec![(pif::CURRENTLY_ATTACHED, Value::Bool(true))];
    if found.mtu > 0 {
        fields.push((pif::MTU, found.mtu.into()));
    }
    if row.get(pif::IP_CONFIGURATION_MODE).as_str() == "DHCP" {
        fields.push((pif::IP, found.ip.as_str().into()));
        fields.push((pif::NETMASK, found.netmask.as_str().into()));
    }
    if matches!(
        row.get(pif::IPV6_CONFIGURATION_MODE).as_str(),
        "DHCP" | "Autoconf"
    ) {
        fields.push((pif::IPV6, Value::strings(&found.ipv6)));
    }
    draft.update(reference, fields);
    for member in members_below(draft.db(), &row) {
        draft.set(member, pif::CURRENTLY_ATTACHED, true);
    }
    if let Some(access) = tunnel_of(&row) {
        draft.put_key(access, tunnel::STATUS, "active", "true");
    }
}

/// Members of the bond that an interface is or stands on.
fn members_below(db: &Database, row: &Row) -> Vec<Ref> {
    bond_of(row)
        .and_then(|b| db.of_class(bond::CLASS, b))
        .map(|b| b.get(bond::SLAVES).as_refs())
        .unwrap_or_default()
}

/// A link as its host found it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundLink {
    /// Largest packet in bytes; 0 if unknown.
    pub mtu: i64,
    /// IPv4 address, or empty.
    pub ip: String,
    /// Its netmask, or empty.
    pub netmask: String,
    /// IPv6 addresses with prefix length.
    pub ipv6: Vec<String>,
}

/// Begins to unplug an interface, which counts as down from now on: nobody is to bring it back meanwhile.
///
/// # Errors
/// `HANDLE_INVALID`; `PIF_UNMANAGED [pif]`; `PIF_DOES_NOT_ALLOW_UNPLUG [pif]`; `PIF_IS_MANAGEMENT_INTERFACE [pif]`;
/// `VIF_IN_USE [network, vif]` when a VM on that host uses its network.
pub fn begin_unplug(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = draft.read(pif::CLASS, reference)?;
    assert_managed(&row)?;
    if row.get(pif::DISALLOW_UNPLUG).as_bool() {
        return Err(about("PIF_DOES_NOT_ALLOW_UNPLUG", reference));
    }
    if row.get(pif::MANAGEMENT).as_bool() {
        return Err(about("PIF_IS_MANAGEMENT_INTERFACE", reference));
    }
    assert_no_guest(draft, &row)?;
    draft.set(reference, pif::CURRENTLY_ATTACHED, false);
    if let Some(access) = tunnel_of(&row) {
        draft.put_key(access, tunnel::STATUS, "active", "false");
    }
    Ok(())
}

/// # Errors
/// `VIF_IN_USE [network, vif]`.
pub(crate) fn assert_no_guest(draft: &mut Draft<'_>, row: &Row) -> Result<(), ApiError> {
    let net = row.get(pif::NETWORK).as_ref();
    // A VM that starts on the network meanwhile changes this row.
    draft.note(net);
    match guest_on(draft.db(), net, row.get(pif::HOST).as_ref()) {
        Some(nic) => Err(ApiError::new("VIF_IN_USE", [net.to_string(), nic.to_string()])),
        None => Ok(()),
    }
}

/// `PIF.set_disallow_unplug`.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn set_disallow_unplug(draft: &mut Draft<'_>, reference: Ref, value: bool) -> Result<(), ApiError> {
    draft.read(pif::CLASS, reference)?;
    draft.set(reference, pif::DISALLOW_UNPLUG, value);
    Ok(())
}

/// `PIF.set_property`.
///
/// # Errors
/// `HANDLE_INVALID`; `CANNOT_CHANGE_PIF_PROPERTIES [pif]` on VLANs, tunnels and members of bonds;
/// `INVALID_VALUE ["properties", name]` for a name other than `gro` or a value other than on and off.
pub fn set_property(draft: &mut Draft<'_>, reference: Ref, name: &str, value: &str) -> Result<(), ApiError> {
    let row = draft.read(pif::CLASS, reference)?;
    if is_vlan(&row) || is_bond_member(&row) || tunnel_of(&row).is_some() {
        return Err(about("CANNOT_CHANGE_PIF_PROPERTIES", reference));
    }
    if name != "gro" {
        return Err(ApiError::new("INVALID_VALUE", ["properties", name]));
    }
    if !matches!(value, "on" | "off") {
        return Err(ApiError::new("INVALID_VALUE", ["properties", value]));
    }
    draft.put_key(reference, pif::PROPERTIES, name, value);
    for member in members_below(draft.db(), &row) {
        draft.put_key(member, pif::PROPERTIES, name, value);
    }
    Ok(())
}

/// Makes the row of an interface that is no hardware, together with its metrics.
pub(crate) fn insert_virtual(draft: &mut Draft<'_>, new: NewVirtual<'_>) -> Ref {
    let now = draft.facts().now;
    let metrics = draft.insert(
        pif_metrics::CLASS,
        vec![
            (pif_metrics::CARRIER, true.into()),
            (pif_metrics::LAST_UPDATED, now.into()),
        ],
    );
    draft.insert(
        pif::CLASS,
        vec![
            (pif::DEVICE, new.device.into()),
            (pif::NETWORK, new.network.into()),
            (pif::HOST, new.host.into()),
            (pif::MAC, new.mac.into()),
            (pif::MTU, new.mtu.into()),
            (pif::VLAN, new.vlan.into()),
            (pif::METRICS, metrics.into()),
            (pif::PHYSICAL, false.into()),
            (pif::MANAGED, true.into()),
            (pif::CURRENTLY_ATTACHED, false.into()),
        ],
    )
}

/// An interface that is no hardware.
pub(crate) struct NewVirtual<'a> {
    pub(crate) device: &'a str,
    pub(crate) network: Ref,
    pub(crate) host: Ref,
    pub(crate) mac: &'a str,
    pub(crate) mtu: i64,
    pub(crate) vlan: i64,
}

/// Removes an interface's row and its metrics.
pub(crate) fn remove(draft: &mut Draft<'_>, reference: Ref) {
    let Some(row) = draft.db().of_class(pif::CLASS, reference).cloned() else {
        return;
    };
    draft.delete(row.get(pif::METRICS).as_ref());
    draft.delete(reference);
}
