//! VLANs on interfaces of hosts.

use proto_types::generated::{network, pif, pool, vlan};
use proto_types::{ApiError, Ref, Value};

use super::pif::{
    NO_MAC, about, assert_managed, assert_no_guest, assert_unconnected, is_bond_member, is_vlan, tunnel_of,
};
use crate::database::Database;
use crate::draft::Draft;

/// Begins to make a VLAN: its rows are there from now on, not yet plugged.
///
/// # Errors
/// `VLAN_TAG_INVALID [tag]`; `HANDLE_INVALID`; `PIF_IS_VLAN [pif]`; `CANNOT_ADD_VLAN_TO_BOND_SLAVE [pif]`;
/// `IS_TUNNEL_ACCESS_PIF [pif]`; `PIF_UNMANAGED [pif]`; `VLAN_IN_USE [device, tag]`;
/// `NETWORK_ALREADY_CONNECTED [host, pif]`.
pub fn begin(draft: &mut Draft<'_>, tagged: Ref, tag: i64, net: Ref) -> Result<Made, ApiError> {
    if !(0..=4094).contains(&tag) {
        return Err(ApiError::new("VLAN_TAG_INVALID", [tag.to_string()]));
    }
    let base = draft.read(pif::CLASS, tagged)?;
    draft.read(network::CLASS, net)?;
    if is_vlan(&base) {
        return Err(about("PIF_IS_VLAN", tagged));
    }
    if is_bond_member(&base) {
        return Err(about("CANNOT_ADD_VLAN_TO_BOND_SLAVE", tagged));
    }
    if tunnel_of(&base).is_some() {
        return Err(about("IS_TUNNEL_ACCESS_PIF", tagged));
    }
    assert_managed(&base)?;
    let device = base.get(pif::DEVICE).as_str();
    if has_tag(draft.db(), &base.get(pif::VLAN_SLAVE_OF).as_refs(), tag) {
        return Err(ApiError::new("VLAN_IN_USE", [device.to_owned(), tag.to_string()]));
    }
    let on = base.get(pif::HOST).as_ref();
    assert_unconnected(draft.db(), net, on)?;
    // The metrics are those of the interface that carries the frames.
    let untagged = draft.insert(
        pif::CLASS,
        vec![
            (pif::DEVICE, device.into()),
            (pif::NETWORK, net.into()),
            (pif::HOST, on.into()),
            (pif::MAC, NO_MAC.into()),
            (pif::MTU, base.get(pif::MTU).clone()),
            (pif::VLAN, tag.into()),
            (pif::METRICS, base.get(pif::METRICS).clone()),
            (pif::PHYSICAL, false.into()),
            (pif::MANAGED, true.into()),
            (pif::CURRENTLY_ATTACHED, false.into()),
        ],
    );
    let made = draft.insert(
        vlan::CLASS,
        vec![
            (vlan::TAGGED_PIF, tagged.into()),
            (vlan::UNTAGGED_PIF, untagged.into()),
            (vlan::TAG, tag.into()),
        ],
    );
    draft.set(untagged, pif::VLAN_MASTER_OF, made);
    Ok(Made {
        vlan: made,
        untagged,
        host: on,
    })
}

/// A VLAN that is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its row.
    pub vlan: Ref,
    /// The interface that stands for it.
    pub untagged: Ref,
    /// Its host.
    pub host: Ref,
}

fn has_tag(db: &Database, vlans: &[Ref], tag: i64) -> bool {
    vlans.iter().any(|v| {
        db.of_class(vlan::CLASS, *v)
            .is_some_and(|row| row.get(vlan::TAG).as_int() == tag)
    })
}

/// Begins to destroy a VLAN. Answers the interface that stands for it, which counts as down from now on.
///
/// # Errors
/// `HANDLE_INVALID`; `PIF_DOES_NOT_ALLOW_UNPLUG [pif]`; `PIF_IS_MANAGEMENT_INTERFACE [pif]`;
/// `VIF_IN_USE [network, vif]`.
pub fn begin_destroy(draft: &mut Draft<'_>, reference: Ref) -> Result<Ref, ApiError> {
    let untagged = draft
        .read(vlan::CLASS, reference)?
        .get(vlan::UNTAGGED_PIF)
        .as_ref();
    let row = draft.read(pif::CLASS, untagged)?;
    if !is_vlan(&row) {
        return Err(ApiError::bare("PIF_IS_PHYSICAL"));
    }
    if row.get(pif::DISALLOW_UNPLUG).as_bool() {
        return Err(about("PIF_DOES_NOT_ALLOW_UNPLUG", untagged));
    }
    if row.get(pif::MANAGEMENT).as_bool() {
        return Err(about("PIF_IS_MANAGEMENT_INTERFACE", untagged));
    }
    assert_no_guest(draft, &row)?;
    draft.set(untagged, pif::CURRENTLY_ATTACHED, false);
    Ok(untagged)
}

