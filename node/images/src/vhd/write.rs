//! Writing a dynamic or differencing disk.

use std::sync::Arc;

use futures::StreamExt;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use uuid::Uuid;

use super::structures::{HEADER, locator};
use super::{BLOCK, BLOCK_LENGTH, Footer, Kind, LARGEST, SECTOR, SECTOR_LENGTH, SparseHeader};
use crate::delta::Parent;
use crate::disk::{BlockMap, Disk, read_ahead};
use crate::error::ImageError;
use crate::flow::{Watch, send};

/// Blocks that are not in the file.
const ABSENT: u32 = u32::MAX;

/// Sends a disk as VHD: dynamic, or differencing if there is a parent. Its size must be of whole sectors.
///
/// # Errors
/// [`ImageError::TooLarge`] beyond 2040 GiB; else [`ImageError`].
pub async fn write(
    disk: Arc<dyn Disk>,
    uuid: Uuid,
    parent: Option<Parent>,
    to: &mut (impl AsyncWrite + Unpin),
    watch: &dyn Watch,
) -> Result<(), ImageError> {
    let size = disk.size();
    if size > LARGEST {
        return Err(ImageError::TooLarge { size, most: LARGEST });
    }
    let size = size.next_multiple_of(SECTOR_LENGTH);
    let map = match &parent {
        None => BlockMap::of(disk.as_ref(), BLOCK_LENGTH)
            .await
            .map_err(ImageError::Disk)?,
        Some(parent) => parent
            .delta
            .blocks(&disk, BLOCK_LENGTH)
            .await
            .map_err(ImageError::Disk)?,
    };
    let footer = Footer {
        size,
        kind: if parent.is_some() {
            Kind::Differencing
        } else {
            Kind::Dynamic
        },
        header_at: SECTOR_LENGTH,
        uuid,
    }
    .bytes();
    // Footer, header, a sector for the parent's locator, table, blocks.
    let locator_at = SECTOR_LENGTH + HEADER as u64;
    let table_at = locator_at + if parent.is_some() { SECTOR_LENGTH } else { 0 };
    let entries = u32::try_from(map.count).unwrap_or(u32::MAX);
    let header = SparseHeader {
        table_at,
        entries,
        block: 2 << 20,
    };
    send(to, &footer).await?;
    match &parent {
        None => send(to, &header.bytes(None)).await?,
        Some(parent) => {
            send(to, &header.bytes(Some((parent.uuid, &parent.name, locator_at)))).await?;
            let mut sector = locator(&parent.name).into_bytes();
            sector.resize(SECTOR, 0);
            send(to, &sector).await?;
        }
    }
    let table_length = (map.count * 4).next_multiple_of(SECTOR_LENGTH);
    let mut next = u32::try_from((table_at + table_length) / SECTOR_LENGTH).unwrap_or(ABSENT);
    let per_block = u32::try_from(BLOCK / SECTOR + 1).unwrap_or(0);
    let mut table = Vec::with_capacity(usize::try_from(table_length).unwrap_or(0));
    for index in 0..map.count {
        let place = if map.has(index) {
            let here = next;
            next = next.saturating_add(per_block);
            here
        } else {
            ABSENT
        };
        table.extend(place.to_be_bytes());
    }
    table.resize(usize::try_from(table_length).unwrap_or(0), 0xff);
    send(to, &table).await?;
    let whole = disk.size();
    let ranges = map.set_blocks().map(move |index| {
        let at = index * BLOCK_LENGTH;
        (
            at,
            usize::try_from((whole - at).min(BLOCK_LENGTH)).unwrap_or(BLOCK),
        )
    });
    let mut blocks = std::pin::pin!(read_ahead(disk, ranges));
    let filler = vec![0; BLOCK];
    let mut done = 0;
    while let Some(block) = blocks.next().await {
        let (at, data) = block.map_err(ImageError::Disk)?;
        send(to, &[0xff; SECTOR]).await?;
        send(to, &data).await?;
        send(to, filler.get(data.len()..).unwrap_or_default()).await?;
        let now = at + data.len() as u64;
        watch.moved(now - done).await?;
        done = now;
    }
    send(to, &footer).await?;
    to.flush().await.map_err(ImageError::Client)
}
