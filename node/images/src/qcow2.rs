//! qcow2: writing one as a stream, and looking at one before QEMU opens it.
//!
//! ```text
//! header │ table of reference counts │ its blocks │ L1 table │ (L2 table │ clusters …) …
//! ```
//! All places follow from which clusters hold something, so that nothing needs to be gone back to.
//! Source: QEMU `docs/interop/qcow2.txt`.

use std::sync::Arc;

use futures::StreamExt;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::delta::Parent;
use crate::disk::{BlockMap, Disk, read_ahead};
use crate::error::ImageError;
use crate::flow::{Watch, send};

/// Bytes of a cluster that we write.
const CLUSTER: usize = 64 << 10;
/// The same.
const CLUSTER_LENGTH: u64 = 64 << 10;
/// Clusters that one L2 table leads to.
const PER_L2: u64 = CLUSTER_LENGTH / 8;
/// Reference counts of 16 bits in a cluster.
const PER_COUNTS: u64 = CLUSTER_LENGTH / 2;
/// Set in entries whose cluster nobody else uses.
const COPIED: u64 = 1 << 63;
/// Clusters that are read at once.
const AT_ONCE: u64 = 16;
const MAGIC: [u8; 4] = *b"QFI\xfb";

/// What the header of an image says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the disk.
    pub size: u64,
}

/// Bytes of a header that are looked at.
pub const HEADER: usize = 104;
/// The extension of a header that tells the parent's format, and where the parent's name stands in those we write.
const PARENT_FORMAT: u32 = 0xe279_2aca;
const PARENT_AT: u64 = HEADER as u64 + 16 + 8;
/// An image's data lies in another file.
const EXTERNAL_DATA: u64 = 1 << 2;

impl Header {
    /// Looks at the beginning of an image from elsewhere.
    ///
    /// # Errors
    /// [`ImageError::Malformed`], also for an image that leads to other files: QEMU would open them.
    pub fn parse(block: &[u8]) -> Result<Header, ImageError> {
        let bad = |what: &str| ImageError::malformed(format!("the qcow2 image cannot be taken: {what}"));
        let u32_at = |at: usize| {
            block
                .get(at..)
                .and_then(|b| b.first_chunk::<4>())
                .map(|b| u32::from_be_bytes(*b))
        };
        let u64_at = |at: usize| {
            block
                .get(at..)
                .and_then(|b| b.first_chunk::<8>())
                .map(|b| u64::from_be_bytes(*b))
        };
        if !block.starts_with(&MAGIC) {
            return Err(bad("it is none"));
        }
        let version = u32_at(4);
        let features = if version == Some(3) { u64_at(72) } else { Some(0) };
        let (Some(backing), Some(size), Some(secret), Some(features)) =
            (u64_at(8), u64_at(24), u32_at(32), features)
        else {
            return Err(bad("its header is cut short"));
        };
        if !matches!(version, Some(2 | 3)) {
            return Err(bad("it is of another version"));
        }
        if backing != 0 {
            return Err(bad("it has a backing file"));
        }
        if features & EXTERNAL_DATA != 0 {
            return Err(bad("its data is in another file"));
        }
        if secret != 0 {
            return Err(bad("it is encrypted"));
        }
        Ok(Header { size })
    }
}

/// Where everything is, in clusters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    count_table: u64,
    count_blocks: u64,
    l1: u64,
    total: u64,
}

impl Layout {
    fn of(map: &BlockMap, l2_tables: u64) -> Layout {
        let l1_entries = map.count.div_ceil(PER_L2);
        let l1 = (l1_entries * 8).div_ceil(CLUSTER_LENGTH).max(1);
        let (mut count_table, mut count_blocks) = (1, 1);
        loop {
            let total = 1 + count_table + count_blocks + l1 + l2_tables + map.set_count();
            let blocks = total.div_ceil(PER_COUNTS);
            let table = (blocks * 8).div_ceil(CLUSTER_LENGTH);
            if blocks <= count_blocks && table <= count_table {
                return Layout {
                    count_table,
                    count_blocks,
                    l1,
                    total,
                };
            }
            (count_blocks, count_table) = (blocks.max(count_blocks), table.max(count_table));
        }
    }

    fn l1_at(&self) -> u64 {
        (1 + self.count_table + self.count_blocks) * CLUSTER_LENGTH
    }

