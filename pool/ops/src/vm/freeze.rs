//! Freezing disks, together: in the domain that runs with them, or in their repositories while nothing does.

use std::time::Duration;

use async_trait::async_trait;
use node_commands::{FreezeRequest, HostCommand, HostReply, VolumeRef};
use pool_domain::decide::{storage as repositories, vdi as disks};
use pool_domain::{Database, query};
use pool_saga::{Step, StepError};
use proto_types::generated::{vbd, vdi, vm};
use proto_types::{ApiError, Bytes, Ref};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::step_error;
use crate::core::uuid_of_host;
use crate::domain_request::volume_of;
use crate::operation::Cx;
use crate::storage::vdi::uuid_of_sr;
use crate::storage::volumes::{FACTS, MakeVolumes, MakesVolumes, NewVolume, Source};

/// The domain that has disks open.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenIn {
    /// Its VM.
    pub vm: Uuid,
    /// Its host.
    pub host: Uuid,
    /// The numbers of the disks, in the order of the volumes.
    pub numbers: Vec<u16>,
}

/// An operation that freezes disks.
pub trait Freezes: MakesVolumes {
    /// The domain that has them open; `None` while nothing has.
    fn open_in(&self) -> Option<&OpenIn>;
}

/// The domain of a live VM, without disks yet.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn domain_of(db: &Database, owner: Ref) -> Result<Option<OpenIn>, ApiError> {
    let row = query::find(db, vm::CLASS, owner)?;
    let on = row.get(vm::RESIDENT_ON).as_ref();
    if on.is_null() {
        return Ok(None);
    }
    Ok(Some(OpenIn {
        vm: Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", owner))?,
        host: uuid_of_host(db, on)?,
        numbers: Vec::new(),
    }))
}

/// The number of a drive's disk.
///
/// # Errors
/// `HANDLE_INVALID`, `INVALID_DEVICE`.
pub fn number_of(db: &Database, drive: Ref) -> Result<u16, ApiError> {
    let row = query::find(db, vbd::CLASS, drive)?;
    let device = row.get(vbd::USERDEVICE).as_str();
    disks::device_number(device).ok_or_else(|| ApiError::new("INVALID_DEVICE", [device]))
}

/// A volume that will hold what a disk holds now, made by `host`, or by any that has its repository.
///
/// # Errors
/// `HANDLE_INVALID`, `SR_HAS_NO_PBDS`.
pub fn frozen(db: &Database, image: Ref, uuid: Uuid, host: Option<Uuid>) -> Result<NewVolume, ApiError> {
    let storage = query::find(db, vdi::CLASS, image)?.get(vdi::SR).as_ref();
    let host = match host {
        Some(host) => host,
        None => uuid_of_host(db, repositories::host_for(db, storage)?)?,
    };
    Ok(NewVolume {
        host,
        sr: uuid_of_sr(db, storage)?,
        uuid,
        source: Source::Snapshot(volume_of(db, image)?),
        size: Bytes(0),
    })
}

/// Freezes them; undone, no frozen one is left.
pub struct Freeze;

fn requests<O: Freezes>(operation: &O, open: &OpenIn) -> Vec<FreezeRequest> {
    operation
        .volumes()
        .iter()
        .zip(&open.numbers)
        .filter_map(|(volume, number)| {
            let source: &VolumeRef = match &volume.source {
                Source::Snapshot(source) | Source::Clone(source) => source,
                Source::Copy(_) | Source::Memory(_) | Source::Blank => return None,
            };
            Some(FreezeRequest {
                userdevice: *number,
                volume: source.clone(),
                uuid: volume.uuid,
            })
        })
        .collect()
}

#[async_trait]
impl<O: Freezes> Step<Cx<O>> for Freeze {
    fn name(&self) -> &'static str {
        "freeze"
    }

    async fn run(&self, cx: &Cx<O>) -> Result<(), StepError> {
        let Some(open) = cx.operation.open_in() else {
            return MakeVolumes.run(cx).await;
        };
        let disks = requests(&cx.operation, open);
        if disks.is_empty() {
            cx.leave(FACTS, &Vec::<node_commands::VolumeFacts>::new());
            return Ok(());
        }
        let command = HostCommand::FreezeDisks { vm: open.vm, disks };
        let id = cx.command_id("freeze");
        let reply = cx
            .ops
            .agents
            .call(open.host, id, command, Duration::from_secs(180))
            .await
            .map_err(step_error)?;
        let HostReply::Volumes(facts) = reply else {
            return Err(ApiError::internal("the host did not say what it froze").into());
        };
        cx.leave(FACTS, &facts);
        Ok(())
    }

    async fn undo(&self, cx: &Cx<O>) -> Result<(), StepError> {
        MakeVolumes.undo(cx).await
    }
}
