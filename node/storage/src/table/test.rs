//! Plugging and unplugging, with real folders.

use std::time::Duration;

use proto_types::Bytes;
use tempfile::TempDir;

use super::*;
use crate::driver::{Access, NewVolume};
use crate::job::Job;
use crate::registry::drivers;

async fn made(table: &SrTable) -> (TempDir, PlugRequest) {
    let dir = tempfile::tempdir().unwrap();
    let config = DeviceConfig::of("location", dir.path().join("sr").to_str().unwrap());
    let request = PlugRequest {
        sr: Uuid::new_v4(),
        kind: "file".to_owned(),
        config,
    };
    let create = CreateSr {
        sr: request.sr,
        config: request.config.clone(),
        physical_size: Bytes(0),
    };
    table.create("FILE", &create).await.unwrap();
    (dir, request)
}

#[tokio::test]
async fn plugging_and_unplugging_may_be_repeated() {
    let table = SrTable::new(drivers());
    let (_dir, request) = made(&table).await;
    assert_eq!(table.get(request.sr).err().unwrap().backend_code(), 47);
    table.unplug(request.sr).await.unwrap();
    let first = table.plug(&request).await.unwrap();
    let second = table.plug(&request).await.unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert_eq!(table.plugged(), vec![request.sr]);
    table.unplug(request.sr).await.unwrap();
    table.unplug(request.sr).await.unwrap();
    assert!(table.plugged().is_empty());
    assert_eq!(
        first.scan().await.unwrap_err().backend_code(),
        47,
        "an old handle does not work on"
    );
    table.plug(&request).await.unwrap().scan().await.unwrap();
}

#[tokio::test]
async fn another_configuration_is_refused_while_plugged() {
    let table = SrTable::new(drivers());
    let (dir, request) = made(&table).await;
    table.plug(&request).await.unwrap();
    let elsewhere = DeviceConfig::of("location", dir.path().join("other").to_str().unwrap());
    let other = PlugRequest {
        config: elsewhere,
        ..request.clone()
    };
    assert!(matches!(
        table.plug(&other).await,
        Err(StorageError::PluggedOtherwise { .. })
    ));
    assert!(matches!(
        table.destroy(&request).await,
        Err(StorageError::PluggedOtherwise { .. })
    ));
    table.unplug(request.sr).await.unwrap();
    table.destroy(&request).await.unwrap();
    table.destroy(&request).await.unwrap();
    let unknown = PlugRequest {
        kind: "floppy".to_owned(),
        ..request
    };
    assert_eq!(
        table.plug(&unknown).await.err().unwrap().to_api().code,
        "SR_BACKEND_FAILURE_48"
    );
}

#[tokio::test]
async fn a_plug_that_failed_may_be_made_again() {
    let table = SrTable::new(drivers());
    let (dir, request) = made(&table).await;
    let (here, away) = (dir.path().join("sr"), dir.path().join("away"));
    std::fs::rename(&here, &away).unwrap();
    let error = table.plug(&request).await.err().unwrap();
    assert!(error.is_retryable() && error.backend_code() == 47, "{error}");
    assert!(table.plugged().is_empty());
    std::fs::rename(&away, &here).unwrap();
    table.plug(&request).await.unwrap();
}

/// A driver whose backend never answers.
struct Dead;

#[async_trait::async_trait]
impl crate::SrDriver for Dead {
    fn description(&self) -> &'static DriverDescription {
        static DESCRIPTION: DriverDescription = DriverDescription {
            kind: "dead",
            label: "",
            description: "",
            vendor: "",
            copyright: "",
            version: "",
            required_api_version: "",
            features: &[],
            configuration: &[],
            image_formats: &[],
            can_be_shared: false,
            content_type: "",
        };
        &DESCRIPTION
    }

    async fn create(&self, _: &CreateSr) -> Result<()> {
        std::future::pending().await
    }

    async fn destroy(&self, _: Uuid, _: &DeviceConfig) -> Result<()> {
        std::future::pending().await
    }

    async fn probe(&self, _: &DeviceConfig) -> Result<Vec<ProbedSr>> {
        std::future::pending().await
    }

    async fn plug(&self, _: Uuid, _: &DeviceConfig) -> Result<Arc<dyn PluggedSr>> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_repository_fails_in_bounded_time_and_disturbs_no_other() {
    let table = Arc::new(SrTable::new(Drivers::new([
        Arc::new(Dead) as Arc<dyn crate::SrDriver>
    ])));
    let request = PlugRequest {
        sr: Uuid::new_v4(),
        kind: "dead".to_owned(),
        config: DeviceConfig::default(),
    };
    let begun = tokio::time::Instant::now();
    let (one, two) = tokio::join!(table.plug(&request), table.plug(&request));
    for answer in [one, two] {
        assert!(matches!(answer, Err(StorageError::TimedOut { .. })));
    }
    assert!(
        begun.elapsed() < Duration::from_secs(600),
        "{:?}",
        begun.elapsed()
    );
    // While it is being plugged the table answers at once.
    let busy = tokio::spawn({
        let (table, request) = (table.clone(), request.clone());
        async move { table.plug(&request).await.map(drop) }
    });
    tokio::task::yield_now().await;
    assert!(table.get(request.sr).is_err());
    assert!(table.plugged().is_empty());
    busy.abort();
}

#[tokio::test]
async fn many_operations_on_one_repository_end_as_if_one_after_another() {
    let table = Arc::new(SrTable::new(drivers()));
    let (_dir, request) = made(&table).await;
    let sr = table.plug(&request).await.unwrap();
    let mut work = tokio::task::JoinSet::new();
    for n in 0..24_u64 {
        let sr = sr.clone();
        work.spawn(async move {
            let new = NewVolume::empty(Uuid::new_v4(), Bytes::mib(4 + n));
            let made = sr.create_volume(&new, &Job::new()).await.unwrap();
            let grown = sr.resize(&made.location, Bytes::mib(64)).await.unwrap();
            sr.resolve(&grown.location, Access::Write).await.unwrap();
            if n % 2 == 0 {
                sr.destroy_volume(&grown.location).await.unwrap();
            }
        });
    }
    work.join_all().await;
    let scan = sr.scan().await.unwrap();
    assert_eq!(scan.volumes.len(), 12);
    assert!(
        scan.volumes
            .iter()
            .all(|volume| volume.virtual_size == Bytes::mib(64))
    );
    assert!(scan.removed.is_empty(), "{:?}", scan.removed);
}