/// Removes the rows of a VLAN.
pub fn remove(draft: &mut Draft<'_>, reference: Ref) {
    let Some(row) = draft.db().of_class(vlan::CLASS, reference).cloned() else {
        return;
    };
    // Its metrics belong to the interface beneath.
    draft.delete(row.get(vlan::UNTAGGED_PIF).as_ref());
    draft.delete(reference);
}

/// The interfaces on which `pool.create_VLAN` makes a VLAN: the untagged ones of that device, one on each host.
///
/// # Errors
/// `PIF_DEVICE_NOT_FOUND` where no host has such a device.
pub fn bases_by_device(db: &Database, device: &str) -> Result<Vec<Ref>, ApiError> {
    let found: Vec<Ref> = db
        .rows(pif::CLASS)
        .filter(|p| p.get(pif::DEVICE).as_str() == device && !is_vlan(p))
        .map(|p| p.reference)
        .collect();
    if found.is_empty() {
        return Err(ApiError::bare("PIF_DEVICE_NOT_FOUND"));
    }
    Ok(found)
}

/// The interfaces on which `pool.create_VLAN_from_PIF` makes a VLAN: those of live hosts that are on the same network as
/// the one given.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn bases_like(db: &Database, reference: Ref) -> Result<Vec<Ref>, ApiError> {
    let row = crate::query::find(db, pif::CLASS, reference)?;
    let net = crate::query::find(db, network::CLASS, row.get(pif::NETWORK).as_ref())?;
    let is_live = |p: &Ref| {
        db.of_class(pif::CLASS, *p)
            .and_then(|p| db.of_class(proto_types::generated::host::CLASS, p.get(pif::HOST).as_ref()))
            .is_some_and(|h| crate::placement::is_live(db, h))
    };
    let mut found: Vec<Ref> = net
        .get(network::PIFS)
        .as_refs()
        .into_iter()
        .filter(is_live)
        .collect();
    if !found.contains(&reference) {
        found.push(reference);
    }
    Ok(found)
}

/// Gives a host that joins the VLANs of the master, where it has a card on the network that carries them. They count as
/// up: the host makes them as soon as it is there.
pub(crate) fn follow_master(draft: &mut Draft<'_>, on: Ref) {
    let master = draft
        .db()
        .only(pool::CLASS)
        .map_or(Ref::NULL, |p| p.get(pool::MASTER).as_ref());
    let db = draft.db();
    let network_of = |card: Ref| {
        db.of_class(pif::CLASS, card)
            .filter(|p| p.get(pif::HOST).as_ref() == master)
            .map(|p| p.get(pif::NETWORK).as_ref())
    };
    let wanted: Vec<(Ref, i64, Ref)> = db
        .rows(vlan::CLASS)
        .filter_map(|v| {
            let carrier = network_of(v.get(vlan::TAGGED_PIF).as_ref())?;
            let net = network_of(v.get(vlan::UNTAGGED_PIF).as_ref())?;
            let base = super::pif::on_host(db, carrier, on)?;
            Some((base.reference, v.get(vlan::TAG).as_int(), net))
        })
        .collect();
    for (base, tag, net) in wanted {
        // One that cannot be here is left out; the host joins all the same.
        if let Ok(made) = begin(draft, base, tag, net) {
            draft.set(made.untagged, pif::CURRENTLY_ATTACHED, true);
        }
    }
}

/// `VLAN.pool_introduce`: the row alone, as given.
///
/// # Errors
/// `HANDLE_INVALID` for an interface.
pub fn introduce(
    draft: &mut Draft<'_>,
    tagged: Ref,
    untagged: Ref,
    tag: i64,
    other_config: Value,
) -> Result<Ref, ApiError> {
    draft.read(pif::CLASS, tagged)?;
    draft.read(pif::CLASS, untagged)?;
    let made = draft.insert(
        vlan::CLASS,
        vec![
            (vlan::TAGGED_PIF, tagged.into()),
            (vlan::UNTAGGED_PIF, untagged.into()),
            (vlan::TAG, tag.into()),
            (vlan::OTHER_CONFIG, other_config),
        ],
    );
    draft.set(untagged, pif::VLAN_MASTER_OF, made);
    Ok(made)
}

/// `PIF.create_VLAN` names its base by host and device.
///
/// # Errors
/// `PIF_DEVICE_NOT_FOUND`.
pub fn base_on(db: &Database, on: Ref, device: &str) -> Result<Ref, ApiError> {
    super::pif::of_host(db, on)
        .iter()
        .find(|p| p.get(pif::DEVICE).as_str() == device && !is_vlan(p))
        .map(|p| p.reference)
        .ok_or_else(|| ApiError::bare("PIF_DEVICE_NOT_FOUND"))
}
