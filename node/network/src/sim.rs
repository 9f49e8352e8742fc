//! The network of a simulated host, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::device::{BondSpec, Family, IpSpec, PortPolicy, TunnelProtocol, TunnelSpec, VlanSpec};
use crate::driver::{
    Address, BridgeSpec, BridgeState, KernelFeatures, NetworkDriver, Nic, NicKind, check_name,
};
use crate::error::{NetworkError, Result};

/// A network without a kernel. Follows the same rules as the real one.
#[derive(Debug, Default)]
pub struct SimNetwork {
    world: Mutex<World>,
}

#[derive(Debug)]
struct World {
    nics: BTreeMap<String, Nic>,
    bridges: BTreeMap<String, Bridge>,
    devices: BTreeMap<String, Device>,
    taps: BTreeSet<String>,
    policies: BTreeMap<String, PortPolicy>,
    options: BTreeMap<String, BTreeMap<String, String>>,
    features: KernelFeatures,
    fault: Option<NetworkError>,
}

impl Default for World {
    fn default() -> Self {
        World {
            nics: BTreeMap::new(),
            bridges: BTreeMap::new(),
            devices: BTreeMap::new(),
            taps: BTreeSet::new(),
            policies: BTreeMap::new(),
            options: BTreeMap::new(),
            features: KernelFeatures {
                bridge: true,
                veth: true,
                vlan: true,
                bond: true,
                vxlan: true,
                gre: true,
                filter: true,
            },
            fault: None,
        }
    }
}

/// A device between bridges and NICs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// A bond, and the addresses that wait on it for its bridge.
    Bond(BondSpec, Vec<Address>),
    /// A VLAN.
    Vlan(VlanSpec),
    /// A tunnel.
    Tunnel(TunnelSpec),
}

#[derive(Debug)]
struct Bridge {
    mac: String,
    mtu: u32,
    ports: BTreeSet<String>,
    addresses: Vec<Address>,
}

impl SimNetwork {
    /// A host with these NICs.
    pub fn new(nics: impl IntoIterator<Item = Nic>) -> SimNetwork {
        let nics = nics.into_iter().map(|nic| (nic.name.clone(), nic)).collect();
        SimNetwork {
            world: Mutex::new(World {
                nics,
                ..World::default()
            }),
        }
    }

    /// A host with `eth0`, whose MAC address ends in `number`, and that address on it.
    pub fn one_nic(number: u8, address: Option<Address>) -> SimNetwork {
        SimNetwork::new([simulated_nic(0, number, address)])
    }

    /// A host with `eth0` as in [`SimNetwork::one_nic`], and `eth1` without an address.
    pub fn two_nics(number: u8, address: Option<Address>) -> SimNetwork {
        SimNetwork::new([simulated_nic(0, number, address), simulated_nic(1, number, None)])
    }

    /// Makes a tap, as a starting domain would.
    pub fn add_tap(&self, name: &str) {
        self.world().taps.insert(name.to_owned());
    }

    /// Removes a tap, as a stopping domain would.
    pub fn remove_tap(&self, name: &str) {
        let mut world = self.world();
        world.taps.remove(name);
        world.release(name);
    }

    /// Makes the next call fail so.
    pub fn fail_next(&self, error: NetworkError) {
        self.world().fault = Some(error);
    }

    /// Makes this host one whose kernel lacks things.
    pub fn limit(&self, features: KernelFeatures) {
        self.world().features = features;
    }

    /// A bond, VLAN or tunnel by its name.
    pub fn device(&self, name: &str) -> Option<Device> {
        self.world().devices.get(name).cloned()
    }

    /// What a guest's port is held to; `None` if to nothing.
    pub fn policy(&self, port: &str) -> Option<PortPolicy> {
        self.world().policies.get(port).cloned()
    }

