//! Network cards of hosts: found, introduced, forgotten.

use proto_types::generated::{bond, host, network, pif, pif_metrics};
use proto_types::{ApiError, Ref, Value};

use super::host::NicFacts;
use super::pif::{about, assert_no_ha, bond_of, is_bond_member, is_vlan, of_host, remove, tunnel_of};
use super::vif::is_unicast;
use crate::database::Database;
use crate::draft::Draft;

/// Makes the row of a card, on the network whose bridge belongs to its position or device, which is made if there is
/// none.
pub fn add(draft: &mut Draft<'_>, on: Ref, card: &NicFacts, managed: bool) -> Ref {
    let net = network_for(draft, on, card);
    let now = draft.facts().now;
    let metrics = draft.insert(
        pif_metrics::CLASS,
        vec![
            (pif_metrics::CARRIER, card.carrier.into()),
            (pif_metrics::SPEED, card.speed.into()),
            (pif_metrics::DUPLEX, card.duplex.into()),
            (pif_metrics::DEVICE_NAME, card.driver.as_str().into()),
            (pif_metrics::PCI_BUS_PATH, card.pci_path.as_str().into()),
            (pif_metrics::LAST_UPDATED, now.into()),
        ],
    );
    draft.insert(
        pif::CLASS,
        vec![
            (pif::HOST, on.into()),
            (pif::NETWORK, net.into()),
            (pif::DEVICE, card.device.as_str().into()),
            (pif::DEVICE_NAME, card.device.as_str().into()),
            (pif::MAC, card.mac.as_str().into()),
            (pif::MTU, card.mtu.into()),
            (pif::VLAN, Value::Int(-1)),
            (pif::METRICS, metrics.into()),
            (pif::PHYSICAL, true.into()),
            (pif::MANAGED, managed.into()),
            (pif::CURRENTLY_ATTACHED, true.into()),
            (
                pif::IP_CONFIGURATION_MODE,
                if card.ip.is_empty() { "None" } else { "Static" }.into(),
            ),
            (pif::IP, card.ip.as_str().into()),
            (pif::NETMASK, card.netmask.as_str().into()),
            (pif::GATEWAY, card.gateway.as_str().into()),
        ],
    )
}

/// The bridge of a card: `xenbr` with the number of `eth`, `br` before any other name that leaves room for it.
pub fn bridge_name(device: &str) -> String {
    let number = device
        .strip_prefix("eth")
        .filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    match number {
        Some(number) => format!("xenbr{number}"),
        None => format!("br{device}").chars().take(15).collect(),
    }
}

fn network_for(draft: &mut Draft<'_>, on: Ref, card: &NicFacts) -> Ref {
    let bridge = bridge_name(&card.device);
    let found = draft
        .db()
        .rows(network::CLASS)
        .find(|n| n.get(network::BRIDGE).as_str() == bridge)
        .map(|n| n.reference);
    match found {
        Some(net) if super::pif::on_host(draft.db(), net, on).is_none() => return net,
        Some(_) | None => {}
    }
    let bridge = if found.is_none() {
        bridge
    } else {
        super::network::free_bridge(draft.db())
    };
    draft.insert(
        network::CLASS,
        vec![
            (
                network::NAME_LABEL,
                format!("Pool-wide network associated with {}", card.device).into(),
            ),
            (network::BRIDGE, bridge.into()),
            (network::MTU, card.mtu.into()),
            (network::MANAGED, true.into()),
        ],
    )
}

/// `PIF.scan`: every card of the host that has no row gets one.
///
/// Cards that have gone keep their rows, as they do on XenServer: a loose card is not a decision to forget its settings.
///
/// # Errors
/// `HANDLE_INVALID` if the host has left meanwhile.
pub fn scanned(draft: &mut Draft<'_>, on: Ref, cards: &[NicFacts]) -> Result<(), ApiError> {
    draft.read(host::CLASS, on)?;
    for card in cards {
        let known = of_host(draft.db(), on)
            .iter()
            .any(|p| p.get(pif::PHYSICAL).as_bool() && p.get(pif::DEVICE).as_str() == card.device);
        if !known {
            add(draft, on, card, true);
        }
    }
    refresh(draft, on, cards);
    Ok(())
}