    fn header(&self, size: u64, l1_entries: u64, parent: &str) -> Vec<u8> {
        let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
        let mut out = MAGIC.to_vec();
        out.extend(3_u32.to_be_bytes());
        if parent.is_empty() {
            out.extend([0; 12]);
        } else {
            out.extend(PARENT_AT.to_be_bytes());
            out.extend(number(parent.len() as u64));
        }
        out.extend(16_u32.to_be_bytes());
        out.extend(size.to_be_bytes());
        out.extend(0_u32.to_be_bytes());
        out.extend(number(l1_entries));
        out.extend(self.l1_at().to_be_bytes());
        out.extend(CLUSTER_LENGTH.to_be_bytes());
        out.extend(number(self.count_table));
        // No snapshots, no features.
        out.extend([0; 12 + 24]);
        out.extend(4_u32.to_be_bytes());
        out.extend(number(HEADER as u64));
        if !parent.is_empty() {
            // The format of the parent, then the end of such extensions.
            out.extend(PARENT_FORMAT.to_be_bytes());
            out.extend(5_u32.to_be_bytes());
            out.extend(b"qcow2\0\0\0");
            out.extend([0; 8]);
            out.extend(parent.as_bytes());
        }
        out.resize(CLUSTER, 0);
        out
    }
}

/// Sends a disk as qcow2; if there is a parent, only what differs from it, with the parent's name.
///
/// # Errors
/// [`ImageError`].
pub async fn write(
    disk: Arc<dyn Disk>,
    parent: Option<Parent>,
    to: &mut (impl AsyncWrite + Unpin),
    watch: &dyn Watch,
) -> Result<(), ImageError> {
    let size = disk.size();
    let map = match &parent {
        None => BlockMap::of(disk.as_ref(), CLUSTER_LENGTH).await,
        Some(parent) => parent.delta.blocks(&disk, CLUSTER_LENGTH).await,
    };
    let map = map.map_err(ImageError::Disk)?;
    let name = parent.as_ref().map_or("", |parent| &parent.name);
    let l1_entries = map.count.div_ceil(PER_L2);
    let in_group =
        |group: u64| (group * PER_L2..((group + 1) * PER_L2).min(map.count)).filter(|c| map.has(*c));
    let used = |group: &u64| in_group(*group).next().is_some();
    let l2_tables = (0..l1_entries).filter(used).count() as u64;
    let layout = Layout::of(&map, l2_tables);
    send(to, &layout.header(size, l1_entries, name)).await?;
    let mut table = Vec::new();
    for block in 0..layout.count_blocks {
        table.extend(((1 + layout.count_table + block) * CLUSTER_LENGTH).to_be_bytes());
    }
    send_padded(to, table).await?;
    for block in 0..layout.count_blocks {
        let first = block * PER_COUNTS;
        let counts = (first..first + PER_COUNTS).flat_map(|c| u16::from(c < layout.total).to_be_bytes());
        send(to, &counts.collect::<Vec<u8>>()).await?;
    }
    let mut next = layout.l1_at() + layout.l1 * CLUSTER_LENGTH;
    let mut l1 = Vec::new();
    for group in 0..l1_entries {
        let clusters = in_group(group).count() as u64;
        l1.extend(if clusters == 0 { 0 } else { next | COPIED }.to_be_bytes());
        if clusters > 0 {
            next += (1 + clusters) * CLUSTER_LENGTH;
        }
    }
    l1.resize(l1.len().max(1), 0);
    send_padded(to, l1).await?;
    let mut at = layout.l1_at() + layout.l1 * CLUSTER_LENGTH;
    let mut done = 0;
    for group in (0..l1_entries).filter(used) {
        at += CLUSTER_LENGTH;
        let mut l2 = Vec::with_capacity(CLUSTER);
        for cluster in group * PER_L2..(group + 1) * PER_L2 {
            let entry = if map.has(cluster) {
                let here = at;
                at += CLUSTER_LENGTH;
                here | COPIED
            } else {
                0
            };
            l2.extend(entry.to_be_bytes());
        }
        send(to, &l2).await?;
        let runs = runs(in_group(group).collect());
        let ranges = runs.into_iter().map(|(first, count)| {
            let from = first * CLUSTER_LENGTH;
            (
                from,
                usize::try_from((size - from).min(count * CLUSTER_LENGTH)).unwrap_or(CLUSTER),
            )
        });
        let mut pieces = std::pin::pin!(read_ahead(Arc::clone(&disk), ranges));
        while let Some(piece) = pieces.next().await {
            let (from, data) = piece.map_err(ImageError::Disk)?;
            let now = from + data.len() as u64;
            send_padded(to, data.into()).await?;
            watch.moved(now - done).await?;
            done = now;
        }
    }
    to.flush().await.map_err(ImageError::Client)
}

/// Neighbours together, up to what is read at once.
fn runs(clusters: Vec<u64>) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for cluster in clusters {
        match runs.last_mut() {
            Some((first, count)) if *first + *count == cluster && *count < AT_ONCE => *count += 1,
            _ => runs.push((cluster, 1)),
        }
    }
    runs
}

