//! Bonds, VLANs, and what both need: links that move with their addresses.

use rtnetlink::packet_route::link::{
    BondLacpRate, BondMode as KernelMode, BondXmitHashPolicy, InfoBond, InfoData, InfoVlan, LinkMessage,
};
use rtnetlink::{LinkBond, LinkVlan};

use super::session::{Kind, Link, Session, Turn};
use super::{no_such, relocate, set_mtu};
use crate::device::{BondMode, BondSpec, LacpHash, LacpRate, VlanSpec};
use crate::error::{NetworkError, Result};

/// How often the links of members are looked at, in milliseconds.
const MIIMON: u32 = 100;

/// The kernel's settings for a mode. Those of other modes keep their defaults.
fn settings(mode: BondMode) -> Vec<InfoBond> {
    let mut all = vec![InfoBond::MiiMon(MIIMON)];
    match mode {
        // The kernel has no mode of XenServer's name; this one spreads guests by their addresses as that does.
        BondMode::SourceMac => all.extend([
            InfoBond::Mode(KernelMode::BalanceXor),
            InfoBond::XmitHashPolicy(BondXmitHashPolicy::VlanSrcMac),
        ]),
        BondMode::ActiveBackup => all.push(InfoBond::Mode(KernelMode::ActiveBackup)),
        BondMode::Lacp { hash, rate } => all.extend([
            InfoBond::Mode(KernelMode::Ieee8023Ad),
            InfoBond::XmitHashPolicy(match hash {
                LacpHash::Ports => BondXmitHashPolicy::Layer34,
                LacpHash::SourceMac => BondXmitHashPolicy::VlanSrcMac,
            }),
            InfoBond::AdLacpRate(match rate {
                LacpRate::Slow => BondLacpRate::Slow,
                LacpRate::Fast => BondLacpRate::Fast,
            }),
        ]),
    }
    all
}

fn has_settings(bond: &Link, mode: BondMode) -> bool {
    let Some(InfoData::Bond(there)) = &bond.data else {
        return false;
    };
    settings(mode).iter().all(|wanted| there.contains(wanted))
}

fn with_settings(mode: BondMode) -> rtnetlink::LinkMessageBuilder<LinkBond> {
    let mut message = rtnetlink::LinkMessageBuilder::<LinkBond>::default();
    // The mode first: the kernel checks the others against it.
    let mut all = settings(mode);
    all.sort_by_key(|setting| !matches!(setting, InfoBond::Mode(_)));
    for setting in all {
        message = message.append_info_data(setting);
    }
    message
}

/// Six bytes of `xx:xx:xx:xx:xx:xx`.
pub fn mac_bytes(text: &str) -> Option<Vec<u8>> {
    let bytes: Option<Vec<u8>> = text
        .split(':')
        .map(|part| u8::from_str_radix(part, 16).ok())
        .collect();
    bytes.filter(|bytes| bytes.len() == 6)
}

