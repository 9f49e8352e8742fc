//! Moves addresses and routes from one interface to another with connections going on over them.
//!
//! Everything is first made on the new one and only then taken from the old one, so that a call cut off anywhere can
//! be made again: what is to be moved is still to be seen. An address may be on two interfaces for a moment; the
//! kernel answers for it on either.

use std::net::IpAddr;
use std::path::PathBuf;

use rtnetlink::LinkUnspec;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteProtocol};

use super::session::{EADDRNOTAVAIL, EEXIST, Link, Session, errno, failed, is_link_local, local_address};
use crate::error::Result;

/// Moves all addresses but link-local ones, and all routes. Answers whether there were any.
///
/// The copies are valid for ever: a DHCP client that renewed them on the old interface must be told to use the
/// new one, which is the caller's business.
pub async fn move_ip(session: &Session, from: &Link, to: &Link) -> Result<bool> {
    let mut addresses = session.address_messages(from.index).await?;
    addresses.retain(|message| local_address(message).is_some_and(|ip| !is_link_local(ip)));
    let mut routes = session.routes(from.index).await?;
    routes.retain(|route| !comes_with_address(route, &addresses));
    let mut routes: Vec<RouteMessage> = routes.iter().filter_map(|route| onto(route, to.index)).collect();
    // A gateway must be reachable by a route that is there already.
    routes.sort_by_key(|route| {
        route
            .attributes
            .iter()
            .any(|a| matches!(a, RouteAttribute::Gateway(_)))
    });
    if addresses.is_empty() && routes.is_empty() {
        return Ok(false);
    }
    for message in &addresses {
        add_address(session, message, to).await?;
    }
    add_routes(session, &routes, to).await?;
    // The last first: with the first of a network the kernel would drop the others.
    for message in addresses.into_iter().rev() {
        match session.handle().address().del(message).execute().await {
            Err(error) if errno(&error) == EADDRNOTAVAIL => {}
            other => other.map_err(failed("remove address", &from.name))?,
        }
    }
    // With an address the kernel drops routes that it thinks depend on it.
    add_routes(session, &routes, to).await?;
    Ok(true)
}

async fn add_address(session: &Session, old: &AddressMessage, to: &Link) -> Result<()> {
    let Some(ip) = local_address(old) else {
        return Ok(());
    };
    let mut request = session
        .handle()
        .address()
        .add(to.index, ip, old.header.prefix_len)
        .replace();
    let message = request.message_mut();
    message.header.scope = old.header.scope;
    let mut flags = AddressFlags::empty();
    message.attributes = Vec::new();
    for attribute in &old.attributes {
        match attribute {
            AddressAttribute::Address(_)
            | AddressAttribute::Local(_)
            | AddressAttribute::Broadcast(_)
            | AddressAttribute::RoutePriority(_) => message.attributes.push(attribute.clone()),
            AddressAttribute::Flags(old) => flags = *old & AddressFlags::Noprefixroute,
            // A label begins with the interface's name; the times of a lease see `move_ip`.
            _ => {}
        }
    }
    if ip.is_ipv6() {
        // Nobody else has it: it is ours, and it may not pause for a second to ask around.
        flags |= AddressFlags::Nodad;
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    message.attributes.push(AddressAttribute::Flags(flags));
    match request.execute().await {
        Err(error) if errno(&error) == EEXIST => Ok(()),
        other => other.map_err(failed("add address", &to.name)),
    }
}

async fn add_routes(session: &Session, routes: &[RouteMessage], to: &Link) -> Result<()> {
    for route in routes {
        match session
            .handle()
            .route()
            .add(route.clone())
            .replace()
            .execute()
            .await
        {
            // The kernel has made the same one with the address.
            Err(error) if errno(&error) == EEXIST => {}
            other => other.map_err(failed("add route", &to.name))?,
        }
    }
    Ok(())
}

/// Whether the kernel makes a route by itself for one of the addresses, which leads to that address's network.
fn comes_with_address(route: &RouteMessage, addresses: &[AddressMessage]) -> bool {
    let destination = route.attributes.iter().find_map(|a| match a {
        RouteAttribute::Destination(RouteAddress::Inet(ip)) => Some(IpAddr::V4(*ip)),
        RouteAttribute::Destination(RouteAddress::Inet6(ip)) => Some(IpAddr::V6(*ip)),
        _ => None,
    });
    let prefix = route.header.destination_prefix_length;
    route.header.protocol == RouteProtocol::Kernel
        && addresses.iter().any(|address| {
            let by_hand = |a: &AddressAttribute| matches!(a, AddressAttribute::Flags(f) if f.contains(AddressFlags::Noprefixroute));
            address.header.prefix_len == prefix
                && !address.attributes.iter().any(by_hand)
                && local_address(address).map(|ip| network(ip, prefix)) == destination
        })
}

/// The first address of a network.
fn network(ip: IpAddr, prefix: u8) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX
                .checked_shl(32_u32.saturating_sub(prefix.into()))
                .unwrap_or(0);
            IpAddr::V4((u32::from(ip) & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX
                .checked_shl(128_u32.saturating_sub(prefix.into()))
                .unwrap_or(0);
            IpAddr::V6((u128::from(ip) & mask).into())
        }
    }
}

