//! Images that must be whole before they can be read. They never take the room that the node itself needs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use node_images::nbd::NbdDisk;
use node_images::{ImageError, qcow2};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use uuid::Uuid;

use crate::api::ports::HostStreams;

/// An image that QEMU must have whole before it can be read: its parts need not come in the order of the disk. The file goes
/// when this is dropped.
pub struct Spooled(PathBuf);

/// Room that stays free on the node's disk, whatever comes: the pool's database is on it too.
const RESERVE: u64 = 1 << 30;
/// Bytes written between two looks at how much room there is.
const BETWEEN_LOOKS: u64 = 16 << 20;

/// Says whether there is room for so many bytes more beside what stays free.
fn check_room(folder: &Path, more: u64, reserve: u64) -> Result<(), ImageError> {
    let stat = rustix::fs::statvfs(folder).map_err(|error| ImageError::Disk(error.into()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < reserve.saturating_add(more) {
        let text = "the host has no room to take the image in whole, as this form needs it";
        return Err(ImageError::Malformed(text.to_owned()));
    }
    Ok(())
}

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
        from: &mut (impl AsyncRead + Unpin),
        size: u64,
    ) -> Result<(Spooled, Arc<NbdDisk>), ImageError> {
        let spooled = Spooled(streams.spool().join(format!("{}.qcow2", Uuid::new_v4().simple())));
        spooled.fill(from, size, RESERVE).await?;
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
    async fn fill(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        size: u64,
        reserve: u64,
    ) -> Result<(), ImageError> {
        let folder = self.0.parent().unwrap_or(Path::new("/"));
        check_room(folder, BETWEEN_LOOKS, reserve)?;
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
        let mut looked_at = most;
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
            // Others write beside it: each looks again and again, and the first that finds too little goes.
            if looked_at - left >= BETWEEN_LOOKS {
                looked_at = left;
                check_room(folder, BETWEEN_LOOKS, reserve)?;
            }
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

#[cfg(test)]
mod test {
    use super::*;

    /// A header of an image of one MiB, and then as many bytes as asked.
    fn image(more: usize) -> Vec<u8> {
        let mut bytes = vec![0; qcow2::HEADER.max(512)];
        bytes[..4].copy_from_slice(b"QFI\xfb");
        bytes[7] = 3;
        bytes[23] = 16;
        bytes[24..32].copy_from_slice(&(1u64 << 20).to_be_bytes());
        bytes[103] = 104;
        bytes.resize(bytes.len() + more, 1);
        bytes
    }

    async fn fill(reserve: u64) -> (ImageError, bool) {
        let folder = tempfile::tempdir().unwrap();
        let spooled = Spooled(folder.path().join("image"));
        let mut from = std::io::Cursor::new(image(70 << 20));
        let error = spooled.fill(&mut from, 1 << 20, reserve).await.unwrap_err();
        let path = spooled.0.clone();
        let was_begun = path.exists();
        drop(spooled);
        assert!(!path.exists(), "it goes with its end");
        (error, was_begun)
    }

    #[tokio::test]
    async fn an_image_that_would_take_the_nodes_room_is_refused_before_it_is_written() {
        let (error, was_begun) = fill(u64::MAX / 2).await;
        assert!(error.to_string().contains("no room") && !was_begun, "{error}");
        // With room the same goes on until something else is wrong with it.
        let (error, was_begun) = fill(0).await;
        assert!(error.to_string().contains("much longer") && was_begun, "{error}");
    }
}
