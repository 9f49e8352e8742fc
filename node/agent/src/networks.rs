//! Bridges, and interfaces of domains.

use node_commands::{BridgeRequest, CommandError, CommandErrorKind, HostReply, NicFacts, NicRequest};
use node_hypervisor::{NicIndex, NicSpec};
use node_network::BridgeSpec;
use uuid::Uuid;

use crate::agent::{Agent, done};
use crate::convert;
use crate::operations::Outcome;

/// Largest packet where nothing else is asked for.
const USUAL_MTU: u32 = 1500;

impl Agent {
    pub(crate) async fn ensure_bridge(&self, bridge: &BridgeRequest) -> Result<(), CommandError> {
        if let Some(vlan) = bridge.vlan {
            // The driver has no VLANs yet; a bridge without the tag would join two networks.
            return Err(CommandError::new(
                CommandErrorKind::Unsupported,
                format!("VLAN {vlan} on {}", bridge.name),
            ));
        }
        let spec = BridgeSpec {
            name: bridge.name.clone(),
            uplink: bridge.uplink.clone(),
            mtu: bridge.mtu.unwrap_or(USUAL_MTU),
        };
        self.inner
            .network
            .ensure_bridge(&spec)
            .await
            .map_err(convert::network)?;
        Ok(())
    }

    pub(crate) async fn remove_bridge(&self, bridge: &str, uplink: Option<&str>) -> Outcome {
        self.inner
            .network
            .remove_bridge(bridge, uplink)
            .await
            .map_err(convert::network)?;
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

    /// Makes an interface's bridge and describes the interface to the hypervisor.
    pub(crate) async fn open_nic(&self, nic: &NicRequest) -> Result<NicSpec, CommandError> {
        self.ensure_bridge(&nic.bridge).await?;
        Ok(NicSpec {
            index: NicIndex(nic.device),
            mac: nic.mac.to_ascii_lowercase(),
            bridge: nic.bridge.name.clone(),
            tap: None,
            mtu: nic.mtu,
            model: nic.model,
        })
    }

    pub(crate) async fn attach_nic(&self, vm: Uuid, nic: &NicRequest) -> Outcome {
        let spec = self.open_nic(nic).await?;
        done(self.inner.hypervisor.attach_nic(vm, &spec).await)
    }

    pub(crate) async fn detach_nic(&self, vm: Uuid, device: u16) -> Outcome {
        done(self.inner.hypervisor.detach_nic(vm, NicIndex(device)).await)
    }
}
