//! `/export`: the disks of a VM are read while it is marked.

use node_commands::VolumeRef;
use pool_domain::Draft;
use pool_domain::decide::{operation, storage, vdi, vm as vms};
use pool_saga::Step;
use proto_types::generated::{vdi as image, vm};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Carries, Carry, Placed};
use crate::core::uuid_of_host;
use crate::domain_request::volume_of;
use crate::operation::{Cx, Operation, Outputs};

/// Reads the disks of a VM.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExportVm {
    vm: Ref,
    disks: Vec<Ref>,
    volumes: Vec<(Uuid, VolumeRef)>,
}

impl ExportVm {
    /// The VM, and its disks in the order in which they are read.
    pub fn new(vm: Ref, disks: Vec<Ref>) -> ExportVm {
        ExportVm {
            vm,
            disks,
            volumes: Vec::new(),
        }
    }
}

impl Operation for ExportVm {
    const NAME: &'static str = "vm_export";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        vms::admitted(draft, self.vm, "export")?;
        operation::begin(draft, self.vm, vm::CURRENT_OPERATIONS, task, "export");
        for disk in &self.disks {
            let row = draft.read(image::CLASS, *disk)?;
            let host = storage::host_for(draft.db(), row.get(image::SR).as_ref())?;
            self.volumes
                .push((uuid_of_host(draft.db(), host)?, volume_of(draft.db(), *disk)?));
            vdi::begin(draft, *disk, task, "copy")?;
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(Carry)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        self.abort(draft, task, outputs);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        operation::end(draft, self.vm, vm::CURRENT_OPERATIONS, task);
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

impl Carries for ExportVm {
    fn placed(&self, _: &Outputs) -> Vec<Placed> {
        placed(&self.volumes)
    }
}

pub(super) fn placed(volumes: &[(Uuid, VolumeRef)]) -> Vec<Placed> {
    volumes
        .iter()
        .map(|(host, volume)| Placed {
            host: *host,
            volume: volume.clone(),
        })
        .collect()
}
