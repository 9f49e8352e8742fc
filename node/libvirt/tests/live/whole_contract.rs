//! The contract of all hypervisors, whole.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use node_hypervisor::contract::{self, Capability, Fixture};
use node_hypervisor::{DiskIndex, DiskSpec, DomainSpec, Hypervisor, NicIndex, NicModel, NicSpec};
use uuid::Uuid;

use super::guest::{LIMIT, Live, counts_on};

#[async_trait]
impl Fixture for Live {
    async fn hypervisor(&self) -> Arc<dyn Hypervisor> {
        Arc::new(self.hypervisor.clone())
    }

    async fn spec(&self, name: &str) -> DomainSpec {
        Live::spec(self, name)
    }

    fn lacks(&self) -> BTreeSet<Capability> {
        if self.bridge.is_none() {
            BTreeSet::from([Capability::NicHotplug])
        } else {
            BTreeSet::new()
        }
    }

    fn image_path(&self, vm: Uuid) -> PathBuf {
        self.folder.path().join(format!("{vm}.image"))
    }

    async fn spare_disk(&self) -> DiskSpec {
        self.disk("spare", DiskIndex(5))
    }

    async fn spare_nic(&self) -> NicSpec {
        self.nic(NicIndex(4)).unwrap_or(NicSpec {
            index: NicIndex(4),
            mac: "02:00:00:00:00:04".into(),
            bridge: "none".into(),
            tap: None,
            mtu: None,
            model: NicModel::Virtio,
        })
    }

    async fn guest_is_up(&self, vm: Uuid) {
        counts_on(&self.folder.path().join(format!("{vm}/serial.log")), 0, 1).await;
    }

    fn limit(&self) -> Duration {
        LIMIT
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_libvirt_keeps_the_whole_contract() {
    let Some(live) = Live::new().await else { return };
    let report = contract::run(&live).await.unwrap();
    print!("{report}");
}
