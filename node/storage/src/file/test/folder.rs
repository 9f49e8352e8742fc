//! What is particular to folders.

use super::*;

#[tokio::test]
async fn a_folder_whose_medium_is_gone_is_never_an_empty_repository() {
    let fixture = fixture().await;
    let sr = fixture.plug().await;
    sr.create_volume(&NewVolume::empty(Uuid::new_v4(), Bytes::mib(1)), &Job::new())
        .await
        .unwrap();
    // What an unmounted file system looks like.
    std::fs::rename(fixture.folder(), fixture.dir.path().join("elsewhere")).unwrap();
    std::fs::create_dir(fixture.folder()).unwrap();
    assert_eq!(sr.scan().await.unwrap_err().backend_code(), 47);
    let new = NewVolume::empty(Uuid::new_v4(), Bytes::mib(1));
    assert_eq!(
        sr.create_volume(&new, &Job::new())
            .await
            .unwrap_err()
            .backend_code(),
        47
    );
    assert_eq!(
        fixture
            .driver
            .plug(fixture.sr, &fixture.config())
            .await
            .err()
            .unwrap()
            .backend_code(),
        47
    );
    assert_eq!(
        std::fs::read_dir(fixture.folder()).unwrap().count(),
        0,
        "nothing was written"
    );
    // And when it is back everything goes on without a new plug.
    std::fs::remove_dir(fixture.folder()).unwrap();
    std::fs::rename(fixture.dir.path().join("elsewhere"), fixture.folder()).unwrap();
    assert_eq!(sr.scan().await.unwrap().volumes.len(), 1);
}

#[tokio::test]
async fn the_folder_may_be_mounted_elsewhere() {
    let fixture = fixture().await;
    let sr = fixture.plug().await;
    let job = Job::new();
    let first = sr
        .create_volume(&NewVolume::empty(Uuid::new_v4(), Bytes::mib(4)), &job)
        .await
        .unwrap();
    contract::scribble(&sr.resolve(&first.location, Access::Write).await.unwrap())
        .await
        .unwrap();
    let second = sr
        .create_volume(&NewVolume::clone_of(Uuid::new_v4(), &first.location), &job)
        .await
        .unwrap();
    let elsewhere = fixture.dir.path().join("another mount point");
    std::fs::rename(fixture.folder(), &elsewhere).unwrap();
    let there = fixture.driver.plug(fixture.sr, &at(&elsewhere)).await.unwrap();
    let opened = there.resolve(&second.location, Access::Read).await.unwrap();
    let bytes = contract::read(&ImageTool::default(), &opened, fixture.dir.path())
        .await
        .unwrap();
    assert_eq!(bytes[64 << 10], 171);
}

#[tokio::test]
async fn two_hosts_on_one_folder_see_each_others_volumes() {
    let fixture = fixture().await;
    let (one, two) = (fixture.plug().await, fixture.plug().await);
    let job = Job::new();
    let source = one
        .create_volume(&NewVolume::empty(Uuid::new_v4(), Bytes::mib(4)), &job)
        .await
        .unwrap();
    contract::scribble(&one.resolve(&source.location, Access::Write).await.unwrap())
        .await
        .unwrap();
    let mut clones = tokio::task::JoinSet::new();
    for n in 0..12 {
        let (sr, from) = (
            if n % 2 == 0 { one.clone() } else { two.clone() },
            source.location.clone(),
        );
        clones.spawn(async move {
            let new = NewVolume::clone_of(Uuid::new_v4(), from);
            let made = sr.create_volume(&new, &Job::new()).await.unwrap();
            sr.scan().await.unwrap();
            made.location
        });
    }
    let made = clones.join_all().await;
    assert_eq!(contract::consistent(&*two).await.unwrap().len(), 13);
    let bases = two
        .scan()
        .await
        .unwrap()
        .volumes
        .iter()
        .filter(|volume| volume.hidden)
        .count();
    assert_eq!(
        bases, 1,
        "clones of a volume that is not written share one parent"
    );
    for location in made {
        two.destroy_volume(&location).await.unwrap();
    }
    one.destroy_volume(&source.location).await.unwrap();
    assert!(
        two.scan().await.unwrap().volumes.is_empty(),
        "the parent goes with its last child"
    );
}

