//! Bridges with what they stand on, and interfaces of domains.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use node_commands::{
    BondRequest, BridgeFacts, BridgeRequest, CommandError, CommandErrorKind, HostReply, IpRequest, NicFacts,
    NicLock, NicPolicy, NicRequest, TunnelRequest,
};
use node_hypervisor::{NicIndex, NicSpec};
use node_network::{
    Address, BondMode, BondSpec, BridgeSpec, Family, IpSpec, LacpHash, LacpRate, PortLock, PortPolicy,
    TunnelProtocol, TunnelSpec, VlanSpec,
};
use uuid::Uuid;

use crate::agent::{Agent, done};
use crate::convert;
use crate::operations::Outcome;

/// Largest packet where nothing else is asked for.
const USUAL_MTU: u32 = 1500;
/// Letters of which names of taps are made.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The tap of an interface: the same on every host and at every start, so that filters can be there before it is.
pub(crate) fn tap_name(vm: Uuid, device: u16) -> String {
    // Fifty bits of a random uuid: two VMs of one host do not meet.
    let mut bits = vm.as_u128() >> 78;
    let mut name = *b"tap0000000000n";
    for place in name.iter_mut().skip(3).take(10) {
        let letter = usize::try_from(bits & 31).unwrap_or(0);
        *place = LETTERS.get(letter).copied().unwrap_or(b'a');
        bits >>= 5;
    }
    format!("{}{device:x}", String::from_utf8_lossy(&name))
}

/// The link by which a bridge reaches the outside: the card, the bond, or the VLAN's device on it.
fn port_of(bridge: &BridgeRequest) -> Option<String> {
    let base = bridge.uplink.clone()?;
    Some(match bridge.vlan {
        Some(tag) => vlan(bridge, base, tag).device(),
        None => base,
    })
}

fn mtu_of(bridge: &BridgeRequest) -> u32 {
    bridge.mtu.unwrap_or(USUAL_MTU)
}

fn vlan(bridge: &BridgeRequest, base: String, tag: u16) -> VlanSpec {
    VlanSpec {
        base,
        tag,
        mtu: mtu_of(bridge),
    }
}

fn bond_spec(name: &str, bond: &BondRequest, mtu: u32) -> Result<BondSpec, CommandError> {
    let property = |key: &str| bond.properties.get(key).map(String::as_str);
    let mode = match bond.mode.as_str() {
        "balance-slb" => BondMode::SourceMac,
        "active-backup" => BondMode::ActiveBackup,
        "lacp" => BondMode::Lacp {
            hash: match property("hashing_algorithm") {
                Some("src_mac") => LacpHash::SourceMac,
                _ => LacpHash::Ports,
            },
            rate: match property("lacp-time") {
                Some("fast") => LacpRate::Fast,
                _ => LacpRate::Slow,
            },
        },
        other => {
            return Err(CommandError::new(
                CommandErrorKind::Unsupported,
                format!("bonds of mode {other:?}"),
            ));
        }
    };
    Ok(BondSpec {
        name: name.to_owned(),
        members: bond.members.clone(),
        mac: bond.mac.clone(),
        mode,
        mtu,
    })
}

fn tunnel_spec(tunnel: &TunnelRequest, mtu: u32) -> Result<TunnelSpec, CommandError> {
    let protocol = match tunnel.protocol.as_str() {
        "vxlan" => TunnelProtocol::Vxlan,
        "gre" => TunnelProtocol::Gre,
        other => {
            return Err(CommandError::new(
                CommandErrorKind::Unsupported,
                format!("tunnels of kind {other:?}"),
            ));
        }
    };
    Ok(TunnelSpec {
        name: tunnel.device.clone(),
        protocol,
        key: tunnel.key,
        local: tunnel.local,
        remotes: tunnel.remotes.clone(),
        mtu,
    })
}

fn address(text: &str) -> Result<Address, CommandError> {
    let read = text.split_once('/').and_then(|(ip, prefix)| {
        Some(Address {
            ip: ip.parse().ok()?,
            prefix: prefix.parse().ok()?,
        })
    });
    read.ok_or_else(|| convert::bad_spec(format!("{text:?} is no address with a prefix")))
}

