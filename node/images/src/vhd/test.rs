//! Disks written and read, by us and by qemu-img.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::delta::{Delta, Parent};
use crate::error::ImageError;
use crate::flow::Unwatched;
use crate::memory::MemoryDisk;

fn content(size: usize) -> Vec<u8> {
    let mut content = vec![0; size];
    for (at, byte) in content.iter_mut().enumerate() {
        if (at / (1 << 20)) % 4 == 1 {
            *byte = u8::try_from(at % 251).unwrap();
        }
    }
    content
}

async fn vhd(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let disk = Arc::new(MemoryDisk::with(content.to_vec()));
    write(disk, Uuid::from_u128(7), None, &mut out, &Unwatched)
        .await
        .unwrap();
    out
}

async fn back(bytes: &[u8], before: Vec<u8>) -> Result<Vec<u8>, ImageError> {
    let disk = Arc::new(MemoryDisk::with(before));
    read(&mut &bytes[..], disk.clone(), &Unwatched).await?;
    Ok(disk.content())
}

fn qemu_img(args: &[&str], folder: &Path) -> bool {
    let done = Command::new("qemu-img").args(args).current_dir(folder).status();
    done.is_ok_and(|status| status.success())
}

fn has_qemu() -> bool {
    Command::new("qemu-img").arg("--version").output().is_ok()
}

#[tokio::test]
async fn a_disk_comes_back_as_it_went_also_over_old_content() {
    for size in [512, 2 << 20, (9 << 20) + 512] {
        let content = content(size);
        let bytes = vhd(&content).await;
        assert!(back(&bytes, vec![9; size]).await.unwrap() == content, "{size}");
    }
}

#[tokio::test]
async fn qemu_reads_what_we_write_and_we_read_what_it_writes() {
    if !has_qemu() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let size = (9 << 20) + 1024;
    std::fs::write(folder.path().join("raw"), content(size)).unwrap();
    std::fs::write(folder.path().join("ours.vhd"), vhd(&content(size)).await).unwrap();
    assert!(qemu_img(
        &["compare", "-f", "vpc", "-F", "raw", "ours.vhd", "raw"],
        folder.path()
    ));
    for kind in ["dynamic", "fixed"] {
        let options = format!("subformat={kind},force_size=on");
        assert!(qemu_img(
            &[
                "convert",
                "-f",
                "raw",
                "-O",
                "vpc",
                "-o",
                &options,
                "raw",
                "theirs.vhd"
            ],
            folder.path()
        ));
        let theirs = std::fs::read(folder.path().join("theirs.vhd")).unwrap();
        assert!(
            back(&theirs, vec![9; size]).await.unwrap() == content(size),
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_child_on_its_parent_is_the_whole() {
    let size = 9 << 20;
    let parent = content(size);
    let mut child = parent.clone();
    child[5 << 20..(5 << 20) + 4096].fill(1);
    child[1 << 20..2 << 20].fill(0);
    let mut out = Vec::new();
    let from = Parent {
        delta: Delta::From(Arc::new(MemoryDisk::with(parent.clone()))),
        uuid: Uuid::from_u128(1),
        name: "parent.vhd".to_owned(),
    };
    let disk = Arc::new(MemoryDisk::with(child.clone()));
    write(disk, Uuid::from_u128(2), Some(from), &mut out, &Unwatched)
        .await
        .unwrap();
    // Two blocks differ.
    assert!(out.len() < 5 << 20);
    assert!(back(&out, parent).await.unwrap() == child);
}

#[tokio::test]
async fn a_vhd_cut_short_is_refused() {
    let size = 9 << 20;
    let bytes = vhd(&content(size)).await;
    for cut in (0..bytes.len() - 512).step_by(300_007) {
        let error = back(&bytes[..cut], vec![0; size]).await.unwrap_err();
        assert!(matches!(error, ImageError::Ended), "{cut}: {error:?}");
    }
}

#[tokio::test]
async fn a_vhd_larger_than_the_disk_fails() {
    let bytes = vhd(&content(9 << 20)).await;
    let error = back(&bytes, vec![0; 4 << 20]).await.unwrap_err();
    assert!(matches!(error, ImageError::Disk(_)), "{error:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_make_the_reader_panic(flips in proptest::collection::vec((0..4096_usize, any::<u8>()), 1..8), noise in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let _ = back(&noise, vec![0; 4096]).await;
            let mut bytes = vhd(&[3; 4096]).await;
            for (at, value) in flips {
                bytes[at] = value;
            }
            let _ = back(&bytes, vec![0; 4096]).await;
        });
    }
}
