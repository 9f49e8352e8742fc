//! Disks in VMware's form for streams: packed grains, each with its place.
//!
//! Source: VMware, "Virtual Disk Format 5.0", "Stream-Optimized Compressed Sparse Extents". QEMU writes it without the
//! marker at the end.

use std::sync::Arc;

use async_compression::tokio::bufread::ZlibDecoder;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::disk::{Disk, is_zero};
use crate::error::ImageError;
use crate::flow::{Watch, Writes, read_piece, read_up_to, skip};

/// Bytes of a sector, in which everything is counted.
const SECTOR: u64 = 512;
/// The same, and the length of header and markers.
const SECTOR_LENGTH: usize = 512;
const MAGIC: [u8; 4] = *b"KDMV";
/// Grains are packed, and come with markers.
const STREAMED: u32 = 0b11 << 16;
const DEFLATE: u16 = 1;
/// No grain is larger; real ones have 64 KiB.
const LARGEST_GRAIN: u64 = 1 << 20;
/// Bytes of a marker before the grain's.
const MARKER: usize = 12;
/// Nothing that is not a grain is longer.
const LONGEST_TABLE: u64 = 1 << 30;
/// The marker of the end.
const END: u32 = 0;

/// Whether what begins so may be such a disk.
pub fn is_one(first: &[u8]) -> bool {
    first.starts_with(&MAGIC)
}

fn bad(what: &str) -> ImageError {
    ImageError::malformed(format!("the VMDK cannot be taken: {what}"))
}

/// What the first sector says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the disk.
    pub size: u64,
    /// Bytes of a grain.
    grain: u64,
    /// Bytes before the first marker.
    overhead: u64,
}

impl Header {
    /// Reads it.
    ///
    /// # Errors
    /// [`ImageError::Malformed`], also for VMDK in other forms.
    pub fn parse(sector: &[u8]) -> Result<Header, ImageError> {
        let word = |at: usize| {
            sector
                .get(at..)
                .and_then(|b| b.first_chunk())
                .map_or(0, |b| u32::from_le_bytes(*b))
        };
        let long = |at: usize| {
            sector
                .get(at..)
                .and_then(|b| b.first_chunk())
                .map_or(0, |b| u64::from_le_bytes(*b))
        };
        if !is_one(sector) || sector.len() < SECTOR_LENGTH {
            return Err(bad("it has no header"));
        }
        let packing = word(77) & 0xffff;
        if word(8) & STREAMED != STREAMED || packing != u32::from(DEFLATE) {
            return Err(bad("only the form for streams is (subformat streamOptimized)"));
        }
        let bytes = |sectors: u64| sectors.checked_mul(SECTOR).ok_or_else(|| bad("a size cannot be"));
        let header = Header {
            size: bytes(long(12))?,
            grain: bytes(long(20))?,
            overhead: bytes(long(64))?,
        };
        if header.size == 0 || header.grain == 0 || header.grain > LARGEST_GRAIN {
            return Err(bad("a size cannot be"));
        }
        if !(SECTOR..=LONGEST_TABLE).contains(&header.overhead) {
            return Err(bad("its grains are nowhere"));
        }
        Ok(header)
    }
}

