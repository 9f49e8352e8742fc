//! Removing a volume, wholly or all but the record of its changes.

use super::folder::Folder;
use super::header::Image;
use super::layout::plain_uuid;
use super::{marker, scan, tracking, tree};
use crate::error::{Result, StorageError};
use crate::medium::OpenBy;

/// What is left of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// Nothing.
    Nothing,
    /// What was written since the snapshot before it.
    Record,
}

/// Removes a volume, if it is there, and parents that only it needed. Under the lock.
pub fn remove(
    folder: &Folder,
    location: &str,
    found: Option<(Image, OpenBy)>,
    remains: Remains,
) -> Result<()> {
    if let Some((image, by)) = &found {
        let parent_of_others = image.hidden
            && folder
                .collect()?
                .iter()
                .any(|child| child.unknown || child.parent.as_ref() == Some(&image.name));
        if *by != OpenBy::Nobody || parent_of_others {
            return Err(StorageError::VolumeInUse {
                location: location.to_owned(),
            });
        }
    }
    if remains == Remains::Record {
        tracking::give_up_data(folder, location)?;
        folder.reached("destroy: data given up");
    }
    if let Some((image, _)) = found {
        folder.reached("destroy: begun");
        if let Some((uuid, _)) = image.name.layer()
            && !image.hidden
            && folder.listing()?.has_lower_layers(uuid)
        {
            // Without it the layer below would become the volume.
            marker::give_up(folder.site(), uuid)?;
            folder.reached("destroy: given up");
        }
        scan::remove(folder, &image.name)?;
        tree::sync_names(folder)?;
        folder.reached("destroy: removed");
    }
    if let (Remains::Nothing, Some(uuid)) = (remains, plain_uuid(location)) {
        tracking::forget(folder, uuid)?;
    }
    scan::collect_garbage(folder)?;
    scan::forget_gone(folder)?;
    folder.reached("destroy: parents removed");
    Ok(())
}
