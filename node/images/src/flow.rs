//! Moving bytes: whether to go on, how far it is, several writes at once.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::disk::Disk;
use crate::error::ImageError;

/// Who watches bytes being moved.
#[async_trait]
pub trait Watch: Send + Sync {
    /// So many bytes of a disk are done, zeros that were skipped included. Called for about each MiB.
    ///
    /// # Errors
    /// [`ImageError::Stopped`] to give up.
    async fn moved(&self, bytes: u64) -> Result<(), ImageError>;
}

/// Nobody.
pub struct Unwatched;

#[async_trait]
impl Watch for Unwatched {
    async fn moved(&self, _: u64) -> Result<(), ImageError> {
        Ok(())
    }
}

/// How many writes run side by side.
const SIDE_BY_SIDE: usize = 8;

type Write = std::pin::Pin<Box<dyn Future<Output = std::io::Result<()>> + Send>>;

/// Writes to a disk, several at once. Nothing is safe before [`Writes::finish`].
pub(crate) struct Writes {
    disk: Arc<dyn Disk>,
    running: FuturesUnordered<Write>,
}

impl Writes {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Writes {
        Writes {
            disk,
            running: FuturesUnordered::new(),
        }
    }

    /// Begins a write; waits while there are too many.
    pub(crate) async fn push(&mut self, offset: u64, data: Bytes) -> Result<(), ImageError> {
        while self.running.len() >= SIDE_BY_SIDE {
            self.one().await?;
        }
        let disk = Arc::clone(&self.disk);
        self.running
            .push(Box::pin(async move { disk.write(offset, data).await }));
        Ok(())
    }

    async fn one(&mut self) -> Result<(), ImageError> {
        match self.running.next().await {
            Some(Err(error)) => Err(ImageError::Disk(error)),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Waits for all: what comes then is written after them.
    pub(crate) async fn settle(&mut self) -> Result<(), ImageError> {
        while !self.running.is_empty() {
            self.one().await?;
        }
        Ok(())
    }

    /// Waits for all, and until the disk has them safe.
    pub(crate) async fn finish(mut self) -> Result<(), ImageError> {
        self.settle().await?;
        self.disk.flush().await.map_err(ImageError::Disk)
    }
}

/// Reads a whole piece of the client's stream.
pub(crate) async fn read_piece(
    from: &mut (impl AsyncRead + Unpin),
    length: usize,
) -> Result<Bytes, ImageError> {
    let mut piece = vec![0; length];
    from.read_exact(&mut piece).await.map_err(ImageError::reading)?;
    Ok(piece.into())
}

/// Reads up to a whole piece; less only at the stream's end.
pub(crate) async fn read_up_to(
    from: &mut (impl AsyncRead + Unpin),
    length: usize,
) -> Result<Bytes, ImageError> {
    let mut piece = Vec::with_capacity(length);
    let most = u64::try_from(length).unwrap_or(u64::MAX);
    from.take(most)
        .read_to_end(&mut piece)
        .await
        .map_err(ImageError::reading)?;
    Ok(piece.into())
}

/// Passes over a part of the client's stream.
pub(crate) async fn skip(from: &mut (impl AsyncRead + Unpin), mut length: u64) -> Result<(), ImageError> {
    let mut scratch = [0; 4096];
    while length > 0 {
        let most = usize::try_from(length.min(4096)).unwrap_or(4096);
        let piece = scratch.get_mut(..most).unwrap_or_default();
        from.read_exact(piece).await.map_err(ImageError::reading)?;
        length -= most as u64;
    }
    Ok(())
}

/// Sends a piece to the client.
pub(crate) async fn send(to: &mut (impl AsyncWrite + Unpin), piece: &[u8]) -> Result<(), ImageError> {
    to.write_all(piece).await.map_err(ImageError::Client)
}
