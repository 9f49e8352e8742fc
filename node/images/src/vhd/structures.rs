//! Footers and headers as bytes. Pure.

use uuid::Uuid;

use super::{SECTOR, SECTOR_LENGTH};
use crate::error::ImageError;

/// What kind of disk it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// All bytes, then the footer.
    Fixed,
    /// Blocks that hold something.
    Dynamic,
    /// Blocks that differ from another disk.
    Differencing,
}

/// The footer, which dynamic disks begin with as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footer {
    /// Bytes of the disk.
    pub size: u64,
    /// What kind of disk it is.
    pub kind: Kind,
    /// Where the header is; all ones for a fixed disk.
    pub header_at: u64,
    /// The disk's identity.
    pub uuid: Uuid,
}

const COOKIE: &[u8; 8] = b"conectix";
const VERSION: u32 = 0x0001_0000;

/// The ones' complement of the sum of all bytes, with the checksum's own taken as zeros.
fn checksum(bytes: &[u8], at: usize) -> u32 {
    let sum = bytes
        .iter()
        .enumerate()
        .filter(|(n, _)| !(at..at + 4).contains(n))
        .fold(0_u32, |sum, (_, b)| sum.wrapping_add(u32::from(*b)));
    !sum
}

fn put(block: &mut [u8], at: usize, bytes: &[u8]) {
    for (to, from) in block.iter_mut().skip(at).zip(bytes) {
        *to = *from;
    }
}

fn u32_at(block: &[u8], at: usize) -> u32 {
    let bytes = block.get(at..).and_then(|rest| rest.first_chunk::<4>());
    bytes.map_or(0, |b| u32::from_be_bytes(*b))
}

fn u64_at(block: &[u8], at: usize) -> u64 {
    let bytes = block.get(at..).and_then(|rest| rest.first_chunk::<8>());
    bytes.map_or(0, |b| u64::from_be_bytes(*b))
}

fn bad(what: &str) -> ImageError {
    ImageError::malformed(format!("the VHD cannot be read: {what}"))
}

/// Cylinders, heads and sectors for a size; the format's own way of counting.
fn geometry(size: u64) -> [u8; 4] {
    let sectors = (size / SECTOR_LENGTH).min(65_535 * 16 * 255);
    let (mut per_track, mut heads, mut tracks);
    if sectors > 65_535 * 16 * 63 {
        (per_track, heads) = (255, 16);
        tracks = sectors / per_track;
    } else {
        per_track = 17;
        tracks = sectors / per_track;
        heads = tracks.div_ceil(1024).max(4);
        if tracks >= heads * 1024 || heads > 16 {
            (per_track, heads) = (31, 16);
            tracks = sectors / per_track;
        }
        if tracks >= heads * 1024 {
            (per_track, heads) = (63, 16);
            tracks = sectors / per_track;
        }
    }
    let [.., high, low] = (tracks / heads).to_be_bytes();
    let byte = |n: u64| u8::try_from(n).unwrap_or(u8::MAX);
    [high, low, byte(heads), byte(per_track)]
}

impl Footer {
    /// The footer of a disk that we write. The creator is the one whose sizes readers take as they stand, rather than
    /// rounded to whole cylinders.
    pub fn bytes(&self) -> [u8; SECTOR] {
        let mut block = [0; SECTOR];
        put(&mut block, 0, COOKIE);
        put(&mut block, 8, &2_u32.to_be_bytes());
        put(&mut block, 12, &VERSION.to_be_bytes());
        put(&mut block, 16, &self.header_at.to_be_bytes());
        put(&mut block, 28, b"tap\0");
        put(&mut block, 32, &0x0001_0003_u32.to_be_bytes());
        put(&mut block, 40, &self.size.to_be_bytes());
        put(&mut block, 48, &self.size.to_be_bytes());
        put(&mut block, 56, &geometry(self.size));
        let kind: u32 = match self.kind {
            Kind::Fixed => 2,
            Kind::Dynamic => 3,
            Kind::Differencing => 4,
        };
        put(&mut block, 60, &kind.to_be_bytes());
        put(&mut block, 68, self.uuid.as_bytes());
        let sum = checksum(&block, 64);
        put(&mut block, 64, &sum.to_be_bytes());
        block
    }

    /// Says whether a block is meant as a footer.
    pub fn is_one(block: &[u8]) -> bool {
        block.starts_with(COOKIE)
    }

    /// Reads a footer.
    ///
    /// # Errors
    /// [`ImageError::Malformed`].
    pub fn parse(block: &[u8]) -> Result<Footer, ImageError> {
        if block.len() != SECTOR || !Footer::is_one(block) {
            return Err(bad("there is no footer"));
        }
        if checksum(block, 64) != u32_at(block, 64) {
            return Err(bad("the footer's checksum is wrong"));
        }
        if u32_at(block, 12) >> 16 != 1 {
            return Err(bad("it is of another version"));
        }
        let kind = match u32_at(block, 60) {
            2 => Kind::Fixed,
            3 => Kind::Dynamic,
            4 => Kind::Differencing,
            _ => return Err(bad("it is of an unknown kind")),
        };
        let uuid = block
            .get(68..84)
            .and_then(|b| Uuid::from_slice(b).ok())
            .unwrap_or_default();
        Ok(Footer {
            size: u64_at(block, 48),
            kind,
            header_at: u64_at(block, 16),
            uuid,
        })
    }
}