/// Brings carrier, speed and the like of a host's interfaces up to date.
pub fn refresh(draft: &mut Draft<'_>, on: Ref, cards: &[NicFacts]) {
    let now = draft.facts().now;
    for row in of_host(draft.db(), on) {
        let metrics = row.get(pif::METRICS).as_ref();
        let Some(card) = cards
            .iter()
            .find(|c| row.get(pif::PHYSICAL).as_bool() && c.device == row.get(pif::DEVICE).as_str())
        else {
            continue;
        };
        let fields = vec![
            (pif_metrics::CARRIER, card.carrier.into()),
            (pif_metrics::SPEED, card.speed.into()),
            (pif_metrics::DUPLEX, card.duplex.into()),
            (pif_metrics::DEVICE_NAME, card.driver.as_str().into()),
            (pif_metrics::PCI_BUS_PATH, card.pci_path.as_str().into()),
        ];
        let changed = draft
            .db()
            .of_class(pif_metrics::CLASS, metrics)
            .is_some_and(|m| fields.iter().any(|(f, v)| m.get(*f) != v));
        if changed {
            draft.update(metrics, fields);
            draft.set(metrics, pif_metrics::LAST_UPDATED, now);
        }
    }
    for row in of_host(draft.db(), on) {
        let Some(of) = bond_of(&row) else { continue };
        let up = links_up(draft.db(), of);
        draft.set(of, bond::LINKS_UP, up);
        draft.set(row.get(pif::METRICS).as_ref(), pif_metrics::CARRIER, up > 0);
    }
}

/// How many members of a bond have a link.
pub(crate) fn links_up(db: &Database, of: Ref) -> i64 {
    let members = db
        .of_class(bond::CLASS, of)
        .map(|b| b.get(bond::SLAVES).as_refs())
        .unwrap_or_default();
    let up = members.into_iter().filter(|member| {
        db.of_class(pif::CLASS, *member)
            .and_then(|p| db.of_class(pif_metrics::CLASS, p.get(pif::METRICS).as_ref()))
            .is_some_and(|m| m.get(pif_metrics::CARRIER).as_bool())
    });
    i64::try_from(up.count()).unwrap_or(i64::MAX)
}

/// Checks what `PIF.introduce` is given before the host is asked.
///
/// # Errors
/// `HANDLE_INVALID`; `MAC_INVALID [mac]`; `DUPLICATE_PIF_DEVICE_NAME [device]`.
pub fn check_introduce(draft: &mut Draft<'_>, on: Ref, mac: &str, device: &str) -> Result<(), ApiError> {
    draft.read(host::CLASS, on)?;
    if !is_unicast(mac) {
        return Err(ApiError::new("MAC_INVALID", [mac]));
    }
    let is_taken = of_host(draft.db(), on)
        .iter()
        .any(|p| p.get(pif::DEVICE).as_str() == device && !is_vlan(p));
    if is_taken {
        return Err(ApiError::new("DUPLICATE_PIF_DEVICE_NAME", [device]));
    }
    Ok(())
}

