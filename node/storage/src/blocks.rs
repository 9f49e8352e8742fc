//! Which blocks of a disk were written, a bit for each.

use std::io;

use proto_types::Bytes;

use crate::medium::ReadAt;
use crate::qcow2::Header;

/// Bytes of a block: the grain in which clients are told of changes.
pub const BLOCK: u64 = 64 << 10;

/// Blocks of a disk, the first one in the highest bit of the first byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks(Vec<u8>);

impl Blocks {
    /// As [`Blocks::to_bytes`] gave them.
    pub fn from_bytes(bytes: Vec<u8>) -> Blocks {
        Blocks(bytes)
    }

    /// The bits, as far as any is set.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// All blocks of a disk.
    pub fn all(size: Bytes) -> Blocks {
        let mut blocks = Blocks::default();
        blocks.add(0, size.get());
        blocks
    }

    /// Adds every block that a stretch touches.
    pub fn add(&mut self, offset: u64, length: u64) {
        let end = offset.saturating_add(length).div_ceil(BLOCK);
        let mut block = offset / BLOCK;
        let needed = usize::try_from(end.div_ceil(8)).unwrap_or(usize::MAX);
        if self.0.len() < needed {
            self.0.resize(needed, 0);
        }
        while block < end {
            let whole = block.is_multiple_of(8) && end - block >= 8;
            if let Some(byte) = usize::try_from(block / 8).ok().and_then(|at| self.0.get_mut(at)) {
                *byte |= if whole { 0xff } else { 0x80 >> (block % 8) };
            }
            block += if whole { 8 } else { 1 };
        }
    }

    /// Adds those of another set.
    pub fn join(&mut self, other: &Blocks) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (ours, theirs) in self.0.iter_mut().zip(&other.0) {
            *ours |= theirs;
        }
    }

    /// As many bytes as a disk of this size needs; no bit is set beyond its end.
    pub fn to_bytes(&self, size: Bytes) -> Vec<u8> {
        let blocks = size.get().div_ceil(BLOCK);
        let mut bytes = self.0.clone();
        bytes.resize(usize::try_from(blocks.div_ceil(8)).unwrap_or(usize::MAX), 0);
        if let (Some(last), used @ 1..) = (bytes.last_mut(), blocks % 8) {
            *last &= !(0xff >> used);
        }
        bytes
    }
}

/// Clusters that an image's table of the second level tells of, as far as they hold something of their own: data, or the
/// word that they read as zeros.
///
/// Source: QEMU `docs/interop/qcow2.txt`, "Cluster mapping".
///
/// # Errors
/// `InvalidData` for what is no image, or a broken one.
pub fn written(file: &dyn ReadAt) -> io::Result<Blocks> {
    const OFFSET: u64 = 0x00ff_ffff_ffff_fe00;
    let header = Header::read(file)?;
    let (cluster, entry) = (header.cluster, if header.extended { 16 } else { 8 });
    let per_table = cluster / entry;
    let mut blocks = Blocks::default();
    let first = header.first_level(file)?;
    let mut table = vec![0; usize::try_from(cluster).map_err(io::Error::other)?];
    let entry = usize::try_from(entry).map_err(io::Error::other)?;
    for (index, place) in (0_u64..).zip(first) {
        if place & OFFSET == 0 {
            continue;
        }
        file.read_exact_at(&mut table, place & OFFSET)?;
        let begin = index.saturating_mul(per_table);
        for (number, entry) in (begin..).zip(table.chunks_exact(entry)) {
            let offset = number.saturating_mul(cluster);
            if entry.iter().any(|byte| *byte != 0) && offset < header.virtual_size {
                blocks.add(offset, cluster.min(header.virtual_size - offset));
            }
        }
    }
    Ok(blocks)
}

#[cfg(test)]
mod test {
    use std::fs::File;
    use std::process::Command;

    use super::*;

    #[test]
    fn blocks_stand_where_clients_look_for_them() {
        let mut blocks = Blocks::default();
        blocks.add(0, 1);
        blocks.add(9 * BLOCK - 1, 2);
        assert_eq!(blocks.to_bytes(Bytes(10 * BLOCK)), [0x80, 0xc0]);
        let mut more = Blocks::default();
        more.add(2 * BLOCK, BLOCK);
        blocks.join(&more);
        assert_eq!(blocks.to_bytes(Bytes(3 * BLOCK)), [0xa0]);
        assert_eq!(
            Blocks::all(Bytes(20 * BLOCK + 1)).to_bytes(Bytes(20 * BLOCK + 1)),
            [0xff, 0xff, 0xf8]
        );
    }

    #[test]
    fn what_an_image_holds_of_its_own_is_found_whatever_its_clusters() {
        let dir = tempfile::tempdir().unwrap();
        for (cluster, expected) in [
            ("64k", [0x40, 0, 0x01]),
            ("4k", [0x40, 0, 0x01]),
            ("256k", [0xf0, 0, 0x0f]),
        ] {
            let path = dir.path().join("image.qcow2");
            let options = format!("cluster_size={cluster}");
            let made = Command::new("qemu-img")
                .args(["create", "-q", "-f", "qcow2", "-o", &options])
                .arg(&path)
                .arg("1536k")
                .status();
            assert!(made.unwrap().success());
            let wrote = Command::new("qemu-io")
                .args(["-c", "write 64k 1k", "-c", "write -z 1472k 64k"])
                .arg(&path)
                .output();
            assert!(wrote.unwrap().status.success());
            let blocks = written(&File::open(&path).unwrap()).unwrap();
            assert_eq!(blocks.to_bytes(Bytes(1536 << 10)), expected, "{cluster}");
        }
    }
}
