//! Which interface of a host carries its management: the address by which clients and other hosts know it.

use proto_types::generated::{console, host, network, pif, tarn_member, tarn_setting, vm};
use proto_types::{ApiError, Ref};

use super::pif::{about, assert_no_ha, has_ip_configuration, is_bond_member, of_host, on_host};
use crate::database::Database;
use crate::draft::Draft;

/// The setting that names a host which listens to nobody but itself.
const DISABLED: &str = "management_disabled";

/// A host and the interface to which its management moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The host.
    pub host: Ref,
    /// The interface.
    pub card: Ref,
    /// Its address.
    pub address: String,
    /// Ports at which the host's node must answer there: that of other nodes, and that of the API.
    pub ports: Vec<u16>,
}

/// Checks whether management may move to an interface.
///
/// # Errors
/// `HANDLE_INVALID`; `HA_IS_ENABLED`; `CANNOT_PLUG_BOND_SLAVE [pif]`; `PIF_HAS_NO_NETWORK_CONFIGURATION [pif]`;
/// `REQUIRED_PIF_IS_UNPLUGGED [pif]`; `INTERFACE_HAS_NO_IP [pif]`.
pub fn check(draft: &mut Draft<'_>, card: Ref) -> Result<Move, ApiError> {
    let row = draft.read(pif::CLASS, card)?;
    assert_no_ha(draft.db())?;
    if is_bond_member(&row) {
        return Err(about("CANNOT_PLUG_BOND_SLAVE", card));
    }
    if !has_ip_configuration(&row) {
        return Err(about("PIF_HAS_NO_NETWORK_CONFIGURATION", card));
    }
    if !row.get(pif::CURRENTLY_ATTACHED).as_bool() {
        return Err(about("REQUIRED_PIF_IS_UNPLUGGED", card));
    }
    let address = row.get(pif::IP).as_str().to_owned();
    if address.is_empty() {
        return Err(about("INTERFACE_HAS_NO_IP", card));
    }
    let on = row.get(pif::HOST).as_ref();
    let ports = draft
        .db()
        .rows(tarn_member::CLASS)
        .filter(|m| m.get(tarn_member::HOST).as_ref() == on)
        .flat_map(|m| {
            [
                m.get(tarn_member::GRPC_PORT).as_int(),
                m.get(tarn_member::API_PORT).as_int(),
            ]
        })
        .filter_map(|port| u16::try_from(port).ok())
        .filter(|port| *port != 0)
        .collect();
    Ok(Move {
        host: on,
        card,
        address,
        ports,
    })
}

/// The address of a host on a network, for traffic that is to go that way.
///
/// # Errors
/// `HANDLE_INVALID`; `PIF_NOT_PRESENT [host, network]`; `REQUIRED_PIF_IS_UNPLUGGED [pif]`; `INTERFACE_HAS_NO_IP [pif]`.
pub fn address_on(db: &Database, net: Ref, on: Ref) -> Result<String, ApiError> {
    crate::query::find(db, network::CLASS, net)?;
    let row = on_host(db, net, on)
        .ok_or_else(|| ApiError::new("PIF_NOT_PRESENT", [on.to_string(), net.to_string()]))?;
    if !row.get(pif::CURRENTLY_ATTACHED).as_bool() {
        return Err(about("REQUIRED_PIF_IS_UNPLUGGED", row.reference));
    }
    match row.get(pif::IP).as_str() {
        "" => Err(about("INTERFACE_HAS_NO_IP", row.reference)),
        address => Ok(address.to_owned()),
    }
}

/// Checks whether the management of all hosts may move to a network.
///
/// # Errors
/// `HANDLE_INVALID`; `PIF_NOT_PRESENT [host, network]`; as [`check`] for each.
pub fn check_pool(draft: &mut Draft<'_>, net: Ref) -> Result<Vec<Move>, ApiError> {
    draft.read(network::CLASS, net)?;
    let hosts: Vec<Ref> = draft.db().rows(host::CLASS).map(|h| h.reference).collect();
    let mut moves = Vec::with_capacity(hosts.len());
    for on in hosts {
        let card = on_host(draft.db(), net, on)
            .ok_or_else(|| ApiError::new("PIF_NOT_PRESENT", [on.to_string(), net.to_string()]))?;
        moves.push(check(draft, card.reference)?);
    }
    Ok(moves)
}

