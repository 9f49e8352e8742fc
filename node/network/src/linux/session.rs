//! One conversation with the kernel, in terms of links and addresses.

use std::net::IpAddr;

use futures::{Stream, TryStreamExt};
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage};
use rtnetlink::packet_route::link::{
    InfoData, InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use rtnetlink::{Error, Handle, LinkUnspec};

use crate::driver::Address;
use crate::error::{NetworkError, Result};

/// The routing table of what the kernel itself delivers.
pub const TABLE_LOCAL: u32 = 255;
/// The usual routing table.
pub const TABLE_MAIN: u32 = 254;

/// An open netlink socket; closed when dropped.
pub struct Session {
    handle: Handle,
}

/// What an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The kernel names no software behind it.
    Physical,
    /// One end of a pair.
    Veth,
    /// A bridge.
    Bridge,
    /// A VLAN on another link.
    Vlan,
    /// A bond.
    Bond,
    /// A tunnel that carries Ethernet.
    Tunnel,
    /// Anything else.
    Other,
}

/// An interface.
#[derive(Clone, Debug)]
pub struct Link {
    /// Its number.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Whether it carries Ethernet and is no loopback.
    pub ethernet: bool,
    /// MAC address.
    pub mac_bytes: Vec<u8>,
    /// The same as text.
    pub mac: String,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// Whether it has a link.
    pub carrier: bool,
    /// Number of the bridge or bond it belongs to.
    pub master: Option<u32>,
    /// Number of the link it stands on.
    pub base: Option<u32>,
    /// What is particular to its kind.
    pub data: Option<InfoData>,
}