async fn send_padded(to: &mut (impl AsyncWrite + Unpin), mut part: Vec<u8>) -> Result<(), ImageError> {
    part.resize(part.len().next_multiple_of(CLUSTER), 0);
    send(to, &part).await
}

#[cfg(test)]
mod test {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;
    use crate::delta::Delta;
    use crate::flow::Unwatched;
    use crate::memory::MemoryDisk;

    async fn image(content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write(
            Arc::new(MemoryDisk::with(content.to_vec())),
            None,
            &mut out,
            &Unwatched,
        )
        .await
        .unwrap();
        out
    }

    #[tokio::test]
    async fn a_child_holds_what_differs_and_qemu_finds_the_rest_in_its_parent() {
        if Command::new("qemu-img").arg("--version").output().is_err() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let run = |args: &[&str]| {
            let done = Command::new("qemu-img")
                .args(args)
                .current_dir(folder.path())
                .output()
                .unwrap();
            assert!(
                done.status.success(),
                "{args:?}: {}",
                String::from_utf8_lossy(&done.stderr)
            );
        };
        let parent = vec![7; 3 << 20];
        let mut child = parent.clone();
        child.resize(5 << 20, 0);
        child[1 << 20..(1 << 20) + 512].fill(9);
        child[2 << 20..(2 << 20) + (64 << 10)].fill(0);
        child[(5 << 20) - 1] = 1;
        std::fs::write(folder.path().join("p.qcow2"), image(&parent).await).unwrap();
        std::fs::write(folder.path().join("raw"), &child).unwrap();
        let mut known = vec![0; 10];
        (known[2], known[4], known[9]) = (0x80, 0x80, 0x01);
        for delta in [
            Delta::From(Arc::new(MemoryDisk::with(parent.clone()))),
            Delta::Within(known),
        ] {
            let from = Parent {
                delta,
                uuid: uuid::Uuid::nil(),
                name: "p.qcow2".to_owned(),
            };
            let mut out = Vec::new();
            let disk = Arc::new(MemoryDisk::with(child.clone()));
            write(disk, Some(from), &mut out, &Unwatched).await.unwrap();
            // A header, four tables, and three clusters.
            assert_eq!(out.len(), 8 * CLUSTER);
            assert!(Header::parse(&out).is_err(), "such an image leads elsewhere");
            std::fs::write(folder.path().join("c.qcow2"), out).unwrap();
            run(&["check", "-q", "c.qcow2"]);
            run(&["compare", "-q", "-f", "qcow2", "-F", "raw", "c.qcow2", "raw"]);
        }
    }

    #[tokio::test]
    async fn qemu_finds_our_images_sound_and_equal() {
        if Command::new("qemu-img").arg("--version").output().is_err() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let run = |args: &[&str]| {
            let done = Command::new("qemu-img")
                .args(args)
                .current_dir(folder.path())
                .output()
                .unwrap();
            assert!(
                done.status.success(),
                "{args:?}: {}",
                String::from_utf8_lossy(&done.stdout)
            );
        };
        for size in [512, 64 << 10, (3 << 20) + 512] {
            let mut content = vec![0; size];
            for (at, byte) in content.iter_mut().enumerate() {
                if (at / 100_000) % 3 == 0 {
                    *byte = u8::try_from(at % 251).unwrap();
                }
            }
            for content in [content, vec![0; size]] {
                std::fs::write(folder.path().join("a.qcow2"), image(&content).await).unwrap();
                std::fs::write(folder.path().join("raw"), &content).unwrap();
                run(&["check", "-q", "a.qcow2"]);
                run(&["compare", "-q", "-f", "qcow2", "-F", "raw", "a.qcow2", "raw"]);
            }
        }
    }

    #[tokio::test]
    async fn images_that_lead_elsewhere_are_refused() {
        let good = image(&[1; 4096]).await;
        assert_eq!(Header::parse(&good).unwrap(), Header { size: 4096 });
        for (at, value) in [(0, 0), (7, 9), (15, 1), (35, 1), (79, 4)] {
            let mut bad = good.clone();
            bad[at] = value;
            assert!(Header::parse(&bad).is_err(), "{at}");
        }
    }

    #[test]
    fn counts_count_their_own_clusters() {
        let mut map = BlockMap::empty(1 << 44, CLUSTER_LENGTH);
        for cluster in 0..100_000 {
            map.set(cluster);
        }
        let layout = Layout::of(&map, 13);
        assert!(layout.count_blocks * PER_COUNTS >= layout.total);
        assert!(layout.count_table * PER_L2 >= layout.count_blocks);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(block in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Header::parse(&block);
        }
    }
}
