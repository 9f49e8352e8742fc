//! Reads the header of a qcow2 image, so that listing thousands of them needs no child processes.
//!
//! Source: QEMU `docs/interop/qcow2.txt`.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::medium::ReadAt;

/// What a header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Size the guest sees, in bytes.
    pub virtual_size: u64,
    /// Name of the backing file as it is written there.
    pub backing: Option<String>,
    /// Format of the backing file.
    pub backing_format: Option<String>,
    /// Whether guest data lies in another file.
    pub external_data: bool,
    /// Whether QEMU found it broken.
    pub corrupt: bool,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Bytes of a cluster.
    pub cluster: u64,
    /// Whether entries of the second level also tell of parts of clusters.
    pub extended: bool,
    /// Offset and length (in entries) of the table of the first level.
    l1: (u64, u32),
}

const MAGIC: u32 = 0x5146_49fb;
const LONGEST_NAME: u32 = 1023;
/// Header, extensions and backing name lie within the first cluster, which is at most 2 MiB.
const LONGEST_HEADER: u64 = 2 << 20;
const EXTENSION_BACKING_FORMAT: u32 = 0xe279_2aca;

fn bad(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_owned())
}

fn be32(bytes: &[u8], at: usize) -> io::Result<u32> {
    let end = at.checked_add(4).ok_or_else(|| bad("offset"))?;
    let part = bytes.get(at..end).ok_or_else(|| bad("the header is cut off"))?;
    Ok(u32::from_be_bytes(
        part.try_into().map_err(|_| bad("four bytes"))?,
    ))
}

fn be64(bytes: &[u8], at: usize) -> io::Result<u64> {
    Ok((u64::from(be32(bytes, at)?) << 32) | u64::from(be32(bytes, at.saturating_add(4))?))
}

/// Reads up to `length` bytes; fewer at the end of the file.
fn read_some(file: &dyn ReadAt, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut buffer = vec![0; length];
    let mut have = 0;
    while have < length {
        let at = offset.checked_add(have as u64).ok_or_else(|| bad("offset"))?;
        match file.read_at(&mut buffer[have..], at) {
            Ok(0) => break,
            Ok(more) => have += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.truncate(have);
    Ok(buffer)
}

impl Header {
    /// Reads the header of an open image.
    ///
    /// # Errors
    /// `InvalidData` if it is not a qcow2 image of version 2 or 3.
    pub fn read(file: &dyn ReadAt) -> io::Result<Header> {
        let mut head = read_some(file, 0, 1024)?;
        if be32(&head, 0)? != MAGIC {
            return Err(bad("not a qcow2 image"));
        }
        let version = be32(&head, 4)?;
        let (incompatible, header_length) = match version {
            2 => (0, 72),
            3 => (be64(&head, 72)?, be32(&head, 100)?),
            _ => return Err(bad("unknown version of qcow2")),
        };
        let backing_offset = be64(&head, 8)?;
        let backing_size = be32(&head, 16)?;
        let mut backing = None;
        if backing_offset != 0 {
            if backing_size > LONGEST_NAME || backing_offset > LONGEST_HEADER {
                return Err(bad("the backing file's name lies outside of the header"));
            }
            let name = read_some(
                file,
                backing_offset,
                usize::try_from(backing_size).map_err(|_| bad("size"))?,
            )?;
            if name.len() as u64 != u64::from(backing_size) {
                return Err(bad("the header is cut off"));
            }
            backing = Some(String::from_utf8(name).map_err(|_| bad("the backing file's name is not UTF-8"))?);
            let until = usize::try_from(backing_offset).map_err(|_| bad("offset"))?;
            if until > head.len() {
                head = read_some(file, 0, until)?;
            }
        }
        Ok(Header {
            virtual_size: be64(&head, 24)?,
            backing_format: backing_format(
                &head,
                usize::try_from(header_length).map_err(|_| bad("length"))?,
            )?,
            backing,
            external_data: incompatible & 4 != 0,
            corrupt: incompatible & 2 != 0,
            encrypted: be32(&head, 32)? != 0,
            cluster: match be32(&head, 20)? {
                bits @ 9..=21 => 1 << bits,
                _ => return Err(bad("clusters of an impossible size")),
            },
            extended: incompatible & 16 != 0,
            l1: (be64(&head, 40)?, be32(&head, 36)?),
        })
    }

    /// The table of the first level.
    pub(crate) fn first_level(&self, file: &dyn ReadAt) -> io::Result<Vec<u64>> {
        // QEMU opens no image with a larger one.
        const MOST: u32 = 4 << 20;
        let (offset, entries) = self.l1;
        if entries > MOST {
            return Err(bad("the table of the first level is too large"));
        }
        let length = usize::try_from(entries)
            .map_err(|_| bad("size"))?
            .saturating_mul(8);
        let table = read_some(file, offset, length)?;
        if table.len() != length {
            return Err(bad("the table of the first level is cut off"));
        }
        Ok(table
            .as_chunks::<8>()
            .0
            .iter()
            .map(|entry| u64::from_be_bytes(*entry))
            .collect())
    }

    /// Whether the image holds no data of its own, so that it shows exactly what its backing file shows.
    pub fn is_empty_overlay(&self, file: &dyn ReadAt) -> io::Result<bool> {
        // One entry covers 512 MiB with usual clusters; a table beyond this is worth no reading.
        const MOST: u32 = 64 * 1024;
        let (offset, entries) = self.l1;
        if self.backing.is_none() || entries > MOST {
            return Ok(false);
        }
        let length = usize::try_from(entries)
            .map_err(|_| bad("size"))?
            .saturating_mul(8);
        let table = read_some(file, offset, length)?;
        Ok(table.len() == length && table.iter().all(|byte| *byte == 0))
    }
}

/// Sees to it that opening an image opens no file but those beside it: one from elsewhere could name any file of
/// the host as its parent, whose bytes would then be copied into a guest's disk.
///
/// # Errors
/// `InvalidData` with the reason.
pub fn check_chain(path: &Path) -> io::Result<()> {
    const DEEPEST: usize = 512;
    let mut path = path.to_owned();
    for _ in 0..DEEPEST {
        let header = Header::read(&File::open(&path)?)?;
        if header.external_data {
            return Err(bad("its data lies in another file"));
        }
        let Some(backing) = header.backing else {
            return Ok(());
        };
        if backing.contains(['/', ':']) || backing == ".." {
            return Err(bad("its backing file lies elsewhere"));
        }
        path.set_file_name(backing);
        match header.backing_format.as_deref() {
            Some("qcow2") => {}
            Some("raw") => return Ok(()),
            _ => return Err(bad("it does not tell the format of its backing file")),
        }
    }
    Err(bad("its chain of backing files has no end"))
}

fn backing_format(head: &[u8], mut at: usize) -> io::Result<Option<String>> {
    // At the end of the extensions stands one of type 0; a cut-off list has no further ones.
    while let (Ok(kind), Ok(length)) = (be32(head, at), be32(head, at.saturating_add(4))) {
        let start = at.saturating_add(8);
        let length = usize::try_from(length).map_err(|_| bad("size"))?;
        let end = start.saturating_add(length);
        match kind {
            0 => return Ok(None),
            EXTENSION_BACKING_FORMAT => {
                let name = head.get(start..end).ok_or_else(|| bad("the header is cut off"))?;
                return Ok(Some(String::from_utf8_lossy(name).into_owned()));
            }
            _ => at = start.saturating_add(length.next_multiple_of(8)),
        }
        if at > head.len() {
            break;
        }
    }
    Ok(None)
}