impl Link {
    fn read(message: LinkMessage) -> Link {
        let mut link = Link {
            index: message.header.index,
            name: String::new(),
            kind: Kind::Physical,
            ethernet: message.header.link_layer_type == LinkLayerType::Ether,
            mac_bytes: Vec::new(),
            mac: String::new(),
            mtu: 0,
            up: message.header.flags.contains(LinkFlags::Up),
            carrier: message.header.flags.contains(LinkFlags::LowerUp),
            master: None,
            base: None,
            data: None,
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Address(bytes) => {
                    link.mac = bytes
                        .iter()
                        .map(|byte| format!("{byte:02x}"))
                        .collect::<Vec<_>>()
                        .join(":");
                    link.mac_bytes = bytes;
                }
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Link(base) if base != 0 => link.base = Some(base),
                LinkAttribute::Controller(master) if master != 0 => link.master = Some(master),
                LinkAttribute::LinkInfo(parts) => {
                    for part in parts {
                        match part {
                            LinkInfo::Kind(kind) => {
                                link.kind = match kind {
                                    InfoKind::Veth => Kind::Veth,
                                    InfoKind::Bridge => Kind::Bridge,
                                    InfoKind::Vlan => Kind::Vlan,
                                    InfoKind::Bond => Kind::Bond,
                                    InfoKind::Vxlan | InfoKind::GreTap => Kind::Tunnel,
                                    _ => Kind::Other,
                                };
                            }
                            LinkInfo::Data(data) => link.data = Some(data),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        link
    }
}

/// Up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Working.
    Up,
    /// At rest.
    Down,
}

/// The kernel's number of an error, positive; zero if it said none.
pub fn errno(error: &Error) -> i32 {
    match error {
        Error::NetlinkError(message) => message.raw_code().saturating_abs(),
        _ => 0,
    }
}

/// Source: Linux `include/uapi/asm-generic/errno-base.h`.
pub const EPERM: i32 = 1;
/// See [`EPERM`].
pub const EEXIST: i32 = 17;
/// The kernel does not know that kind of interface.
pub const EOPNOTSUPP: i32 = 95;
/// There is no such address.
pub const EADDRNOTAVAIL: i32 = 99;

/// An error of the kernel as ours.
pub fn failed(operation: &'static str, name: &str) -> impl Fn(Error) -> NetworkError {
    move |error| match errno(&error) {
        EPERM => NetworkError::NotPermitted { operation },
        _ => {
            let source: Box<dyn std::error::Error + Send + Sync> = match &error {
                Error::NetlinkError(message) => Box::new(message.to_io()),
                other => Box::new(other.clone()),
            };
            NetworkError::Kernel {
                operation,
                name: name.to_owned(),
                source,
            }
        }
    }
}

/// Reads a dump to its end.
async fn all<T>(operation: &'static str, stream: impl Stream<Item = Result<T, Error>>) -> Result<Vec<T>> {
    stream.try_collect().await.map_err(failed(operation, "all"))
}

impl Session {
    /// Opens a socket in the namespace of the calling thread.
    pub fn open() -> Result<Session> {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(|source| NetworkError::Kernel {
            operation: "open netlink socket",
            name: String::new(),
            source: Box::new(source),
        })?;
        // It ends by itself once the last handle is gone.
        tokio::spawn(connection);
        Ok(Session { handle })
    }

    /// The raw handle.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// All interfaces.
    pub async fn links(&self) -> Result<Vec<Link>> {
        let messages = all("list interfaces", self.handle.link().get().execute()).await?;
        Ok(messages.into_iter().map(Link::read).collect())
    }

    /// One interface by name.
    pub async fn link(&self, name: &str) -> Result<Option<Link>> {
        crate::driver::check_name(name)?;
        Ok(self.links().await?.into_iter().find(|link| link.name == name))
    }

    /// Makes an interface of a kind that the kernel may not know, which is `feature`.
    pub async fn add_kind(&self, feature: &'static str, name: &str, message: LinkMessage) -> Result<()> {
        match self.handle.link().add(message).execute().await {
            Err(error) if errno(&error) == EOPNOTSUPP => Err(NetworkError::Unsupported { feature }),
            other => other.map_err(failed("make device", name)),
        }
    }

    /// Brings an interface up or down.
    pub async fn turn(&self, link: &Link, state: Turn) -> Result<()> {
        let message = LinkUnspec::new_with_index(link.index);
        let message = match state {
            Turn::Up => message.up(),
            Turn::Down => message.down(),
        };
        self.set("bring up or down", &link.name, message.build()).await
    }

    /// Takes an interface out of its bridge or bond.
    pub async fn release(&self, link: &Link) -> Result<()> {
        let message = LinkUnspec::new_with_index(link.index).nocontroller().build();
        self.set("detach port", &link.name, message).await
    }

    /// Puts an interface into a bridge or bond.
    pub async fn enslave(&self, link: &Link, master: &Link) -> Result<()> {
        let message = LinkUnspec::new_with_index(link.index)
            .controller(master.index)
            .build();
        self.set("attach port", &link.name, message).await
    }

    /// Makes an interface.
    pub async fn add(&self, operation: &'static str, name: &str, message: LinkMessage) -> Result<()> {
        self.handle
            .link()
            .add(message)
            .execute()
            .await
            .map_err(failed(operation, name))
    }

    /// Changes an interface.
    pub async fn set(&self, operation: &'static str, name: &str, message: LinkMessage) -> Result<()> {
        self.handle
            .link()
            .set(message)
            .execute()
            .await
            .map_err(failed(operation, name))
    }

    /// Removes an interface.
    pub async fn delete(&self, operation: &'static str, name: &str, index: u32) -> Result<()> {
        self.handle
            .link()
            .del(index)
            .execute()
            .await
            .map_err(failed(operation, name))
    }

    /// Addresses of an interface as the kernel tells them.
    pub async fn address_messages(&self, index: u32) -> Result<Vec<AddressMessage>> {
        let messages = all("list addresses", self.handle.address().get().execute()).await?;
        Ok(messages
            .into_iter()
            .filter(|message| message.header.index == index)
            .collect())
    }

    /// Addresses of an interface, link-local ones left out.
    pub async fn addresses(&self, index: u32) -> Result<Vec<Address>> {
        let mut found: Vec<Address> = self
            .address_messages(index)
            .await?
            .iter()
            .filter_map(|message| {
                let ip = local_address(message)?;
                (!is_link_local(ip)).then_some(Address {
                    ip,
                    prefix: message.header.prefix_len,
                })
            })
            .collect();
        found.sort();
        Ok(found)
    }

    /// Routes of both families that lead out through an interface, those of the kernel's own table left out.
    pub async fn routes(&self, index: u32) -> Result<Vec<RouteMessage>> {
        let mut found = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut filter = RouteMessage::default();
            filter.header.address_family = family;
            found.extend(all("list routes", self.handle.route().get(filter).execute()).await?);
        }
        found.retain(|route| {
            table(route) != TABLE_LOCAL
                && route.header.kind == RouteType::Unicast
                && route
                    .attributes
                    .iter()
                    .any(|a| matches!(a, RouteAttribute::Oif(oif) if *oif == index))
        });
        Ok(found)
    }

    /// Gateway of the IPv4 default route through an interface, the preferred one.
    pub async fn gateway(&self, index: u32) -> Result<Option<IpAddr>> {
        let mut best: Option<(u32, IpAddr)> = None;
        for route in self.routes(index).await? {
            let is_default = route.header.destination_prefix_length == 0
                && route.header.address_family == AddressFamily::Inet
                && table(&route) == TABLE_MAIN;
            let (mut metric, mut gateway) = (0, None);
            for attribute in &route.attributes {
                match attribute {
                    RouteAttribute::Priority(priority) => metric = *priority,
                    RouteAttribute::Gateway(RouteAddress::Inet(ip)) => gateway = Some(IpAddr::V4(*ip)),
                    _ => {}
                }
            }
            if let (true, Some(gateway)) = (is_default, gateway)
                && best.is_none_or(|(least, _)| metric < least)
            {
                best = Some((metric, gateway));
            }
        }
        Ok(best.map(|(_, gateway)| gateway))
    }
}

/// The number of a route's table, which may be too large for the header.
pub fn table(route: &RouteMessage) -> u32 {
    let long = route.attributes.iter().find_map(|a| match a {
        RouteAttribute::Table(table) => Some(*table),
        _ => None,
    });
    long.unwrap_or_else(|| u32::from(route.header.table))
}

/// The address itself; of a point-to-point link this host's end.
pub fn local_address(message: &AddressMessage) -> Option<IpAddr> {
    let local = message.attributes.iter().find_map(|a| match a {
        AddressAttribute::Local(ip) => Some(*ip),
        _ => None,
    });
    local.or_else(|| {
        message.attributes.iter().find_map(|a| match a {
            AddressAttribute::Address(ip) => Some(*ip),
            _ => None,
        })
    })
}

/// Whether the kernel makes such an address for each interface by itself.
pub fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}
