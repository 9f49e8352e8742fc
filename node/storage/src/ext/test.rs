//! The contract on a loop device, where root may make one.

use std::process::Command;

use super::*;
use crate::contract::{self, Place};
use crate::image::ImageTool;

/// A loop device over a file, which goes with it.
struct Loop {
    dir: tempfile::TempDir,
    device: String,
}

impl Loop {
    fn new() -> Option<Loop> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("disk");
        std::fs::File::create(&file).unwrap().set_len(256 << 20).unwrap();
        let output = Command::new("losetup").args(["-f", "--show"]).arg(&file).output();
        match output {
            Ok(output) if output.status.success() => {
                let device = String::from_utf8(output.stdout).unwrap().trim().to_owned();
                Some(Loop { dir, device })
            }
            Ok(output) => {
                println!(
                    "skipped: losetup says {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                );
                None
            }
            Err(error) => {
                println!("skipped: losetup cannot be run: {error}");
                None
            }
        }
    }

    fn config(&self) -> DeviceConfig {
        DeviceConfig::of("device", self.device.as_str())
    }

    fn driver(&self) -> ExtDriver {
        ExtDriver::new(FileDriver::new(ImageTool::default())).with_root(&self.dir.path().join("mnt"))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", &self.device]).status();
    }
}

#[tokio::test]
async fn a_local_disk_keeps_the_contract() {
    let Some(disk) = Loop::new() else { return };
    let driver = disk.driver();
    let place = Place {
        driver: &driver,
        config: disk.config(),
        scratch: disk.dir.path(),
        holds_several: false,
    };
    contract::suite(&place).await.unwrap();
    assert_eq!(
        content(Path::new(&disk.device)).await.unwrap(),
        None,
        "it is wiped"
    );
    assert_eq!(std::fs::read_dir(disk.dir.path().join("mnt")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_disk_with_somebodys_data_is_left_alone() {
    let Some(disk) = Loop::new() else { return };
    let made = Command::new("mkfs.ext4")
        .args(["-q", "-F", &disk.device])
        .status();
    assert!(made.unwrap().success());
    let mount = disk.driver().mount(Path::new(&disk.device), "theirs");
    mount
        .during(async {
            std::fs::write(mount.at.join("letter"), "dear").unwrap();
            Ok(())
        })
        .await
        .unwrap();
    let request = CreateSr {
        sr: Uuid::new_v4(),
        config: disk.config(),
        physical_size: Bytes(0),
    };
    let error = disk.driver().create(&request).await.unwrap_err();
    assert_eq!(error.backend_code(), 91, "{}", error.chain());
    assert!(disk.driver().probe(&disk.config()).await.unwrap().is_empty());
    mount
        .during(async {
            assert_eq!(std::fs::read_to_string(mount.at.join("letter")).unwrap(), "dear");
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_no_device_is_refused() {
    let driver = ExtDriver::new(FileDriver::new(ImageTool::default()));
    for (value, code) in [
        ("", 90),
        ("sda", 91),
        ("/dev/null", 91),
        ("/dev/gone", 91),
        ("/dev/a,/dev/b", 91),
    ] {
        let error = driver
            .probe(&DeviceConfig::of("device", value))
            .await
            .unwrap_err();
        assert_eq!(error.backend_code(), code, "{value:?}");
    }
}