/// See [`crate::NetworkDriver::ensure_bond`].
pub async fn ensure_bond(spec: &BondSpec) -> Result<()> {
    let session = Session::open()?;
    let links = session.links().await?;
    let mut members = Vec::with_capacity(spec.members.len());
    for name in &spec.members {
        let member = links
            .iter()
            .find(|link| link.name == *name)
            .ok_or_else(|| no_such(name))?;
        if !matches!(member.kind, Kind::Physical | Kind::Veth) {
            return Err(NetworkError::NotOfKind {
                name: name.clone(),
                kind: "NIC",
            });
        }
        let master = links.iter().find(|link| Some(link.index) == member.master);
        if let Some(master) = master
            && master.kind != Kind::Bridge
            && master.name != spec.name
        {
            return Err(NetworkError::AlreadyEnslaved {
                name: name.clone(),
                master: master.name.clone(),
            });
        }
        members.push((member.clone(), master.cloned()));
    }
    let bond = match links.iter().find(|link| link.name == spec.name) {
        Some(link) if link.kind != Kind::Bond => {
            return Err(NetworkError::NotOfKind {
                name: spec.name.clone(),
                kind: "bond",
            });
        }
        Some(link) => link.clone(),
        None => {
            let mac = spec.mac.as_deref().and_then(mac_bytes);
            let mac = mac.or_else(|| members.first().map(|(first, _)| first.mac_bytes.clone()));
            let new: LinkMessage = with_settings(spec.mode)
                .name(spec.name.clone())
                .address(mac.unwrap_or_default())
                .build();
            session.add_kind("bonds", &spec.name, new).await?;
            session
                .link(&spec.name)
                .await?
                .ok_or_else(|| no_such(&spec.name))?
        }
    };
    if !has_settings(&bond, spec.mode) {
        // Most of them can only be changed on a bond at rest without members.
        for member in links.iter().filter(|link| link.master == Some(bond.index)) {
            session.release(member).await?;
        }
        session.turn(&bond, Turn::Down).await?;
        let message = with_settings(spec.mode).index(bond.index).build();
        session.set("set mode", &bond.name, message).await?;
        for (_, master) in &mut members {
            if master.as_ref().is_some_and(|master| master.index == bond.index) {
                *master = None;
            }
        }
    }
    for stranger in links
        .iter()
        .filter(|link| link.master == Some(bond.index) && !spec.members.contains(&link.name))
    {
        session.release(stranger).await?;
    }
    session.turn(&bond, Turn::Up).await?;
    let mut moved = false;
    for (member, master) in &members {
        match master {
            Some(master) if master.index == bond.index => continue,
            Some(bridge) => {
                moved |= relocate::move_ip(&session, bridge, &bond).await?;
                session.release(member).await?;
            }
            None => {}
        }
        moved |= relocate::move_ip(&session, member, &bond).await?;
        // The kernel takes members that are at rest only, and wakes them itself.
        session.turn(member, Turn::Down).await?;
        session.enslave(member, &bond).await?;
    }
    set_mtu(&session, &bond, spec.mtu).await?;
    if moved {
        relocate::announce(&session, &bond, &bond.mac_bytes).await;
    }
    Ok(())
}

/// See [`crate::NetworkDriver::remove_bond`].
pub async fn remove_bond(name: &str, heir: &str) -> Result<()> {
    let session = Session::open()?;
    let links = session.links().await?;
    let Some(bond) = links.iter().find(|link| link.name == name) else {
        return Ok(());
    };
    if bond.kind != Kind::Bond {
        return Err(NetworkError::NotOfKind {
            name: name.to_owned(),
            kind: "bond",
        });
    }
    for member in links.iter().filter(|link| link.master == Some(bond.index)) {
        session.release(member).await?;
        session.turn(member, Turn::Up).await?;
    }
    if let Some(heir) = links.iter().find(|link| link.name == heir)
        && relocate::move_ip(&session, bond, heir).await?
    {
        relocate::announce(&session, heir, &heir.mac_bytes).await;
    }
    session.delete("remove bond", name, bond.index).await
}

/// See [`crate::NetworkDriver::ensure_vlan`].
pub async fn ensure_vlan(spec: &VlanSpec) -> Result<()> {
    let session = Session::open()?;
    let base = session
        .link(&spec.base)
        .await?
        .ok_or_else(|| no_such(&spec.base))?;
    let name = spec.device();
    match session.link(&name).await? {
        Some(link) => {
            let tagged =
                matches!(&link.data, Some(InfoData::Vlan(parts)) if parts.contains(&InfoVlan::Id(spec.tag)));
            if link.kind != Kind::Vlan || link.base != Some(base.index) || !tagged {
                return Err(NetworkError::NotOfKind {
                    name,
                    kind: "device of that VLAN",
                });
            }
        }
        None => {
            let new = LinkVlan::new(&name, base.index, spec.tag).build();
            session.add_kind("VLANs", &name, new).await?;
        }
    }
    if base.mtu < spec.mtu {
        set_mtu(&session, &base, spec.mtu).await?;
    }
    if !base.up {
        session.turn(&base, Turn::Up).await?;
    }
    let vlan = session.link(&name).await?.ok_or_else(|| no_such(&name))?;
    set_mtu(&session, &vlan, spec.mtu).await?;
    session.turn(&vlan, Turn::Up).await
}

/// See [`crate::NetworkDriver::remove_device`].
pub async fn remove_device(name: &str) -> Result<()> {
    let session = Session::open()?;
    match session.link(name).await? {
        None => Ok(()),
        Some(link) if matches!(link.kind, Kind::Vlan | Kind::Tunnel) => {
            session.delete("remove device", name, link.index).await
        }
        Some(_) => Err(NetworkError::NotOfKind {
            name: name.to_owned(),
            kind: "VLAN or tunnel",
        }),
    }
}
