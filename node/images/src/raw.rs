//! Plain bytes of a disk, and packets of them.

use std::sync::Arc;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::disk::{Disk, read_ahead};
use crate::error::ImageError;
use crate::flow::{Watch, Writes, read_piece, read_up_to, send};

/// How much is moved at once.
const PIECE: usize = 1 << 20;
/// The same.
const PIECE_LENGTH: u64 = 1 << 20;
/// Largest packet.
const LARGEST: u32 = 64 << 20;

/// Sends all bytes of a disk.
///
/// # Errors
/// [`ImageError`].
pub async fn write(
    disk: Arc<dyn Disk>,
    to: &mut (impl AsyncWrite + Unpin),
    watch: &dyn Watch,
) -> Result<(), ImageError> {
    use futures::StreamExt;
    let zeros = Bytes::from(vec![0; PIECE]);
    let size = disk.size();
    let mut at = 0;
    while at < size {
        for extent in disk.extents(at, size - at).await.map_err(ImageError::Disk)? {
            let end = at.saturating_add(extent.length).min(size);
            if extent.zero {
                while at < end {
                    let part = (end - at).min(PIECE_LENGTH);
                    let part_here = usize::try_from(part).unwrap_or(PIECE);
                    send(to, zeros.get(..part_here).unwrap_or_default()).await?;
                    watch.moved(part).await?;
                    at += part;
                }
            } else {
                let mut pieces = std::pin::pin!(read_ahead(Arc::clone(&disk), pieces(at, end)));
                while let Some(piece) = pieces.next().await {
                    let (_, data) = piece.map_err(ImageError::Disk)?;
                    send(to, &data).await?;
                    watch.moved(data.len() as u64).await?;
                }
                at = end;
            }
        }
    }
    Ok(())
}

/// Cuts a stretch of a disk into pieces.
pub(crate) fn pieces(from: u64, to: u64) -> impl Iterator<Item = (u64, usize)> + Send {
    (0..(to - from).div_ceil(PIECE_LENGTH)).map(move |n| {
        let at = from + n * PIECE_LENGTH;
        (at, usize::try_from((to - at).min(PIECE_LENGTH)).unwrap_or(PIECE))
    })
}

/// Puts a stream of plain bytes on a disk, from its beginning; what it does not reach stays. A stream longer than the disk
/// fails where the disk ends.
///
/// # Errors
/// [`ImageError`].
pub async fn read(
    from: &mut (impl AsyncRead + Unpin),
    disk: Arc<dyn Disk>,
    watch: &dyn Watch,
) -> Result<(), ImageError> {
    let mut writes = Writes::new(disk);
    let mut at = 0;
    loop {
        let piece = read_up_to(from, PIECE).await?;
        let length = piece.len() as u64;
        if length == 0 {
            return writes.finish().await;
        }
        writes.push(at, piece).await?;
        at += length;
        watch.moved(length).await?;
    }
}

/// Puts packets on a disk: offset (64 bits) and length (32 bits) in little endian, then the bytes; a packet of zeros ends them.
///
/// # Errors
/// [`ImageError`].
pub async fn read_packets(
    from: &mut (impl AsyncRead + Unpin),
    disk: Arc<dyn Disk>,
    watch: &dyn Watch,
) -> Result<(), ImageError> {
    let mut writes = Writes::new(disk);
    // Between these two is all that may be on its way.
    let mut unsettled = 0..0;
    loop {
        let head = read_piece(from, 12).await?;
        let (Some(offset), Some(length)) = (head.first_chunk::<8>(), head.last_chunk::<4>()) else {
            return Err(ImageError::Ended);
        };
        let (mut offset, length) = (u64::from_le_bytes(*offset), u32::from_le_bytes(*length));
        if offset == 0 && length == 0 {
            return writes.finish().await;
        }
        if length > LARGEST {
            return Err(ImageError::malformed(format!(
                "a packet of {length} bytes is too long"
            )));
        }
        let mut left = usize::try_from(length).unwrap_or(usize::MAX);
        while left > 0 {
            let piece = read_piece(from, left.min(PIECE)).await?;
            left -= piece.len();
            let moved = piece.len() as u64;
            let end = offset.saturating_add(moved);
            // Packets may overlap, and the later one counts.
            if offset < unsettled.end && end > unsettled.start {
                writes.settle().await?;
                unsettled = 0..0;
            }
            unsettled = if unsettled.is_empty() {
                offset..end
            } else {
                unsettled.start.min(offset)..unsettled.end.max(end)
            };
            writes.push(offset, piece).await?;
            offset = end;
            watch.moved(moved).await?;
        }
    }
}

