//! The disk by which images for clouds learn who they are: cloud-init's NoCloud, a FAT file system with some files in it.
//!
//! ```text
//! boot sector │ table │ table again │ root folder │ content of the files, one behind the other
//! ```
//! Source: cloud-init's documentation, "NoCloud"; Microsoft, "FAT: General Overview of On-Disk Format", 1.03.

use crate::failure::Failure;

/// A file of the seed.
pub struct SeedFile<'a> {
    /// Its name, such as `user-data`.
    pub name: &'a str,
    /// What is in it.
    pub content: &'a [u8],
}

const SECTOR: usize = 512;
/// Sectors of the disk: 4 MiB, the least in which this kind of table has entries of 16 bits.
const SECTORS: usize = 8192;
/// Sectors of one table, and of the root folder.
const TABLE: usize = 32;
const FOLDER: usize = 32;
/// The first sector of contents, which is the table's entry 2.
const CONTENT: usize = 1 + 2 * TABLE + FOLDER;
/// In the table: the end of a file.
const END: u16 = 0xffff;
const LABEL: &[u8; 11] = b"CIDATA     ";

/// Makes the disk.
///
/// # Errors
/// When the files do not fit, or are too many.
pub fn disk(files: &[SeedFile<'_>]) -> Result<Vec<u8>, Failure> {
    let room = (SECTORS - CONTENT) * SECTOR;
    let needed: usize = files
        .iter()
        .map(|file| file.content.len().next_multiple_of(SECTOR))
        .sum();
    if needed > room || files.len() > 16 {
        return Err(Failure::cli(format!(
            "Seed files of {needed} bytes do not fit on a disk of {room}"
        )));
    }
    let mut disk = boot_sector();
    let mut table: Vec<u16> = vec![0xfff8, END];
    let mut folder = entry(LABEL, 0x08, 0, 0).to_vec();
    let mut content = Vec::with_capacity(needed);
    for (number, file) in files.iter().enumerate() {
        let clusters = file.content.len().div_ceil(SECTOR);
        let first = if clusters == 0 { 0 } else { table.len() };
        for left in (0..clusters).rev() {
            let next = u16::try_from(table.len() + 1).unwrap_or(END);
            table.push(if left == 0 { END } else { next });
        }
        let short = short_name(number);
        folder.extend(long_name(file.name, &short));
        let length = u32::try_from(file.content.len()).unwrap_or(u32::MAX);
        folder.extend(entry(&short, 0x20, u16::try_from(first).unwrap_or(END), length));
        content.extend_from_slice(file.content);
        content.resize(content.len().next_multiple_of(SECTOR), 0);
    }
    let mut packed: Vec<u8> = table.into_iter().flat_map(u16::to_le_bytes).collect();
    packed.resize(TABLE * SECTOR, 0);
    folder.resize(FOLDER * SECTOR, 0);
    for part in [&packed, &packed, &folder, &content] {
        disk.extend_from_slice(part);
    }
    disk.resize(SECTORS * SECTOR, 0);
    Ok(disk)
}

fn boot_sector() -> Vec<u8> {
    let number = |value: usize| u16::try_from(value).unwrap_or(u16::MAX).to_le_bytes();
    let mut out = b"\xeb\x3c\x90MSDOS5.0".to_vec();
    out.extend(number(SECTOR));
    // Sectors of a cluster; the boot sector; two tables; entries of the root folder.
    out.push(1);
    out.extend(number(1));
    out.push(2);
    out.extend(number(FOLDER * SECTOR / 32));
    out.extend(number(SECTORS));
    out.push(0xf8);
    out.extend(number(TABLE));
    // A geometry that nobody looks at, nothing before the disk, no more sectors than said.
    out.extend(number(32));
    out.extend(number(64));
    out.extend([0; 8]);
    out.extend([0x80, 0, 0x29]);
    out.extend(*b"tarn");
    out.extend(LABEL);
    out.extend(b"FAT16   ");
    out.resize(SECTOR - 2, 0);
    out.extend([0x55, 0xaa]);
    out
}

/// An entry of a folder.
fn entry(name: &[u8; 11], attributes: u8, first: u16, length: u32) -> [u8; 32] {
    let mut out = [0; 32];
    let parts: [(usize, &[u8]); 4] = [
        (0, name),
        (11, &[attributes]),
        (26, &first.to_le_bytes()),
        (28, &length.to_le_bytes()),
    ];
    for (at, part) in parts {
        for (to, from) in out.iter_mut().skip(at).zip(part) {
            *to = *from;
        }
    }
    // The first of January 1980.
    out[24] = 0x21;
    out
}

/// A name that only stands for the long one.
fn short_name(number: usize) -> [u8; 11] {
    let mut name = *b"SEED~00    ";
    let digit = |value: usize| b'0' + u8::try_from(value % 10).unwrap_or(0);
    name[5] = digit(number / 10);
    name[6] = digit(number);
    name
}

/// The entries that hold a long name, its last part first.
fn long_name(name: &str, short: &[u8; 11]) -> Vec<u8> {
    let sum = short
        .iter()
        .fold(0_u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
    let mut letters: Vec<u16> = name.encode_utf16().collect();
    if !letters.len().is_multiple_of(13) {
        letters.push(0);
    }
    letters.resize(letters.len().next_multiple_of(13), 0xffff);
    let count = letters.len() / 13;
    let mut out = Vec::new();
    for (index, part) in letters.chunks(13).enumerate().rev() {
        let order = u8::try_from(index + 1).unwrap_or(0);
        let mut entry = [0; 32];
        entry[0] = if index + 1 == count { order | 0x40 } else { order };
        entry[11] = 0x0f;
        entry[13] = sum;
        let places = (1..11)
            .step_by(2)
            .chain((14..26).step_by(2))
            .chain((28..32).step_by(2));
        for (at, letter) in places.zip(part) {
            entry[at..at + 2].copy_from_slice(&letter.to_le_bytes());
        }
        out.extend(entry);
    }
    out
}

#[cfg(test)]
mod test {
    use std::process::Command;

    use super::*;

    #[test]
    fn other_programs_read_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("seed");
        let long = "x".repeat(700_000);
        let files = [
            SeedFile {
                name: "meta-data",
                content: b"instance-id: a\n",
            },
            SeedFile {
                name: "user-data",
                content: long.as_bytes(),
            },
            SeedFile {
                name: "network-config",
                content: b"",
            },
            SeedFile {
                name: "thirteen-long",
                content: b"v",
            },
        ];
        std::fs::write(&image, disk(&files).unwrap()).unwrap();
        let missing = ["fsck.vfat", "mcopy", "blkid"]
            .into_iter()
            .find(|tool| Command::new(tool).arg("--help").output().is_err());
        if let Some(tool) = missing {
            println!("skipped: there is no {tool}");
            return;
        }
        let checked = Command::new("fsck.vfat").arg("-n").arg(&image).output().unwrap();
        assert!(
            checked.status.success(),
            "{}",
            String::from_utf8_lossy(&checked.stdout)
        );
        let label = Command::new("blkid")
            .args(["-p", "-o", "value", "-s", "LABEL"])
            .arg(&image)
            .output();
        assert_eq!(label.unwrap().stdout, b"CIDATA\n");
        for file in &files {
            let read = Command::new("mtype")
                .arg("-i")
                .arg(&image)
                .arg(format!("::{}", file.name))
                .output();
            let read = read.unwrap();
            assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
            assert!(read.stdout == file.content, "{}", file.name);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let content = vec![0; 5 << 20];
        assert!(
            disk(&[SeedFile {
                name: "user-data",
                content: &content
            }])
            .is_err()
        );
    }
}
