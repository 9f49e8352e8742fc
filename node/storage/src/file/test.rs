//! The folder driver: the contract, crashes at each step, and what is particular to folders.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use node_hypervisor::{DiskFormat, DiskSource};
use proto_types::Bytes;
use tempfile::TempDir;
use uuid::Uuid;

use super::{FileDriver, FolderOptions, Steps};
use crate::contract::{self, Place};
use crate::driver::{Access, CreateSr, DeviceConfig, Merged, NewVolume, PluggedSr, SrDriver};
use crate::error::StorageError;
use crate::image::ImageTool;
use crate::job::Job;

mod crash;
mod folder;
mod layers;
mod medium;
mod speed;
mod tracking;

/// A folder with a repository in it.
struct Fixture {
    dir: TempDir,
    driver: FileDriver,
    sr: Uuid,
}

impl Fixture {
    fn folder(&self) -> std::path::PathBuf {
        self.dir.path().join("sr")
    }

    fn config(&self) -> DeviceConfig {
        at(&self.folder())
    }

    async fn plug(&self) -> Arc<dyn PluggedSr> {
        self.driver.plug(self.sr, &self.config()).await.unwrap()
    }
}

fn at(folder: &Path) -> DeviceConfig {
    DeviceConfig::of("location", folder.to_str().unwrap())
}

async fn fixture() -> Fixture {
    fixture_with(FolderOptions::default()).await
}

async fn fixture_with(options: FolderOptions) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let driver = FileDriver::new(ImageTool::default()).with_options(options);
    let fixture = Fixture {
        dir,
        driver,
        sr: Uuid::new_v4(),
    };
    let request = CreateSr {
        sr: fixture.sr,
        config: fixture.config(),
        physical_size: Bytes(0),
    };
    fixture.driver.create(&request).await.unwrap();
    fixture
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let driver = FileDriver::new(ImageTool::default());
    let place = Place {
        driver: &driver,
        config: at(&dir.path().join("sr")),
        scratch: dir.path(),
    };
    contract::suite(&place).await.unwrap();
    assert!(
        !dir.path().join("sr").exists(),
        "an empty folder goes with its repository"
    );
}