/// The management has moved: the host is known by its new address from now on.
pub fn moved(draft: &mut Draft<'_>, to: &Move) {
    for row in of_host(draft.db(), to.host) {
        draft.set(row.reference, pif::MANAGEMENT, row.reference == to.card);
    }
    draft.set(to.host, host::ADDRESS, to.address.as_str());
    let members: Vec<Ref> = draft
        .db()
        .rows(tarn_member::CLASS)
        .filter(|m| m.get(tarn_member::HOST).as_ref() == to.host)
        .map(|m| m.reference)
        .collect();
    for member in members {
        draft.set(member, tarn_member::ADDRESS, to.address.as_str());
    }
    rewrite_consoles(draft, to.host, &to.address);
    enable(draft);
}

/// Consoles are reached at their host's address.
fn rewrite_consoles(draft: &mut Draft<'_>, on: Ref, address: &str) {
    let guests = draft
        .db()
        .of_class(host::CLASS, on)
        .map(|h| h.get(host::RESIDENT_VMS).as_refs())
        .unwrap_or_default();
    let consoles: Vec<Ref> = guests
        .into_iter()
        .filter_map(|v| draft.db().of_class(vm::CLASS, v))
        .flat_map(|v| v.get(vm::CONSOLES).as_refs())
        .collect();
    let place = if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    for reference in consoles {
        let Some(row) = draft.db().of_class(console::CLASS, reference) else {
            continue;
        };
        let Some((_, rest)) = row.get(console::LOCATION).as_str().split_once("/console?") else {
            continue;
        };
        let location = format!("https://{place}/console?{rest}");
        draft.set(reference, console::LOCATION, location);
    }
}

/// `host.get_management_interface`.
///
/// # Errors
/// `HANDLE_INVALID`; `HOST_HAS_NO_MANAGEMENT_IP`.
pub fn interface(db: &Database, on: Ref) -> Result<Ref, ApiError> {
    crate::query::find(db, host::CLASS, on)?;
    of_host(db, on)
        .iter()
        .find(|p| p.get(pif::MANAGEMENT).as_bool())
        .map(|p| p.reference)
        .ok_or_else(|| ApiError::bare("HOST_HAS_NO_MANAGEMENT_IP"))
}

/// The interface of the master that is named by its device or by its network's bridge.
///
/// # Errors
/// `PIF_DEVICE_NOT_FOUND`.
pub fn by_name(db: &Database, on: Ref, name: &str) -> Result<Ref, ApiError> {
    let bridge = |p: &crate::row::Row| {
        db.of_class(network::CLASS, p.get(pif::NETWORK).as_ref())
            .is_some_and(|n| n.get(network::BRIDGE).as_str() == name)
    };
    of_host(db, on)
        .iter()
        .filter(|p| !is_bond_member(p))
        .find(|p| bridge(p) || p.get(pif::DEVICE).as_str() == name)
        .map(|p| p.reference)
        .ok_or_else(|| ApiError::bare("PIF_DEVICE_NOT_FOUND"))
}

/// `host.management_disable`, of a host that is alone in its pool: it answers none but its own sockets from now on.
///
/// # Errors
/// `HA_IS_ENABLED`; `SLAVE_REQUIRES_MANAGEMENT_INTERFACE` where there are other hosts: any of them may become the master
/// of this one.
pub fn disable(draft: &mut Draft<'_>) -> Result<(), ApiError> {
    assert_no_ha(draft.db())?;
    if draft.db().count(host::CLASS) > 1 {
        return Err(ApiError::bare("SLAVE_REQUIRES_MANAGEMENT_INTERFACE"));
    }
    let Some(only) = draft.db().only(host::CLASS).cloned() else {
        return Ok(());
    };
    for row in of_host(draft.db(), only.reference) {
        draft.set(row.reference, pif::MANAGEMENT, false);
    }
    if !is_disabled(draft.db(), only.uuid()) {
        draft.insert(
            tarn_setting::CLASS,
            vec![
                (tarn_setting::KEY, DISABLED.into()),
                (tarn_setting::VALUE, only.uuid().into()),
            ],
        );
    }
    Ok(())
}

fn enable(draft: &mut Draft<'_>) {
    let marks: Vec<Ref> = draft
        .db()
        .rows(tarn_setting::CLASS)
        .filter(|s| s.get(tarn_setting::KEY).as_str() == DISABLED)
        .map(|s| s.reference)
        .collect();
    for mark in marks {
        draft.delete(mark);
    }
}

/// Whether a host, by its uuid, listens to nobody but itself. One that is no longer alone listens.
pub fn is_disabled(db: &Database, uuid: &str) -> bool {
    db.count(host::CLASS) == 1
        && db.rows(tarn_setting::CLASS).any(|s| {
            s.get(tarn_setting::KEY).as_str() == DISABLED && s.get(tarn_setting::VALUE).as_str() == uuid
        })
}
