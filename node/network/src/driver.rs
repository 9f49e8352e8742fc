//! What a host must be able to do with its network.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;

use crate::device::{BondSpec, IpSpec, PortPolicy, TunnelSpec, VlanSpec};
use crate::error::{NetworkError, Result};

/// The network of one host.
#[async_trait]
pub trait NetworkDriver: Send + Sync {
    /// The host's NICs that can carry a network, ordered by name: physical ones, and virtual ones that stand for
    /// such (veth). No bridges, no taps, no loopback.
    async fn list_nics(&self) -> Result<Vec<Nic>>;

    /// Makes a bridge as described, or changes one that is there; other ports of it are left alone.
    ///
    /// An uplink's addresses and routes move onto the bridge, which takes the uplink's MAC address, so that
    /// connections over it go on. A call that was cut off is finished by the next one.
    ///
    /// # Errors
    /// [`NetworkError::NoSuchInterface`] for the uplink, [`NetworkError::NotABridge`],
    /// [`NetworkError::AlreadyEnslaved`].
    async fn ensure_bridge(&self, spec: &BridgeSpec) -> Result<BridgeState>;

    /// Removes a bridge; succeeds if it is gone. An uplink is let go and gets the bridge's addresses and routes back.
    ///
    /// # Errors
    /// [`NetworkError::BridgeInUse`] if it has ports other than the uplink.
    async fn remove_bridge(&self, name: &str, uplink: Option<&str>) -> Result<()>;

    /// A bridge as it is; `None` if there is none of that name.
    ///
    /// # Errors
    /// [`NetworkError::NotABridge`].
    async fn bridge(&self, name: &str) -> Result<Option<BridgeState>>;

    /// Puts a tap or another interface into a bridge and brings it up. libvirt does so for domains itself.
    async fn attach_port(&self, bridge: &str, port: &str) -> Result<()>;

    /// Takes an interface out of whatever bridge it is in; succeeds if it is in none or gone.
    async fn detach_port(&self, port: &str) -> Result<()>;

    /// Makes a bond as described, or changes one that is there. Its members leave the bridges whose uplinks they were,
    /// and the addresses of those bridges and of the members move onto the bond.
    ///
    /// Where bonds cannot be made nothing has changed.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`], [`NetworkError::NoSuchInterface`], [`NetworkError::AlreadyEnslaved`],
    /// [`NetworkError::NotOfKind`] if the name is another device's.
    async fn ensure_bond(&self, spec: &BondSpec) -> Result<()>;

    /// Takes a bond apart; succeeds if it is gone. Its addresses move onto the `heir`.
    async fn remove_bond(&self, name: &str, heir: &str) -> Result<()>;

    /// Makes the device of a VLAN, which is [`VlanSpec::device`].
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`], [`NetworkError::NoSuchInterface`] for the base.
    async fn ensure_vlan(&self, spec: &VlanSpec) -> Result<()>;

    /// Makes this host's part of a tunnel and puts it into a bridge, or changes who else is part of it.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`], [`NetworkError::NoSuchInterface`] for the bridge.
    async fn ensure_tunnel(&self, bridge: &str, spec: &TunnelSpec) -> Result<()>;

    /// Removes the device of a VLAN or tunnel; succeeds if it is gone.
    ///
    /// # Errors
    /// [`NetworkError::NotOfKind`] for anything else.
    async fn remove_device(&self, name: &str) -> Result<()>;

    /// Gives a link exactly these addresses of one family, and brings it up.
    ///
    /// # Errors
    /// [`NetworkError::NoSuchInterface`].
    async fn set_ip(&self, link: &str, spec: &IpSpec) -> Result<()>;

    /// Gets a link's IPv4 address by DHCP and goes on renewing it; answers once there is one.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] without a client, [`NetworkError::TimedOut`] without a server.
    async fn start_dhcp(&self, link: &str) -> Result<()>;

    /// Renews a link's address no longer; the address stays. Succeeds if that is so already.
    async fn stop_dhcp(&self, link: &str) -> Result<()>;

    /// Holds a guest's port to a policy from now on, in place of any before; the port need not exist yet.
    ///
    /// # Errors
    /// [`NetworkError::Unsupported`] where packets cannot be filtered and the policy is not open.
    async fn set_policy(&self, policy: &PortPolicy) -> Result<()>;

    /// Sets offloads and link parameters of a NIC, by the words that follow `ethtool-`. What the NIC refuses is left as
    /// it is and answered.
    async fn set_link_options(
        &self,
        nic: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>>;

    /// What this host's kernel can do.
    async fn features(&self) -> Result<KernelFeatures>;
}

