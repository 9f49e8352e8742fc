//! Writing an archive.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use super::{Checksum, PIECE, PIECE_LENGTH, PieceName};
use crate::disk::{BlockMap, Disk, is_zero, read_ahead};
use crate::error::ImageError;
use crate::flow::{Watch, send};
use crate::tar::{self, Header};

/// After so long without a byte a piece without content says that it goes on.
const SILENCE: Duration = Duration::from_secs(5);

/// An archive being written.
pub struct Writer<W> {
    to: W,
}

impl<W: AsyncWrite + Unpin + Send> Writer<W> {
    /// Begins one.
    pub fn new(to: W) -> Writer<W> {
        Writer { to }
    }

    /// Writes a member.
    ///
    /// # Errors
    /// If the client has gone.
    pub async fn member(&mut self, name: &str, content: &[u8]) -> Result<(), ImageError> {
        let length = content.len() as u64;
        send(&mut self.to, &Header::file(name, length)).await?;
        send(&mut self.to, content).await?;
        let padding = usize::try_from(tar::padding(length)).unwrap_or(0);
        send(&mut self.to, [0; tar::BLOCK].get(..padding).unwrap_or_default()).await
    }

    async fn piece(&mut self, disk: &str, number: u64, content: &[u8]) -> Result<(), ImageError> {
        let name = PieceName::of(disk, number);
        self.member(&name, content).await?;
        let check = Checksum::Xxhash;
        self.member(
            &format!("{name}.{}", check.suffix()),
            check.of(content).as_bytes(),
        )
        .await
    }

    /// Writes a disk: its first and last piece, and every other that holds something.
    ///
    /// # Errors
    /// [`ImageError`].
    pub async fn disk(&mut self, id: &str, disk: Arc<dyn Disk>, watch: &dyn Watch) -> Result<(), ImageError> {
        let size = disk.size();
        let mut map = BlockMap::of(disk.as_ref(), PIECE_LENGTH)
            .await
            .map_err(ImageError::Disk)?;
        let Some(last) = map.count.checked_sub(1) else {
            return Ok(());
        };
        map.set(0);
        map.set(last);
        let ranges = map.set_blocks().map(|block| {
            let at = block * PIECE_LENGTH;
            (
                at,
                usize::try_from((size - at).min(PIECE_LENGTH)).unwrap_or(PIECE),
            )
        });
        let mut pieces = std::pin::pin!(read_ahead(disk, ranges));
        // Numbers that empty pieces have used up.
        let mut extra = 0;
        let mut heard = Instant::now();
        let mut done = 0;
        while let Some(piece) = pieces.next().await {
            let (at, data) = piece.map_err(ImageError::Disk)?;
            let block = at / PIECE_LENGTH;
            if block != 0 && block != last && is_zero(&data) {
                if heard.elapsed() > SILENCE {
                    self.piece(id, block + extra, &[]).await?;
                    extra += 1;
                    heard = Instant::now();
                }
            } else {
                self.piece(id, block + extra, &data).await?;
                heard = Instant::now();
            }
            let now = at + data.len() as u64;
            watch.moved(now - done).await?;
            done = now;
        }
        Ok(())
    }

    /// Ends it.
    ///
    /// # Errors
    /// If the client has gone.
    pub async fn finish(mut self) -> Result<W, ImageError> {
        send(&mut self.to, &[0; 2 * tar::BLOCK]).await?;
        self.to.flush().await.map_err(ImageError::Client)?;
        Ok(self.to)
    }
}