fn ip_spec(family: Family, addresses: &[String], gateway: Option<IpAddr>) -> Result<IpSpec, CommandError> {
    Ok(IpSpec {
        family,
        addresses: addresses.iter().map(|a| address(a)).collect::<Result<_, _>>()?,
        gateway,
    })
}

fn port_policy(port: String, mac: &str, policy: &NicPolicy) -> PortPolicy {
    PortPolicy {
        port,
        lock: match &policy.lock {
            NicLock::Open => PortLock::Open,
            NicLock::Shut => PortLock::Shut,
            NicLock::Only(addresses) => PortLock::Only {
                mac: mac.to_ascii_lowercase(),
                addresses: addresses.clone(),
            },
        },
        rate: policy.rate,
    }
}

impl Agent {
    pub(crate) async fn ensure_bridge(&self, bridge: &BridgeRequest) -> Result<(), CommandError> {
        let network = &self.inner.network;
        if bridge.must_exist {
            return match network.bridge(&bridge.name).await.map_err(convert::network)? {
                Some(_) => Ok(()),
                None => Err(CommandError::api(
                    CommandErrorKind::Network,
                    proto_types::ApiError::new("BRIDGE_NOT_AVAILABLE", [bridge.name.clone()]),
                    format!("no bridge {:?} on this host", bridge.name),
                )),
            };
        }
        let mtu = mtu_of(bridge);
        if let (Some(bond), Some(name)) = (&bridge.bond, &bridge.uplink) {
            let spec = bond_spec(name, bond, mtu)?;
            network.ensure_bond(&spec).await.map_err(convert::network)?;
        }
        if let (Some(tag), Some(base)) = (bridge.vlan, &bridge.uplink) {
            network
                .ensure_vlan(&vlan(bridge, base.clone(), tag))
                .await
                .map_err(convert::network)?;
        }
        let spec = BridgeSpec {
            name: bridge.name.clone(),
            uplink: port_of(bridge),
            mtu,
        };
        network.ensure_bridge(&spec).await.map_err(convert::network)?;
        if let Some(tunnel) = &bridge.tunnel {
            let spec = tunnel_spec(tunnel, mtu)?;
            network
                .ensure_tunnel(&bridge.name, &spec)
                .await
                .map_err(convert::network)?;
        }
        self.set_ip(bridge).await?;
        self.set_link_options(bridge).await;
        if bridge.keep {
            self.inner
                .kept
                .keep(bridge)
                .await
                .map_err(|error| convert::files("networks", &error))?;
        }
        Ok(())
    }

    async fn set_ip(&self, bridge: &BridgeRequest) -> Result<(), CommandError> {
        let network = &self.inner.network;
        let mut by_dhcp = false;
        for request in &bridge.ip {
            let spec = match request {
                IpRequest::Dhcp => {
                    by_dhcp = true;
                    continue;
                }
                IpRequest::V4 { addresses, gateway } => ip_spec(Family::V4, addresses, *gateway)?,
                IpRequest::V6 { addresses, gateway } => ip_spec(Family::V6, addresses, *gateway)?,
            };
            if spec.family == Family::V4 {
                network.stop_dhcp(&bridge.name).await.map_err(convert::network)?;
            }
            network
                .set_ip(&bridge.name, &spec)
                .await
                .map_err(convert::network)?;
        }
        if by_dhcp {
            network.start_dhcp(&bridge.name).await.map_err(convert::network)?;
        }
        Ok(())
    }

    /// Removes the devices of a tunnel, unless guests are on its bridge.
    async fn leave_tunnel(&self, bridge: &str, tunnel: &TunnelSpec) -> Result<(), CommandError> {
        let network = &self.inner.network;
        let state = network.bridge(bridge).await.map_err(convert::network)?;
        let ports = state.map(|state| state.ports).unwrap_or_default();
        let (own, others): (Vec<String>, Vec<String>) = ports.into_iter().partition(|port| tunnel.owns(port));
        if !others.is_empty() {
            // The bridge's removal says who is on it.
            return Ok(());
        }
        for device in own.into_iter().chain(tunnel.devices()) {
            network.remove_device(&device).await.map_err(convert::network)?;
        }
        Ok(())
    }

