//! Reading a disk of any kind as it streams in.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncRead;

use super::structures::HEADER;
use super::{Footer, Kind, SECTOR, SECTOR_LENGTH, SparseHeader};
use crate::disk::Disk;
use crate::error::ImageError;
use crate::flow::{Watch, Writes, read_piece, read_up_to, skip};

/// How much is moved at once.
const PIECE: usize = 1 << 20;
/// Blocks that are not in the file.
const ABSENT: u32 = u32::MAX;

/// Puts a VHD on a disk. Blocks that a dynamic one leaves out become zeros; those that a differencing one leaves out stay, so
/// the disk must hold its parent.
///
/// # Errors
/// [`ImageError::Malformed`] also for one whose table of blocks comes after blocks; else [`ImageError`].
pub async fn read(
    from: &mut (impl AsyncRead + Unpin),
    disk: Arc<dyn Disk>,
    watch: &dyn Watch,
) -> Result<(), ImageError> {
    let first = read_piece(from, SECTOR).await?;
    if !Footer::is_one(&first) {
        return fixed(first, from, disk, watch).await;
    }
    let footer = Footer::parse(&first)?;
    if footer.kind == Kind::Fixed {
        return Err(ImageError::malformed("a fixed VHD begins with a footer"));
    }
    let mut at = SECTOR_LENGTH;
    forward(from, &mut at, footer.header_at).await?;
    let header = SparseHeader::parse(&read_piece(from, HEADER).await?)?;
    at += HEADER as u64;
    forward(from, &mut at, header.table_at).await?;
    let table = read_piece(from, usize::try_from(header.entries).unwrap_or(0) * 4).await?;
    at += table.len() as u64;
    let block = u64::from(header.block);
    if u64::from(header.entries).saturating_mul(block) < footer.size {
        return Err(ImageError::malformed("the VHD's table is too short for its disk"));
    }
    let mut present = Vec::new();
    let mut gap: Option<u64> = None;
    let (entries, _) = table.as_chunks::<4>();
    for (index, entry) in (0_u64..).zip(entries) {
        let sector = u32::from_be_bytes(*entry);
        let start = index.saturating_mul(block);
        if start >= footer.size {
            break;
        }
        if sector != ABSENT {
            present.push((sector, u32::try_from(index).unwrap_or(u32::MAX)));
        }
        match (sector == ABSENT, gap) {
            (true, None) => gap = Some(start),
            (false, Some(from)) => {
                clear(&disk, &footer, from, start).await?;
                gap = None;
            }
            _ => {}
        }
    }
    if let Some(from) = gap {
        clear(&disk, &footer, from, footer.size).await?;
    }
    drop(table);
    // In the order of the file, which need not be that of the disk.
    present.sort_unstable();
    let mut writes = Writes::new(Arc::clone(&disk));
    let mut reader = Blocks {
        from,
        at,
        footer,
        block,
    };
    for (sector, index) in present {
        reader
            .one(sector, u64::from(index), &disk, &mut writes, watch)
            .await?;
    }
    writes.finish().await
}

async fn clear(disk: &Arc<dyn Disk>, footer: &Footer, from: u64, to: u64) -> Result<(), ImageError> {
    if footer.kind == Kind::Dynamic {
        let to = to.min(footer.size);
        disk.zero(from, to - from).await.map_err(ImageError::Disk)?;
    }
    Ok(())
}

async fn forward(from: &mut (impl AsyncRead + Unpin), at: &mut u64, to: u64) -> Result<(), ImageError> {
    let gap = to
        .checked_sub(*at)
        .ok_or_else(|| ImageError::malformed("the VHD's parts are not in the order of a stream"))?;
    skip(from, gap).await?;
    *at = to;
    Ok(())
}

struct Blocks<'a, R> {
    from: &'a mut R,
    at: u64,
    footer: Footer,
    block: u64,
}

