//! Tunnelled networks: each host that is part of one has an interface that stands for it.

use std::collections::BTreeSet;

use proto_types::generated::{network, pif, tunnel};
use proto_types::{ApiError, Ref, Value};

use super::pif::{
    NO_MAC, NewVirtual, about, assert_managed, assert_no_guest, assert_unconnected, free_device,
    has_ip_configuration, insert_virtual, is_bond_member, remove as remove_pif, tunnel_of,
};
use crate::database::Database;
use crate::draft::Draft;

/// A host's part of a tunnel that is being made or taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its row.
    pub tunnel: Ref,
    /// The interface that stands for it.
    pub access: Ref,
    /// Its network.
    pub network: Ref,
    /// Its host.
    pub host: Ref,
}

/// Begins to make a host's part of a tunnelled network: its rows are there from now on, not yet plugged.
///
/// # Errors
/// `HANDLE_INVALID`; `IS_TUNNEL_ACCESS_PIF [pif]`; `CANNOT_ADD_TUNNEL_TO_BOND_SLAVE [pif]`; `PIF_UNMANAGED [pif]`;
/// `TRANSPORT_PIF_NOT_CONFIGURED [pif]`; `NETWORK_ALREADY_CONNECTED [host, pif]`;
/// `NETWORK_INCOMPATIBLE_WITH_TUNNEL [network]` if the network has interfaces of another kind or protocol.
pub fn begin(draft: &mut Draft<'_>, transport: Ref, net: Ref, protocol: &str) -> Result<Made, ApiError> {
    let base = draft.read(pif::CLASS, transport)?;
    let net_row = draft.read(network::CLASS, net)?;
    if tunnel_of(&base).is_some() {
        return Err(about("IS_TUNNEL_ACCESS_PIF", transport));
    }
    if is_bond_member(&base) {
        return Err(about("CANNOT_ADD_TUNNEL_TO_BOND_SLAVE", transport));
    }
    assert_managed(&base)?;
    if !has_ip_configuration(&base) {
        return Err(about("TRANSPORT_PIF_NOT_CONFIGURED", transport));
    }
    let on = base.get(pif::HOST).as_ref();
    assert_unconnected(draft.db(), net, on)?;
    // A network is of one kind: frames of one host would not be understood by another.
    let strangers = net_row.get(network::PIFS).as_refs().into_iter().any(|p| {
        let others = draft.db().of_class(pif::CLASS, p).and_then(|p| tunnel_of(p));
        others
            .and_then(|t| draft.db().of_class(tunnel::CLASS, t))
            .is_none_or(|t| t.get(tunnel::PROTOCOL).as_str() != protocol)
    });
    if strangers {
        return Err(about("NETWORK_INCOMPATIBLE_WITH_TUNNEL", net));
    }
    let key = parts(draft.db(), net)
        .first()
        .and_then(|t| draft.db().of_class(tunnel::CLASS, *t))
        .map_or_else(|| free_key(draft.db()), |t| t.get(tunnel::KEY).as_int());
    let device = free_device(draft.db(), on, "tunnel");
    let access = insert_virtual(
        draft,
        NewVirtual {
            device: &device,
            network: net,
            host: on,
            mac: NO_MAC,
            mtu: net_row.get(network::MTU).as_int(),
            vlan: -1,
        },
    );
    let made = draft.insert(
        tunnel::CLASS,
        vec![
            (tunnel::ACCESS_PIF, access.into()),
            (tunnel::TRANSPORT_PIF, transport.into()),
            (tunnel::PROTOCOL, protocol.into()),
            (tunnel::KEY, key.into()),
            (tunnel::STATUS, Value::string_map([("active", "false")])),
        ],
    );
    Ok(Made {
        tunnel: made,
        access,
        network: net,
        host: on,
    })
}

/// The lowest number that no tunnelled network has.
fn free_key(db: &Database) -> i64 {
    let taken: BTreeSet<i64> = db
        .rows(tunnel::CLASS)
        .map(|t| t.get(tunnel::KEY).as_int())
        .collect();
    (1..).find(|key| !taken.contains(key)).unwrap_or(1)
}

/// The hosts' parts of a tunnelled network.
pub fn parts(db: &Database, net: Ref) -> Vec<Ref> {
    let Some(row) = db.of_class(network::CLASS, net) else {
        return Vec::new();
    };
    row.get(network::PIFS)
        .as_refs()
        .into_iter()
        .filter_map(|p| db.of_class(pif::CLASS, p).and_then(|p| tunnel_of(p)))
        .collect()
}

/// The host's part works.
pub fn commit(draft: &mut Draft<'_>, made: &Made) -> Result<(), ApiError> {
    draft.read(tunnel::CLASS, made.tunnel)?;
    draft.put_key(made.tunnel, tunnel::STATUS, "active", "true");
    draft.set(made.access, pif::CURRENTLY_ATTACHED, true);
    Ok(())
}

/// Begins to take a host's part of a tunnelled network away; it counts as down from now on.
///
/// # Errors
/// `HANDLE_INVALID`; `PIF_DOES_NOT_ALLOW_UNPLUG [pif]`; `VIF_IN_USE [network, vif]`.
pub fn begin_destroy(draft: &mut Draft<'_>, reference: Ref) -> Result<Made, ApiError> {
    let access = draft
        .read(tunnel::CLASS, reference)?
        .get(tunnel::ACCESS_PIF)
        .as_ref();
    let row = draft.read(pif::CLASS, access)?;
    if row.get(pif::DISALLOW_UNPLUG).as_bool() {
        return Err(about("PIF_DOES_NOT_ALLOW_UNPLUG", access));
    }
    assert_no_guest(draft, &row)?;
    draft.set(access, pif::CURRENTLY_ATTACHED, false);
    draft.put_key(reference, tunnel::STATUS, "active", "false");
    Ok(Made {
        tunnel: reference,
        access,
        network: row.get(pif::NETWORK).as_ref(),
        host: row.get(pif::HOST).as_ref(),
    })
}

/// Removes the rows of a host's part.
pub fn remove(draft: &mut Draft<'_>, made: &Made) {
    draft.delete(made.tunnel);
    remove_pif(draft, made.access);
}