/// A route as it is to be on another interface; `None` for those that the kernel makes for each by itself.
fn onto(route: &RouteMessage, index: u32) -> Option<RouteMessage> {
    if route.header.address_family == AddressFamily::Inet6 {
        let itself = route.attributes.iter().any(|a| match a {
            RouteAttribute::Destination(RouteAddress::Inet6(ip)) => {
                ip.is_unicast_link_local() || ip.is_multicast()
            }
            _ => false,
        });
        if itself {
            return None;
        }
    }
    let mut new = RouteMessage::default();
    new.header = route.header.clone();
    // What the kernel says of its state is nothing one can ask for.
    new.header.flags = rtnetlink::packet_route::route::RouteFlags::empty();
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Oif(_) => new.attributes.push(RouteAttribute::Oif(index)),
            RouteAttribute::Destination(_)
            | RouteAttribute::Source(_)
            | RouteAttribute::Gateway(_)
            | RouteAttribute::Via(_)
            | RouteAttribute::PrefSource(_)
            | RouteAttribute::Priority(_)
            | RouteAttribute::Table(_)
            | RouteAttribute::Metrics(_)
            | RouteAttribute::Preference(_) => new.attributes.push(attribute.clone()),
            _ => {}
        }
    }
    Some(new)
}

/// Rests before each announcement of moved addresses.
const ANNOUNCEMENTS: [std::time::Duration; 3] = [
    std::time::Duration::ZERO,
    std::time::Duration::from_millis(200),
    std::time::Duration::from_millis(1000),
];

/// Lets the kernel tell the neighbours at once where the addresses are, by gratuitous ARP.
///
/// The MAC address stays the same, so this only helps those who know a stale one; failing is no harm.
///
/// Source: Linux `Documentation/networking/ip-sysctl.rst`, `arp_notify`.
pub async fn announce(session: &Session, link: &Link, mac: &[u8]) {
    let path = PathBuf::from("/proc/sys/net/ipv4/conf")
        .join(&link.name)
        .join("arp_notify");
    if let Err(error) = std::fs::write(&path, "1") {
        tracing::debug!(link = %link.name, %error, "the kernel is not told to announce addresses");
        return;
    }
    // A link that has just come up may drop what is sent before its carrier is noticed, which takes the kernel up to a
    // second; an announcement is cheap and a neighbour with a stale entry is cut off until it expires.
    for wait in ANNOUNCEMENTS {
        tokio::time::sleep(wait).await;
        let message = LinkUnspec::new_with_index(link.index)
            .address(mac.to_vec())
            .build();
        if let Err(error) = session.set("announce", &link.name, message).await {
            tracing::debug!(link = %link.name, error = %error.chain(), "addresses were not announced");
        }
    }
}
