//! `/import` of the image of one disk, such as those that distributions offer for clouds: a VM is made around it.

use std::io::Cursor;
use std::sync::Arc;

use futures::future::BoxFuture;
use node_images::unpack::{Packing, Plain, unpack_told};
use node_images::{ImageError, qcow2, raw, tar};
use pool_domain::decide::import_image::{self, Machine};
use pool_ops::transfer::Carried;
use pool_ops::transfer::import::ImportVms;
use proto_types::{ApiError, Ref, Value};
use tokio::io::AsyncReadExt;
use uuid::Uuid;

use super::appliance;
use super::body::BodyReader;
use super::import::Wanted;
use super::moving::{self, Watcher};
use super::spool::Spooled;
use super::task::HandlerTask;
use crate::api::Api;
use crate::api::ports::{HostStreams, VolumeAccess};

/// The form of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Plain,
    Qcow2,
}

/// The image of a disk, as it comes.
pub struct Image {
    form: Form,
    /// Bytes of the disk.
    size: u64,
    from: Plain<'static>,
}

/// What comes.
pub enum Opened {
    /// The image of a disk.
    Image(Image),
    /// An appliance.
    Appliance(Plain<'static>),
    /// An archive, or nothing that is known.
    Other(Plain<'static>),
}

/// The sector with a table of partitions ends so.
const BOOT_SECTOR_END: [u8; 2] = [0x55, 0xaa];

/// Looks at the first bytes of what comes, which may be packed.
///
/// # Errors
/// `IMPORT_ERROR` for an image that cannot be taken.
pub async fn open(body: BodyReader, length: Option<u64>) -> Result<Opened, ApiError> {
    let (mut plain, packing) = unpack_told(body).await.map_err(moving::import_error)?;
    let mut first = Vec::with_capacity(tar::BLOCK);
    let read = (&mut plain).take(tar::BLOCK_LENGTH).read_to_end(&mut first).await;
    read.map_err(|error| moving::import_error(ImageError::Client(error)))?;
    let archive = first
        .first_chunk()
        .and_then(|block| tar::Header::parse(block).ok().flatten());
    let is_appliance = archive
        .as_ref()
        .is_some_and(|header| appliance::is_descriptor(&header.name));
    let form = if archive.is_some() {
        None
    } else if qcow2::is_one(&first) {
        let header = qcow2::Header::parse(&first).map_err(moving::import_error)?;
        Some((Form::Qcow2, header.size))
    } else if first.len() == tar::BLOCK && first.ends_with(&BOOT_SECTOR_END) {
        let size = length.filter(|_| packing == Packing::Plain).ok_or_else(|| {
            let text = "a plain image must come unpacked and with its length, which is the disk's";
            ApiError::new("IMPORT_ERROR", [text])
        })?;
        Some((Form::Plain, size))
    } else {
        None
    };
    let from: Plain<'static> = Box::pin(Cursor::new(first).chain(plain));
    Ok(match form {
        Some((form, size)) => Opened::Image(Image { form, size, from }),
        None if is_appliance => Opened::Appliance(from),
        None => Opened::Other(from),
    })
}

/// Makes a VM around an image.
///
/// # Errors
/// Those of the import; the task has them then.
pub async fn receive(
    api: &Arc<Api>,
    task: HandlerTask,
    image: Image,
    wanted: &Wanted,
) -> Result<Value, ApiError> {
    let db = api.ops.pool.snapshot();
    let size = i64::try_from(image.size).unwrap_or(i64::MAX);
    let mut reference = || Ref::from_uuid(Uuid::new_v4());
    let machine = Machine::around(&wanted.name, size, reference());
    let planned = import_image::machines(&db, &[machine], &mut reference)
        .and_then(|import| Ok((import.disks(&db)?, import)));
    let (disks, import) = match planned {
        Ok(planned) => planned,
        Err(error) => {
            task.finish(Err(error.clone())).await;
            return Err(error);
        }
    };
    let streams = Arc::clone(&api.streams);
    let work = Box::new(move |carried| {
        let filled = fill(streams, carried, image);
        Box::pin(filled) as BoxFuture<'static, _>
    });
    task.carry(ImportVms::new(import, disks, wanted.storage), work)
        .await
}

async fn fill(streams: Arc<dyn HostStreams>, carried: Carried, mut image: Image) -> Result<(), ApiError> {
    let disks = moving::open(&streams, &carried, VolumeAccess::Write).await?;
    let disk = disks
        .into_iter()
        .next()
        .ok_or_else(|| ApiError::internal("there is no disk"))?;
    let watcher = Watcher::new(carried, image.size);
    let filled = async {
        match image.form {
            Form::Plain => raw::read(&mut image.from, disk, &watcher).await,
            Form::Qcow2 => {
                let (_spooled, source) = Spooled::open(&streams, &mut image.from, disk.size()).await?;
                raw::copy(source, disk, &watcher).await
            }
        }
    };
    filled
        .await
        .map_err(|error| watcher.error(error, moving::import_error))
}

#[cfg(test)]
mod test {
    use super::*;

    async fn opened(bytes: Vec<u8>, length: Option<u64>) -> Result<Opened, ApiError> {
        open(Box::pin(Cursor::new(bytes)), length).await
    }

    fn boot_sector() -> Vec<u8> {
        let mut disk = vec![0; 4096];
        disk[510..512].copy_from_slice(&BOOT_SECTOR_END);
        disk
    }

    #[tokio::test]
    async fn images_are_told_by_their_first_bytes_and_come_whole() {
        let Ok(Opened::Image(mut image)) = opened(boot_sector(), Some(4096)).await else {
            unreachable!("it is an image");
        };
        assert_eq!((image.form, image.size), (Form::Plain, 4096));
        let mut all = Vec::new();
        image.from.read_to_end(&mut all).await.unwrap();
        assert_eq!(all, boot_sector());
        assert_eq!(
            opened(boot_sector(), None).await.err().unwrap().code,
            "IMPORT_ERROR"
        );
        let mut archive = tar::Header::file("ova.xml", 10).to_vec();
        archive.extend([7; 512]);
        for other in [archive, Vec::new(), b"short".to_vec(), vec![1; 4096]] {
            let Ok(Opened::Other(mut plain)) = opened(other.clone(), Some(1)).await else {
                unreachable!("it is no image");
            };
            let mut all = Vec::new();
            plain.read_to_end(&mut all).await.unwrap();
            assert_eq!(all, other);
        }
    }

    #[tokio::test]
    async fn an_image_that_leads_to_other_files_is_refused() {
        let mut bad = vec![0; 4096];
        bad[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
        bad[15] = 104;
        let error = opened(bad, Some(4096)).await.err().unwrap();
        assert_eq!(error.code, "IMPORT_ERROR");
        assert!(error.params[0].contains("backing"), "{error}");
    }
}