/// A bridge to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeSpec {
    /// Its name, at most 15 characters.
    pub name: String,
    /// The NIC through which it reaches other hosts; `None` for an internal network.
    pub uplink: Option<String>,
    /// Largest packet in bytes, for bridge and uplink.
    pub mtu: u32,
}

impl BridgeSpec {
    /// A bridge for an internal network.
    pub fn internal(name: impl Into<String>) -> BridgeSpec {
        BridgeSpec {
            name: name.into(),
            uplink: None,
            mtu: 1500,
        }
    }

    /// A bridge with an uplink.
    pub fn over(name: impl Into<String>, uplink: impl Into<String>) -> BridgeSpec {
        BridgeSpec {
            name: name.into(),
            uplink: Some(uplink.into()),
            mtu: 1500,
        }
    }

    /// Checks what can be checked without looking at the host.
    ///
    /// # Errors
    /// [`NetworkError::BadName`], [`NetworkError::BadMtu`].
    pub fn validate(&self) -> Result<()> {
        check_name(&self.name)?;
        if let Some(uplink) = &self.uplink {
            check_name(uplink)?;
            if *uplink == self.name {
                return Err(NetworkError::BadName {
                    name: uplink.clone(),
                    reason: "bridge and uplink are the same",
                });
            }
        }
        // 68 is the least that IPv4 allows, 65535 the most the kernel's bridge takes.
        if !(68..=65_535).contains(&self.mtu) {
            return Err(NetworkError::BadMtu {
                name: self.name.clone(),
                mtu: self.mtu,
            });
        }
        Ok(())
    }
}

/// Whether the kernel would take a name for an interface.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let bad = |reason| {
        Err(NetworkError::BadName {
            name: name.to_owned(),
            reason,
        })
    };
    if name.is_empty() {
        return bad("it is empty");
    }
    if name.len() > 15 {
        return bad("it is longer than 15 bytes");
    }
    if name == "." || name == ".." {
        return bad("it is a folder");
    }
    if name
        .bytes()
        .any(|b| !b.is_ascii_graphic() || b == b'/' || b == b':' || b == b'%')
    {
        return bad("it has a character that names cannot have");
    }
    Ok(())
}

/// A bridge as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeState {
    /// Its name.
    pub name: String,
    /// Its MAC address.
    pub mac: String,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Whether it is up.
    pub up: bool,
    /// Names of its ports, in order.
    pub ports: Vec<String>,
    /// Its addresses.
    pub addresses: Vec<Address>,
}

/// A NIC as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    /// Its name, such as `eth0`.
    pub name: String,
    /// MAC address, `xx:xx:xx:xx:xx:xx` in lower case.
    pub mac: String,
    /// Physical or not.
    pub kind: NicKind,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Whether it is administratively up.
    pub up: bool,
    /// Whether it has a link.
    pub carrier: bool,
    /// Speed in Mbit/s, if known.
    pub speed: Option<u32>,
    /// Whether both ways at once, if known.
    pub full_duplex: Option<bool>,
    /// Name of the kernel's driver, or empty.
    pub driver: String,
    /// PCI address such as `0000:00:03.0`, or empty.
    pub pci_path: String,
    /// The bridge or bond it belongs to.
    pub master: Option<String>,
    /// Its own addresses; once it is an uplink they are the bridge's.
    pub addresses: Vec<Address>,
    /// Gateway of its default route over IPv4, its own or that of the bridge it belongs to.
    pub gateway: Option<IpAddr>,
}

/// What stands behind a NIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NicKind {
    /// A device.
    Physical,
    /// One end of a pair whose other end stands in another namespace.
    Veth,
}

/// An address with the length of its network's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// Length of the prefix in bits.
    pub prefix: u8,
}

impl Address {
    /// The netmask of an IPv4 address in dotted form; `None` for IPv6.
    pub fn netmask(&self) -> Option<std::net::Ipv4Addr> {
        match self.ip {
            IpAddr::V4(_) => {
                let host_bits = 32u32.saturating_sub(u32::from(self.prefix));
                Some(std::net::Ipv4Addr::from(
                    u32::MAX.checked_shl(host_bits).unwrap_or(0),
                ))
            }
            IpAddr::V6(_) => None,
        }
    }
}

/// What a kernel can do, found by trying.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is one answer of the kernel")]
pub struct KernelFeatures {
    /// Linux bridges.
    pub bridge: bool,
    /// Pairs of virtual interfaces.
    pub veth: bool,
    /// 802.1Q.
    pub vlan: bool,
    /// Bonding.
    pub bond: bool,
    /// VXLAN tunnels.
    pub vxlan: bool,
    /// GRE tunnels that carry Ethernet.
    pub gre: bool,
    /// Filters on bridges' ports.
    pub filter: bool,
}
