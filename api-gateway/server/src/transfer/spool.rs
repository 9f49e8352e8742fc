//! Images that must be whole before they can be read.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use node_images::nbd::NbdDisk;
use node_images::{ImageError, qcow2};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use super::body::BodyReader;
use crate::api::ports::HostStreams;

/// An image that QEMU must have whole before it can be read: its parts need not come in the order of the disk. The file goes
/// when this is dropped.
pub struct Spooled(PathBuf);

impl Drop for Spooled {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Spooled {
    /// Takes in an image, and opens it. The disk lasts as long as the file.
    ///
    /// # Errors
    /// [`ImageError`]: of the stream, of the image, of the file.
    pub async fn open(
        streams: &Arc<dyn HostStreams>,
        from: &mut BodyReader,
        size: u64,
    ) -> Result<(Spooled, Arc<NbdDisk>), ImageError> {
        let spooled = Spooled(streams.spool().join(format!("{}.qcow2", Uuid::new_v4().simple())));
        spooled.fill(from, size).await?;
        let opened = async {
            let stream = streams.image(&spooled.0).await?;
            Ok::<_, io::Error>(Arc::new(NbdDisk::open(stream).await?))
        };
        let image = opened
            .await
            .map_err(|error| ImageError::Malformed(format!("QEMU does not take the image: {error}")))?;
        Ok((spooled, image))
    }

    /// Takes in an image of a disk that is no larger than `size`, and not much more than its bytes.
    async fn fill(&self, from: &mut BodyReader, size: u64) -> Result<(), ImageError> {
        let mut head = vec![0; qcow2::HEADER];
        from.read_exact(&mut head)
            .await
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => ImageError::Ended,
                _ => ImageError::Client(error),
            })?;
        if qcow2::Header::parse(&head)?.size > size {
            return Err(ImageError::Disk(io::Error::other(
                "the image is larger than the disk",
            )));
        }
        let most = size.saturating_add(size / 64).saturating_add(64 << 20);
        let file = async {
            let mut file = tokio::fs::File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&self.0)
                .await?;
            file.write_all(&head).await?;
            Ok::<_, io::Error>(file)
        };
        let mut file = file.await.map_err(ImageError::Disk)?;
        let mut left = most;
        let mut piece = vec![0; 1 << 20];
        loop {
            let count = from.read(&mut piece).await.map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => ImageError::Ended,
                _ => ImageError::Client(error),
            })?;
            if count == 0 {
                break;
            }
            left = left
                .checked_sub(count as u64)
                .ok_or_else(|| ImageError::Malformed("the image is much longer than its disk".to_owned()))?;
            file.write_all(piece.get(..count).unwrap_or_default())
                .await
                .map_err(ImageError::Disk)?;
        }
        file.flush().await.map_err(ImageError::Disk)?;
        let file = file.into_std().await;
        tokio::task::spawn_blocking(move || qcow2::check_whole(&file))
            .await
            .unwrap_or_else(|error| Err(ImageError::Disk(io::Error::other(error))))
    }
}