impl<R: AsyncRead + Unpin> Blocks<'_, R> {
    async fn one(
        &mut self,
        sector: u32,
        index: u64,
        disk: &Arc<dyn Disk>,
        writes: &mut Writes,
        watch: &dyn Watch,
    ) -> Result<(), ImageError> {
        forward(self.from, &mut self.at, u64::from(sector) * SECTOR_LENGTH).await?;
        let sectors = self.block / SECTOR_LENGTH;
        let bitmap_length = sectors.div_ceil(8).next_multiple_of(SECTOR_LENGTH);
        let bitmap = read_piece(self.from, usize::try_from(bitmap_length).unwrap_or(0)).await?;
        let start = index * self.block;
        let mut done = 0;
        while done < self.block {
            let length = (self.block - done).min(PIECE as u64);
            let piece = read_piece(self.from, usize::try_from(length).unwrap_or(PIECE)).await?;
            let part = Part {
                start: start + done,
                first: done / SECTOR_LENGTH,
                bitmap: &bitmap,
            };
            put(&self.footer, &piece, &part, disk, writes).await?;
            watch.moved(length).await?;
            done += length;
        }
        self.at += bitmap_length + self.block;
        Ok(())
    }
}

/// Where a piece of a block belongs, and which of its sectors count.
struct Part<'a> {
    /// Where it begins on the disk.
    start: u64,
    /// Its first sector within the block.
    first: u64,
    bitmap: &'a [u8],
}

/// Writes the sectors of a piece that the bitmap names; the others are zeros, or the parent's.
async fn put(
    footer: &Footer,
    piece: &Bytes,
    part: &Part<'_>,
    disk: &Arc<dyn Disk>,
    writes: &mut Writes,
) -> Result<(), ImageError> {
    let room = footer.size.saturating_sub(part.start);
    let length = (piece.len() as u64).min(room);
    let count = length.div_ceil(SECTOR_LENGTH);
    let mut at = 0;
    while at < count {
        let set = is_set(part.bitmap, part.first + at);
        let mut end = at + 1;
        while end < count && is_set(part.bitmap, part.first + end) == set {
            end += 1;
        }
        let (from, to) = (at * SECTOR_LENGTH, (end * SECTOR_LENGTH).min(length));
        if set {
            let range = usize::try_from(from).unwrap_or(0)..usize::try_from(to).unwrap_or(0);
            writes.push(part.start + from, piece.slice(range)).await?;
        } else if footer.kind == Kind::Dynamic {
            let at = part.start + from;
            disk.zero(at, to - from).await.map_err(ImageError::Disk)?;
        }
        at = end;
    }
    Ok(())
}

fn is_set(bitmap: &[u8], sector: u64) -> bool {
    let byte = usize::try_from(sector / 8).ok().and_then(|at| bitmap.get(at));
    byte.is_some_and(|byte| byte & (0x80 >> (sector % 8)) != 0)
}

/// All bytes of the disk, with a footer behind them that is held back until the stream ends.
async fn fixed(
    first: Bytes,
    from: &mut (impl AsyncRead + Unpin),
    disk: Arc<dyn Disk>,
    watch: &dyn Watch,
) -> Result<(), ImageError> {
    let mut writes = Writes::new(disk);
    let mut held = BytesMut::from(&first[..]);
    let mut at = 0;
    loop {
        let piece = read_up_to(from, PIECE).await?;
        if piece.is_empty() {
            break;
        }
        held.extend_from_slice(&piece);
        let data = held.split_to(held.len().saturating_sub(SECTOR)).freeze();
        let length = data.len() as u64;
        if length > 0 {
            writes.push(at, data).await?;
            at += length;
            watch.moved(length).await?;
        }
    }
    let footer = Footer::parse(&held)?;
    if footer.kind != Kind::Fixed || footer.size != at {
        return Err(ImageError::malformed("the VHD's footer is of another disk"));
    }
    writes.finish().await
}
