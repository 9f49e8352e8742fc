//! Tunnels: every host of a tunnelled network reaches every other one directly.
//!
//! With VXLAN one device floods to all others by entries of its forwarding table. With GRE each other host has a device
//! of its own; frames that come in by one do not leave by another, since their sender has sent them there itself.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use futures::{StreamExt, TryStreamExt};
use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::link::{GreIOFlags, InfoBridgePort, InfoData, InfoGre, InfoKind};
use rtnetlink::packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::{LinkBridgePort, LinkMessageBuilder, LinkUnspec, LinkVxlan};

use super::session::{EEXIST, Kind, Link, Session, Turn, errno, failed};
use super::{bridge_link, no_such, set_mtu};
use crate::device::{TunnelProtocol, TunnelSpec};
use crate::error::{NetworkError, Result};

/// The port that IANA gave to VXLAN; the kernel's default is older.
const VXLAN_PORT: u16 = 4789;
/// Stands for every address whose host is not known.
const ANY_MAC: [u8; 6] = [0; 6];

/// See [`crate::NetworkDriver::ensure_tunnel`].
pub async fn ensure_tunnel(bridge: &str, spec: &TunnelSpec) -> Result<()> {
    let session = Session::open()?;
    let bridge = bridge_link(&session, bridge)
        .await?
        .ok_or_else(|| no_such(bridge))?;
    match spec.protocol {
        TunnelProtocol::Vxlan => {
            let new = LinkVxlan::new(&spec.name, spec.key)
                .local(spec.local)
                .port(VXLAN_PORT)
                .learning(true)
                .build();
            let link = device(
                &session,
                &spec.name,
                "VXLAN tunnels",
                |link| is_vxlan(link, spec),
                new,
            )
            .await?;
            adopt(&session, &link, &bridge, spec.mtu, Mesh::One).await?;
            flood_to(&session, &link, &spec.remotes).await
        }
        TunnelProtocol::Gre => {
            let stale: Vec<Link> = session
                .links()
                .await?
                .into_iter()
                .filter(|link| link.kind == Kind::Tunnel && spec.owns(&link.name))
                .filter(|link| !spec.devices().contains(&link.name))
                .collect();
            for link in stale {
                session.delete("remove tunnel", &link.name, link.index).await?;
            }
            if spec.remotes.is_empty() {
                // Nothing is made for nobody, so whether it could be is tried on the side.
                return gre_is_there(&session, spec).await;
            }
            for remote in &spec.remotes {
                let name = spec.gre_device(*remote);
                let new = gre(&name, spec, *remote);
                let link = device(&session, &name, "GRE tunnels", |link| is_gre(link, spec), new).await?;
                adopt(&session, &link, &bridge, spec.mtu, Mesh::Many).await?;
            }
            Ok(())
        }
    }
}

fn gre(name: &str, spec: &TunnelSpec, remote: Ipv4Addr) -> rtnetlink::packet_route::link::LinkMessage {
    LinkMessageBuilder::<LinkUnspec>::new_with_info_kind(InfoKind::GreTap)
        .name(name.to_owned())
        .set_info_data(InfoData::GreTap(vec![
            InfoGre::IFlags(GreIOFlags::Key),
            InfoGre::OFlags(GreIOFlags::Key),
            InfoGre::IKey(spec.key),
            InfoGre::OKey(spec.key),
            InfoGre::Local(spec.local),
            InfoGre::Remote(remote),
            InfoGre::Ttl(64),
        ]))
        .build()
}

async fn gre_is_there(session: &Session, spec: &TunnelSpec) -> Result<()> {
    let name = format!("g{:06x}trial", spec.key);
    session
        .add_kind(
            "GRE tunnels",
            &name,
            gre(&name, spec, Ipv4Addr::new(192, 0, 2, 1)),
        )
        .await?;
    match session.link(&name).await? {
        Some(link) => session.delete("remove trial tunnel", &name, link.index).await,
        None => Ok(()),
    }
}

fn is_vxlan(link: &Link, spec: &TunnelSpec) -> bool {
    use rtnetlink::packet_route::link::InfoVxlan;
    matches!(&link.data, Some(InfoData::Vxlan(parts))
        if parts.contains(&InfoVxlan::Id(spec.key)) && parts.contains(&InfoVxlan::Local(spec.local)))
}