/// Puts a stream on a disk; what is not in it stays. A stream that is cut between two grains cannot be told from a whole one
/// that was written without its end: whoever has its length must look at that.
///
/// # Errors
/// [`ImageError`]; [`ImageError::TooLarge`] if the disk is smaller.
pub async fn read(
    from: &mut (impl AsyncRead + Unpin),
    disk: Arc<dyn Disk>,
    watch: &dyn Watch,
) -> Result<(), ImageError> {
    let header = Header::parse(&read_piece(from, SECTOR_LENGTH).await?)?;
    let (size, most) = (header.size, disk.size());
    if size > most {
        return Err(ImageError::TooLarge { size, most });
    }
    skip(from, header.overhead - SECTOR).await?;
    let mut writes = Writes::new(disk);
    loop {
        let sector = read_up_to(from, SECTOR_LENGTH).await?;
        if sector.is_empty() {
            return writes.finish().await;
        }
        let (Some(value), Some(length), Some(kind)) = (
            sector.first_chunk::<8>().map(|b| u64::from_le_bytes(*b)),
            number(&sector, 8),
            number(&sector, MARKER),
        ) else {
            return Err(ImageError::Ended);
        };
        if sector.len() < SECTOR_LENGTH {
            return Err(ImageError::Ended);
        }
        if length > 0 {
            let at = value.checked_mul(SECTOR).filter(|at| *at < size);
            let at = at.ok_or_else(|| bad("a grain lies beyond its end"))?;
            let packed = whole_grain(from, &sector, length).await?;
            let data = unpacked(&packed, header, at).await?;
            watch.moved(data.len() as u64).await?;
            if !is_zero(&data) {
                writes.push(at, data).await?;
            }
        } else if kind == END {
            // What may follow is for those who read it at random.
            return writes.finish().await;
        } else {
            let table = value.checked_mul(SECTOR).filter(|bytes| *bytes <= LONGEST_TABLE);
            skip(from, table.ok_or_else(|| bad("a table is too long"))?).await?;
        }
    }
}

fn number(sector: &[u8], at: usize) -> Option<u32> {
    let bytes = sector.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*bytes))
}

/// The packed bytes of a grain, which begin in its marker's sector and end somewhere in their last one.
async fn whole_grain(
    from: &mut (impl AsyncRead + Unpin),
    sector: &[u8],
    length: u32,
) -> Result<Vec<u8>, ImageError> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let most = usize::try_from(LARGEST_GRAIN * 2).unwrap_or(usize::MAX);
    if length > most {
        return Err(bad("a grain is too long"));
    }
    let mut packed = sector.get(MARKER..).unwrap_or_default().to_vec();
    if length > packed.len() {
        let rest = (length - packed.len()).next_multiple_of(SECTOR_LENGTH);
        packed.extend_from_slice(&read_piece(from, rest).await?);
    }
    packed.truncate(length);
    Ok(packed)
}

async fn unpacked(packed: &[u8], header: Header, at: u64) -> Result<Bytes, ImageError> {
    let wanted = header.grain.min(header.size - at);
    let mut data = Vec::new();
    ZlibDecoder::new(packed)
        .take(header.grain + 1)
        .read_to_end(&mut data)
        .await
        .map_err(|_| bad("a grain does not unpack"))?;
    let length = data.len() as u64;
    if at % header.grain != 0 || length < wanted || length > header.grain {
        return Err(bad("a grain is not where or what it must be"));
    }
    data.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
    Ok(data.into())
}

#[cfg(test)]
mod test {
    use std::process::Command;

    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::flow::Unwatched;
    use crate::memory::MemoryDisk;

    const SIZE: usize = (1 << 20) + 3 * SECTOR_LENGTH;
    const GRAIN: usize = 64 << 10;

    async fn grain(lba: u64, data: &[u8]) -> Vec<u8> {
        let mut packer = async_compression::tokio::write::ZlibEncoder::new(Vec::new());
        packer.write_all(data).await.unwrap();
        packer.shutdown().await.unwrap();
        let packed = packer.into_inner();
        let mut out = lba.to_le_bytes().to_vec();
        out.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
        out.extend(packed);
        out.resize(out.len().next_multiple_of(SECTOR_LENGTH), 0);
        out
    }

    fn marker(value: u64, kind: u32) -> Vec<u8> {
        let mut out = value.to_le_bytes().to_vec();
        out.extend([0; 4]);
        out.extend(kind.to_le_bytes());
        out.resize(SECTOR_LENGTH, 0);
        out
    }

