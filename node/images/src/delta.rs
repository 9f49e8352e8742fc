//! How a disk differs from an earlier one: found by reading both, or known already.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream;
use uuid::Uuid;

use crate::disk::{BlockMap, Disk, is_zero};

/// The disk from which another one differs.
pub struct Parent {
    /// In what.
    pub delta: Delta,
    /// Its identity.
    pub uuid: Uuid,
    /// The name of its file.
    pub name: String,
}

/// In what a disk differs from an earlier one.
pub enum Delta {
    /// In whatever reading both shows. What lies beyond the end of the earlier one counts as zeros there.
    From(Arc<dyn Disk>),
    /// In no other blocks than these, of 64 KiB, the first in the highest bit of the first byte.
    Within(Vec<u8>),
}

/// Bytes of a block in a set that is known.
const KNOWN: u64 = 64 << 10;
/// How much of both disks is read at once; a multiple of every format's block.
const PIECE: u64 = 2 << 20;
/// How many pieces are read side by side.
const SIDE_BY_SIDE: usize = 4;

impl Delta {
    /// The blocks of a disk that a child must hold.
    ///
    /// # Errors
    /// What the disks say.
    pub async fn blocks(&self, disk: &Arc<dyn Disk>, block: u64) -> io::Result<BlockMap> {
        match self {
            Delta::From(parent) => differing(disk, parent, block).await,
            Delta::Within(bits) => Ok(within(bits, disk.size(), block)),
        }
    }
}

fn within(bits: &[u8], size: u64, block: u64) -> BlockMap {
    let mut map = BlockMap::empty(size, block);
    for (at, byte) in (0_u64..).zip(bits) {
        for bit in (0..8).filter(|bit| byte & (0x80 >> bit) != 0) {
            let from = (at * 8 + bit) * KNOWN;
            let end = from.saturating_add(KNOWN).min(size);
            for index in from / block..end.div_ceil(block) {
                map.set(index);
            }
        }
    }
    map
}

async fn differing(disk: &Arc<dyn Disk>, parent: &Arc<dyn Disk>, block: u64) -> io::Result<BlockMap> {
    let ours = BlockMap::of(disk.as_ref(), PIECE).await?;
    let theirs = BlockMap::of(parent.as_ref(), PIECE).await?;
    let part = |of: &Arc<dyn Disk>, at: u64| {
        let (of, size) = (Arc::clone(of), of.size().saturating_sub(at).min(PIECE));
        async move {
            match usize::try_from(size).unwrap_or(usize::MAX) {
                // Beyond its end.
                0 => Ok(Bytes::new()),
                size => of.read(at, size).await,
            }
        }
    };
    let pieces = (0..ours.count).filter(|index| ours.has(*index) || theirs.has(*index));
    let mut pieces = std::pin::pin!(
        stream::iter(pieces)
            .map(|index| {
                let at = index * PIECE;
                let both = (part(disk, at), part(parent, at));
                async move { futures::try_join!(both.0, both.1).map(|both| (at, both)) }
            })
            .buffered(SIDE_BY_SIDE)
    );
    let mut map = BlockMap::empty(disk.size(), block);
    let step = usize::try_from(block).unwrap_or(usize::MAX);
    while let Some(piece) = pieces.next().await {
        let (at, (mine, other)) = piece?;
        for (number, mine) in (0_u64..).zip(mine.chunks(step)) {
            let from = usize::try_from(number * block)
                .unwrap_or(usize::MAX)
                .min(other.len());
            let other = other
                .get(from..other.len().min(from + mine.len()))
                .unwrap_or_default();
            let same = mine.starts_with(other) && is_zero(mine.get(other.len()..).unwrap_or_default());
            if !same {
                map.set((at + number * block) / block);
            }
        }
    }
    Ok(map)
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::memory::MemoryDisk;

    fn disk(size: usize, marks: &[usize]) -> Arc<dyn Disk> {
        let mut content = vec![0; size];
        for mark in marks {
            content[*mark] = 1;
        }
        Arc::new(MemoryDisk::with(content))
    }

    #[tokio::test]
    async fn blocks_differ_where_bytes_do_also_beyond_the_end_of_the_earlier_disk() {
        const MIB: usize = 1 << 20;
        let parent = disk(3 * MIB, &[0, MIB, 2 * MIB + 5]);
        let child = disk(5 * MIB + 512, &[0, MIB + 70_000, 2 * MIB + 5, 5 * MIB + 511]);
        let delta = Delta::From(parent);
        let map = delta.blocks(&child, KNOWN).await.unwrap();
        assert_eq!(map.set_blocks().collect::<Vec<_>>(), [16, 17, 80]);
        let map = delta.blocks(&child, PIECE).await.unwrap();
        assert_eq!(map.set_blocks().collect::<Vec<_>>(), [0, 2]);
    }

    #[tokio::test]
    async fn blocks_that_are_known_are_taken_in_any_grain() {
        let child = disk(20 << 16, &[]);
        let delta = Delta::Within(vec![0x81, 0x00, 0x1f]);
        let of = async |block| {
            delta
                .blocks(&child, block)
                .await
                .unwrap()
                .set_blocks()
                .collect::<Vec<_>>()
        };
        assert_eq!(of(KNOWN).await, [0, 7, 19]);
        assert_eq!(of(4 * KNOWN).await, [0, 1, 4]);
        assert_eq!(of(KNOWN / 2).await, [0, 1, 14, 15, 38, 39]);
    }
}
