//! Against a real qemu-nbd.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};

use super::NbdDisk;
use crate::disk::{BlockMap, Disk};

async fn run(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .stdout(Stdio::null())
        .status()
        .await
        .is_ok_and(|s| s.success())
}

/// A qcow2 image of that size, served. `None` where there is no QEMU.
async fn serve(folder: &Path, size: &str) -> Option<(NbdDisk, Child)> {
    let image = folder.join("disk.qcow2");
    let (image, socket) = (image.to_str().unwrap(), folder.join("s"));
    if !run("qemu-img", &["create", "-q", "-f", "qcow2", image, size]).await {
        return None;
    }
    let server = Command::new("qemu-nbd")
        .args([
            "-f",
            "qcow2",
            "--discard",
            "unmap",
            "--socket",
            socket.to_str().unwrap(),
            image,
        ])
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let connected = async {
        loop {
            if let Ok(stream) = UnixStream::connect(&socket).await {
                return stream;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let stream = tokio::time::timeout(Duration::from_secs(20), connected)
        .await
        .unwrap();
    Some((NbdDisk::open(stream).await.unwrap(), server))
}

#[tokio::test]
async fn what_is_written_is_read_and_the_rest_is_known_to_be_zeros() {
    let folder = tempfile::tempdir().unwrap();
    let Some((disk, mut server)) = serve(folder.path(), "64M").await else {
        return;
    };
    assert_eq!(disk.size(), 64 << 20);
    let disk = Arc::new(disk);
    let writes = (0..32_u64).map(|n| {
        let disk = Arc::clone(&disk);
        async move {
            let data = Bytes::from(vec![u8::try_from(n).unwrap() + 1; 1 << 20]);
            disk.write(n << 20, data).await
        }
    });
    futures::future::try_join_all(writes).await.unwrap();
    for n in [0, 7, 31_u64] {
        let read = disk.read((n << 20) + 5, 1000).await.unwrap();
        assert!(read.iter().all(|b| u64::from(*b) == n + 1), "{n}");
    }
    disk.zero(0, 4 << 20).await.unwrap();
    disk.flush().await.unwrap();
    let map = BlockMap::of(disk.as_ref(), 1 << 20).await.unwrap();
    assert_eq!(map.set_blocks().collect::<Vec<_>>(), (4..32).collect::<Vec<_>>());
    assert_eq!(disk.read(0, 4096).await.unwrap(), vec![0; 4096]);
    drop(disk);
    // Its one client has gone, so the server goes too.
    tokio::time::timeout(Duration::from_secs(20), server.wait())
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_request_beyond_the_end_fails_and_the_next_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let Some((disk, _server)) = serve(folder.path(), "1M").await else {
        return;
    };
    assert!(disk.read(1 << 20, 512).await.is_err());
    assert!(disk.write(1 << 30, Bytes::from_static(&[1; 512])).await.is_err());
    assert_eq!(disk.read(0, 512).await.unwrap(), vec![0; 512]);
}

#[tokio::test]
async fn a_server_that_dies_fails_those_who_wait() {
    let folder = tempfile::tempdir().unwrap();
    let Some((disk, mut server)) = serve(folder.path(), "1M").await else {
        return;
    };
    server.kill().await.unwrap();
    assert!(disk.read(0, 512).await.is_err());
    assert!(disk.flush().await.is_err());
}

#[tokio::test]
async fn nonsense_of_a_server_is_refused() {
    use tokio::io::AsyncWriteExt;
    let (mut server, client) = tokio::io::duplex(4096);
    server
        .write_all(b"SSH-2.0-OpenSSH_9.2 or something of the kind\r\n")
        .await
        .unwrap();
    assert!(NbdDisk::open(client).await.is_err());
}