    fn header(size: usize) -> Vec<u8> {
        let mut out = vec![0; SECTOR_LENGTH];
        out[..4].copy_from_slice(&MAGIC);
        out[4] = 3;
        out[8..12].copy_from_slice(&(STREAMED | 1).to_le_bytes());
        out[12..20].copy_from_slice(&(size / SECTOR_LENGTH).to_le_bytes());
        out[20..28].copy_from_slice(&(GRAIN / SECTOR_LENGTH).to_le_bytes());
        out[64..72].copy_from_slice(&2_u64.to_le_bytes());
        out[77] = 1;
        out.resize(2 * SECTOR_LENGTH, 0);
        out
    }

    /// A grain of noise, which does not pack, a table, a last grain that is short, and the end with its footer.
    async fn stream() -> (Vec<u8>, Vec<u8>) {
        let mut content = vec![0; SIZE];
        let mut state = 1_u64;
        content[..GRAIN].fill_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state.to_be_bytes()[0]
        });
        content[1 << 20..].fill(7);
        let mut out = header(SIZE);
        out.extend(grain(0, &content[..GRAIN]).await);
        out.extend(marker(4, 1));
        out.extend([1; 4 * SECTOR_LENGTH]);
        out.extend(grain(2048, &content[1 << 20..]).await);
        out.extend(marker(0, END));
        out.extend([9; SECTOR_LENGTH]);
        (out, content)
    }

    async fn taken(stream: &[u8], size: usize) -> Result<Vec<u8>, ImageError> {
        let disk = Arc::new(MemoryDisk::new(size));
        read(&mut &*stream, disk.clone(), &Unwatched).await?;
        Ok(disk.content())
    }

    #[tokio::test]
    async fn grains_land_where_they_say() {
        let (stream, content) = stream().await;
        assert!(taken(&stream, SIZE).await.unwrap() == content);
        let small = taken(&stream, SIZE - SECTOR_LENGTH).await;
        assert!(matches!(small, Err(ImageError::TooLarge { .. })));
    }

    #[tokio::test]
    async fn a_cut_and_what_cannot_be_are_refused() {
        let (whole, _) = stream().await;
        for cut in [0, 100, 1000, 1024 + 5, 1024 + SECTOR_LENGTH, 1024 + GRAIN] {
            let outcome = taken(&whole[..cut], SIZE).await;
            assert!(matches!(outcome, Err(ImageError::Ended)), "{cut}: {outcome:?}");
        }
        let changed = |at: usize, byte: u8| {
            let mut stream = whole.clone();
            stream[at] = byte;
            stream
        };
        for (what, stream) in [
            ("another form", changed(10, 0)),
            ("no packing", changed(77, 0)),
            ("a huge grain", changed(24, 1)),
            ("grains nowhere", changed(64, 0)),
            ("beyond the end", changed(1024 + 3, 1)),
            ("not at a grain's place", changed(1024, 1)),
            ("too long", changed(1024 + 11, 0x7f)),
            ("does not unpack", changed(1024 + 14, 0xff)),
        ] {
            let outcome = taken(&stream, SIZE).await;
            assert!(
                matches!(outcome, Err(ImageError::Malformed(_))),
                "{what}: {outcome:?}"
            );
        }
    }

    #[tokio::test]
    async fn what_qemu_writes_comes_in() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut content = vec![0; 5 << 20];
        content[3 << 20..].fill(3);
        content[100] = 1;
        std::fs::write(at("raw"), &content).unwrap();
        let made = Command::new("qemu-img")
            .args([
                "convert",
                "-f",
                "raw",
                "-O",
                "vmdk",
                "-o",
                "subformat=streamOptimized",
            ])
            .args([at("raw"), at("vmdk")])
            .status();
        assert!(made.unwrap().success());
        let stream = std::fs::read(at("vmdk")).unwrap();
        assert!(taken(&stream, 5 << 20).await.unwrap() == content);
    }

    proptest! {
        #[test]
        fn no_header_panics(sector in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut sector = sector;
            for (to, from) in sector.iter_mut().zip(MAGIC) {
                *to = from;
            }
            let _ = Header::parse(&sector);
        }
    }
}
