//! `/export_raw_vdi` and `/import_raw_vdi`: the bytes of one disk.

use node_commands::VolumeRef;
use pool_domain::decide::{storage, vdi};
use pool_domain::{Draft, vdi_rules};
use pool_saga::Step;
use proto_types::generated::vdi as image;
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Carries, Carry, Placed};
use crate::core::uuid_of_host;
use crate::domain_request::volume_of;
use crate::operation::{Cx, Operation, Outputs};

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Way {
    /// To the client.
    Out,
    /// From the client.
    In,
}

/// Reads or writes a disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MoveVdi {
    way: Way,
    /// The disk, and the one from which a differencing export differs.
    disks: Vec<Ref>,
    volumes: Vec<(Uuid, VolumeRef)>,
}

impl MoveVdi {
    /// The disk; and for a differencing export its base.
    pub fn new(way: Way, disk: Ref, base: Option<Ref>) -> MoveVdi {
        MoveVdi {
            way,
            disks: std::iter::once(disk).chain(base).collect(),
            volumes: Vec::new(),
        }
    }
}

impl Operation for MoveVdi {
    const NAME: &'static str = "vdi_transfer";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        for disk in &self.disks {
            let row = draft.read(image::CLASS, *disk)?;
            let host = storage::host_for(draft.db(), row.get(image::SR).as_ref())?;
            self.volumes
                .push((uuid_of_host(draft.db(), host)?, volume_of(draft.db(), *disk)?));
            if self.way == Way::In && row.get(image::READ_ONLY).as_bool() {
                return Err(ApiError::new("VDI_READONLY", [disk.to_string()]));
            }
            // An update as such may go on while a guest has the disk; filling it may not.
            if self.way == Way::In && vdi_rules::is_attached(draft.db(), &row) {
                return Err(ApiError::new(
                    "VDI_IN_USE",
                    [disk.to_string(), "update".to_owned()],
                ));
            }
            let name = if self.way == Way::Out { "copy" } else { "update" };
            vdi::begin(draft, *disk, task, name)?;
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(Carry)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        self.abort(draft, task, outputs);
        Ok(match (self.way, self.disks.first()) {
            (Way::In, Some(disk)) => Value::from(*disk),
            _ => Value::Void,
        })
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        for disk in &self.disks {
            vdi::end(draft, *disk, task);
        }
    }

    fn is_cancellable() -> bool {
        true
    }

    fn explains_cancel() -> bool {
        true
    }
}

impl Carries for MoveVdi {
    fn placed(&self, _: &Outputs) -> Vec<Placed> {
        super::export::placed(&self.volumes)
    }
}
