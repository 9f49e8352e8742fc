//! `pool_update.introduce`: looks whether a disk holds an update in the old form.
//!
//! Such updates come as an ISO image with their description at its top, signed by their vendor for hosts of its own. This
//! pool trusts no such key, so that what is an update is refused in the end too, as a XenServer refuses one that is signed
//! by somebody else.

use std::sync::{Arc, Mutex, PoisonError};

use node_images::iso::{self, Found};
use pool_domain::query;
use pool_domain::xml::update;
use pool_ops::Call;
use pool_ops::transfer::vdi::{MoveVdi, Way};
use proto_types::generated::vdi;
use proto_types::{ApiError, Args, Value};

use super::moving;
use super::task::HandlerTask;
use crate::api::Api;
use crate::api::gate::Entry;
use crate::api::ports::VolumeAccess;

/// The longest description that is read.
const LONGEST: u64 = 1 << 20;

/// Never succeeds.
///
/// # Errors
/// `INVALID_UPDATE [reason]`; those of reading a disk.
pub async fn introduce(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let disk = args.reference(0)?;
    query::find(&entry.db, vdi::CLASS, disk)?;
    let call = Call {
        label: "pool_update.introduce".to_owned(),
        session: entry.caller.session,
        host: (api.host)(),
        origin: entry.caller.history("pool_update.introduce"),
        ..Call::default()
    };
    let found = Arc::new(Mutex::new(Found::NoImage));
    let (streams, seen) = (Arc::clone(&api.streams), Arc::clone(&found));
    let work: pool_ops::transfer::Work = Box::new(move |carried| {
        Box::pin(async move {
            for disk in moving::open(&streams, &carried, VolumeAccess::Read).await? {
                let read = iso::read_file(disk.as_ref(), "update.xml", LONGEST).await;
                let read = read.map_err(|e| moving::export_error(node_images::ImageError::Disk(e)))?;
                *seen.lock().unwrap_or_else(PoisonError::into_inner) = read;
            }
            Ok(())
        })
    });
    let task = HandlerTask::make(api, call).await?;
    task.carry(MoveVdi::new(Way::Out, disk, None), work).await?;
    let found = found.lock().unwrap_or_else(PoisonError::into_inner);
    Err(ApiError::new("INVALID_UPDATE", [why_not(&found)]))
}

fn why_not(found: &Found) -> String {
    let why = match found {
        Found::NoImage => "the disk holds no ISO image",
        Found::NoFile => "the image has no update.xml",
        Found::TooLong => "its update.xml is too long",
        Found::File(bytes) => {
            let uuid = std::str::from_utf8(bytes).ok().and_then(update::uuid);
            let Some(uuid) = uuid else {
                return "its update.xml describes no update".to_owned();
            };
            return format!("update {uuid} is signed by its vendor, whose key this pool does not trust");
        }
    };
    why.to_owned()
}