#[tokio::test]
async fn a_volume_that_is_being_written_is_neither_cloned_nor_resized_nor_removed() {
    let fixture = fixture().await;
    let sr = fixture.plug().await;
    let volume = sr
        .create_volume(&NewVolume::empty(Uuid::new_v4(), Bytes::mib(4)), &Job::new())
        .await
        .unwrap();
    let DiskSource::File { path, .. } = sr.resolve(&volume.location, Access::Write).await.unwrap() else {
        unreachable!("a folder holds files");
    };
    let mut writer = tokio::process::Command::new("qemu-io");
    writer
        .args(["-f", "qcow2"])
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut writer = writer.spawn().unwrap();
    // It prints a prompt once it has the image open.
    let mut prompt = [0; 8];
    let mut stdout = writer.stdout.take().unwrap();
    tokio::io::AsyncReadExt::read_exact(&mut stdout, &mut prompt)
        .await
        .unwrap();
    let clone = NewVolume::clone_of(Uuid::new_v4(), &volume.location);
    assert_eq!(
        sr.create_volume(&clone, &Job::new())
            .await
            .unwrap_err()
            .backend_code(),
        24
    );
    assert_eq!(
        sr.resize(&volume.location, Bytes::mib(8))
            .await
            .unwrap_err()
            .backend_code(),
        24
    );
    assert_eq!(
        sr.destroy_volume(&volume.location)
            .await
            .unwrap_err()
            .backend_code(),
        24
    );
    let copy = NewVolume::copy_of(
        Uuid::new_v4(),
        sr.resolve(&volume.location, Access::Read).await.unwrap(),
    );
    assert_eq!(
        sr.create_volume(&copy, &Job::new())
            .await
            .unwrap_err()
            .backend_code(),
        24
    );
    writer.kill().await.unwrap();
    sr.create_volume(&clone, &Job::new()).await.unwrap();
}

#[tokio::test]
async fn images_that_lie_there_are_offered_unless_they_reach_outside() {
    let fixture = fixture().await;
    let folder = fixture.folder();
    let images = ImageTool::default();
    let raw = Uuid::new_v4();
    std::fs::write(folder.join(format!("{raw}.raw")), contract::pattern(1 << 20)).unwrap();
    std::fs::write(folder.join("cloud.img"), contract::pattern(2 << 20)).unwrap();
    images
        .create(
            &folder.join("cloud.qcow2"),
            DiskFormat::Qcow2,
            Bytes::mib(5),
            None,
        )
        .await
        .unwrap();
    let secret = fixture.dir.path().join("secret.raw");
    std::fs::write(&secret, vec![7; 1 << 20]).unwrap();
    let backing = crate::image::Backing {
        name: secret.to_str().unwrap(),
        format: DiskFormat::Raw,
    };
    images
        .create(
            &folder.join("evil.qcow2"),
            DiskFormat::Qcow2,
            Bytes::mib(1),
            Some(backing),
        )
        .await
        .unwrap();
    std::os::unix::fs::symlink(&secret, folder.join("link.raw")).unwrap();
    std::fs::write(folder.join("notes.txt"), "not an image").unwrap();

    let sr = fixture.plug().await;
    let scan = sr.scan().await.unwrap();
    let offered: Vec<&str> = scan
        .volumes
        .iter()
        .map(|volume| volume.location.as_str())
        .collect();
    let raw = raw.to_string();
    let mut expected = ["cloud.img", "cloud.qcow2", raw.as_str()];
    expected.sort_unstable();
    assert_eq!(offered, expected);
    let refused: Vec<&str> = scan
        .refused
        .iter()
        .map(|(location, _)| location.as_str())
        .collect();
    assert_eq!(refused, ["evil.qcow2", "link.raw"]);
    for location in refused {
        assert_eq!(
            sr.resolve(location, Access::Read)
                .await
                .unwrap_err()
                .backend_code(),
            46
        );
    }
    // All three can be cloned; only a raw file that is called so must be copied.
    for location in expected {
        let clone = NewVolume::clone_of(Uuid::new_v4(), location);
        let clone = sr.create_volume(&clone, &Job::new()).await.unwrap();
        let both = [location, clone.location.as_str()].map(|location| location.to_owned());
        let mut bytes = Vec::new();
        for location in both {
            let opened = sr.resolve(&location, Access::Read).await.unwrap();
            bytes.push(
                contract::read(&images, &opened, fixture.dir.path())
                    .await
                    .unwrap(),
            );
        }
        assert_eq!(bytes[0], bytes[1], "{location}");
        assert_eq!(clone.parent.is_none(), location == "cloud.img");
    }
    contract::consistent(&*sr).await.unwrap_err();
    std::fs::remove_file(folder.join("evil.qcow2")).unwrap();
    std::fs::remove_file(folder.join("link.raw")).unwrap();
    assert_eq!(contract::consistent(&*sr).await.unwrap().len(), 6);
}