/// Copies a disk onto another of at least its size, zeros included.
///
/// # Errors
/// [`ImageError`].
pub async fn copy(source: Arc<dyn Disk>, target: Arc<dyn Disk>, watch: &dyn Watch) -> Result<(), ImageError> {
    use futures::StreamExt;
    let size = source.size();
    let mut writes = Writes::new(Arc::clone(&target));
    let mut at = 0;
    while at < size {
        for extent in source.extents(at, size - at).await.map_err(ImageError::Disk)? {
            let end = at.saturating_add(extent.length).min(size);
            if extent.zero {
                target.zero(at, end - at).await.map_err(ImageError::Disk)?;
                watch.moved(end - at).await?;
            } else {
                let mut read = std::pin::pin!(read_ahead(Arc::clone(&source), pieces(at, end)));
                while let Some(piece) = read.next().await {
                    let (offset, data) = piece.map_err(ImageError::Disk)?;
                    let moved = data.len() as u64;
                    writes.push(offset, data).await?;
                    watch.moved(moved).await?;
                }
            }
            at = end;
        }
    }
    writes.finish().await
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::flow::Unwatched;
    use crate::memory::MemoryDisk;

    fn content() -> Vec<u8> {
        let mut content = vec![0; 3 << 20];
        content[5] = 5;
        content[2 << 20..].fill(7);
        content
    }

    #[tokio::test]
    async fn a_disk_comes_back_as_it_went() {
        let disk = Arc::new(MemoryDisk::with(content()));
        let mut out = Vec::new();
        write(disk.clone(), &mut out, &Unwatched).await.unwrap();
        assert_eq!(out, content());
        let back = Arc::new(MemoryDisk::with(vec![9; 3 << 20]));
        read(&mut out.as_slice(), back.clone(), &Unwatched).await.unwrap();
        assert_eq!(back.content(), content());
        let twin = Arc::new(MemoryDisk::with(vec![9; 3 << 20]));
        copy(disk, twin.clone(), &Unwatched).await.unwrap();
        assert_eq!(twin.content(), content());
    }

    #[tokio::test]
    async fn a_stream_longer_than_the_disk_fails() {
        let small = Arc::new(MemoryDisk::new(1 << 20));
        let error = read(&mut content().as_slice(), small, &Unwatched)
            .await
            .unwrap_err();
        assert!(matches!(error, ImageError::Disk(_)), "{error:?}");
    }

    /// Its first write takes longer than all others.
    struct Reluctant {
        disk: MemoryDisk,
        writes: std::sync::atomic::AtomicU32,
    }

    #[async_trait::async_trait]
    impl Disk for Reluctant {
        fn size(&self) -> u64 {
            self.disk.size()
        }
        async fn read(&self, offset: u64, length: usize) -> std::io::Result<Bytes> {
            self.disk.read(offset, length).await
        }
        async fn write(&self, offset: u64, data: Bytes) -> std::io::Result<()> {
            if self.writes.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            self.disk.write(offset, data).await
        }
        async fn zero(&self, offset: u64, length: u64) -> std::io::Result<()> {
            self.disk.zero(offset, length).await
        }
        async fn extents(&self, offset: u64, length: u64) -> std::io::Result<Vec<crate::Extent>> {
            self.disk.extents(offset, length).await
        }
        async fn flush(&self) -> std::io::Result<()> {
            self.disk.flush().await
        }
    }

    #[tokio::test]
    async fn of_packets_that_overlap_the_later_one_counts() {
        let mut packets = Vec::new();
        for (offset, data) in [(0_u64, &b"aaaa"[..]), (8, b"c"), (2, b"bb")] {
            packets.extend(offset.to_le_bytes());
            packets.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
            packets.extend(data);
        }
        packets.extend([0; 12]);
        let disk = Arc::new(Reluctant {
            disk: MemoryDisk::new(4096),
            writes: std::sync::atomic::AtomicU32::new(0),
        });
        read_packets(&mut packets.as_slice(), disk.clone(), &Unwatched)
            .await
            .unwrap();
        assert_eq!(&disk.disk.content()[..9], b"aabb\0\0\0\0c");
    }

    #[tokio::test]
    async fn packets_land_where_they_say_and_need_their_end() {
        let mut packets = Vec::new();
        for (offset, data) in [(100_u64, &b"abc"[..]), (5, b"de")] {
            packets.extend(offset.to_le_bytes());
            packets.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
            packets.extend(data);
        }
        let disk = Arc::new(MemoryDisk::new(4096));
        let cut = read_packets(&mut packets.as_slice(), disk.clone(), &Unwatched).await;
        assert!(matches!(cut, Err(ImageError::Ended)), "{cut:?}");
        packets.extend([0; 12]);
        read_packets(&mut packets.as_slice(), disk.clone(), &Unwatched)
            .await
            .unwrap();
        assert_eq!(&disk.content()[100..103], b"abc");
        assert_eq!(&disk.content()[5..7], b"de");
    }
}
