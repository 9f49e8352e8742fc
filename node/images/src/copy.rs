//! From one disk to another.

use std::sync::Arc;

use futures::StreamExt;

use crate::delta::Delta;
use crate::disk::{Disk, read_ahead};
use crate::error::ImageError;
use crate::flow::{Watch, Writes};
use crate::raw;

/// Bytes of a block in which disks are compared.
const BLOCK: u64 = 64 << 10;

/// Makes the beginning of a disk equal to another one; what lies beyond the end of that one stays. With a base only what
/// differs from it is written: for a target that holds what the base does. Afterwards all is safe on the target.
///
/// # Errors
/// [`ImageError::TooLarge`] if the target is smaller; [`ImageError::Disk`]; what the watch says.
pub async fn copy(
    from: Arc<dyn Disk>,
    to: Arc<dyn Disk>,
    base: Option<Arc<dyn Disk>>,
    watch: &dyn Watch,
) -> Result<(), ImageError> {
    let (size, most) = (from.size(), to.size());
    if size > most {
        return Err(ImageError::TooLarge { size, most });
    }
    match base {
        Some(base) => copy_differences(from, to, base, watch).await,
        None => raw::copy(from, to, watch).await,
    }
}

async fn copy_differences(
    from: Arc<dyn Disk>,
    to: Arc<dyn Disk>,
    base: Arc<dyn Disk>,
    watch: &dyn Watch,
) -> Result<(), ImageError> {
    let map = Delta::From(base)
        .blocks(&from, BLOCK)
        .await
        .map_err(ImageError::Disk)?;
    let size = from.size();
    let same = map.count.saturating_sub(map.set_count()).saturating_mul(BLOCK);
    watch.moved(same.min(size)).await?;
    let ranges: Vec<(u64, usize)> = map
        .set_blocks()
        .map(|index| {
            let at = index * BLOCK;
            let length = (size - at).min(BLOCK);
            (at, usize::try_from(length).unwrap_or(usize::MAX))
        })
        .collect();
    let mut writes = Writes::new(to);
    let mut blocks = std::pin::pin!(read_ahead(from, ranges.into_iter()));
    while let Some(block) = blocks.next().await {
        let (at, data) = block.map_err(ImageError::Disk)?;
        watch.moved(data.len() as u64).await?;
        writes.push(at, data).await?;
    }
    writes.finish().await
}

#[cfg(test)]
mod test {
    use std::sync::atomic::{AtomicU64, Ordering};

    use async_trait::async_trait;

    use super::*;
    use crate::memory::MemoryDisk;

    #[derive(Default)]
    struct Count(AtomicU64);

    #[async_trait]
    impl Watch for Count {
        async fn moved(&self, bytes: u64) -> Result<(), ImageError> {
            self.0.fetch_add(bytes, Ordering::SeqCst);
            Ok(())
        }
    }

    const SIZE: usize = 3 * 1024 * 1024 + 512;

    fn disk(size: usize, marks: &[(usize, u8)]) -> Arc<MemoryDisk> {
        let mut content = vec![0; size];
        for (at, value) in marks {
            content[*at] = *value;
        }
        Arc::new(MemoryDisk::with(content))
    }

    #[tokio::test]
    async fn the_target_equals_the_source_and_keeps_its_end() {
        let from = disk(SIZE, &[(0, 1), (2_000_000, 2), (SIZE - 1, 3)]);
        let to = Arc::new(MemoryDisk::with(vec![9; SIZE + 1024]));
        let count = Count::default();
        copy(from.clone(), to.clone(), None, &count).await.unwrap();
        let content = to.content();
        assert!(content[..SIZE] == from.content());
        assert!(content[SIZE..].iter().all(|byte| *byte == 9));
        assert_eq!(count.0.into_inner(), SIZE as u64);
    }

    #[tokio::test]
    async fn only_what_differs_from_the_base_is_written() {
        let base = disk(SIZE, &[(5, 1), (200_000, 2)]);
        // One block is other, one has become zeros.
        let from = disk(SIZE, &[(5, 1), (SIZE - 1, 7)]);
        let to = Arc::new(MemoryDisk::with(vec![9; SIZE]));
        let count = Count::default();
        copy(from, to.clone(), Some(base), &count).await.unwrap();
        let content = to.content();
        let block = usize::try_from(BLOCK).unwrap();
        let written: Vec<usize> = content
            .chunks(block)
            .enumerate()
            .filter(|(_, chunk)| chunk.iter().any(|byte| *byte != 9))
            .map(|(index, _)| index)
            .collect();
        assert_eq!(written, [200_000 / block, (SIZE - 1) / block]);
        assert_eq!((content[200_000], content[SIZE - 1]), (0, 7));
        assert_eq!(count.0.into_inner(), SIZE as u64);
    }

    #[tokio::test]
    async fn a_smaller_target_is_refused_untouched() {
        let to = Arc::new(MemoryDisk::with(vec![9; SIZE - 512]));
        let refused = copy(disk(SIZE, &[]), to.clone(), None, &Count::default()).await;
        assert!(matches!(refused, Err(ImageError::TooLarge { .. })));
        assert!(to.content().iter().all(|byte| *byte == 9));
    }
}
