//! Devices that stand between a bridge and a host's NICs: bonds, VLANs, tunnels; and what is set on a link.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use crate::driver::{Address, check_name};
use crate::error::{NetworkError, Result};

/// Several NICs that act as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BondSpec {
    /// Its name, such as `bond0`.
    pub name: String,
    /// The NICs; the first gives its MAC address and addresses.
    pub members: Vec<String>,
    /// MAC address; `None` is the first member's.
    pub mac: Option<String>,
    /// How traffic is spread.
    pub mode: BondMode,
    /// Largest packet in bytes.
    pub mtu: u32,
}

/// How a bond spreads traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BondMode {
    /// Each source MAC address keeps to one member; the switch need know nothing of it.
    SourceMac,
    /// One member works, the others wait.
    ActiveBackup,
    /// 802.3ad with the switch.
    Lacp {
        /// What decides which member a frame takes.
        hash: LacpHash,
        /// How often the switch is asked to say that it is there.
        rate: LacpRate,
    },
}

/// What decides which member a frame takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LacpHash {
    /// Addresses and ports of the connection.
    Ports,
    /// Source MAC address and VLAN.
    SourceMac,
}

/// How often LACP frames are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LacpRate {
    /// Every thirty seconds.
    Slow,
    /// Every second.
    Fast,
}

impl BondSpec {
    /// Checks what can be checked without looking at the host.
    ///
    /// # Errors
    /// [`NetworkError::BadName`].
    pub fn validate(&self) -> Result<()> {
        check_name(&self.name)?;
        for member in &self.members {
            check_name(member)?;
        }
        let distinct: BTreeSet<&String> = self.members.iter().collect();
        if distinct.len() != self.members.len() || distinct.contains(&self.name) || distinct.is_empty() {
            return Err(NetworkError::BadName {
                name: self.name.clone(),
                reason: "a bond has one or more different members",
            });
        }
        Ok(())
    }
}

/// A VLAN on a NIC or bond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VlanSpec {
    /// What carries the tagged frames.
    pub base: String,
    /// The tag, 0 to 4094.
    pub tag: u16,
    /// Largest packet in bytes, the tag not counted.
    pub mtu: u32,
}

impl VlanSpec {
    /// The name of its device: base and tag where that fits into 15 bytes, else a digest of the base with the tag.
    pub fn device(&self) -> String {
        let plain = format!("{}.{}", self.base, self.tag);
        if plain.len() <= 15 {
            return plain;
        }
        // FNV-1a: stable over releases, and two long names of one host hardly ever meet.
        let digest = self.base.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        format!("v{digest:08x}.{}", self.tag)
    }

    /// Checks what can be checked without looking at the host.
    ///
    /// # Errors
    /// [`NetworkError::BadName`].
    pub fn validate(&self) -> Result<()> {
        check_name(&self.base)?;
        if self.tag > 4094 {
            return Err(NetworkError::BadName {
                name: self.base.clone(),
                reason: "tags end at 4094",
            });
        }
        Ok(())
    }
}

/// This host's part of a tunnelled network: frames go to every other host that is part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelSpec {
    /// Its name, such as `tunnel0`.
    pub name: String,
    /// How frames are wrapped.
    pub protocol: TunnelProtocol,
    /// Tells networks apart on the same addresses; 24 bits.
    pub key: u32,
    /// This host's address.
    pub local: Ipv4Addr,
    /// The others' addresses.
    pub remotes: BTreeSet<Ipv4Addr>,
    /// Largest packet in bytes, the wrapping not counted.
    pub mtu: u32,
}

/// How a tunnel wraps frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TunnelProtocol {
    /// In UDP, port 4789.
    Vxlan,
    /// In GRE.
    Gre,
}

impl TunnelSpec {
    /// Checks what can be checked without looking at the host.
    ///
    /// # Errors
    /// [`NetworkError::BadName`].
    pub fn validate(&self) -> Result<()> {
        check_name(&self.name)?;
        if self.key >= 1 << 24 {
            return Err(NetworkError::BadName {
                name: self.name.clone(),
                reason: "keys of tunnels have 24 bits",
            });
        }
        Ok(())
    }

    /// The devices that it takes: one for all other hosts with VXLAN, one for each with GRE.
    pub fn devices(&self) -> Vec<String> {
        match self.protocol {
            TunnelProtocol::Vxlan => vec![self.name.clone()],
            TunnelProtocol::Gre => self
                .remotes
                .iter()
                .map(|remote| self.gre_device(*remote))
                .collect(),
        }
    }

    /// The device towards one other host.
    pub fn gre_device(&self, remote: Ipv4Addr) -> String {
        format!("g{:06x}{:08x}", self.key, u32::from(remote))
    }

    /// Whether a device is one that this tunnel once had or has.
    pub fn owns(&self, device: &str) -> bool {
        match self.protocol {
            TunnelProtocol::Vxlan => device == self.name,
            TunnelProtocol::Gre => device
                .strip_prefix(&format!("g{:06x}", self.key))
                .is_some_and(|rest| rest.len() == 8),
        }
    }
}

/// The addresses of one family that a link is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpSpec {
    /// Which family; the other one is left alone.
    pub family: Family,
    /// All global addresses.
    pub addresses: Vec<Address>,
    /// The gateway of the default route, if it is to have one.
    pub gateway: Option<IpAddr>,
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(ip: IpAddr) -> Family {
        match ip {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

/// What a guest's port lets through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortPolicy {
    /// Name of the tap; it need not exist yet.
    pub port: String,
    /// What may pass.
    pub lock: PortLock,
    /// Most bytes a second that the guest may send.
    pub rate: Option<u64>,
}

/// What may pass a guest's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortLock {
    /// Everything.
    Open,
    /// Nothing.
    Shut,
    /// What comes from this MAC address and these addresses, and what is meant for them.
    Only {
        /// The guest's MAC address.
        mac: String,
        /// Addresses it may use.
        addresses: BTreeSet<IpAddr>,
    },
}

impl PortPolicy {
    /// Whether there is nothing to hold back.
    pub fn is_open(&self) -> bool {
        self.lock == PortLock::Open && self.rate.is_none()
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_vlans_device_has_a_name_that_the_kernel_takes() {
        for (base, expected) in [("eth0", Some("eth0.4094")), ("enx001122334455", None)] {
            let spec = VlanSpec {
                base: base.to_owned(),
                tag: 4094,
                mtu: 1500,
            };
            spec.validate().unwrap();
            check_name(&spec.device()).unwrap();
            if let Some(expected) = expected {
                assert_eq!(spec.device(), expected);
            }
        }
    }

    #[test]
    fn every_device_of_a_tunnel_is_its_own() {
        let mut spec = TunnelSpec {
            name: "tunnel0".to_owned(),
            protocol: TunnelProtocol::Gre,
            key: 0x00ff_ffff,
            local: Ipv4Addr::new(10, 0, 0, 1),
            remotes: [Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(255, 255, 255, 255)].into(),
            mtu: 1500,
        };
        for device in spec.devices() {
            check_name(&device).unwrap();
            assert!(spec.owns(&device) && !spec.owns("eth0"));
        }
        spec.protocol = TunnelProtocol::Vxlan;
        assert_eq!(spec.devices(), ["tunnel0"]);
    }
}
