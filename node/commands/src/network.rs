//! Bridges of a host, what they stand on, and what guests' ports let through.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

/// A bridge as it is to be, with all that it stands on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BridgeRequest {
    /// Name, at most 15 characters; the network's `bridge`.
    pub name: String,
    /// The card or bond through which it reaches the outside; `None` is a network within this host or in a tunnel.
    #[serde(default)]
    pub uplink: Option<String>,
    /// VLAN on that card or bond.
    #[serde(default)]
    pub vlan: Option<u16>,
    /// Largest packet in bytes; `None` leaves it as it is.
    #[serde(default)]
    pub mtu: Option<u32>,
    /// What the uplink is made of, if it is a bond.
    #[serde(default)]
    pub bond: Option<BondRequest>,
    /// The tunnel that it is in.
    #[serde(default)]
    pub tunnel: Option<TunnelRequest>,
    /// Addresses of the host on it; a family that is missing is left alone.
    #[serde(default)]
    pub ip: Vec<IpRequest>,
    /// Offloads and link parameters of the cards, by the words that follow `ethtool-`.
    #[serde(default)]
    pub link_options: BTreeMap<String, String>,
    /// Whether the host makes it again by itself when its node starts.
    #[serde(default)]
    pub keep: bool,
    /// The bridge is somebody else's: it must be there, and is used as it is.
    #[serde(default)]
    pub must_exist: bool,
}

impl BridgeRequest {
    /// A bridge that reaches nowhere.
    pub fn internal(name: impl Into<String>) -> BridgeRequest {
        BridgeRequest {
            name: name.into(),
            uplink: None,
            vlan: None,
            mtu: None,
            bond: None,
            tunnel: None,
            ip: Vec::new(),
            link_options: BTreeMap::new(),
            keep: false,
            must_exist: false,
        }
    }

    /// A bridge over a card.
    pub fn over(name: impl Into<String>, uplink: impl Into<String>) -> BridgeRequest {
        BridgeRequest {
            uplink: Some(uplink.into()),
            ..BridgeRequest::internal(name)
        }
    }
}

/// A bond as it is to be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BondRequest {
    /// Its cards; the first gives its addresses, and gets them back.
    pub members: Vec<String>,
    /// MAC address; `None` is the first card's.
    #[serde(default)]
    pub mac: Option<String>,
    /// `balance-slb`, `active-backup` or `lacp`.
    pub mode: String,
    /// `hashing_algorithm` and `lacp-time`, as the API has them.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

/// This host's part of a tunnelled network.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TunnelRequest {
    /// Its name on the host, such as `tunnel0`.
    pub device: String,
    /// `gre` or `vxlan`.
    pub protocol: String,
    /// Tells tunnelled networks apart.
    pub key: u32,
    /// This host's address.
    pub local: Ipv4Addr,
    /// The other hosts' addresses.
    #[serde(default)]
    pub remotes: BTreeSet<Ipv4Addr>,
}

/// How a host gets its addresses of one family on a bridge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IpRequest {
    /// IPv4: exactly these, as `address/prefix`.
    V4 {
        /// The addresses.
        addresses: Vec<String>,
        /// Where everything else goes.
        #[serde(default)]
        gateway: Option<IpAddr>,
    },
    /// IPv6: exactly these beside link-local ones, as `address/prefix`.
    V6 {
        /// The addresses.
        addresses: Vec<String>,
        /// Where everything else goes.
        #[serde(default)]
        gateway: Option<IpAddr>,
    },
    /// IPv4 by DHCP.
    Dhcp,
}

/// What a guest's port lets through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicPolicy {
    /// What may pass.
    #[serde(default)]
    pub lock: NicLock,
    /// Most bytes a second that the guest may send.
    #[serde(default)]
    pub rate: Option<u64>,
}

/// What may pass a guest's port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NicLock {
    /// Everything.
    #[default]
    Open,
    /// Nothing.
    Shut,
    /// What comes from the interface's own MAC address and these addresses, and what is meant for them.
    Only(BTreeSet<IpAddr>),
}
