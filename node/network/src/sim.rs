//! The network of a simulated host, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::driver::{
    Address, BridgeSpec, BridgeState, KernelFeatures, NetworkDriver, Nic, NicKind, check_name,
};
use crate::error::{NetworkError, Result};

/// A network without a kernel. Follows the same rules as the real one.
#[derive(Debug, Default)]
pub struct SimNetwork {
    world: Mutex<World>,
}

#[derive(Debug, Default)]
struct World {
    nics: BTreeMap<String, Nic>,
    bridges: BTreeMap<String, Bridge>,
    taps: BTreeSet<String>,
    fault: Option<NetworkError>,
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
        SimNetwork::new([Nic {
            name: "eth0".to_owned(),
            mac: format!("02:00:00:00:00:{number:02x}"),
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
        }])
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
        self.bridges
            .iter()
            .find(|(_, bridge)| bridge.ports.contains(port))
            .map(|(name, _)| name.clone())
    }

    fn release(&mut self, port: &str) {
        for bridge in self.bridges.values_mut() {
            bridge.ports.remove(port);
        }
    }

    fn check_bridge_name(&self, name: &str) -> Result<()> {
        check_name(name)?;
        if self.nics.contains_key(name) || self.taps.contains(name) {
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
            let nic = world.nics.get_mut(uplink).ok_or_else(|| no_such(uplink))?;
            nic.mtu = spec.mtu;
            nic.up = true;
            addresses = std::mem::take(&mut nic.addresses);
            mac = Some(nic.mac.clone());
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
        if let (Some(bridge), Some(nic)) = (bridge, uplink.and_then(|uplink| world.nics.get_mut(uplink))) {
            nic.addresses.extend(bridge.addresses);
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
        if !world.taps.contains(port) && !world.nics.contains_key(port) {
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

    async fn features(&self) -> Result<KernelFeatures> {
        self.world().begin()?;
        Ok(KernelFeatures {
            bridge: true,
            veth: true,
            vlan: true,
            bond: true,
            vxlan: true,
            gre: true,
        })
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[tokio::test]
    async fn a_simulated_host_follows_the_rules_of_a_real_one() {
        let address = Address {
            ip: [10, 0, 0, 1].into(),
            prefix: 24,
        };
        let network = SimNetwork::one_nic(1, Some(address));
        let spec = BridgeSpec::over("xenbr0", "eth0");
        let made = network.ensure_bridge(&spec).await.unwrap();
        assert_eq!(
            (made.addresses.as_slice(), made.mac.as_str()),
            ([address].as_slice(), "02:00:00:00:00:01")
        );
        assert_eq!(network.ensure_bridge(&spec).await.unwrap(), made);
        assert!(network.list_nics().await.unwrap()[0].addresses.is_empty());
        network.add_tap("vnet0");
        network.attach_port("xenbr0", "vnet0").await.unwrap();
        let answer = network.remove_bridge("xenbr0", Some("eth0")).await;
        assert!(matches!(answer, Err(NetworkError::BridgeInUse { .. })));
        let answer = network.ensure_bridge(&BridgeSpec::over("xenbr1", "eth0")).await;
        assert!(matches!(answer, Err(NetworkError::AlreadyEnslaved { .. })));
        network.remove_tap("vnet0");
        network.remove_bridge("xenbr0", Some("eth0")).await.unwrap();
        assert_eq!(network.list_nics().await.unwrap()[0].addresses, [address]);
        network.fail_next(NetworkError::NotPermitted {
            operation: "anything",
        });
        assert!(network.bridge("xenbr0").await.is_err());
        assert_eq!(network.bridge("xenbr0").await.unwrap(), None);
    }

    #[test]
    fn a_netmask_has_as_many_bits_as_the_prefix() {
        let mask = |prefix| {
            Address {
                ip: [10, 0, 0, 1].into(),
                prefix,
            }
            .netmask()
            .unwrap()
            .to_string()
        };
        assert_eq!(
            [mask(0), mask(8), mask(24), mask(32)],
            ["0.0.0.0", "255.0.0.0", "255.255.255.0", "255.255.255.255"]
        );
    }
}
