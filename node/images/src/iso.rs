//! Files at the top of an ISO 9660 image.
//!
//! Source: ECMA-119: sectors of 2048 bytes; the volume descriptors begin in sector 16, the primary one has type 1 and at its
//! byte 156 the record of the root; a directory is a row of records that never cross a sector. A record has its length at
//! byte 0, the first sector at 2 and the size at 10 (both little-endian first), flags at 25, the length of its name at 32
//! and the name at 33: capitals, and a version after a semicolon.

use std::io;

use crate::disk::Disk;

/// Bytes of a sector.
const SECTOR: u64 = 2048;
/// The first sector that describes the volume, and how many are looked at.
const DESCRIPTORS: (u64, u64) = (16, 16);
/// A directory longer than this is not read.
const LONGEST_DIRECTORY: u64 = 4 << 20;
/// The flag of a directory.
const DIRECTORY: u8 = 2;

/// What lies at the top of an image under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The disk holds no such image.
    NoImage,
    /// It has no such file.
    NoFile,
    /// It has one that is longer than was asked for.
    TooLong,
    /// Its bytes.
    File(Vec<u8>),
}

/// Reads one file, by its name in either case, of at most `most` bytes.
///
/// # Errors
/// What the disk says.
pub async fn read_file(disk: &dyn Disk, name: &str, most: u64) -> io::Result<Found> {
    let Some(root) = root(disk).await? else {
        return Ok(Found::NoImage);
    };
    if root.size > LONGEST_DIRECTORY {
        return Ok(Found::NoImage);
    }
    let Some(directory) = extent(disk, &root).await? else {
        return Ok(Found::NoImage);
    };
    let is_wanted = |record: &Record| {
        let plain = record.name.split(';').next().unwrap_or_default();
        !record.is_directory && plain.trim_end_matches('.').eq_ignore_ascii_case(name)
    };
    let Some(file) = records(&directory).find(is_wanted) else {
        return Ok(Found::NoFile);
    };
    if file.size > most {
        return Ok(Found::TooLong);
    }
    Ok(extent(disk, &file).await?.map_or(Found::NoImage, Found::File))
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Record {
    sector: u64,
    size: u64,
    is_directory: bool,
    name: String,
}

fn record(bytes: &[u8]) -> Option<Record> {
    let number = |at: usize| {
        let bytes = bytes.get(at..at.checked_add(4)?)?;
        Some(u64::from(u32::from_le_bytes(bytes.try_into().ok()?)))
    };
    let length = usize::from(*bytes.get(32)?);
    Some(Record {
        sector: number(2)?,
        size: number(10)?,
        is_directory: bytes.get(25)? & DIRECTORY != 0,
        name: String::from_utf8_lossy(bytes.get(33..33_usize.checked_add(length)?)?).into_owned(),
    })
}

/// The entries of a directory; what is broken ends its sector.
fn records(directory: &[u8]) -> impl Iterator<Item = Record> {
    let sector = usize::try_from(SECTOR).unwrap_or(usize::MAX);
    directory.chunks(sector).flat_map(|mut rest| {
        std::iter::from_fn(move || {
            let length = usize::from(*rest.first()?);
            let (own, others) = rest.split_at_checked(length).filter(|_| length > 0)?;
            rest = others;
            record(own)
        })
    })
}

/// The record of the root, if the disk holds an image.
async fn root(disk: &dyn Disk) -> io::Result<Option<Record>> {
    let (first, count) = DESCRIPTORS;
    for number in first..first + count {
        let at = number * SECTOR;
        if at + SECTOR > disk.size() {
            return Ok(None);
        }
        let sector = disk.read(at, 2048).await?;
        match (sector.first(), sector.get(1..6)) {
            (Some(1), Some(b"CD001")) => return Ok(sector.get(156..190).and_then(record)),
            // The end of the descriptors.
            (Some(255), _) => return Ok(None),
            (_, Some(b"CD001")) => {}
            _ => return Ok(None),
        }
    }
    Ok(None)
}

/// The bytes of a file or directory; nothing if they would lie beyond the disk.
async fn extent(disk: &dyn Disk, record: &Record) -> io::Result<Option<Vec<u8>>> {
    let at = record.sector * SECTOR;
    let Ok(length) = usize::try_from(record.size) else {
        return Ok(None);
    };
    if at + record.size > disk.size() {
        return Ok(None);
    }
    disk.read(at, length).await.map(|bytes| Some(bytes.to_vec()))
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::memory::MemoryDisk;

    fn entry(name: &str, sector: u32, size: u32, flags: u8) -> Vec<u8> {
        let mut record = vec![0; 33];
        record[2..6].copy_from_slice(&sector.to_le_bytes());
        record[10..14].copy_from_slice(&size.to_le_bytes());
        record[25] = flags;
        record[32] = u8::try_from(name.len()).unwrap();
        record.extend_from_slice(name.as_bytes());
        record.resize(record.len().next_multiple_of(2), 0);
        record[0] = u8::try_from(record.len()).unwrap();
        record
    }

    /// An image with a directory in sector 20 and a file's bytes in sector 21.
    fn image(entries: &[Vec<u8>]) -> Vec<u8> {
        let mut image = vec![0; 22 * 2048];
        let descriptor = 16 * 2048;
        image[descriptor] = 1;
        image[descriptor + 1..descriptor + 6].copy_from_slice(b"CD001");
        let root = entry("\0", 20, 2048, DIRECTORY);
        image[descriptor + 156..descriptor + 156 + root.len()].copy_from_slice(&root);
        let mut at = 20 * 2048;
        for entry in entries {
            image[at..at + entry.len()].copy_from_slice(entry);
            at += entry.len();
        }
        image[21 * 2048..21 * 2048 + 5].copy_from_slice(b"<up/>");
        image
    }

    async fn look(image: Vec<u8>, most: u64) -> Found {
        read_file(&MemoryDisk::with(image), "update.xml", most)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_file_is_found_by_its_name() {
        let own = entry("UPDATE.XML;1", 21, 5, 0);
        let folder = entry("UPDATE.XML", 20, 2048, DIRECTORY);
        let other = entry("OTHER.TXT;1", 21, 2, 0);
        let found = look(image(&[folder.clone(), other.clone(), own.clone()]), 100).await;
        assert_eq!(found, Found::File(b"<up/>".to_vec()));
        assert_eq!(look(image(&[own]), 4).await, Found::TooLong);
        assert_eq!(look(image(&[folder, other]), 100).await, Found::NoFile);
    }

    #[tokio::test]
    async fn what_is_no_image_or_lies_is_none() {
        assert_eq!(look(vec![0; 1 << 20], 100).await, Found::NoImage);
        assert_eq!(look(vec![7; 100], 100).await, Found::NoImage);
        let beyond = entry("UPDATE.XML;1", u32::MAX, 5, 0);
        assert_eq!(look(image(&[beyond]), 100).await, Found::NoImage);
        let mut cut = image(&[]);
        // A record that says it is longer than its sector, and one without a name's end.
        cut[20 * 2048] = 255;
        cut[20 * 2048 + 32] = 255;
        assert_eq!(look(cut, 100).await, Found::NoFile);
        let mut huge = image(&[]);
        huge[16 * 2048 + 156 + 10..16 * 2048 + 156 + 14].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(look(huge, 100).await, Found::NoImage);
    }
}
