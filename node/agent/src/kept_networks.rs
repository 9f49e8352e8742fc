//! The networks that this host makes again by itself when its node starts, kept in a file: a restart of the machine takes
//! bridges, VLANs, bonds and tunnels away, and the pool may be reached through one of them.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use node_commands::BridgeRequest;
use tokio::sync::Mutex;

use crate::agent::Agent;

/// Which networks are kept, by the name of their bridge.
pub(crate) struct KeptNetworks {
    file: PathBuf,
    table: Mutex<BTreeMap<String, BridgeRequest>>,
}

impl KeptNetworks {
    pub(crate) async fn load(file: PathBuf) -> io::Result<KeptNetworks> {
        let table = match tokio::fs::read(&file).await {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(KeptNetworks {
            file,
            table: Mutex::new(table),
        })
    }

    /// Bonds and plain cards first: VLANs and tunnels stand on them.
    async fn all(&self) -> Vec<BridgeRequest> {
        let mut all: Vec<BridgeRequest> = self.table.lock().await.values().cloned().collect();
        all.sort_by_key(|bridge| (bridge.tunnel.is_some(), bridge.vlan.is_some()));
        all
    }

    pub(crate) async fn keep(&self, bridge: &BridgeRequest) -> io::Result<()> {
        let mut table = self.table.lock().await;
        let mut bridge = bridge.clone();
        let known = table.get(&bridge.name);
        if let Some(known) = known
            && bridge.ip.is_empty()
        {
            // Its addresses are left as they are, also over the next restart.
            bridge.ip.clone_from(&known.ip);
        }
        if known == Some(&bridge) {
            return Ok(());
        }
        table.insert(bridge.name.clone(), bridge);
        self.write(&table).await
    }

    pub(crate) async fn forget(&self, name: &str) -> io::Result<()> {
        let mut table = self.table.lock().await;
        match table.remove(name) {
            Some(_) => self.write(&table).await,
            None => Ok(()),
        }
    }

    async fn write(&self, table: &BTreeMap<String, BridgeRequest>) -> io::Result<()> {
        let bytes = serde_json::to_vec(table).map_err(io::Error::other)?;
        let fresh = self.file.with_extension("new");
        tokio::fs::write(&fresh, bytes).await?;
        tokio::fs::rename(&fresh, &self.file).await
    }
}

impl Agent {
    /// Makes the kept networks again. One that cannot be made keeps no other from being made.
    pub(crate) async fn restore_networks(&self) {
        for bridge in self.inner.kept.all().await {
            if let Err(error) = self.ensure_bridge(&bridge).await {
                tracing::warn!(bridge = bridge.name, %error, "a network was not made again");
            }
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_there_after_a_restart_in_the_order_in_which_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("networks.json");
        let kept = KeptNetworks::load(file.clone()).await.unwrap();
        let vlan = BridgeRequest {
            vlan: Some(7),
            ..BridgeRequest::over("a", "eth0")
        };
        let plain = BridgeRequest::over("b", "eth0");
        for bridge in [&vlan, &plain, &BridgeRequest::internal("c")] {
            kept.keep(bridge).await.unwrap();
        }
        kept.forget("c").await.unwrap();
        kept.forget("d").await.unwrap();
        drop(kept);
        assert_eq!(KeptNetworks::load(file).await.unwrap().all().await, [plain, vlan]);
    }
}
