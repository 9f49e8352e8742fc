//! Gives a link the addresses of one family that it is to have.

use std::net::IpAddr;

use rtnetlink::RouteMessageBuilder;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::RouteMessage;

use super::no_such;
use super::session::{EADDRNOTAVAIL, EEXIST, Link, Session, TABLE_MAIN, Turn, errno, failed, is_link_local};
use super::session::{local_address, table};
use crate::device::{Family, IpSpec};
use crate::driver::Address;
use crate::error::Result;

/// See [`crate::NetworkDriver::set_ip`].
pub async fn set_ip(link: &str, spec: &IpSpec) -> Result<()> {
    let session = Session::open()?;
    let link = session.link(link).await?.ok_or_else(|| no_such(link))?;
    if !link.up {
        session.turn(&link, Turn::Up).await?;
    }
    for address in &spec.addresses {
        add(&session, &link, *address).await?;
    }
    for message in session.address_messages(link.index).await?.into_iter().rev() {
        let Some(ip) = local_address(&message) else {
            continue;
        };
        let there = Address {
            ip,
            prefix: message.header.prefix_len,
        };
        if Family::of(ip) != spec.family || is_link_local(ip) || spec.addresses.contains(&there) {
            continue;
        }
        match session.handle().address().del(message).execute().await {
            Err(error) if errno(&error) == EADDRNOTAVAIL => {}
            other => other.map_err(failed("remove address", &link.name))?,
        }
    }
    // Those that stood behind one that had to go have gone with it.
    for address in &spec.addresses {
        add(&session, &link, *address).await?;
    }
    set_gateway(&session, &link, spec).await
}

async fn add(session: &Session, link: &Link, address: Address) -> Result<()> {
    let request = session
        .handle()
        .address()
        .add(link.index, address.ip, address.prefix)
        .replace();
    match request.execute().await {
        Err(error) if errno(&error) == EEXIST => Ok(()),
        other => other.map_err(failed("add address", &link.name)),
    }
}

async fn set_gateway(session: &Session, link: &Link, spec: &IpSpec) -> Result<()> {
    let family = match spec.family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    };
    if let Some(gateway) = spec.gateway {
        let message = match gateway {
            IpAddr::V4(ip) => RouteMessageBuilder::<std::net::Ipv4Addr>::new()
                .gateway(ip)
                .output_interface(link.index)
                .build(),
            IpAddr::V6(ip) => RouteMessageBuilder::<std::net::Ipv6Addr>::new()
                .gateway(ip)
                .output_interface(link.index)
                .build(),
        };
        match session.handle().route().add(message).replace().execute().await {
            Err(error) if errno(&error) == EEXIST => {}
            other => other.map_err(failed("set gateway", &link.name))?,
        }
    }
    let defaults = session.routes(link.index).await?;
    let stale = defaults
        .into_iter()
        .filter(|route| is_default(route) && route.header.address_family == family)
        .filter(|route| gateway_of(route) != spec.gateway);
    for route in stale {
        session
            .handle()
            .route()
            .del(route)
            .execute()
            .await
            .map_err(failed("remove gateway", &link.name))?;
    }
    Ok(())
}

fn is_default(route: &RouteMessage) -> bool {
    route.header.destination_prefix_length == 0 && table(route) == TABLE_MAIN
}

fn gateway_of(route: &RouteMessage) -> Option<IpAddr> {
    use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute};
    route.attributes.iter().find_map(|a| match a {
        RouteAttribute::Gateway(RouteAddress::Inet(ip)) => Some(IpAddr::V4(*ip)),
        RouteAttribute::Gateway(RouteAddress::Inet6(ip)) => Some(IpAddr::V6(*ip)),
        _ => None,
    })
}