    /// A bridge as it is, for the leader.
    pub(crate) async fn bridge_facts(&self, name: &str) -> Outcome {
        let state = self.inner.network.bridge(name).await.map_err(convert::network)?;
        let Some(state) = state else {
            return Err(CommandError::new(
                CommandErrorKind::Network,
                format!("bridge {name:?} has gone at once"),
            ));
        };
        Ok(HostReply::Bridge(BridgeFacts {
            mac: state.mac,
            mtu: state.mtu,
            addresses: state
                .addresses
                .iter()
                .map(|a| format!("{}/{}", a.ip, a.prefix))
                .collect(),
        }))
    }

    async fn set_link_options(&self, bridge: &BridgeRequest) {
        if bridge.link_options.is_empty() {
            return;
        }
        let cards: BTreeSet<&String> = match &bridge.bond {
            Some(bond) => bond.members.iter().collect(),
            None => bridge.uplink.iter().collect(),
        };
        for card in cards {
            // What a card refuses is told in the log; the network works without it.
            if let Err(error) = self
                .inner
                .network
                .set_link_options(card, &bridge.link_options)
                .await
            {
                tracing::warn!(card, error = error.chain(), "link options were not set");
            }
        }
    }

    pub(crate) async fn remove_bridge(&self, bridge: &BridgeRequest) -> Outcome {
        let network = &self.inner.network;
        if bridge.must_exist {
            return Ok(HostReply::Done);
        }
        let port = port_of(bridge);
        network.stop_dhcp(&bridge.name).await.map_err(convert::network)?;
        if !bridge.ip.is_empty()
            && network
                .bridge(&bridge.name)
                .await
                .map_err(convert::network)?
                .is_some()
        {
            // What is left on it goes to the card.
            self.set_ip(bridge).await?;
        }
        if let Some(tunnel) = &bridge.tunnel {
            self.leave_tunnel(&bridge.name, &tunnel_spec(tunnel, mtu_of(bridge))?)
                .await?;
        }
        network
            .remove_bridge(&bridge.name, port.as_deref())
            .await
            .map_err(convert::network)?;
        self.inner
            .kept
            .forget(&bridge.name)
            .await
            .map_err(|error| convert::files("networks", &error))?;
        match (&bridge.bond, bridge.vlan, port) {
            (_, Some(_), Some(device)) => network.remove_device(&device).await.map_err(convert::network)?,
            (Some(bond), None, Some(name)) => {
                let heir = bond.members.first().map_or("", String::as_str);
                network.remove_bond(&name, heir).await.map_err(convert::network)?;
            }
            _ => {}
        }
        Ok(HostReply::Done)
    }

    pub(crate) async fn nics(&self) -> Result<Vec<NicFacts>, CommandError> {
        let nics = self.inner.network.list_nics().await.map_err(convert::network)?;
        let mut facts = Vec::with_capacity(nics.len());
        for nic in nics {
            let mut addresses = nic.addresses.clone();
            if let Some(master) = &nic.master
                && let Ok(Some(bridge)) = self.inner.network.bridge(master).await
            {
                addresses.extend(bridge.addresses);
            }
            facts.push(NicFacts {
                device: nic.name,
                mac: nic.mac,
                mtu: nic.mtu,
                carrier: nic.carrier,
                speed: nic.speed.unwrap_or(0),
                duplex: nic.full_duplex.unwrap_or(false),
                addresses: addresses
                    .iter()
                    .map(|a| format!("{}/{}", a.ip, a.prefix))
                    .collect(),
                gateway: nic.gateway.map(|ip| ip.to_string()),
                bridge: nic.master,
                driver: nic.driver,
                pci_path: nic.pci_path,
            });
        }
        Ok(facts)
    }