/// The header of dynamic and differencing disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SparseHeader {
    /// Where the table of blocks is.
    pub table_at: u64,
    /// How many entries it has.
    pub entries: u32,
    /// Bytes of a block.
    pub block: u32,
}

/// Bytes of that header.
pub(super) const HEADER: usize = 1024;
/// No table that is read is longer: a disk of 8 TiB in blocks of 2 MiB.
const MOST_ENTRIES: u32 = 4 << 20;

impl SparseHeader {
    /// The header, with the parent of a differencing disk and where its locator is.
    pub fn bytes(&self, parent: Option<(Uuid, &str, u64)>) -> [u8; HEADER] {
        let mut block = [0; HEADER];
        put(&mut block, 0, b"cxsparse");
        put(&mut block, 8, &u64::MAX.to_be_bytes());
        put(&mut block, 16, &self.table_at.to_be_bytes());
        put(&mut block, 24, &VERSION.to_be_bytes());
        put(&mut block, 28, &self.entries.to_be_bytes());
        put(&mut block, 32, &self.block.to_be_bytes());
        if let Some((uuid, name, locator_at)) = parent {
            put(&mut block, 40, uuid.as_bytes());
            let wide: Vec<u8> = name.encode_utf16().take(256).flat_map(u16::to_be_bytes).collect();
            put(&mut block, 64, &wide);
            // One locator: a URL in UTF-8, within one sector.
            put(&mut block, 576, b"MacX");
            put(&mut block, 580, &512_u32.to_be_bytes());
            let length = u32::try_from(locator(name).len()).unwrap_or(0);
            put(&mut block, 584, &length.to_be_bytes());
            put(&mut block, 592, &locator_at.to_be_bytes());
        }
        let sum = checksum(&block, 36);
        put(&mut block, 36, &sum.to_be_bytes());
        block
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`ImageError::Malformed`].
    pub fn parse(block: &[u8]) -> Result<SparseHeader, ImageError> {
        if block.len() != HEADER || !block.starts_with(b"cxsparse") {
            return Err(bad("there is no header"));
        }
        if checksum(block, 36) != u32_at(block, 36) {
            return Err(bad("the header's checksum is wrong"));
        }
        let header = SparseHeader {
            table_at: u64_at(block, 16),
            entries: u32_at(block, 28),
            block: u32_at(block, 32),
        };
        if !header.block.is_power_of_two() || !(4096..=64 << 20).contains(&header.block) {
            return Err(bad("its blocks are of an absurd size"));
        }
        if header.entries > MOST_ENTRIES {
            return Err(bad("it has too many blocks"));
        }
        Ok(header)
    }
}

/// The text of the parent's locator.
pub(super) fn locator(name: &str) -> String {
    format!("file://./{name}")
}

#[cfg(test)]
mod test {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for kind in [Kind::Fixed, Kind::Dynamic, Kind::Differencing] {
            let footer = Footer {
                size: 5 << 30,
                kind,
                header_at: 512,
                uuid: Uuid::from_u128(9),
            };
            assert_eq!(Footer::parse(&footer.bytes()).unwrap(), footer);
        }
        let header = SparseHeader {
            table_at: 1536,
            entries: 7,
            block: 2 << 20,
        };
        assert_eq!(SparseHeader::parse(&header.bytes(None)).unwrap(), header);
        let child = header.bytes(Some((Uuid::from_u128(1), "parent.vhd", 2048)));
        assert_eq!(SparseHeader::parse(&child).unwrap(), header);
    }

    #[test]
    fn a_changed_bit_is_noticed() {
        let footer = Footer {
            size: 1 << 20,
            kind: Kind::Dynamic,
            header_at: 512,
            uuid: Uuid::nil(),
        };
        let mut bytes = footer.bytes();
        bytes[48] ^= 1;
        assert!(Footer::parse(&bytes).is_err());
    }

    #[test]
    fn absurd_tables_are_refused() {
        for (entries, block) in [(u32::MAX, 2 << 20), (1, 0), (1, 3), (1, 1 << 31)] {
            let header = SparseHeader {
                table_at: 1536,
                entries,
                block,
            };
            assert!(
                SparseHeader::parse(&header.bytes(None)).is_err(),
                "{entries} {block}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(block in proptest::collection::vec(any::<u8>(), 0..1100), size in any::<u64>()) {
            let _ = Footer::parse(&block);
            let _ = SparseHeader::parse(&block);
            let _ = geometry(size);
        }
    }
}
