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
use crate::nfs::NfsDriver;
use crate::nfs::test::server;

mod crash;
mod folder;
mod layers;
mod medium;
mod speed;
mod tracking;

/// A folder with a repository in it.
struct Fixture {
    dir: TempDir,
    driver: Arc<dyn SrDriver>,
    sr: Uuid,
}

impl Fixture {
    /// The folder, on a server as it sees it.
    fn folder(&self) -> std::path::PathBuf {
        match server::here() {
            Some(server) => server.join("export").join(self.sr.to_string()),
            None => self.dir.path().join("sr"),
        }
    }

    fn config(&self) -> DeviceConfig {
        config_of(&self.folder())
    }

    /// What is in the private folder that should not stay there.
    fn leftovers(&self) -> Vec<String> {
        let usual = |name: &str| {
            ["sr.json", "lock"].contains(&name) || name.starts_with("gone-") || name.starts_with("host-")
        };
        let until = std::time::Instant::now() + Duration::from_secs(5);
        loop {
            let left: Vec<String> = std::fs::read_dir(self.folder().join(".tarn"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| !usual(name))
                .collect();
            // Who has just ended gives up his locks on threads of their own.
            if left.is_empty() || std::time::Instant::now() > until {
                return left;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    async fn plug(&self) -> Arc<dyn PluggedSr> {
        self.driver.plug(self.sr, &self.config()).await.unwrap()
    }
}

/// The configuration of a fixture's folder.
fn config_of(folder: &Path) -> DeviceConfig {
    let Some(export) = folder.parent().filter(|_| is_served(folder)) else {
        return at(folder);
    };
    [
        ("server", server::ADDRESS),
        ("serverpath", export.to_str().unwrap()),
        ("client", "qemu"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

/// Whether a folder lies on the server of a test's own.
fn is_served(folder: &Path) -> bool {
    folder
        .parent()
        .is_some_and(|parent| parent.file_name() == Some("export".as_ref()))
}

/// The driver of a fixture's folder; `host` stands for this host's own files.
fn driver_of(folder: &Path, host: &Path, options: FolderOptions) -> Arc<dyn SrDriver> {
    let files = FileDriver::new(ImageTool::default()).with_options(options);
    if is_served(folder) {
        Arc::new(NfsDriver::new(files).with_root(host))
    } else {
        Arc::new(files)
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
    let mut fixture = Fixture {
        driver: Arc::new(FileDriver::new(ImageTool::default())),
        dir,
        sr: Uuid::new_v4(),
    };
    fixture.driver = driver_of(&fixture.folder(), fixture.dir.path(), options);
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
        holds_several: false,
    };
    contract::suite(&place).await.unwrap();
    assert!(
        !dir.path().join("sr").exists(),
        "an empty folder goes with its repository"
    );
}

/// Kills each operation at each of its steps, where the thread's server is.
pub(crate) async fn every_operation_survives() {
    for operation in ["create", "copy", "clone", "resize", "destroy"] {
        crash::survives(operation, DiskFormat::Qcow2, operation == "resize").await;
    }
    crash::survives("clone", DiskFormat::Raw, false).await;
    for operation in ["freeze", "merge", "destroy"] {
        layers::survives(operation).await;
    }
}
