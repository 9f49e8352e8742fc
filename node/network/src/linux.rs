//! The kernel's bridges over rtnetlink.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use rtnetlink::{LinkBridge, LinkUnspec};
use tokio::sync::Mutex;

use crate::device::{BondSpec, IpSpec, PortPolicy, TunnelSpec, VlanSpec};
use crate::driver::{BridgeSpec, BridgeState, KernelFeatures, NetworkDriver, Nic, NicKind, check_name};
use crate::error::{NetworkError, Result};

mod address;
mod bond;
mod dhcp;
mod ethtool;
mod features;
mod filter;
mod program;
mod relocate;
mod session;
mod sysfs;
mod tunnel;

#[cfg(test)]
mod test;

use session::{Kind, Link, Session};

/// The network of the namespace in which the process runs.
///
/// Holds no state but a lock and the DHCP clients it has started: what is there is asked of the kernel each time, since
/// others change it too.
#[derive(Debug, Default)]
pub struct LinuxNetwork {
    /// Two changes at a time would see each other's halves.
    order: Mutex<()>,
    dhcp: dhcp::Clients,
    filters: filter::Filters,
}

/// The longest that any call may take; the kernel answers within milliseconds.
const DEADLINE: Duration = Duration::from_secs(20);

/// What names of interfaces that belong to guests begin with.
const GUEST_SIDE: [&str; 3] = ["vnet", "tap", "vif"];

impl LinuxNetwork {
    /// The network of this process.
    pub fn new() -> LinuxNetwork {
        LinuxNetwork::default()
    }
}

/// Runs netlink work within the deadline.
async fn bounded<T>(operation: &'static str, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(DEADLINE, work)
        .await
        .unwrap_or(Err(NetworkError::TimedOut {
            operation,
            after: DEADLINE,
        }))
}

#[async_trait]
impl NetworkDriver for LinuxNetwork {
    async fn list_nics(&self) -> Result<Vec<Nic>> {
        bounded("list NICs", list_nics()).await
    }

    async fn ensure_bridge(&self, spec: &BridgeSpec) -> Result<BridgeState> {
        spec.validate()?;
        let _order = self.order.lock().await;
        bounded("make bridge", ensure_bridge(spec)).await
    }

    async fn remove_bridge(&self, name: &str, uplink: Option<&str>) -> Result<()> {
        let _order = self.order.lock().await;
        bounded("remove bridge", remove_bridge(name, uplink)).await
    }

    async fn bridge(&self, name: &str) -> Result<Option<BridgeState>> {
        bounded("look at bridge", async { state(&Session::open()?, name).await }).await
    }

    async fn attach_port(&self, bridge: &str, port: &str) -> Result<()> {
        let _order = self.order.lock().await;
        bounded("attach port", attach_port(bridge, port)).await
    }

    async fn detach_port(&self, port: &str) -> Result<()> {
        let _order = self.order.lock().await;
        bounded("detach port", async {
            let session = Session::open()?;
            match session.link(port).await? {
                Some(link) if link.master.is_some() => {
                    let message = LinkUnspec::new_with_index(link.index).nocontroller().build();
                    session.set("detach port", port, message).await
                }
                Some(_) | None => Ok(()),
            }
        })
        .await
    }

    async fn ensure_bond(&self, spec: &BondSpec) -> Result<()> {
        spec.validate()?;
        let _order = self.order.lock().await;
        bounded("make bond", bond::ensure_bond(spec)).await
    }

    async fn remove_bond(&self, name: &str, heir: &str) -> Result<()> {
        check_name(name)?;
        let _order = self.order.lock().await;
        bounded("remove bond", bond::remove_bond(name, heir)).await
    }

    async fn ensure_vlan(&self, spec: &VlanSpec) -> Result<()> {
        spec.validate()?;
        let _order = self.order.lock().await;
        bounded("make VLAN", bond::ensure_vlan(spec)).await
    }

    async fn ensure_tunnel(&self, bridge: &str, spec: &TunnelSpec) -> Result<()> {
        spec.validate()?;
        let _order = self.order.lock().await;
        bounded("make tunnel", tunnel::ensure_tunnel(bridge, spec)).await
    }

    async fn remove_device(&self, name: &str) -> Result<()> {
        let _order = self.order.lock().await;
        bounded("remove device", bond::remove_device(name)).await
    }

    async fn set_ip(&self, link: &str, spec: &IpSpec) -> Result<()> {
        let _order = self.order.lock().await;
        bounded("set addresses", address::set_ip(link, spec)).await
    }

