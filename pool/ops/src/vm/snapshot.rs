//! `VM.snapshot`: the disks of a VM frozen at one moment, and its record.

use std::collections::BTreeMap;

use pool_domain::decide::message;
use pool_domain::decide::vdi::{self, NewVdi};
use pool_domain::decide::vm_power::{self, VmOperation};
use pool_domain::decide::vm_snapshot::{self, NewSnapshot};
use pool_domain::{Draft, Row};
use pool_saga::Step;
use proto_types::generated::{vdi as vdi_class, vm};
use proto_types::{ApiError, Field, Ref, Value};
use serde::{Deserialize, Serialize};

use crate::operation::{Cx, Operation, Outputs};
use crate::storage::volumes::{MakesVolumes, NewVolume, made};
use crate::vm::freeze::{Freeze, Freezes, OpenIn, domain_of, frozen, number_of};

/// Takes a snapshot of a VM.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SnapshotVm {
    vm: Ref,
    label: String,
    without: Vec<Ref>,
    scheduled: bool,
    snapshot: Ref,
    /// Disk, frozen disk; in the order of `volumes`.
    disks: Vec<(Ref, Ref)>,
    volumes: Vec<NewVolume>,
    open: Option<OpenIn>,
}

impl SnapshotVm {
    /// Of this VM, without some of its disks.
    pub fn new(vm: Ref, label: &str, without: Vec<Ref>) -> SnapshotVm {
        SnapshotVm {
            vm,
            label: label.to_owned(),
            without,
            scheduled: false,
            snapshot: Ref::NULL,
            disks: Vec::new(),
            volumes: Vec::new(),
            open: None,
        }
    }

    /// By a schedule.
    pub fn scheduled(self) -> SnapshotVm {
        SnapshotVm {
            scheduled: true,
            ..self
        }
    }

    fn operation(&self, task: Ref) -> VmOperation<'static> {
        VmOperation {
            vm: self.vm,
            task,
            name: "snapshot",
        }
    }
}

/// The record of a VM as its snapshot keeps it: the fields by name.
pub fn metadata(row: &Row) -> String {
    let fields: BTreeMap<&str, &Value> = row
        .class
        .def()
        .fields
        .iter()
        .zip(row.values.iter())
        .filter(|(def, _)| def.derived_from.is_none() && def.name != "snapshot_metadata")
        .map(|(def, value)| (def.name, value))
        .collect();
    serde_json::to_string(&fields).unwrap_or_default()
}

/// The fields that a snapshot's record keeps of its VM; its own where it keeps none.
pub fn kept_fields(snapshot: &Row) -> Vec<(Field, Value)> {
    let class = vm::CLASS;
    let text = snapshot.get(vm::SNAPSHOT_METADATA).as_str();
    match serde_json::from_str::<BTreeMap<String, Value>>(text) {
        Ok(fields) => fields
            .into_iter()
            .filter_map(|(name, value)| Some((class.def().field(&name)?, value)))
            .map(|(index, value)| (Field { class, index }, value))
            .collect(),
        Err(_) => snapshot
            .values
            .iter()
            .zip(0u16..)
            .map(|(value, index)| (Field { class, index }, value.clone()))
            .collect(),
    }
}

/// Makes the rows of frozen disks, and takes the marks from what they were frozen of.
///
/// # Errors
/// `HANDLE_INVALID` if a disk has gone; `INTERNAL_ERROR` if the step has not run.
pub fn frozen_rows(
    draft: &mut Draft<'_>,
    task: Ref,
    disks: &[(Ref, Ref)],
    volumes: &[NewVolume],
    outputs: &Outputs,
) -> Result<BTreeMap<Ref, Ref>, ApiError> {
    let mut stand_for = BTreeMap::new();
    for (((old, new), volume), facts) in disks.iter().zip(volumes).zip(made(outputs)?) {
        let source = draft.read(vdi_class::CLASS, *old)?;
        let fields = vdi::of_snapshot(draft, &source);
        let new_vdi = NewVdi {
            sr: source.get(vdi_class::SR).as_ref(),
            uuid: volume.uuid.to_string(),
            virtual_size: facts.virtual_size.as_i64(),
            utilisation: facts.physical_utilisation.as_i64(),
            fields,
        };
        vdi::made(draft, *new, new_vdi);
        draft.set(*new, vdi_class::LOCATION, facts.location.as_str());
        vdi::end(draft, *old, task);
        stand_for.insert(*old, *new);
    }
    Ok(stand_for)
}

impl Operation for SnapshotVm {
    const NAME: &'static str = "vm_snapshot";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        vm_power::begin(draft, &self.operation(task))?;
        let row = draft.read(vm::CLASS, self.vm)?;
        self.snapshot = draft.facts().reference();
        self.open = domain_of(draft.db(), self.vm)?;
        for (drive, image) in vm_snapshot::disks(draft, &row, &self.without) {
            vdi::begin(draft, image, task, "snapshot")?;
            let host = self.open.as_ref().map(|open| open.host);
            let uuid = draft.facts().uuid();
            self.volumes.push(frozen(draft.db(), image, uuid, host)?);
            self.disks.push((image, draft.facts().reference()));
            let number = number_of(draft.db(), drive)?;
            if let Some(open) = &mut self.open {
                open.numbers.push(number);
            }
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(Freeze)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let row = draft.read(vm::CLASS, self.vm)?;
        let stand_for = frozen_rows(draft, task, &self.disks, &self.volumes, outputs)?;
        vm_snapshot::made(
            draft,
            &NewSnapshot {
                vm: self.vm,
                reference: self.snapshot,
                label: &self.label,
                disks: &stand_for,
                memory: Ref::NULL,
                metadata: &metadata(&row),
                scheduled: self.scheduled,
            },
        )?;
        vm_power::abort(draft, &self.operation(task), None);
        message::about_vm(draft, self.vm, "VM_SNAPSHOTTED", "snapshotted");
        Ok(self.snapshot.into())
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        for (image, _) in &self.disks {
            vdi::end(draft, *image, task);
        }
        vm_power::abort(draft, &self.operation(task), None);
    }
}

impl MakesVolumes for SnapshotVm {
    fn volumes(&self) -> &[NewVolume] {
        &self.volumes
    }
}

impl Freezes for SnapshotVm {
    fn open_in(&self) -> Option<&OpenIn> {
        self.open.as_ref()
    }
}