    /// Makes an interface's bridge, sets what its port lets through, and describes the interface to the hypervisor.
    pub(crate) async fn open_nic(&self, vm: Uuid, nic: &NicRequest) -> Result<NicSpec, CommandError> {
        self.ensure_bridge(&nic.bridge).await?;
        self.set_policy(vm, nic).await?;
        Ok(NicSpec {
            index: NicIndex(nic.device),
            mac: nic.mac.to_ascii_lowercase(),
            bridge: nic.bridge.name.clone(),
            tap: Some(tap_name(vm, nic.device)),
            mtu: nic.mtu,
            model: nic.model,
        })
    }

    async fn set_policy(&self, vm: Uuid, nic: &NicRequest) -> Result<(), CommandError> {
        let policy = port_policy(tap_name(vm, nic.device), &nic.mac, &nic.policy);
        self.inner
            .network
            .set_policy(&policy)
            .await
            .map_err(convert::network)
    }

    /// Lets a port that has gone pass everything again, so that nothing of it stays behind.
    async fn forget_policy(&self, port: &str) {
        let open = port_policy(port.to_owned(), "", &NicPolicy::default());
        if let Err(error) = self.inner.network.set_policy(&open).await {
            tracing::warn!(port, error = error.chain(), "the filter of a port stays behind");
        }
    }

    /// Forgets the policies of a domain's ports.
    pub(crate) async fn forget_policies(&self, nics: &[NicSpec]) {
        for tap in nics.iter().filter_map(|nic| nic.tap.as_deref()) {
            self.forget_policy(tap).await;
        }
    }

    /// Notes that a domain has an interface as described, or has it no longer.
    async fn note_nic(&self, vm: Uuid, index: NicIndex, nic: Option<NicSpec>) {
        self.note(vm, |spec| {
            spec.nics.retain(|there| there.index != index);
            spec.nics.extend(nic);
        })
        .await;
    }

    pub(crate) async fn attach_nic(&self, vm: Uuid, nic: &NicRequest) -> Outcome {
        let spec = self.open_nic(vm, nic).await?;
        let attached = done(self.inner.hypervisor.attach_nic(vm, &spec).await)?;
        self.note_nic(vm, spec.index, Some(spec)).await;
        Ok(attached)
    }

    pub(crate) async fn detach_nic(&self, vm: Uuid, device: u16) -> Outcome {
        let index = NicIndex(device);
        let detached = done(self.inner.hypervisor.detach_nic(vm, index).await)?;
        self.note_nic(vm, index, None).await;
        self.forget_policy(&tap_name(vm, device)).await;
        Ok(detached)
    }

    pub(crate) async fn move_nic(&self, vm: Uuid, nic: &NicRequest) -> Outcome {
        let spec = self.open_nic(vm, nic).await?;
        let moved = done(self.inner.hypervisor.move_nic(vm, spec.index, &spec.bridge).await)?;
        self.note_nic(vm, spec.index, Some(spec)).await;
        Ok(moved)
    }

    pub(crate) async fn set_nic_policy(&self, vm: Uuid, nic: &NicRequest) -> Outcome {
        self.set_policy(vm, nic).await?;
        Ok(HostReply::Done)
    }
}

/// How long another node may take to accept a connection.
const REACH: Duration = Duration::from_secs(5);

/// See [`node_commands::HostCommand::Reach`].
pub(crate) async fn reach(address: IpAddr, port: u16) -> Outcome {
    let failed =
        |why: String| CommandError::new(CommandErrorKind::Network, format!("{address} port {port}: {why}"));
    match tokio::time::timeout(REACH, tokio::net::TcpStream::connect((address, port))).await {
        Ok(Ok(_)) => Ok(HostReply::Done),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!("no answer within {REACH:?}"))),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn taps_have_names_that_the_kernel_takes_and_do_not_meet() {
        let mut seen = BTreeSet::new();
        for number in 0..1000_u128 {
            let vm = Uuid::from_u128(number << 96 | 7);
            for device in [0, 1, 15] {
                let name = tap_name(vm, device);
                assert!(
                    name.len() <= 15 && name.bytes().all(|b| b.is_ascii_alphanumeric()),
                    "{name}"
                );
                assert!(seen.insert(name));
            }
        }
    }
}
