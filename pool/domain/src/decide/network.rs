//! Networks.

use std::collections::BTreeSet;

use proto_types::generated::{host, network, vif};
use proto_types::{ApiError, Field, Ref, Value};

use crate::database::Database;
use crate::decide::generic;
use crate::decide::pif::about;
use crate::draft::Draft;
use crate::placement;

/// Makes a network.
///
/// # Errors
/// `INVALID_VALUE ["bridge", name]` for a bridge name of more than 15 characters or with a reserved beginning;
/// `BRIDGE_NAME_EXISTS [bridge]`.
pub fn create(draft: &mut Draft<'_>, record: &Value) -> Result<Ref, ApiError> {
    let mut fields = generic::fields_of(network::CLASS, record)?;
    let given = |field| {
        fields
            .iter()
            .find(|(f, _)| *f == field)
            .map_or(Value::Void, |(_, v)| v.clone())
    };
    let wanted = given(network::BRIDGE);
    let taken: Vec<String> = draft
        .db()
        .rows(network::CLASS)
        .map(|n| n.get(network::BRIDGE).as_str().to_owned())
        .collect();
    let bridge = if wanted.as_str().is_empty() {
        free_bridge(draft.db())
    } else {
        let name = wanted.as_str();
        let reserved = ["xen", "xapi", "vif", "tap", "eth"]
            .iter()
            .any(|p| name.starts_with(p));
        let plain = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        if name.len() > 15 || reserved || !plain {
            return Err(ApiError::new("INVALID_VALUE", ["bridge", name]));
        }
        if taken.iter().any(|t| t == name) {
            return Err(ApiError::new("BRIDGE_NAME_EXISTS", [name]));
        }
        name.to_owned()
    };
    let mtu = given(network::MTU).as_int();
    fields.retain(|(f, _)| *f != network::BRIDGE && *f != network::MTU);
    fields.push((network::BRIDGE, bridge.into()));
    fields.push((network::MTU, Value::Int(if mtu <= 0 { 1500 } else { mtu })));
    Ok(draft.insert(network::CLASS, fields))
}

/// The first free bridge of the pool's own naming.
pub(crate) fn free_bridge(db: &Database) -> String {
    let taken: BTreeSet<String> = db
        .rows(network::CLASS)
        .map(|n| n.get(network::BRIDGE).as_str().to_owned())
        .collect();
    (0..=taken.len())
        .map(|n| format!("xapi{n}"))
        .find(|name| !taken.contains(name))
        .unwrap_or_default()
}

/// Removes a network and the unattached interfaces on it.
///
/// # Errors
/// `HANDLE_INVALID`; `NETWORK_CONTAINS_VIF [vifs]` when some are attached; `NETWORK_CONTAINS_PIF [pifs]`;
/// `CANNOT_DESTROY_SYSTEM_NETWORK [network]` for the one within hosts by which they manage guests.
pub fn destroy(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = draft.read(network::CLASS, reference)?;
    let nics = row.get(network::VIFS).as_refs();
    let mut attached = Vec::new();
    for nic in &nics {
        if draft
            .read(vif::CLASS, *nic)?
            .get(vif::CURRENTLY_ATTACHED)
            .as_bool()
        {
            attached.push(nic.to_string());
        }
    }
    if !attached.is_empty() {
        return Err(ApiError::new("NETWORK_CONTAINS_VIF", attached));
    }
    let cards = row.get(network::PIFS).as_refs();
    if !cards.is_empty() {
        return Err(ApiError::new(
            "NETWORK_CONTAINS_PIF",
            cards.iter().map(ToString::to_string),
        ));
    }
    let is_system = |key| row.get(network::OTHER_CONFIG).get(key) == Some("true");
    if is_system("is_host_internal_management_network") || is_system("is_guest_installer_network") {
        return Err(about("CANNOT_DESTROY_SYSTEM_NETWORK", reference));
    }
    for nic in nics {
        draft.delete(nic);
    }
    draft.delete(reference);
    Ok(())
}

/// `network.pool_introduce`: the row alone, as given.
pub fn introduce(draft: &mut Draft<'_>, fields: Vec<(Field, Value)>) -> Ref {
    draft.insert(network::CLASS, fields)
}

/// `network.set_default_locking_mode`.
///
/// # Errors
/// `HANDLE_INVALID`; `VIF_IN_USE [network, vif]` while an interface that follows it is attached.
pub fn set_default_locking_mode(draft: &mut Draft<'_>, reference: Ref, mode: &str) -> Result<(), ApiError> {
    let row = draft.read(network::CLASS, reference)?;
    if row.get(network::DEFAULT_LOCKING_MODE).as_str() == mode {
        return Ok(());
    }
    for nic in row.get(network::VIFS).as_refs() {
        let follows = draft.read(vif::CLASS, nic)?;
        if follows.get(vif::CURRENTLY_ATTACHED).as_bool()
            && follows.get(vif::LOCKING_MODE).as_str() == "network_default"
        {
            return Err(ApiError::new(
                "VIF_IN_USE",
                [reference.to_string(), nic.to_string()],
            ));
        }
    }
    draft.set(reference, network::DEFAULT_LOCKING_MODE, mode);
    Ok(())
}

/// `network.add_purpose`.
///
/// # Errors
/// `HANDLE_INVALID`; `NETWORK_INCOMPATIBLE_PURPOSES [new, existing]`: in one pool NBD is either secured or not.
pub fn add_purpose(draft: &mut Draft<'_>, reference: Ref, purpose: &str) -> Result<(), ApiError> {
    let row = draft.read(network::CLASS, reference)?;
    let other = if purpose == "nbd" { "insecure_nbd" } else { "nbd" };
    let in_use: Vec<Ref> = draft
        .db()
        .rows(network::CLASS)
        .filter(|n| n.get(network::PURPOSE).as_set().contains(&Value::str(other)))
        .map(|n| n.reference)
        .collect();
    if !in_use.is_empty() {
        return Err(ApiError::new("NETWORK_INCOMPATIBLE_PURPOSES", [purpose, other]));
    }
    let mut purposes = row.get(network::PURPOSE).as_set().to_vec();
    if !purposes.contains(&Value::str(purpose)) {
        purposes.push(Value::str(purpose));
        draft.set(reference, network::PURPOSE, Value::Set(purposes));
    }
    Ok(())
}

/// `network.remove_purpose`; silently fine when absent.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn remove_purpose(draft: &mut Draft<'_>, reference: Ref, purpose: &str) -> Result<(), ApiError> {
    let row = draft.read(network::CLASS, reference)?;
    let mut purposes = row.get(network::PURPOSE).as_set().to_vec();
    purposes.retain(|p| p.as_str() != purpose);
    draft.set(reference, network::PURPOSE, Value::Set(purposes));
    Ok(())
}

/// Checks whether a host can have a network's bridge.
///
/// # Errors
/// `HANDLE_INVALID`; `HOST_CANNOT_ATTACH_NETWORK [host, network]`.
pub fn check_attach(db: &Database, reference: Ref, on: Ref) -> Result<(), ApiError> {
    crate::query::find(db, network::CLASS, reference)?;
    crate::query::find(db, host::CLASS, on)?;
    if placement::network_reaches(db, reference, on) {
        Ok(())
    } else {
        Err(ApiError::new(
            "HOST_CANNOT_ATTACH_NETWORK",
            [on.to_string(), reference.to_string()],
        ))
    }
}