    /// The link options set on a NIC.
    pub fn options(&self, nic: &str) -> BTreeMap<String, String> {
        self.world().options.get(nic).cloned().unwrap_or_default()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    fn begin(&mut self) -> Result<()> {
        self.fault.take().map_or(Ok(()), Err)
    }

    /// The bridge to which an interface belongs.
    fn master(&self, port: &str) -> Option<String> {
        let bond = self.devices.iter().find_map(|(name, device)| match device {
            Device::Bond(spec, _) if spec.members.iter().any(|member| member == port) => Some(name.clone()),
            _ => None,
        });
        bond.or_else(|| {
            self.bridges
                .iter()
                .find(|(_, bridge)| bridge.ports.contains(port))
                .map(|(name, _)| name.clone())
        })
    }

    /// MAC address of what may be an uplink.
    fn mac(&self, link: &str) -> Option<String> {
        match self.devices.get(link) {
            Some(Device::Bond(spec, _)) => match &spec.mac {
                Some(mac) => Some(mac.clone()),
                None => self.mac(spec.members.first()?),
            },
            Some(Device::Vlan(spec)) => self.mac(&spec.base),
            Some(Device::Tunnel(_)) => Some("02:00:00:00:fe:00".to_owned()),
            None => self.nics.get(link).map(|nic| nic.mac.clone()),
        }
    }

    /// Takes the addresses off a link.
    fn take_addresses(&mut self, link: &str) -> Vec<Address> {
        if let Some(Device::Bond(_, addresses)) = self.devices.get_mut(link) {
            return std::mem::take(addresses);
        }
        self.nics
            .get_mut(link)
            .map(|nic| std::mem::take(&mut nic.addresses))
            .unwrap_or_default()
    }

    fn give_addresses(&mut self, link: &str, given: Vec<Address>) {
        if let Some(Device::Bond(_, addresses)) = self.devices.get_mut(link) {
            addresses.extend(given);
        } else if let Some(nic) = self.nics.get_mut(link) {
            nic.addresses.extend(given);
        }
    }

    fn exists(&self, link: &str) -> bool {
        self.nics.contains_key(link) || self.devices.contains_key(link)
    }

    fn require(&self, there: bool, feature: &'static str) -> Result<()> {
        if there {
            Ok(())
        } else {
            Err(NetworkError::Unsupported { feature })
        }
    }

    fn release(&mut self, port: &str) {
        for bridge in self.bridges.values_mut() {
            bridge.ports.remove(port);
        }
    }

    fn check_bridge_name(&self, name: &str) -> Result<()> {
        check_name(name)?;
        if self.exists(name) || self.taps.contains(name) {
            return Err(NetworkError::NotABridge {
                name: name.to_owned(),
            });
        }
        Ok(())
    }

    fn check_free(&self, port: &str, bridge: &str) -> Result<()> {
        match self.master(port) {
            Some(master) if master != bridge => Err(NetworkError::AlreadyEnslaved {
                name: port.to_owned(),
                master,
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn state(&self, name: &str) -> Option<BridgeState> {
        let bridge = self.bridges.get(name)?;
        Some(BridgeState {
            name: name.to_owned(),
            mac: bridge.mac.clone(),
            mtu: bridge.mtu,
            up: true,
            ports: bridge.ports.iter().cloned().collect(),
            addresses: bridge.addresses.clone(),
        })
    }
}

fn simulated_nic(position: u8, number: u8, address: Option<Address>) -> Nic {
    Nic {
        name: format!("eth{position}"),
        mac: format!("02:00:00:00:{position:02x}:{number:02x}"),
        kind: NicKind::Physical,
        mtu: 1500,
        up: true,
        carrier: true,
        speed: Some(1000),
        full_duplex: Some(true),
        driver: "sim".to_owned(),
        pci_path: String::new(),
        master: None,
        addresses: address.into_iter().collect(),
        gateway: None,
    }
}

fn no_such(name: &str) -> NetworkError {
    NetworkError::NoSuchInterface {
        name: name.to_owned(),
    }
}

#[async_trait]
impl NetworkDriver for SimNetwork {
    async fn list_nics(&self) -> Result<Vec<Nic>> {
        let mut world = self.world();
        world.begin()?;
        Ok(world
            .nics
            .values()
            .map(|nic| Nic {
                master: world.master(&nic.name),
                ..nic.clone()
            })
            .collect())
    }

    async fn ensure_bridge(&self, spec: &BridgeSpec) -> Result<BridgeState> {
        spec.validate()?;
        let mut world = self.world();
        world.begin()?;
        world.check_bridge_name(&spec.name)?;
        let mut mac = None;
        let mut addresses = Vec::new();
        if let Some(uplink) = &spec.uplink {
            world.check_free(uplink, &spec.name)?;
            if !world.exists(uplink) {
                return Err(no_such(uplink));
            }
            if let Some(nic) = world.nics.get_mut(uplink) {
                nic.mtu = spec.mtu;
                nic.up = true;
            }
            addresses = world.take_addresses(uplink);
            mac = world.mac(uplink);
        }
        let number = world.bridges.len();
        let bridge = world.bridges.entry(spec.name.clone()).or_insert_with(|| Bridge {
            mac: format!("02:00:00:00:ff:{:02x}", number % 256),
            mtu: spec.mtu,
            ports: BTreeSet::new(),
            addresses: Vec::new(),
        });
        bridge.mtu = spec.mtu;
        bridge.mac = mac.unwrap_or_else(|| bridge.mac.clone());
        bridge.ports.extend(spec.uplink.clone());
        bridge.addresses.extend(addresses);
        bridge.addresses.sort();
        bridge.addresses.dedup();
        let ports = bridge.ports.clone();
        if let Some(uplink) = &spec.uplink {
            for old in ports.iter().filter(|port| *port != uplink) {
                if matches!(world.devices.get(old), Some(Device::Vlan(_))) {
                    world.devices.remove(old);
                    world.release(old);
                }
            }
        }
        world.state(&spec.name).ok_or_else(|| no_such(&spec.name))
    }

    async fn remove_bridge(&self, name: &str, uplink: Option<&str>) -> Result<()> {
        let mut world = self.world();
        world.begin()?;
        world.check_bridge_name(name)?;
        let Some(bridge) = world.bridges.get(name) else {
            return Ok(());
        };
        let ports: Vec<String> = bridge
            .ports
            .iter()
            .filter(|port| Some(port.as_str()) != uplink)
            .cloned()
            .collect();
        if !ports.is_empty() {
            return Err(NetworkError::BridgeInUse {
                bridge: name.to_owned(),
                ports,
            });
        }
        let bridge = world.bridges.remove(name);
        if let (Some(bridge), Some(uplink)) = (bridge, uplink) {
            world.give_addresses(uplink, bridge.addresses);
        }
        Ok(())
    }

    async fn bridge(&self, name: &str) -> Result<Option<BridgeState>> {
        let mut world = self.world();
        world.begin()?;
        world.check_bridge_name(name)?;
        Ok(world.state(name))
    }

    async fn attach_port(&self, bridge: &str, port: &str) -> Result<()> {
        let mut world = self.world();
        world.begin()?;
        world.check_bridge_name(bridge)?;
        if !world.taps.contains(port) && !world.exists(port) {
            return Err(no_such(port));
        }
        world.check_free(port, bridge)?;
        let bridge = world.bridges.get_mut(bridge).ok_or_else(|| no_such(bridge))?;
        bridge.ports.insert(port.to_owned());
        Ok(())
    }

    async fn detach_port(&self, port: &str) -> Result<()> {
        let mut world = self.world();
        world.begin()?;
        world.release(port);
        Ok(())
    }

    async fn ensure_bond(&self, spec: &BondSpec) -> Result<()> {
        spec.validate()?;
        let mut world = self.world();
        world.begin()?;
        world.require(world.features.bond, "bonds")?;
        for member in &spec.members {
            if !world.nics.contains_key(member) {
                return Err(no_such(member));
            }
            match world.master(member) {
                Some(master) if master != spec.name && world.devices.contains_key(&master) => {
                    return Err(NetworkError::AlreadyEnslaved {
                        name: member.clone(),
                        master,
                    });
                }
                _ => {}
            }
        }
        let mut addresses = match world.devices.remove(&spec.name) {
            Some(Device::Bond(_, addresses)) => addresses,
            Some(other) => {
                world.devices.insert(spec.name.clone(), other);
                return Err(NetworkError::NotOfKind {
                    name: spec.name.clone(),
                    kind: "bond",
                });
            }
            None => Vec::new(),
        };
        for member in &spec.members {
            if let Some(master) = world.master(member)
                && let Some(bridge) = world.bridges.get_mut(&master)
            {
                addresses.append(&mut bridge.addresses);
            }
            world.release(member);
            addresses.extend(world.take_addresses(member));
        }
        let bond = Device::Bond(spec.clone(), addresses);
        world.devices.insert(spec.name.clone(), bond);
        Ok(())
    }

    async fn remove_bond(&self, name: &str, heir: &str) -> Result<()> {
        let mut world = self.world();
        world.begin()?;
        match world.devices.remove(name) {
            None => Ok(()),
            Some(Device::Bond(_, addresses)) => {
                // As the kernel does it, VLANs go with what they stand on.
                let stood: Vec<String> = world
                    .devices
                    .iter()
                    .filter(|(_, device)| matches!(device, Device::Vlan(spec) if spec.base == name))
                    .map(|(device, _)| device.clone())
                    .collect();
                for device in stood {
                    world.devices.remove(&device);
                    world.release(&device);
                }
                world.release(name);
                world.give_addresses(heir, addresses);
                Ok(())
            }
            Some(other) => {
                world.devices.insert(name.to_owned(), other);
                Err(NetworkError::NotOfKind {
                    name: name.to_owned(),
                    kind: "bond",
                })
            }
        }
    }

    async fn ensure_vlan(&self, spec: &VlanSpec) -> Result<()> {
        spec.validate()?;
        let mut world = self.world();
        world.begin()?;
        world.require(world.features.vlan, "VLANs")?;
        if !world.exists(&spec.base) {
            return Err(no_such(&spec.base));
        }
        world.devices.insert(spec.device(), Device::Vlan(spec.clone()));
        Ok(())
    }

    async fn ensure_tunnel(&self, bridge: &str, spec: &TunnelSpec) -> Result<()> {
        spec.validate()?;
        let mut world = self.world();
        world.begin()?;
        match spec.protocol {
            TunnelProtocol::Vxlan => world.require(world.features.vxlan, "VXLAN tunnels")?,
            TunnelProtocol::Gre => world.require(world.features.gre, "GRE tunnels")?,
        }
        if !world.bridges.contains_key(bridge) {
            return Err(no_such(bridge));
        }
        let old: Vec<String> = world
            .devices
            .keys()
            .filter(|device| spec.owns(device))
            .cloned()
            .collect();
        for device in old {
            world.devices.remove(&device);
            world.release(&device);
        }
        for device in spec.devices() {
            world.devices.insert(device.clone(), Device::Tunnel(spec.clone()));
            if let Some(bridge) = world.bridges.get_mut(bridge) {
                bridge.ports.insert(device);
            }
        }
        Ok(())
    }

    async fn remove_device(&self, name: &str) -> Result<()> {
        let mut world = self.world();
        world.begin()?;
        if world.nics.contains_key(name) || matches!(world.devices.get(name), Some(Device::Bond(..))) {
            return Err(NetworkError::NotOfKind {
                name: name.to_owned(),
                kind: "VLAN or tunnel",
            });
        }
        world.devices.remove(name);
        world.release(name);
        Ok(())
    }

    async fn set_ip(&self, link: &str, spec: &IpSpec) -> Result<()> {
        let mut world = self.world();
        world.begin()?;
        let addresses = match world.bridges.get_mut(link) {
            Some(bridge) => &mut bridge.addresses,
            None => &mut world.nics.get_mut(link).ok_or_else(|| no_such(link))?.addresses,
        };
        addresses.retain(|address| Family::of(address.ip) != spec.family);
        addresses.extend(&spec.addresses);
        addresses.sort();
        Ok(())
    }

    async fn start_dhcp(&self, link: &str) -> Result<()> {
        let mut world = self.world();
        world.begin()?;
        let number =
            u8::try_from(world.bridges.keys().position(|name| name == link).unwrap_or(0)).unwrap_or(0);
        let bridge = world.bridges.get_mut(link).ok_or_else(|| no_such(link))?;
        if !bridge.addresses.iter().any(|address| address.ip.is_ipv4()) {
            // A server's choice in a network set aside for examples.
            bridge.addresses.push(Address {
                ip: [198, 51, 100, number.saturating_add(10)].into(),
                prefix: 24,
            });
        }
        Ok(())
    }

    async fn stop_dhcp(&self, _link: &str) -> Result<()> {
        self.world().begin()
    }

    async fn set_policy(&self, policy: &PortPolicy) -> Result<()> {
        let mut world = self.world();
        world.begin()?;
        if policy.is_open() {
            world.policies.remove(&policy.port);
            return Ok(());
        }
        world.require(world.features.filter, "filters")?;
        world.policies.insert(policy.port.clone(), policy.clone());
        Ok(())
    }

    async fn set_link_options(
        &self,
        nic: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>> {
        let mut world = self.world();
        world.begin()?;
        world
            .options
            .entry(nic.to_owned())
            .or_default()
            .extend(options.clone());
        Ok(BTreeMap::new())
    }

    async fn features(&self) -> Result<KernelFeatures> {
        let mut world = self.world();
        world.begin()?;
        Ok(world.features)
    }
}

#[cfg(test)]
mod test;
