//! The simulated host passes the contract of all hypervisors.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use node_hypervisor::contract::{self, Capability, Fixture};
use node_hypervisor::{
    Bytes, DiskFormat, DiskIndex, DiskSource, DiskSpec, DomainSpec, Hypervisor, NicIndex, NicModel, NicSpec,
};
use node_sim::{SimHypervisor, SimWorld};
use uuid::Uuid;

struct Sim {
    folder: tempfile::TempDir,
    host: SimHypervisor,
}

#[async_trait]
impl Fixture for Sim {
    async fn hypervisor(&self) -> Arc<dyn Hypervisor> {
        Arc::new(self.host.clone())
    }

    async fn spec(&self, name: &str) -> DomainSpec {
        let mut spec = DomainSpec::new(format!("start-{name}"), Uuid::new_v4(), name, Bytes::mib(128));
        spec.serial_log = Some(self.folder.path().join("serial.log"));
        spec
    }

    fn lacks(&self) -> BTreeSet<Capability> {
        BTreeSet::new()
    }

    fn image_path(&self, vm: Uuid) -> PathBuf {
        self.folder.path().join(format!("{vm}.image"))
    }

    async fn spare_disk(&self) -> DiskSpec {
        let path = self.folder.path().join("spare.raw");
        DiskSpec::disk(
            DiskIndex(3),
            DiskSource::File {
                path,
                format: DiskFormat::Raw,
            },
            "spare",
        )
    }

    async fn spare_nic(&self) -> NicSpec {
        NicSpec {
            index: NicIndex(2),
            mac: "02:00:00:00:00:02".into(),
            bridge: "br0".into(),
            tap: None,
            mtu: None,
            model: NicModel::Virtio,
        }
    }

    async fn guest_is_up(&self, _: Uuid) {}

    fn limit(&self) -> Duration {
        Duration::from_secs(10)
    }
}

#[tokio::test]
async fn the_simulation_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let host = SimWorld::new(folder.path()).host("one").unwrap();
    let report = contract::run(&Sim { folder, host }).await.unwrap();
    print!("{report}");
    assert!(report.skipped.is_empty());
}
