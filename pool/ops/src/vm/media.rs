//! `VBD.insert` and `VBD.eject`: the medium of a CD drive, in the running guest too.

use std::time::Duration;

use node_commands::{HostCommand, VolumeRef};
use pool_domain::Draft;
use pool_domain::decide::{vbd as drives, vdi as disks};
use pool_saga::Step;
use proto_types::generated::{vbd, vm};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::AgentStep;
use crate::core::uuid_of_host;
use crate::domain_request::volume_of;
use crate::operation::{Cx, Operation, Outputs};

/// Changes the medium of a drive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangeMedium {
    drive: Ref,
    /// The new medium; `None` empties the drive.
    image: Option<Ref>,
    number: u16,
    vm_uuid: Uuid,
    host: Option<Uuid>,
    before: Option<VolumeRef>,
    after: Option<VolumeRef>,
}

impl ChangeMedium {
    /// `VBD.insert`.
    pub fn insert(drive: Ref, image: Ref) -> ChangeMedium {
        ChangeMedium {
            drive,
            image: Some(image),
            number: 0,
            vm_uuid: Uuid::nil(),
            host: None,
            before: None,
            after: None,
        }
    }

    /// `VBD.eject`.
    pub fn eject(drive: Ref) -> ChangeMedium {
        ChangeMedium {
            image: None,
            ..ChangeMedium::insert(drive, Ref::NULL)
        }
    }

    fn command(&self, volume: Option<VolumeRef>) -> Option<(Uuid, HostCommand)> {
        let command = HostCommand::ChangeMedia {
            vm: self.vm_uuid,
            userdevice: self.number,
            volume,
        };
        Some((self.host?, command))
    }
}

impl Operation for ChangeMedium {
    const NAME: &'static str = "vbd_medium";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let tray = drives::begin_media(draft, self.drive, task, self.image)?;
        let row = draft.read(vbd::CLASS, self.drive)?;
        let device = row.get(vbd::USERDEVICE).as_str();
        self.number =
            disks::device_number(device).ok_or_else(|| ApiError::new("INVALID_DEVICE", [device]))?;
        let Some(on) = tray.host else { return Ok(()) };
        self.host = Some(uuid_of_host(draft.db(), on)?);
        let owner = draft.read(vm::CLASS, tray.vm)?;
        self.vm_uuid = Uuid::try_parse(owner.uuid()).map_err(|_| ApiError::handle_invalid("VM", tray.vm))?;
        if let Some(image) = self.image {
            self.after = Some(volume_of(draft.db(), image)?);
        } else {
            // One that has gone from the library cannot be put back, and need not.
            self.before = volume_of(draft.db(), row.get(vbd::VDI).as_ref()).ok();
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(AgentStep::<ChangeMedium> {
            name: "change_medium",
            ask: |cx| cx.operation.command(cx.operation.after.clone()),
            undo: |cx| cx.operation.command(cx.operation.before.clone()),
            wait: Duration::from_secs(60),
        })]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        drives::commit_media(draft, self.drive, task, self.image);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        drives::abort_plug(draft, self.drive, task);
    }
}
