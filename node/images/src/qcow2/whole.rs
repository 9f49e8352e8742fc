//! Whether all that an image's tables lead to is in its file: QEMU reads zeros where a file that was cut off ends.
//!
//! Source: QEMU `docs/interop/qcow2.txt`, "Cluster mapping".

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::HEADER;
use crate::error::ImageError;

/// The offset in an entry of either level.
const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
const COMPRESSED: u64 = 1 << 62;
const EXTENDED: u64 = 1 << 4;
/// QEMU opens no image with a larger table of the first level.
const MOST_ENTRIES: u64 = 4 << 20;

fn bad(what: &str) -> ImageError {
    ImageError::malformed(format!("the qcow2 image cannot be taken: {what}"))
}

/// Reads the tables of an image that is whole on this host, which takes a while.
///
/// # Errors
/// [`ImageError::Ended`] if a part is missing, [`ImageError::Malformed`] if the tables cannot be, [`ImageError::Disk`].
pub fn check_whole(file: &File) -> Result<(), ImageError> {
    let length = file.metadata().map_err(ImageError::Disk)?.len();
    let reading = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ImageError::Ended,
        _ => ImageError::Disk(error),
    };
    let mut head = [0; HEADER];
    file.read_exact_at(&mut head, 0).map_err(reading)?;
    let (_, rest) = head.split_at(20);
    let bits = u32::from_be_bytes(*rest.first_chunk().ok_or(ImageError::Ended)?);
    let number = |at: usize| {
        head.get(at..)
            .and_then(|b| b.first_chunk())
            .map_or(0, |b| u64::from_be_bytes(*b))
    };
    // Its number of entries stands in the lower half.
    let (entries, first, features) = (number(32) & 0xffff_ffff, number(40), number(72));
    let version = number(0) & 0xffff_ffff;
    if !(9..=21).contains(&bits) || entries > MOST_ENTRIES {
        return Err(bad("its tables have an impossible size"));
    }
    let cluster = 1_u64 << bits;
    let width = if version >= 3 && features & EXTENDED != 0 {
        16
    } else {
        8
    };
    let ends = |offset: u64, bytes: u64| offset.checked_add(bytes).is_some_and(|end| end <= length);
    let mut level = vec![0; usize::try_from(entries * 8).unwrap_or(0)];
    file.read_exact_at(&mut level, first).map_err(reading)?;
    let mut table = vec![0; usize::try_from(cluster).unwrap_or(0)];
    for place in level
        .as_chunks::<8>()
        .0
        .iter()
        .map(|entry| u64::from_be_bytes(*entry) & OFFSET)
    {
        if place == 0 {
            continue;
        }
        file.read_exact_at(&mut table, place).map_err(reading)?;
        for entry in table.chunks_exact(width) {
            let entry = entry.first_chunk().map_or(0, |entry| u64::from_be_bytes(*entry));
            let there = if entry & COMPRESSED != 0 {
                // What is packed may end before its last sector does.
                ends(entry & ((1 << (62 - (bits - 8))) - 1), 1)
            } else {
                entry & OFFSET == 0 || ends(entry & OFFSET, cluster)
            };
            if !there {
                return Err(ImageError::Ended);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod test {
    use std::process::Command;

    use super::*;

    #[test]
    fn an_image_that_is_cut_anywhere_is_told_from_a_whole_one() {
        if Command::new("qemu-img").arg("--version").output().is_err() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let noise: Vec<u8> = (0..(3_u32 << 20) + 512)
            .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0])
            .collect();
        std::fs::write(at("raw"), noise).unwrap();
        for options in [
            &[][..],
            &["-c"][..],
            &["-o", "cluster_size=4k"][..],
            &["-o", "compat=0.10"][..],
        ] {
            let made = Command::new("qemu-img")
                .args(["convert", "-f", "raw", "-O", "qcow2"])
                .args(options)
                .args([at("raw"), at("image")])
                .status();
            assert!(made.unwrap().success());
            let open = || File::options().read(true).write(true).open(at("image")).unwrap();
            check_whole(&open()).unwrap();
            let whole = open().metadata().unwrap().len();
            for cut in [whole - (64 << 10) - 1, whole / 2, 200_000, 70_000, 100] {
                open().set_len(cut).unwrap();
                let outcome = check_whole(&open());
                assert!(
                    matches!(outcome, Err(ImageError::Ended)),
                    "{options:?} {cut}: {outcome:?}"
                );
            }
        }
    }
}
