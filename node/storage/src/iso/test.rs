//! The library of CD images.

use std::fs;

use super::*;
use crate::file::FileDriver;
use crate::image::ImageTool;
use crate::nfs::test::server::{ADDRESS, on_server};

fn driver() -> IsoDriver {
    IsoDriver::new(NfsDriver::new(FileDriver::new(ImageTool::default())))
}

#[test]
fn a_location_leads_to_a_folder_or_to_a_server() {
    let at = |location: &str| Place::read(&DeviceConfig::of("location", location));
    assert_eq!(at("/isos").unwrap(), Place::Folder("/isos".into()));
    assert_eq!(at("/a:/b").unwrap(), Place::Folder("/a:/b".into()));
    for (location, server) in [("nas:/isos", "nas"), ("[fd00::1]:/isos", "[fd00::1]")] {
        let Place::Server(config) = at(location).unwrap() else {
            panic!("{location}")
        };
        assert_eq!(config.get("server"), Some(server));
        assert_eq!(config.get("serverpath"), Some("/isos"));
    }
    assert_eq!(at("isos").unwrap_err().backend_code(), 225);
}

#[test]
fn a_library_on_a_server_is_read_through_qemu() {
    on_server(async |server| {
        let disc = server.export().join("my disc.iso");
        fs::write(&disc, vec![7; 4096]).unwrap();
        fs::write(server.export().join("notes.txt"), "no disc").unwrap();
        let host = tempfile::tempdir().unwrap();
        let nfs = NfsDriver::new(FileDriver::new(ImageTool::default())).with_root(host.path());
        let driver = IsoDriver::new(nfs);
        let mut config = DeviceConfig::of("location", format!("{ADDRESS}:{}", server.export().display()));
        config.0.insert("client".to_owned(), "qemu".to_owned());
        assert!(driver.probe(&config).await.unwrap()[0].space.physical_size.get() > 0);
        let request = CreateSr {
            sr: Uuid::new_v4(),
            config: config.clone(),
            physical_size: Bytes(0),
        };
        driver.create(&request).await.unwrap();
        let sr = driver.plug(request.sr, &config).await.unwrap();
        let scan = sr.scan().await.unwrap();
        assert_eq!(scan.volumes.len(), 1);
        assert_eq!(scan.volumes[0].virtual_size, Bytes(4096));
        let opened = sr.resolve("my disc.iso", Access::Read).await.unwrap();
        let bytes = crate::contract::read(&ImageTool::default(), &opened, host.path())
            .await
            .unwrap();
        assert_eq!(bytes, vec![7; 4096]);
        assert_eq!(
            sr.resolve("gone.iso", Access::Read)
                .await
                .unwrap_err()
                .backend_code(),
            46
        );
        sr.unplug().await.unwrap();
        driver.destroy(request.sr, &config).await.unwrap();
        assert!(disc.exists() && !server.export().join(".tarn").exists());
        server
    });
}

#[tokio::test]
async fn a_library_offers_its_images_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["debian-12.iso", "Windows.ISO", "notes.txt", ".hidden.iso"] {
        fs::write(dir.path().join(name), vec![1; 4096]).unwrap();
    }
    std::os::unix::fs::symlink("/etc/hostname", dir.path().join("link.iso")).unwrap();
    let driver = driver();
    let config = DeviceConfig::of("location", dir.path().to_str().unwrap());
    let request = CreateSr {
        sr: Uuid::new_v4(),
        config: config.clone(),
        physical_size: Bytes(0),
    };
    driver.create(&request).await.unwrap();
    let sr = driver.plug(request.sr, &config).await.unwrap();
    let scan = sr.scan().await.unwrap();
    let names: Vec<&str> = scan
        .volumes
        .iter()
        .map(|volume| volume.location.as_str())
        .collect();
    assert_eq!(names, ["Windows.ISO", "debian-12.iso"]);
    assert!(
        scan.volumes
            .iter()
            .all(|volume| volume.read_only && volume.name.as_deref() == Some(&volume.location))
    );
    assert_eq!(scan.refused.len(), 1);
    assert!(matches!(
        sr.resolve("debian-12.iso", Access::Read).await.unwrap(),
        DiskSource::File {
            format: DiskFormat::Raw,
            ..
        }
    ));
    assert_eq!(
        sr.resolve("debian-12.iso", Access::Write)
            .await
            .unwrap_err()
            .backend_code(),
        461
    );
    for evil in [
        "../x.iso",
        "/etc/x.iso",
        "notes.txt",
        ".hidden.iso",
        "",
        "gone.iso",
    ] {
        assert_eq!(
            sr.resolve(evil, Access::Read).await.unwrap_err().backend_code(),
            46,
            "{evil}"
        );
    }
    let new = NewVolume::empty(Uuid::new_v4(), Bytes::mib(1));
    assert_eq!(
        sr.create_volume(&new, &Job::new())
            .await
            .unwrap_err()
            .backend_code(),
        38
    );
    assert_eq!(
        sr.destroy_volume("debian-12.iso")
            .await
            .unwrap_err()
            .backend_code(),
        38
    );
    sr.unplug().await.unwrap();
    assert_eq!(sr.scan().await.unwrap_err().backend_code(), 47);
    driver.destroy(request.sr, &config).await.unwrap();
    assert!(dir.path().join("debian-12.iso").exists());
}

#[tokio::test]
async fn a_library_that_is_not_there_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let config = DeviceConfig::of("location", dir.path().join("gone").to_str().unwrap());
    let error = driver().plug(Uuid::new_v4(), &config).await.err().unwrap();
    assert!(error.is_retryable() && error.backend_code() == 47);
    let nothing = DeviceConfig::default();
    assert_eq!(
        driver()
            .plug(Uuid::new_v4(), &nothing)
            .await
            .err()
            .unwrap()
            .backend_code(),
        94
    );
    let relative = DeviceConfig::of("location", "isos");
    assert_eq!(
        driver()
            .plug(Uuid::new_v4(), &relative)
            .await
            .err()
            .unwrap()
            .backend_code(),
        225
    );
}
