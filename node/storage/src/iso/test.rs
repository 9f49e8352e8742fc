//! The library of CD images.

use super::*;

#[tokio::test]
async fn a_library_offers_its_images_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["debian-12.iso", "Windows.ISO", "notes.txt", ".hidden.iso"] {
        fs::write(dir.path().join(name), vec![1; 4096]).unwrap();
    }
    std::os::unix::fs::symlink("/etc/hostname", dir.path().join("link.iso")).unwrap();
    let driver = IsoDriver::new();
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
    let error = IsoDriver::new()
        .plug(Uuid::new_v4(), &config)
        .await
        .err()
        .unwrap();
    assert!(error.is_retryable() && error.backend_code() == 47);
    let nothing = DeviceConfig::default();
    assert_eq!(
        IsoDriver::new()
            .plug(Uuid::new_v4(), &nothing)
            .await
            .err()
            .unwrap()
            .backend_code(),
        94
    );
    let relative = DeviceConfig::of("location", "isos");
    assert_eq!(
        IsoDriver::new()
            .plug(Uuid::new_v4(), &relative)
            .await
            .err()
            .unwrap()
            .backend_code(),
        225
    );
}
