//! A disk as bytes at offsets, with what is known of its zeros.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};

/// A stretch of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its length in bytes, at least one.
    pub length: u64,
    /// It reads as zeros.
    pub zero: bool,
}

/// A disk. Calls may run side by side; those that overlap must not.
#[async_trait]
pub trait Disk: Send + Sync {
    /// Its size in bytes.
    fn size(&self) -> u64;
    /// Reads; the range must lie on the disk.
    async fn read(&self, offset: u64, length: usize) -> io::Result<Bytes>;
    /// Writes; the range must lie on the disk.
    async fn write(&self, offset: u64, data: Bytes) -> io::Result<()>;
    /// Makes a range read as zeros.
    async fn zero(&self, offset: u64, length: u64) -> io::Result<()>;
    /// What is known of the stretch that begins at `offset`: at least one extent, and no more than `length` bytes.
    async fn extents(&self, offset: u64, length: u64) -> io::Result<Vec<Extent>>;
    /// Returns once all that was written is safe.
    async fn flush(&self) -> io::Result<()>;
}

/// How much is asked for at once when a disk's zeros are looked for.
const LOOK: u64 = 1 << 30;

/// Which blocks of a disk hold something, a bit for each: four MiB for 2 TiB in blocks of 64 KiB.
pub struct BlockMap {
    bits: Vec<u64>,
    /// Bytes of one block.
    pub block: u64,
    /// How many blocks there are.
    pub count: u64,
}

impl BlockMap {
    /// No block holds anything.
    pub fn empty(size: u64, block: u64) -> BlockMap {
        let count = size.div_ceil(block);
        let words = usize::try_from(count.div_ceil(64)).unwrap_or(usize::MAX);
        BlockMap {
            bits: vec![0; words],
            block,
            count,
        }
    }

    /// Asks a disk.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn of(disk: &dyn Disk, block: u64) -> io::Result<BlockMap> {
        let size = disk.size();
        let mut map = BlockMap::empty(size, block);
        let mut at = 0;
        while at < size {
            for extent in disk.extents(at, LOOK.min(size - at)).await? {
                let end = at.saturating_add(extent.length).min(size);
                if !extent.zero && end > at {
                    for index in at / block..end.div_ceil(block) {
                        map.set(index);
                    }
                }
                at = end;
            }
        }
        Ok(map)
    }

    /// Notes that a block holds something.
    pub fn set(&mut self, index: u64) {
        if let Some(word) = usize::try_from(index / 64)
            .ok()
            .and_then(|at| self.bits.get_mut(at))
        {
            *word |= 1 << (index % 64);
        }
    }

    /// Whether a block may hold something.
    pub fn has(&self, index: u64) -> bool {
        usize::try_from(index / 64)
            .ok()
            .and_then(|at| self.bits.get(at))
            .is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    /// The blocks that hold something, in order.
    pub fn set_blocks(&self) -> impl Iterator<Item = u64> + '_ {
        (0..self.count).filter(|index| self.has(*index))
    }

    /// How many there are.
    pub fn set_count(&self) -> u64 {
        self.bits.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}

/// How many reads run ahead.
const AHEAD: usize = 8;

/// Reads ranges in order, several ahead of the one that is handed out.
pub fn read_ahead(
    disk: Arc<dyn Disk>,
    ranges: impl Iterator<Item = (u64, usize)> + Send,
) -> impl Stream<Item = io::Result<(u64, Bytes)>> + Send {
    stream::iter(ranges)
        .map(move |(offset, length)| {
            let disk = Arc::clone(&disk);
            async move { Ok((offset, disk.read(offset, length).await?)) }
        })
        .buffered(AHEAD)
}

/// Whether all bytes are zero.
pub fn is_zero(data: &[u8]) -> bool {
    let (words, rest) = data.as_chunks::<16>();
    words.iter().all(|word| *word == [0; 16]) && rest.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::memory::MemoryDisk;

    #[tokio::test]
    async fn a_map_knows_the_blocks_that_hold_something() {
        let disk = MemoryDisk::new(10_000);
        disk.write(4_100, Bytes::from_static(b"x")).await.unwrap();
        disk.write(9_999, Bytes::from_static(b"x")).await.unwrap();
        let map = BlockMap::of(&disk, 4096).await.unwrap();
        assert_eq!(map.count, 3);
        assert_eq!(map.set_blocks().collect::<Vec<_>>(), [1, 2]);
        assert_eq!(map.set_count(), 2);
        assert!(!map.has(100));
    }

    #[test]
    fn a_single_bit_is_no_zero() {
        for length in [0, 1, 15, 16, 17, 4096] {
            let mut data = vec![0; length];
            assert!(is_zero(&data), "{length}");
            for at in 0..length {
                data[at] = 1;
                assert!(!is_zero(&data), "{length} {at}");
                data[at] = 0;
            }
        }
    }
}