fn is_gre(link: &Link, spec: &TunnelSpec) -> bool {
    matches!(&link.data, Some(InfoData::GreTap(parts)) if parts.contains(&InfoGre::Local(spec.local)))
}

/// The device as wanted: one that is otherwise is made anew.
async fn device(
    session: &Session,
    name: &str,
    feature: &'static str,
    is_as_wanted: impl Fn(&Link) -> bool,
    new: rtnetlink::packet_route::link::LinkMessage,
) -> Result<Link> {
    match session.link(name).await? {
        Some(link) if link.kind != Kind::Tunnel => {
            return Err(NetworkError::NotOfKind {
                name: name.to_owned(),
                kind: "tunnel",
            });
        }
        Some(link) if is_as_wanted(&link) => return Ok(link),
        Some(link) => session.delete("remove tunnel", name, link.index).await?,
        None => {}
    }
    session.add_kind(feature, name, new).await?;
    session.link(name).await?.ok_or_else(|| no_such(name))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mesh {
    /// One port leads to all others.
    One,
    /// One of several ports.
    Many,
}

/// Puts a device into its bridge.
async fn adopt(session: &Session, link: &Link, bridge: &Link, mtu: u32, mesh: Mesh) -> Result<()> {
    set_mtu(session, link, mtu).await?;
    if link.master != Some(bridge.index) {
        session.enslave(link, bridge).await?;
    }
    if mesh == Mesh::Many {
        let message = LinkBridgePort::new(link.index)
            .append_info_data(InfoBridgePort::Isolated(true))
            .build();
        session.set("isolate port", &link.name, message).await?;
    }
    session.turn(link, Turn::Up).await
}

/// Makes the entries for "any address" of a VXLAN device those of these hosts.
async fn flood_to(session: &Session, link: &Link, wanted: &BTreeSet<Ipv4Addr>) -> Result<()> {
    let mut request = session.handle().neighbours().get();
    request.message_mut().header.family = AddressFamily::Bridge;
    let entries: Vec<NeighbourMessage> = request
        .execute()
        .try_collect()
        .await
        .map_err(failed("list forwarding table", &link.name))?;
    let mut there = BTreeSet::new();
    for entry in entries {
        let any = entry
            .attributes
            .iter()
            .any(|a| matches!(a, NeighbourAttribute::LinkLocalAddress(mac) if mac.as_slice() == ANY_MAC));
        let remote = entry.attributes.iter().find_map(|a| match a {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(ip)) => Some(*ip),
            _ => None,
        });
        let (true, Some(remote)) = (any && entry.header.ifindex == link.index, remote) else {
            continue;
        };
        if wanted.contains(&remote) {
            there.insert(remote);
        } else {
            session
                .handle()
                .neighbours()
                .del(entry)
                .execute()
                .await
                .map_err(failed("remove host of tunnel", &link.name))?;
        }
    }
    for remote in wanted.difference(&there) {
        append(session, link, *remote).await?;
    }
    Ok(())
}

/// Adds one host to those that get what is meant for any.
async fn append(session: &Session, link: &Link, remote: Ipv4Addr) -> Result<()> {
    let mut entry = session
        .handle()
        .neighbours()
        .add_bridge(link.index, &ANY_MAC)
        .destination(IpAddr::V4(remote))
        .state(NeighbourState::Permanent)
        .flags(NeighbourFlags::Own);
    let mut message = NetlinkMessage::from(RouteNetlinkMessage::NewNeighbour(entry.message_mut().clone()));
    // The crate's own request would replace the entry of another host or refuse a second one.
    message.header.flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND;
    let mut handle = session.handle().clone();
    let mut answers = handle
        .request(message)
        .map_err(failed("add host to tunnel", &link.name))?;
    while let Some(answer) = answers.next().await {
        if let NetlinkPayload::Error(error) = answer.payload {
            let error = rtnetlink::Error::NetlinkError(error);
            match errno(&error) {
                0 | EEXIST => {}
                _ => return Err(failed("add host to tunnel", &link.name)(error)),
            }
        }
    }
    Ok(())
}
