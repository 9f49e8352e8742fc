//! Archives written and read.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::disk::Disk;
use crate::error::ImageError;
use crate::flow::Unwatched;
use crate::memory::MemoryDisk;
use crate::tar::Header;

const STRICT: Rules = Rules {
    inline: true,
    lenient: false,
};
const LENIENT: Rules = Rules {
    inline: true,
    lenient: true,
};

fn content(size: usize) -> Vec<u8> {
    let mut content = vec![0; size];
    for (at, byte) in content.iter_mut().enumerate() {
        if (at / PIECE) % 3 == 1 {
            *byte = u8::try_from(at % 251).unwrap();
        }
    }
    content
}

async fn archive(content: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    writer.member("ova.xml", b"<value/>").await.unwrap();
    writer
        .disk("Ref:3", Arc::new(MemoryDisk::with(content.to_vec())), &Unwatched)
        .await
        .unwrap();
    writer.finish().await.unwrap()
}

async fn back(bytes: &[u8], size: usize, rules: Rules) -> Result<Vec<u8>, ImageError> {
    let (mut archive, records) = Archive::open(bytes).await?;
    assert_eq!(&*records, b"<value/>");
    let disk = Arc::new(MemoryDisk::new(size));
    archive
        .disk("Ref:3", disk.clone() as Arc<dyn Disk>, rules, &Unwatched)
        .await?;
    Ok(disk.content())
}

#[tokio::test]
async fn a_disk_comes_back_as_it_went_and_zeros_are_left_out() {
    for size in [512, PIECE, PIECE + 512, 9 * PIECE, 10 * PIECE + 1024] {
        let content = content(size);
        let bytes = archive(&content).await;
        assert_eq!(back(&bytes, size, STRICT).await.unwrap(), content, "{size}");
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("Ref:3/00000000.xxhash"));
        assert_eq!(
            text.contains("Ref:3/00000002"),
            size == 2 * PIECE + 1024,
            "{size}"
        );
    }
}

#[tokio::test]
async fn gnu_tar_lists_what_we_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.xva");
    std::fs::write(&path, archive(&content(5 * PIECE)).await).unwrap();
    let listed = std::process::Command::new("tar")
        .arg("tf")
        .arg(&path)
        .output()
        .unwrap();
    assert!(listed.status.success());
    let names = String::from_utf8(listed.stdout).unwrap();
    assert_eq!(
        names.lines().collect::<Vec<_>>(),
        [
            "ova.xml",
            "Ref:3/00000000",
            "Ref:3/00000000.xxhash",
            "Ref:3/00000001",
            "Ref:3/00000001.xxhash",
            "Ref:3/00000004",
            "Ref:3/00000004.xxhash"
        ]
    );
}

#[tokio::test]
async fn an_archive_cut_anywhere_is_refused() {
    let size = 3 * PIECE;
    let whole = archive(&content(size)).await;
    // The last two blocks are not waited for: the disk is whole before.
    for cut in (0..whole.len() - 1024 - 512).step_by(97 * 512) {
        let error = back(&whole[..cut], size, STRICT).await.unwrap_err();
        assert!(matches!(error, ImageError::Ended), "{cut}: {error:?}");
    }
}

#[tokio::test]
async fn a_wrong_byte_is_found_unless_it_is_to_be_passed_over() {
    let size = 3 * PIECE;
    let mut bytes = archive(&content(size)).await;
    bytes[4096] ^= 1;
    let error = back(&bytes, size, STRICT).await.unwrap_err();
    assert!(
        matches!(error, ImageError::Checksum { kind: "xxhash", .. }),
        "{error:?}"
    );
    back(&bytes, size, LENIENT).await.unwrap();
}

async fn members(list: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    writer.member("ova.xml", b"<value/>").await.unwrap();
    for (name, content) in list {
        writer.member(name, content).await.unwrap();
    }
    writer.finish().await.unwrap()
}

