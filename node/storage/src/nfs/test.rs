//! What can be said without a server, and the rest on one of the test's own (nfs-ganesha).

use std::time::Instant;

use node_hypervisor::DiskSource;
use tempfile::TempDir;

use super::*;
use crate::contract::{self, Place};
use crate::driver::{Access, NewVolume};
use crate::image::ImageTool;
use crate::job::Job;

pub mod server;

use server::{ADDRESS, Server, on_server};

fn config(pairs: &[(&str, &str)]) -> DeviceConfig {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn an_export_is_named_by_what_is_safe_to_hand_on() {
    let good = config(&[
        ("server", "10.0.0.1"),
        ("serverpath", "/export"),
        ("options", "nolock,port=12049"),
    ]);
    let mount = Export::read(&good).unwrap().mount(Path::new("/m"), "x");
    assert_eq!(mount.source, "10.0.0.1:/export");
    assert!(mount.options.contains("soft") && mount.options.ends_with("vers=3,nolock,port=12049"));
    let six = config(&[("server", "fd00::1"), ("serverpath", "/e")]);
    assert_eq!(
        Export::read(&six).unwrap().mount(Path::new("/m"), "x").source,
        "[fd00::1]:/e"
    );
    for (pairs, code) in [
        (&[("serverpath", "/e")][..], 102),
        (&[("server", "s")][..], 101),
        (&[("server", "-o evil"), ("serverpath", "/e")][..], 1),
        (&[("server", "s"), ("serverpath", "e")][..], 103),
        (&[("server", "s"), ("serverpath", "/e/../..")][..], 103),
        (
            &[("server", "s"), ("serverpath", "/e"), ("nfsversion", "5")][..],
            1,
        ),
        (
            &[("server", "s"), ("serverpath", "/e"), ("options", "a b")][..],
            1,
        ),
    ] {
        let error = Export::read(&config(pairs)).err().unwrap();
        assert_eq!(error.backend_code(), code, "{pairs:?}");
    }
}

/// A driver of which each host, a folder of its own stands for it, has its own.
fn driver_of(host: &Path) -> NfsDriver {
    NfsDriver::new(FileDriver::new(ImageTool::default())).with_root(host)
}

fn config_of(server: &Server) -> DeviceConfig {
    config(&[
        ("server", ADDRESS),
        ("serverpath", server.export().to_str().unwrap()),
        ("client", "qemu"),
    ])
}

#[test]
fn an_export_keeps_the_contract_through_qemu() {
    on_server(async |server| {
        let dir = tempfile::tempdir().unwrap();
        let driver = driver_of(dir.path());
        let place = Place {
            driver: &driver,
            config: config_of(&server),
            scratch: dir.path(),
            holds_several: true,
        };
        contract::suite(&place).await.unwrap();
        assert_eq!(
            std::fs::read_dir(server.export()).unwrap().count(),
            0,
            "something is left on the server"
        );
        server
    });
}

#[test]
fn without_the_kernel_s_client_an_export_is_used_through_qemu() {
    on_server(async |server| {
        let dir = tempfile::tempdir().unwrap();
        let driver = driver_of(dir.path());
        let mut config = config_of(&server);
        config.0.remove("client");
        if !kernel_has_nfs() {
            let found = driver.probe(&config).await.unwrap();
            assert_eq!(found.first().and_then(|probed| probed.sr), None);
        }
        config.0.insert("client".to_owned(), "kernel".to_owned());
        if !kernel_has_nfs() {
            let error = driver.probe(&config).await.unwrap_err();
            assert_eq!(error.backend_code(), 73, "{}", error.chain());
        }
        let mut wrong = config_of(&server);
        wrong.0.insert("serverpath".to_owned(), "/nowhere".to_owned());
        let error = driver.probe(&wrong).await.unwrap_err();
        assert_eq!(error.backend_code(), 73, "{}", error.chain());
        server
    });
}

async fn made(driver: &NfsDriver, server: &Server) -> Uuid {
    let request = CreateSr {
        sr: Uuid::new_v4(),
        config: config_of(server),
        physical_size: proto_types::Bytes(0),
    };
    driver.create(&request).await.unwrap();
    request.sr
}

/// A host, its driver, and a repository that was made and plugged on it.
async fn made_and_plugged(server: &Server) -> (TempDir, NfsDriver, Uuid, Arc<dyn PluggedSr>) {
    let host = tempfile::tempdir().unwrap();
    let driver = driver_of(host.path());
    let sr = made(&driver, server).await;
    let plugged = driver.plug(sr, &config_of(server)).await.unwrap();
    (host, driver, sr, plugged)
}

#[test]
fn a_server_that_dies_makes_calls_fail_soon_and_all_goes_on_when_it_is_back() {
    on_server(async |mut server| {
        let (_host, driver, sr, plugged) = made_and_plugged(&server).await;
        let job = Job::new();
        let new = NewVolume::empty(Uuid::new_v4(), proto_types::Bytes::mib(8));
        let volume = plugged.create_volume(&new, &job).await.unwrap();
        server.kill();
        let began = Instant::now();
        for error in [
            plugged.scan().await.err(),
            plugged.stat(&volume.location).await.err(),
            plugged
                .create_volume(
                    &NewVolume::empty(Uuid::new_v4(), proto_types::Bytes::mib(8)),
                    &job,
                )
                .await
                .err(),
            driver.plug(sr, &config_of(&server)).await.err(),
        ] {
            let error = error.expect("a call on a dead server succeeded");
            assert!(
                [40, 47, 73, 200, 202].contains(&error.backend_code()),
                "{}",
                error.chain()
            );
        }
        println!("four calls on a dead server: {:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(60));
        server.start().unwrap();
        let began = Instant::now();
        let scan = plugged.scan().await.unwrap();
        println!("the first scan after it: {:?}", began.elapsed());
        assert_eq!(scan.volumes, [volume]);
        server
    });
}

#[test]
fn a_lock_keeps_others_out_and_is_broken_when_its_host_is_gone() {
    on_server(async |server| {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sr = made(&driver_of(one.path()), &server).await;
        let export = Export::read(&config_of(&server)).unwrap();
        let mut sites = Vec::new();
        for host in [one.path(), two.path()] {
            sites.push(driver_of(host).site(&export, sr).await.unwrap());
        }
        let lock = sites[0].path.join(".tarn/lock");
        tokio::task::spawn_blocking(move || {
            let short = Duration::from_millis(300);
            let held = sites[0].medium.take(&lock, Duration::ZERO).unwrap().unwrap();
            assert!(
                sites[0].medium.take(&lock, short).unwrap().is_none(),
                "twice in a process"
            );
            assert!(
                sites[1].medium.take(&lock, short).unwrap().is_none(),
                "on two hosts"
            );
            drop(held);
            let held = sites[1].medium.take(&lock, Duration::ZERO).unwrap().unwrap();
            assert!(sites[0].medium.take(&lock, short).unwrap().is_none());
            // It lives, so no patience is enough.
            assert!(
                sites[0]
                    .medium
                    .take(&lock, Duration::from_secs(19))
                    .unwrap()
                    .is_none()
            );
            // Its host goes: its session is renewed no more, and nothing is given up.
            let lost = server_side_hold(&lock);
            drop(held);
            std::fs::hard_link(lost, lock.with_file_name("lock.held")).unwrap();
            drop(sites.pop());
            let began = Instant::now();
            let held = sites[0].medium.take(&lock, Duration::from_secs(40)).unwrap();
            assert!(held.is_some(), "the lock of a host that is gone stays");
            println!("broken after {:?}", began.elapsed());
            assert!(began.elapsed() > Duration::from_secs(10));
        })
        .await
        .unwrap();
        server
    });
}

/// A file that stands for a session whose host is gone, as the server sees it.
fn server_side_hold(lock: &Path) -> PathBuf {
    let file = lock.with_file_name("host-of-the-dead");
    let text = format!(
        r#"{{"host":"{}","session":"{}"}}"#,
        Uuid::new_v4(),
        Uuid::new_v4()
    );
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn what_a_domain_that_merges_writes_as_a_parent_s_name_is_understood() {
    on_server(async |server| {
        let (_host, _driver, _, plugged) = made_and_plugged(&server).await;
        let job = Job::new();
        let new = NewVolume::empty(Uuid::new_v4(), proto_types::Bytes::mib(8));
        let source = plugged.create_volume(&new, &job).await.unwrap();
        let clone = NewVolume::clone_of(Uuid::new_v4(), &source.location);
        let clone = plugged.create_volume(&clone, &job).await.unwrap();
        let opened = plugged.resolve(&clone.location, Access::Read).await.unwrap();
        let DiskSource::Network { url, below, .. } = opened else {
            panic!("{opened:?}")
        };
        let path = below[0].url.strip_prefix("nfs://127.0.0.1").unwrap();
        let json = format!(
            r#"json:{{"file":{{"driver":"nfs","server":{{"host":"127.0.0.1","type":"inet"}},"path":"{path}"}}}}"#
        );
        ImageTool::default()
            .rebase(&url, &json, node_hypervisor::DiskFormat::Qcow2)
            .await
            .unwrap();
        let again = plugged.stat(&clone.location).await.unwrap();
        assert_eq!(again.parent, clone.parent);
        plugged.check(&clone.location).await.unwrap();
        let refused = plugged.scan().await.unwrap().refused;
        assert!(refused.is_empty(), "{refused:?}");
        server
    });
}

#[test]
fn a_repository_is_not_used_in_the_other_way_than_it_was_made_in() {
    on_server(async |server| {
        let dir = tempfile::tempdir().unwrap();
        let driver = driver_of(dir.path());
        let through_qemu = made(&driver, &server).await;
        // As a host sees it that has the export mounted.
        let mounted = FileDriver::new(ImageTool::default());
        let place = |sr: Uuid| folder(&server.export().join(sr.to_string()));
        let error = mounted
            .plug(through_qemu, &place(through_qemu))
            .await
            .err()
            .unwrap();
        assert!(
            matches!(error, StorageError::OtherNaming { .. }),
            "{}",
            error.chain()
        );
        let through_kernel = Uuid::new_v4();
        let request = CreateSr {
            sr: through_kernel,
            config: place(through_kernel),
            physical_size: proto_types::Bytes(0),
        };
        mounted.create(&request).await.unwrap();
        let error = driver
            .plug(through_kernel, &config_of(&server))
            .await
            .err()
            .unwrap();
        assert_eq!(error.backend_code(), 47, "{}", error.chain());
        let found = driver.probe(&config_of(&server)).await.unwrap();
        let found: Vec<_> = found.into_iter().filter_map(|probed| probed.sr).collect();
        assert_eq!(found, [through_qemu], "only what can be used is offered");
        server
    });
}

#[test]
fn an_image_that_may_be_written_is_as_long_as_it_can_become() {
    on_server(async |server| {
        let (_host, _driver, sr, plugged) = made_and_plugged(&server).await;
        let mib = proto_types::Bytes::mib;
        let new = NewVolume::empty(Uuid::new_v4(), mib(64));
        let volume = plugged.create_volume(&new, &Job::new()).await.unwrap().location;
        let file = |name: String| server.export().join(sr.to_string()).join(name);
        let long = |path: PathBuf| std::fs::metadata(path).unwrap().len();
        let first = file(format!("{volume}.qcow2"));
        plugged.resolve(&volume, Access::Read).await.unwrap();
        assert!(long(first.clone()) < mib(64).get());
        for _ in 0..2 {
            plugged.resolve(&volume, Access::Write).await.unwrap();
            assert!(
                long(first.clone()) > mib(64).get(),
                "a domain that comes here would read zeros"
            );
        }
        plugged.push_layer(&volume).await.unwrap();
        let layer = file(format!("{volume}.1.qcow2"));
        assert!(long(layer.clone()) > mib(64).get());
        plugged.prepare_online_resize(&volume, mib(256)).await.unwrap();
        assert!(long(layer) > mib(256).get());
        plugged.check(&volume).await.unwrap();
        assert!(
            plugged.stat(&volume).await.unwrap().utilisation < mib(2),
            "it takes room"
        );
        server
    });
}

#[test]
fn a_kill_at_any_step_leaves_the_old_or_the_new_state() {
    on_server(async |server| {
        crate::file::test::every_operation_survives().await;
        server
    });
}
