//! The driver passes the contract of all hypervisors over libvirt's test driver, as far as that goes.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use node_hypervisor::contract::{self, Capability, Fixture};
use node_hypervisor::{
    Bytes, DiskFormat, DiskIndex, DiskSource, DiskSpec, DomainSpec, ErrorKind, Hypervisor, NicIndex,
    NicModel, NicSpec,
};
use node_libvirt::{LibvirtConfig, LibvirtHypervisor};
use uuid::Uuid;

struct TestDriver {
    folder: tempfile::TempDir,
    hypervisor: LibvirtHypervisor,
}

#[async_trait]
impl Fixture for TestDriver {
    async fn hypervisor(&self) -> Arc<dyn Hypervisor> {
        Arc::new(self.hypervisor.clone())
    }

    async fn spec(&self, name: &str) -> DomainSpec {
        DomainSpec::new(format!("start-{name}"), Uuid::new_v4(), name, Bytes::mib(128))
    }

    fn lacks(&self) -> BTreeSet<Capability> {
        BTreeSet::from([
            Capability::DiskHotplug,
            Capability::NicHotplug,
            Capability::ResetInPlace,
            Capability::GuestReboot,
            Capability::RebootEvents,
            Capability::Consoles,
            Capability::DeviceStatistics,
        ])
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

async fn hypervisor() -> LibvirtHypervisor {
    LibvirtHypervisor::new(LibvirtConfig {
        uri: "test:///default".into(),
        ..LibvirtConfig::default()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_test_driver_keeps_the_contract_as_far_as_it_goes() {
    let fixture = TestDriver {
        folder: tempfile::tempdir().unwrap(),
        hypervisor: hypervisor().await,
    };
    let report = contract::run(&fixture).await.unwrap();
    print!("{report}");
    assert!(report.passed.len() >= 15, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn domains_of_others_are_not_listed_and_cannot_be_taken_over() {
    let hypervisor = hypervisor().await;
    // The test driver comes with one domain of its own, which is not the pool's.
    let foreign: Uuid = "6695eb01-f6a4-8304-79aa-97f2502e193f".parse().unwrap();
    let there = hypervisor
        .state(foreign)
        .await
        .unwrap()
        .expect("libvirt's own test domain");
    assert_eq!(there.operation, None);
    assert!(hypervisor.list().await.unwrap().iter().all(|d| d.uuid != foreign));
    let spec = DomainSpec::new("start", foreign, "mine", Bytes::mib(64));
    let answer = hypervisor.start(&spec, node_hypervisor::StartMode::Running).await;
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_libvirt_that_is_not_there_is_an_error_and_no_hang() {
    let folder = tempfile::tempdir().unwrap();
    let uri = format!("qemu+unix:///system?socket={}/none", folder.path().display());
    let config = LibvirtConfig {
        uri,
        accelerator: Some(node_hypervisor::Accelerator::Tcg),
        ..LibvirtConfig::default()
    };
    let hypervisor = LibvirtHypervisor::new(config).await;
    let error = hypervisor.list().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    assert!(error.is_retryable());
}
