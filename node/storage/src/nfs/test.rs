//! What can be said without a server, and the contract on one that the environment names.

use super::*;
use crate::contract::{self, Place};
use crate::image::ImageTool;

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

#[tokio::test]
async fn an_export_keeps_the_contract() {
    if !kernel_has_nfs() {
        println!("skipped: the kernel of this host has no NFS");
        let driver = NfsDriver::new(FileDriver::new(ImageTool::default()));
        let there = config(&[("server", "127.0.0.1"), ("serverpath", "/export")]);
        let error = driver.probe(&there).await.unwrap_err();
        assert_eq!(error.backend_code(), 73, "{}", error.chain());
        return;
    }
    let (Ok(server), Ok(path)) = (std::env::var("TARN_NFS_SERVER"), std::env::var("TARN_NFS_PATH")) else {
        println!("skipped: TARN_NFS_SERVER and TARN_NFS_PATH name no export");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let driver = NfsDriver::new(FileDriver::new(ImageTool::default())).with_root(&dir.path().join("mnt"));
    let place = Place {
        driver: &driver,
        config: config(&[("server", server.as_str()), ("serverpath", path.as_str())]),
        scratch: dir.path(),
    };
    contract::suite(&place).await.unwrap();
}
