//! A medium that hangs and one that is full: real file systems on a loop device, in a mount namespace of the test's
//! own. Needs root; says so where it is not.

use std::process::Command;

use super::*;

/// Runs a test on a fresh ext4 of some mebibytes, mounted at the path it gets; answers false if that cannot be had.
///
/// The thread's mount namespace, and with it the mount, goes away with the thread and those it started.
fn on_ext4<F: Future<Output = ()>>(
    size_mib: u64,
    work: impl FnOnce(std::path::PathBuf) -> F + Send + 'static,
) {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: mounting needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (image, mount) = (dir.path().join("image"), dir.path().join("mount"));
    std::fs::create_dir(&mount).unwrap();
    std::fs::File::create(&image)
        .unwrap()
        .set_len(size_mib << 20)
        .unwrap();
    let run = |program: &str, arguments: &[&str]| match Command::new(program).args(arguments).output() {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            println!("skipped: {program}: {}", String::from_utf8_lossy(&output.stderr));
            false
        }
        Err(error) => {
            println!("skipped: {program}: {error}");
            false
        }
    };
    let thread = std::thread::spawn(move || {
        if let Err(error) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS) {
            println!("skipped: no mount namespace: {error}");
            return;
        }
        let (image, target) = (image.to_str().unwrap(), mount.to_str().unwrap());
        if run("mount", &["--make-rprivate", "/"])
            && run("mkfs.ext4", &["-q", "-F", image])
            && run("mount", &["-o", "loop", image, target])
        {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(work(mount.clone()));
        }
    });
    thread.join().unwrap();
}

/// Holds every write to a file system back, as a dead server does, until dropped.
struct Frozen(std::path::PathBuf);

impl Frozen {
    fn freeze(mount: &Path) -> Frozen {
        assert!(
            Command::new("fsfreeze")
                .arg("-f")
                .arg(mount)
                .status()
                .unwrap()
                .success()
        );
        Frozen(mount.to_owned())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _ = Command::new("fsfreeze").arg("-u").arg(&self.0).status();
    }
}

async fn repository(driver: &FileDriver, folder: &Path) -> Arc<dyn PluggedSr> {
    let request = CreateSr {
        sr: Uuid::new_v4(),
        config: at(folder),
        physical_size: Bytes(0),
    };
    driver.create(&request).await.unwrap();
    driver.plug(request.sr, &request.config).await.unwrap()
}

#[test]
fn a_hung_medium_fails_in_bounded_time_and_works_again_by_itself() {
    on_ext4(64, |mount| async move {
        let short = Duration::from_secs(1);
        let options = FolderOptions {
            deadline: short * 2,
            lock_wait: short,
            threads: 3,
            ..FolderOptions::default()
        };
        let driver = FileDriver::new(ImageTool {
            deadline: short,
            ..ImageTool::default()
        })
        .with_options(options);
        let sr = repository(&driver, &mount.join("sr")).await;
        let healthy = fixture().await;
        let healthy = healthy.plug().await;
        let first = NewVolume::empty(Uuid::new_v4(), Bytes::mib(4));
        let first = sr.create_volume(&first, &Job::new()).await.unwrap();

        let frozen = Frozen::freeze(&mount);
        for _ in 0..3 {
            let begun = std::time::Instant::now();
            let new = NewVolume::empty(Uuid::new_v4(), Bytes::mib(4));
            let error = sr.create_volume(&new, &Job::new()).await.unwrap_err();
            assert!(error.is_retryable(), "{}", error.chain());
            let error = sr.resize(&first.location, Bytes::mib(8)).await.unwrap_err();
            assert!(error.is_retryable(), "{}", error.chain());
            let error = sr.destroy_volume(&first.location).await.unwrap_err();
            assert!(error.is_retryable(), "{}", error.chain());
            println!(
                "three calls on a hung file system failed within {:?}",
                begun.elapsed()
            );
            assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
            // Another repository goes on meanwhile.
            healthy
                .create_volume(&NewVolume::empty(Uuid::new_v4(), Bytes::mib(4)), &Job::new())
                .await
                .unwrap();
        }
        drop(frozen);
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        let last = NewVolume::empty(Uuid::new_v4(), Bytes::mib(4));
        while let Err(error) = sr.create_volume(&last, &Job::new()).await {
            assert!(std::time::Instant::now() < deadline, "{}", error.chain());
        }
        while let Err(error) = contract::consistent(&*sr).await {
            assert!(std::time::Instant::now() < deadline, "{error}");
        }
        // What was asked for may have been done, or not; what was acknowledged is there.
        let volumes = sr.scan().await.unwrap().volumes;
        assert!(volumes.iter().any(|volume| volume.uuid == Some(last.uuid)));
    });
}

#[test]
fn a_full_medium_is_told_as_such_and_keeps_what_it_has() {
    on_ext4(24, |mount| async move {
        let sr = repository(&FileDriver::new(ImageTool::default()), &mount.join("sr")).await;
        let scratch = tempfile::tempdir().unwrap();
        let image = |size: usize| {
            let path = scratch.path().join(format!("{size}.raw"));
            std::fs::write(&path, contract::pattern(size)).unwrap();
            DiskSource::File {
                path,
                format: DiskFormat::Raw,
            }
        };
        let small = NewVolume::copy_of(Uuid::new_v4(), image(4 << 20));
        let small = sr.create_volume(&small, &Job::new()).await.unwrap();
        let large = NewVolume::copy_of(Uuid::new_v4(), image(64 << 20));
        let error = sr.create_volume(&large, &Job::new()).await.unwrap_err();
        assert_eq!(error.backend_code(), 44, "{}", error.chain());
        assert_eq!(contract::consistent(&*sr).await.unwrap().len(), 1);
        // The space is free again, and the repository works.
        let third = NewVolume::copy_of(Uuid::new_v4(), image(5 << 20));
        sr.create_volume(&third, &Job::new()).await.unwrap();
        let opened = sr.resolve(&small.location, Access::Read).await.unwrap();
        let bytes = contract::read(&ImageTool::default(), &opened, scratch.path())
            .await
            .unwrap();
        assert_eq!(bytes, contract::pattern(4 << 20));
    });
}