#[tokio::test]
async fn no_parent_is_removed_while_an_image_is_unreadable() {
    let fixture = fixture().await;
    let sr = fixture.plug().await;
    let job = Job::new();
    let first = sr
        .create_volume(&NewVolume::empty(Uuid::new_v4(), Bytes::mib(4)), &job)
        .await
        .unwrap();
    let second = sr
        .create_volume(&NewVolume::clone_of(Uuid::new_v4(), &first.location), &job)
        .await
        .unwrap();
    let file = fixture.folder().join(format!("{}.qcow2", second.location));
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, vec![0; 4096]).unwrap();
    sr.destroy_volume(&first.location).await.unwrap();
    let scan = sr.scan().await.unwrap();
    assert_eq!(scan.refused.len(), 1);
    assert_eq!(
        scan.volumes.iter().filter(|volume| volume.hidden).count(),
        1,
        "the parent may still be needed"
    );
    std::fs::write(&file, whole).unwrap();
    assert_eq!(contract::consistent(&*sr).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_full_file_system_is_told_as_such() {
    let fixture = fixture().await;
    let sr = fixture.plug().await;
    let program = fixture.dir.path().join("full");
    std::fs::write(
        &program,
        "#!/bin/sh\necho 'qemu-img: error while writing: No space left on device' >&2\nexit 1\n",
    )
    .unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let full = FileDriver::new(ImageTool {
        program,
        ..ImageTool::default()
    });
    let full = full.plug(fixture.sr, &fixture.config()).await.unwrap();
    let new = NewVolume::empty(Uuid::new_v4(), Bytes::mib(4));
    let error = full.create_volume(&new, &Job::new()).await.unwrap_err();
    assert_eq!(error.to_api().code, "SR_BACKEND_FAILURE_44");
    assert!(contract::consistent(&*sr).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_copy_called_off_midway_leaves_nothing() {
    let fixture = fixture().await;
    let program = fixture.dir.path().join("slow");
    let script =
        "#!/bin/sh\nfor a; do :; done\ntouch \"$a\"\nprintf '    (12.50/100%%)\\r'\nexec sleep 600\n";
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let slow = FileDriver::new(ImageTool {
        program,
        ..ImageTool::default()
    });
    let slow = slow.plug(fixture.sr, &fixture.config()).await.unwrap();
    let source = DiskSource::File {
        path: fixture.dir.path().join("x"),
        format: DiskFormat::Raw,
    };
    let job = Job::new();
    let caller = job.clone();
    let copy = tokio::spawn(async move {
        slow.create_volume(&NewVolume::copy_of(Uuid::new_v4(), source), &caller)
            .await
    });
    let mut progress = job.watch();
    tokio::time::timeout(Duration::from_secs(20), progress.wait_for(|done| *done == 125))
        .await
        .unwrap()
        .unwrap();
    // A scan meanwhile leaves the copy alone.
    let sr = fixture.plug().await;
    assert_eq!(sr.scan().await.unwrap().removed, Vec::<String>::new());
    job.cancel();
    assert!(matches!(copy.await.unwrap(), Err(StorageError::Cancelled { .. })));
    let private = fixture.folder().join(".tarn");
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while std::fs::read_dir(&private).unwrap().count() > 2 {
        assert!(
            std::time::Instant::now() < deadline,
            "the operation's folder was not removed"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_copy_of_an_image_that_reaches_outside_is_refused() {
    let fixture = fixture().await;
    let sr = fixture.plug().await;
    let images = ImageTool::default();
    let beside = fixture.dir.path().join("images");
    std::fs::create_dir(&beside).unwrap();
    std::fs::write(beside.join("parent.raw"), contract::pattern(1 << 20)).unwrap();
    let good = crate::image::Backing {
        name: "parent.raw",
        format: DiskFormat::Raw,
    };
    for (file, name) in [
        ("evil.qcow2", "/etc/passwd"),
        ("evil2.qcow2", "../x.raw"),
        ("evil3.qcow2", "nbd:host:1"),
    ] {
        let backing = crate::image::Backing { name, ..good };
        images
            .create(
                &beside.join(file),
                DiskFormat::Qcow2,
                Bytes::mib(1),
                Some(backing),
            )
            .await
            .unwrap();
        let source = DiskSource::File {
            path: beside.join(file),
            format: DiskFormat::Qcow2,
        };
        let new = NewVolume::copy_of(Uuid::new_v4(), source);
        assert_eq!(
            sr.create_volume(&new, &Job::new())
                .await
                .unwrap_err()
                .backend_code(),
            46,
            "{name}"
        );
    }
    images
        .create(
            &beside.join("good.qcow2"),
            DiskFormat::Qcow2,
            Bytes::mib(1),
            Some(good),
        )
        .await
        .unwrap();
    let source = DiskSource::File {
        path: beside.join("good.qcow2"),
        format: DiskFormat::Qcow2,
    };
    let copy = sr
        .create_volume(&NewVolume::copy_of(Uuid::new_v4(), source), &Job::new())
        .await
        .unwrap();
    let opened = sr.resolve(&copy.location, Access::Read).await.unwrap();
    let bytes = contract::read(&images, &opened, fixture.dir.path())
        .await
        .unwrap();
    assert_eq!(bytes, contract::pattern(1 << 20));
    assert_eq!(contract::consistent(&*sr).await.unwrap().len(), 1);
}