#[tokio::test]
async fn what_another_writer_makes_is_read() {
    // Filled up to a MiB, with SHA-1, with an empty piece that uses up a number.
    let (first, last) = (vec![7; PIECE], vec![8; PIECE]);
    let sums: Vec<String> = [&first[..], &[], &last[..]]
        .iter()
        .map(|d| Checksum::Sha1.of(d))
        .collect();
    let bytes = members(&[
        ("Ref:3/00000000", &first),
        ("Ref:3/00000000.checksum", sums[0].as_bytes()),
        ("Ref:3/00000002", &[]),
        ("Ref:3/00000002.checksum", sums[1].as_bytes()),
        ("Ref:3/00000003", &last),
        ("Ref:3/00000003.checksum", sums[2].as_bytes()),
    ])
    .await;
    let read = back(&bytes, 2 * PIECE + 1024, STRICT).await.unwrap();
    assert_eq!(read[..PIECE], first[..]);
    assert_eq!(read[PIECE..2 * PIECE], vec![0; PIECE][..]);
    assert_eq!(read[2 * PIECE..], vec![8; 1024][..]);
}

#[tokio::test]
async fn members_that_do_not_belong_are_refused() {
    let full = vec![1; PIECE];
    for name in [
        "../../etc/00000000",
        "Ref:4/00000000",
        "/Ref:3/00000000",
        "Ref:3/x",
        "Ref:3/00000000.xxhash",
    ] {
        let error = back(&members(&[(name, &full[..512])]).await, PIECE, STRICT)
            .await
            .unwrap_err();
        assert!(matches!(error, ImageError::Malformed(_)), "{name}: {error:?}");
    }
    let beyond = members(&[("Ref:3/00000009", &full)]).await;
    assert!(matches!(
        back(&beyond, PIECE, STRICT).await,
        Err(ImageError::Malformed(_))
    ));
    let bare = members(&[("Ref:3/00000000", &full), ("Ref:3/00000001", &full)]).await;
    assert!(matches!(
        back(&bare, 2 * PIECE, STRICT).await,
        Err(ImageError::Malformed(_))
    ));
    back(&bare, 2 * PIECE, Rules::default()).await.unwrap();
}

#[tokio::test]
async fn absurd_sizes_are_refused_before_anything_is_set_aside() {
    let mut bytes = Header::file("ova.xml", 1 << 33).to_vec();
    bytes.extend([0; 512]);
    let error = Archive::open(bytes.as_slice()).await.err().unwrap();
    assert!(matches!(error, ImageError::Malformed(_)), "{error:?}");
    let mut bytes = members(&[]).await;
    bytes.truncate(1024);
    bytes.extend(Header::file("Ref:3/00000000", 1 << 32));
    assert!(matches!(
        back(&bytes, PIECE, STRICT).await,
        Err(ImageError::Malformed(_))
    ));
    let first = Header::file("other", 0);
    let error = Archive::open(&first[..]).await.err().unwrap();
    assert!(
        matches!(error, ImageError::Unexpected { ref found, .. } if found == "other"),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_table_of_an_old_archive_is_compared_whatever_its_order() {
    let (one, two) = (vec![1; PIECE], vec![2; PIECE]);
    let bytes = members(&[("Ref:3/00000000", &one), ("Ref:3/00000001", &two)]).await;
    let (mut archive, _) = Archive::open(bytes.as_slice()).await.unwrap();
    archive.expect_table();
    let disk = Arc::new(MemoryDisk::new(2 * PIECE));
    archive
        .disk("Ref:3", disk, Rules::default(), &Unwatched)
        .await
        .unwrap();
    let sums = [Checksum::Sha1.of(&one), Checksum::Sha1.of(&two)];
    let right = [
        ("Ref:3/00000001", sums[1].as_str()),
        ("Ref:3/00000000", sums[0].as_str()),
    ];
    archive.compare(right.into_iter()).unwrap();
    assert!(matches!(
        archive.compare(right.into_iter().take(1)),
        Err(ImageError::Table)
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_make_the_reader_panic(noise in proptest::collection::vec(any::<u8>(), 0..4096), flips in proptest::collection::vec((0..8192_usize, any::<u8>()), 0..8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let _ = Archive::open(noise.as_slice()).await;
            let mut bytes = archive(&[3; 2048]).await;
            for (at, value) in flips {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            if let Ok((mut archive, _)) = Archive::open(bytes.as_slice()).await {
                let _ = archive.disk("Ref:3", Arc::new(MemoryDisk::new(2048)), STRICT, &Unwatched).await;
            }
        });
    }
}