    async fn start_dhcp(&self, link: &str) -> Result<()> {
        self.dhcp.start(link).await
    }

    async fn stop_dhcp(&self, link: &str) -> Result<()> {
        self.dhcp.stop(link);
        Ok(())
    }

    async fn set_policy(&self, policy: &PortPolicy) -> Result<()> {
        self.filters.set_policy(policy).await
    }

    async fn set_link_options(
        &self,
        nic: &str,
        options: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>> {
        ethtool::set(nic, options).await
    }

    async fn features(&self) -> Result<KernelFeatures> {
        let _order = self.order.lock().await;
        bounded("try kernel features", async {
            features::probe(&Session::open()?).await
        })
        .await
    }
}

fn no_such(name: &str) -> NetworkError {
    NetworkError::NoSuchInterface {
        name: name.to_owned(),
    }
}

async fn list_nics() -> Result<Vec<Nic>> {
    let session = Session::open()?;
    let links = session.links().await?;
    let mut nics = Vec::new();
    for link in &links {
        let kind = match link.kind {
            Kind::Physical => NicKind::Physical,
            Kind::Veth => NicKind::Veth,
            Kind::Bridge | Kind::Vlan | Kind::Bond | Kind::Tunnel | Kind::Other => continue,
        };
        if !link.ethernet || GUEST_SIDE.iter().any(|prefix| link.name.starts_with(prefix)) {
            continue;
        }
        let carrier_of_ip = link.master.unwrap_or(link.index);
        let device = sysfs::device(&link.name, &link.mac);
        nics.push(Nic {
            name: link.name.clone(),
            mac: link.mac.clone(),
            kind,
            mtu: link.mtu,
            up: link.up,
            carrier: link.carrier,
            speed: device.speed,
            full_duplex: device.full_duplex,
            driver: device.driver,
            pci_path: device.pci_path,
            master: link
                .master
                .and_then(|master| links.iter().find(|other| other.index == master))
                .map(|master| master.name.clone()),
            addresses: session.addresses(link.index).await?,
            gateway: session.gateway(carrier_of_ip).await?,
        });
    }
    nics.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(nics)
}

async fn state(session: &Session, name: &str) -> Result<Option<BridgeState>> {
    let links = session.links().await?;
    let Some(bridge) = links.iter().find(|link| link.name == name) else {
        return Ok(None);
    };
    if bridge.kind != Kind::Bridge {
        return Err(NetworkError::NotABridge {
            name: name.to_owned(),
        });
    }
    let mut ports: Vec<String> = links
        .iter()
        .filter(|link| link.master == Some(bridge.index))
        .map(|link| link.name.clone())
        .collect();
    ports.sort();
    Ok(Some(BridgeState {
        name: bridge.name.clone(),
        mac: bridge.mac.clone(),
        mtu: bridge.mtu,
        up: bridge.up,
        ports,
        addresses: session.addresses(bridge.index).await?,
    }))
}

async fn bridge_link(session: &Session, name: &str) -> Result<Option<Link>> {
    match session.link(name).await? {
        Some(link) if link.kind != Kind::Bridge => Err(NetworkError::NotABridge {
            name: name.to_owned(),
        }),
        other => Ok(other),
    }
}

async fn ensure_bridge(spec: &BridgeSpec) -> Result<BridgeState> {
    let session = Session::open()?;
    let uplink = match &spec.uplink {
        Some(name) => Some(session.link(name).await?.ok_or_else(|| no_such(name))?),
        None => None,
    };
    let bridge = match bridge_link(&session, &spec.name).await? {
        Some(bridge) => bridge,
        None => {
            let mut new = LinkBridge::new(&spec.name).mtu(spec.mtu);
            if let Some(uplink) = &uplink {
                new = new.address(uplink.mac_bytes.clone());
            }
            session.add("make bridge", &spec.name, new.build()).await?;
            bridge_link(&session, &spec.name)
                .await?
                .ok_or_else(|| no_such(&spec.name))?
        }
    };
    if let Some(uplink) = &uplink {
        check_free(&session, uplink, &bridge).await?;
        set_mtu(&session, uplink, spec.mtu).await?;
    }
    set_mtu(&session, &bridge, spec.mtu).await?;
    if !bridge.up {
        session
            .set(
                "bring up",
                &bridge.name,
                LinkUnspec::new_with_index(bridge.index).up().build(),
            )
            .await?;
    }
    if let Some(uplink) = &uplink {
        drop_old_vlans(&session, &bridge, uplink).await?;
    }
    let Some(uplink) = uplink else {
        return state(&session, &spec.name)
            .await?
            .ok_or_else(|| no_such(&spec.name));
    };
    // An address set by hand stays, whatever ports come and go.
    if bridge.mac_bytes != uplink.mac_bytes {
        let message = LinkUnspec::new_with_index(bridge.index)
            .address(uplink.mac_bytes.clone())
            .build();
        session.set("set MAC address", &bridge.name, message).await?;
    }
    if uplink.master != Some(bridge.index) || !uplink.up {
        let message = LinkUnspec::new_with_index(uplink.index)
            .controller(bridge.index)
            .up()
            .build();
        session.set("attach uplink", &uplink.name, message).await?;
    }
    let moved = relocate::move_ip(&session, &uplink, &bridge).await?;
    if moved {
        relocate::announce(&session, &bridge, &uplink.mac_bytes).await;
        tracing::info!(bridge = %spec.name, uplink = %uplink.name, "addresses moved onto the bridge");
    }
    state(&session, &spec.name)
        .await?
        .ok_or_else(|| no_such(&spec.name))
}

/// Removes VLAN devices through which a bridge reached the outside before it got another uplink: with two it would
/// join two networks.
async fn drop_old_vlans(session: &Session, bridge: &Link, uplink: &Link) -> Result<()> {
    for old in session.links().await? {
        if old.master == Some(bridge.index) && old.kind == Kind::Vlan && old.index != uplink.index {
            session.delete("remove old VLAN", &old.name, old.index).await?;
        }
    }
    Ok(())
}

/// Fails if an interface belongs to something else.
async fn check_free(session: &Session, port: &Link, bridge: &Link) -> Result<()> {
    if port.kind == Kind::Bridge {
        return Err(NetworkError::BadName {
            name: port.name.clone(),
            reason: "a bridge cannot be a port of a bridge",
        });
    }
    match port.master {
        Some(master) if master != bridge.index => {
            let links = session.links().await?;
            let master = links.iter().find(|link| link.index == master);
            let master = master.map_or_else(
                || "an interface that is gone".to_owned(),
                |link| link.name.clone(),
            );
            Err(NetworkError::AlreadyEnslaved {
                name: port.name.clone(),
                master,
            })
        }
        Some(_) | None => Ok(()),
    }
}

async fn set_mtu(session: &Session, link: &Link, mtu: u32) -> Result<()> {
    if link.mtu == mtu {
        return Ok(());
    }
    let message = LinkUnspec::new_with_index(link.index).mtu(mtu).build();
    session
        .set("set MTU", &link.name, message)
        .await
        .map_err(|error| match error {
            // EINVAL and ERANGE: below or above what the device can do.
            NetworkError::Kernel { name, .. } => NetworkError::BadMtu { name, mtu },
            other => other,
        })
}

async fn remove_bridge(name: &str, uplink: Option<&str>) -> Result<()> {
    let session = Session::open()?;
    let Some(bridge) = bridge_link(&session, name).await? else {
        return Ok(());
    };
    let links = session.links().await?;
    let ports = links
        .iter()
        .filter(|link| link.master == Some(bridge.index) && Some(link.name.as_str()) != uplink);
    let ports: Vec<String> = ports.map(|link| link.name.clone()).collect();
    if !ports.is_empty() {
        return Err(NetworkError::BridgeInUse {
            bridge: name.to_owned(),
            ports,
        });
    }
    // An uplink that belongs to something else by now gets nothing.
    let uplink = links.iter().find(|link| {
        Some(link.name.as_str()) == uplink && link.master.is_none_or(|master| master == bridge.index)
    });
    if let Some(uplink) = uplink {
        if uplink.master.is_some() {
            let message = LinkUnspec::new_with_index(uplink.index).nocontroller().build();
            session.set("detach uplink", &uplink.name, message).await?;
        }
        if relocate::move_ip(&session, &bridge, uplink).await? {
            relocate::announce(&session, uplink, &uplink.mac_bytes).await;
        }
    }
    session.delete("remove bridge", name, bridge.index).await
}

async fn attach_port(bridge: &str, port: &str) -> Result<()> {
    check_name(port)?;
    let session = Session::open()?;
    let bridge = bridge_link(&session, bridge)
        .await?
        .ok_or_else(|| no_such(bridge))?;
    let link = session.link(port).await?.ok_or_else(|| no_such(port))?;
    check_free(&session, &link, &bridge).await?;
    let message = LinkUnspec::new_with_index(link.index)
        .controller(bridge.index)
        .up()
        .build();
    session.set("attach port", port, message).await
}