/// `PIF.introduce`, once the host has told its cards.
///
/// # Errors
/// As [`check_introduce`];
/// `COULD_NOT_FIND_NETWORK_INTERFACE_WITH_SPECIFIED_DEVICE_NAME_AND_MAC_ADDRESS [device, mac]`.
pub fn introduce(
    draft: &mut Draft<'_>,
    on: Ref,
    (mac, device): (&str, &str),
    managed: bool,
    cards: &[NicFacts],
) -> Result<Ref, ApiError> {
    check_introduce(draft, on, mac, device)?;
    // Without a name the card is known by its address alone.
    let card = cards
        .iter()
        .find(|c| c.mac.eq_ignore_ascii_case(mac) && (device.is_empty() || c.device == device));
    match card {
        Some(card) => {
            check_introduce(draft, on, mac, &card.device)?;
            Ok(add(draft, on, card, managed))
        }
        None => Err(ApiError::new(
            "COULD_NOT_FIND_NETWORK_INTERFACE_WITH_SPECIFIED_DEVICE_NAME_AND_MAC_ADDRESS",
            [device, mac],
        )),
    }
}

/// `PIF.forget`.
///
/// # Errors
/// `HANDLE_INVALID`; `PIF_IS_NOT_PHYSICAL [pif]`; `PIF_ALREADY_BONDED [pif]`; `PIF_VLAN_STILL_EXISTS [pif]`;
/// `PIF_TUNNEL_STILL_EXISTS [pif]`; `PIF_SRIOV_STILL_EXISTS [pif]`; `PIF_IS_MANAGEMENT_INTERFACE [pif]`;
/// `HA_IS_ENABLED`; `VIF_IN_USE [network, vif]`.
pub fn forget(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = draft.read(pif::CLASS, reference)?;
    let has = |field| !row.get(field).as_refs().is_empty();
    let refusal = if !row.get(pif::PHYSICAL).as_bool() {
        Some("PIF_IS_NOT_PHYSICAL")
    } else if is_bond_member(&row) {
        Some("PIF_ALREADY_BONDED")
    } else if has(pif::VLAN_SLAVE_OF) {
        Some("PIF_VLAN_STILL_EXISTS")
    } else if has(pif::TUNNEL_TRANSPORT_PIF_OF) || tunnel_of(&row).is_some() {
        Some("PIF_TUNNEL_STILL_EXISTS")
    } else if has(pif::SRIOV_PHYSICAL_PIF_OF) {
        Some("PIF_SRIOV_STILL_EXISTS")
    } else if row.get(pif::MANAGEMENT).as_bool() {
        Some("PIF_IS_MANAGEMENT_INTERFACE")
    } else {
        None
    };
    if let Some(code) = refusal {
        return Err(about(code, reference));
    }
    assert_no_ha(draft.db())?;
    super::pif::assert_no_guest(draft, &row)?;
    remove(draft, reference);
    Ok(())
}

/// `PIF.db_forget`: the row alone, for tools that repair.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn db_forget(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    draft.read(pif::CLASS, reference)?;
    remove(draft, reference);
    Ok(())
}

/// `PIF.db_introduce` and `PIF.pool_introduce`: the row alone, as given.
///
/// # Errors
/// `HANDLE_INVALID` for network or host.
pub fn db_introduce(
    draft: &mut Draft<'_>,
    mut fields: Vec<(proto_types::Field, Value)>,
) -> Result<Ref, ApiError> {
    let given = |field| {
        fields
            .iter()
            .find(|(f, _)| *f == field)
            .map_or(Ref::NULL, |(_, v)| v.as_ref())
    };
    draft.read(network::CLASS, given(pif::NETWORK))?;
    draft.read(host::CLASS, given(pif::HOST))?;
    let metrics = draft.insert(pif_metrics::CLASS, Vec::new());
    fields.push((pif::METRICS, metrics.into()));
    fields.push((pif::CURRENTLY_ATTACHED, false.into()));
    Ok(draft.insert(pif::CLASS, fields))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn bridges_are_named_after_their_cards() {
        assert_eq!(bridge_name("eth0"), "xenbr0");
        assert_eq!(bridge_name("eth12"), "xenbr12");
        assert_eq!(bridge_name("enp3s0"), "brenp3s0");
        assert_eq!(bridge_name("ethernet0"), "brethernet0");
        assert_eq!(bridge_name("enx001122334455").len(), 15);
    }
}
