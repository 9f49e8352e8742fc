//! Networks.

use proto_types::generated::{network, vif};
use proto_types::{ApiError, Ref, Value};

use crate::decide::generic;
use crate::draft::Draft;

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
        (0..=taken.len())
            .map(|n| format!("xapi{n}"))
            .find(|n| !taken.contains(n))
            .unwrap_or_default()
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

/// Removes a network and the unattached interfaces on it.
///
/// # Errors
/// `HANDLE_INVALID`; `NETWORK_CONTAINS_VIF [vif]` when one is attached; `NETWORK_CONTAINS_PIF [pif]`.
pub fn destroy(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = draft.read(network::CLASS, reference)?;
    let nics = row.get(network::VIFS).as_refs();
    for nic in &nics {
        if draft
            .read(vif::CLASS, *nic)?
            .get(vif::CURRENTLY_ATTACHED)
            .as_bool()
        {
            return Err(ApiError::new("NETWORK_CONTAINS_VIF", [nic.to_string()]));
        }
    }
    if let Some(pif) = row.get(network::PIFS).as_refs().first() {
        return Err(ApiError::new("NETWORK_CONTAINS_PIF", [pif.to_string()]));
    }
    for nic in nics {
        draft.delete(nic);
    }
    draft.delete(reference);
    Ok(())
}
