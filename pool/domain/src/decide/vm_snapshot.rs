//! Snapshots of VMs: their records, and going back to one.

use std::collections::BTreeMap;

use proto_types::generated::{vbd, vdi, vm, vm_guest_metrics, vm_metrics};
use proto_types::{ApiError, Field, Ref, Value};

use crate::decide::vm_clone::{self, Macs};
use crate::draft::Draft;
use crate::row::Row;
use crate::vm_rules;

/// The disks of a VM that a snapshot freezes: drive and disk.
pub fn disks(draft: &Draft<'_>, row: &Row, without: &[Ref]) -> Vec<(Ref, Ref)> {
    row.get(vm::VBDS)
        .as_refs()
        .into_iter()
        .filter_map(|r| draft.db().of_class(vbd::CLASS, r))
        .filter(|v| v.get(vbd::TYPE).as_str() == "Disk" && !v.get(vbd::EMPTY).as_bool())
        .map(|v| (v.reference, v.get(vbd::VDI).as_ref()))
        .filter(|(_, image)| !image.is_null() && !without.contains(image))
        .collect()
}

/// What a snapshot's record is made of.
#[derive(Clone, Debug)]
pub struct NewSnapshot<'a> {
    /// The VM.
    pub vm: Ref,
    /// The reference of the snapshot.
    pub reference: Ref,
    /// Its label.
    pub label: &'a str,
    /// Which frozen disk stands for which of the VM's.
    pub disks: &'a BTreeMap<Ref, Ref>,
    /// The disk that holds its memory; null for a snapshot without.
    pub memory: Ref,
    /// The VM's record, as going back reads it.
    pub metadata: &'a str,
    /// Whether a schedule has it taken.
    pub scheduled: bool,
}

/// Fields that a snapshot does not take over.
const OWN: &[Field] = &[
    vm::UUID,
    vm::ALLOWED_OPERATIONS,
    vm::CURRENT_OPERATIONS,
    vm::IS_DEFAULT_TEMPLATE,
    vm::SNAPSHOTS,
    vm::TRANSPORTABLE_SNAPSHOT_ID,
    vm::CHILDREN,
    vm::APPLIANCE,
    vm::SNAPSHOT_SCHEDULE,
    vm::PROTECTION_POLICY,
    vm::BLOBS,
    vm::RESIDENT_ON,
    vm::SCHEDULED_TO_BE_RESIDENT_ON,
    vm::DOMID,
    vm::VBDS,
    vm::VIFS,
    vm::CONSOLES,
    vm::VTPMS,
    vm::VGPUS,
    vm::VUSBS,
    vm::CRASH_DUMPS,
    vm::ATTACHED_PCIS,
    vm::HA_ALWAYS_RUN,
];

fn values(row: &Row) -> impl Iterator<Item = (Field, Value)> {
    row.values.iter().zip(0u16..).map(|(value, index)| {
        (
            Field {
                class: vm::CLASS,
                index,
            },
            value.clone(),
        )
    })
}

fn copied(draft: &mut Draft<'_>, metrics: Ref, without: &[Field]) -> Ref {
    match draft.db().get(metrics).cloned() {
        Some(row) => vm_clone::copy_row(draft, &row, without),
        None => Ref::NULL,
    }
}

/// Makes the record of a snapshot, and makes it the VM's parent.
///
/// # Errors
/// `HANDLE_INVALID` if the VM has gone.
pub fn made(draft: &mut Draft<'_>, new: &NewSnapshot<'_>) -> Result<(), ApiError> {
    let row = draft.read(vm::CLASS, new.vm)?;
    let metrics = copied(draft, row.get(vm::METRICS).as_ref(), &[vm_metrics::UUID]);
    let guest = copied(
        draft,
        row.get(vm::GUEST_METRICS).as_ref(),
        &[vm_guest_metrics::UUID],
    );
    let state = if new.memory.is_null() {
        vm_rules::HALTED
    } else {
        vm_rules::SUSPENDED
    };
    let snapshot_info = Value::string_map([
        ("power-state-at-snapshot", row.get(vm::POWER_STATE).as_str()),
        ("disk-snapshot-type", "crash_consistent"),
    ]);
    let changed = [
        (vm::NAME_LABEL, new.label.into()),
        (vm::IS_A_TEMPLATE, true.into()),
        (vm::IS_A_SNAPSHOT, true.into()),
        (vm::SNAPSHOT_OF, new.vm.into()),
        (vm::SNAPSHOT_TIME, draft.facts().now.into()),
        (vm::SNAPSHOT_INFO, snapshot_info),
        (vm::SNAPSHOT_METADATA, new.metadata.into()),
        (vm::IS_VMSS_SNAPSHOT, new.scheduled.into()),
        (vm::POWER_STATE, state.into()),
        (vm::SUSPEND_VDI, new.memory.into()),
        (vm::METRICS, metrics.into()),
        (vm::GUEST_METRICS, guest.into()),
    ];
    let mut fields: Vec<(Field, Value)> = values(&row)
        .filter(|(f, _)| !OWN.contains(f) && !changed.iter().any(|(c, _)| c == f))
        .collect();
    fields.extend(changed);
    fields.push((vm::DOMID, Value::Int(-1)));
    draft.insert_as(vm::CLASS, new.reference, fields);
    vm_clone::clone_drives(draft, &row, new.reference, new.disks);
    vm_clone::clone_nics(draft, &row, new.reference, Macs::Same);
    draft.set(new.vm, vm::PARENT, new.reference);
    Ok(())
}

/// Fields that going back leaves as they are.
const KEPT: &[Field] = &[
    vm::UUID,
    vm::POWER_STATE,
    vm::PARENT,
    vm::CHILDREN,
    vm::METRICS,
    vm::GUEST_METRICS,
    vm::RESIDENT_ON,
    vm::SCHEDULED_TO_BE_RESIDENT_ON,
    vm::DOMID,
    vm::SNAPSHOTS,
    vm::TAGS,
    vm::AFFINITY,
    vm::GROUPS,
    vm::PROTECTION_POLICY,
    vm::SNAPSHOT_SCHEDULE,
    vm::ALLOWED_OPERATIONS,
    vm::CURRENT_OPERATIONS,
    vm::SUSPEND_VDI,
    vm::HA_ALWAYS_RUN,
    vm::IS_A_TEMPLATE,
    vm::IS_A_SNAPSHOT,
    vm::IS_DEFAULT_TEMPLATE,
    vm::IS_CONTROL_DOMAIN,
    vm::SNAPSHOT_OF,
    vm::SNAPSHOT_TIME,
    vm::SNAPSHOT_INFO,
    vm::SNAPSHOT_METADATA,
    vm::TRANSPORTABLE_SNAPSHOT_ID,
    vm::IS_VMSS_SNAPSHOT,
    vm::VBDS,
    vm::VIFS,
    vm::CONSOLES,
    vm::VTPMS,
    vm::VGPUS,
    vm::VUSBS,
    vm::CRASH_DUMPS,
    vm::ATTACHED_PCIS,
    vm::BLOBS,
];

/// A disk of a snapshot, and what stands for it when a VM goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The frozen one.
    pub frozen: Ref,
    /// The one that the VM has now, which goes; null if it has gone already.
    pub old: Ref,
    /// The copy of the frozen one that takes its place.
    pub new: Ref,
}

/// The VM to which a snapshot belongs; null if it has gone.
pub fn target(draft: &Draft<'_>, snapshot: &Row) -> Ref {
    let of = snapshot.get(vm::SNAPSHOT_OF).as_ref();
    draft
        .db()
        .of_class(vm::CLASS, of)
        .map_or(Ref::NULL, |row| row.reference)
}

/// The frozen disks of a snapshot, each with the disk of the VM whose place its copy takes.
pub fn disks_to_restore(draft: &Draft<'_>, snapshot: &Row) -> Vec<(Ref, Ref)> {
    disks(draft, snapshot, &[])
        .into_iter()
        .filter_map(|(_, frozen)| draft.db().of_class(vdi::CLASS, frozen))
        .map(|frozen| {
            let of = frozen.get(vdi::SNAPSHOT_OF).as_ref();
            let old = draft
                .db()
                .of_class(vdi::CLASS, of)
                .map_or(Ref::NULL, |row| row.reference);
            (frozen.reference, old)
        })
        .collect()
}

/// Takes a VM's record back to a snapshot. `fields` are those of the VM when the snapshot was taken; the rows of the
/// new disks are there, those of the old ones go. The VM is halted or, with `memory`, suspended.
///
/// # Errors
/// `HANDLE_INVALID` if one of them has gone.
pub fn revert(
    draft: &mut Draft<'_>,
    (snapshot, owner): (Ref, Ref),
    restored: &[Restored],
    memory: Ref,
    fields: Vec<(Field, Value)>,
) -> Result<(), ApiError> {
    let source = draft.read(vm::CLASS, snapshot)?;
    let found = draft.db().of_class(vm::CLASS, owner).cloned();
    // A VM that has gone comes back under its uuid.
    let comes_back = |f: &Field, v: &Value| {
        *f == vm::UUID && found.is_none() && draft.db().by_uuid(vm::CLASS, v.as_str()).is_none()
    };
    let fields: Vec<(Field, Value)> = fields
        .into_iter()
        .filter(|(f, v)| f.class == vm::CLASS && (!KEPT.contains(f) || comes_back(f, v)))
        .collect();
    match &found {
        Some(row) => {
            for drive in row.get(vm::VBDS).as_refs() {
                super::vbd::remove_row(draft, drive);
            }
            for nic in row.get(vm::VIFS).as_refs() {
                draft.delete(nic);
            }
            for metrics in [vm::METRICS, vm::GUEST_METRICS] {
                draft.delete(row.get(metrics).as_ref());
            }
            draft.update(owner, fields);
        }
        None => draft.insert_as(vm::CLASS, owner, fields),
    }
    let lost = source.get(vm::SNAPSHOT_OF).as_ref();
    if found.is_none() {
        let siblings: Vec<Ref> = draft
            .db()
            .rows(vm::CLASS)
            .filter(|v| v.get(vm::SNAPSHOT_OF).as_ref() == lost)
            .map(|v| v.reference)
            .collect();
        for sibling in siblings {
            draft.set(sibling, vm::SNAPSHOT_OF, owner);
        }
    }
    let mut stand_for = BTreeMap::new();
    for disk in restored {
        move_snapshots(draft, disk);
        if !disk.old.is_null() {
            super::vdi::removed(draft, disk.old);
        }
        stand_for.insert(disk.frozen, disk.new);
    }
    vm_clone::clone_drives(draft, &source, owner, &stand_for);
    vm_clone::clone_nics(draft, &source, owner, Macs::Same);
    let metrics = copied(draft, source.get(vm::METRICS).as_ref(), &[vm_metrics::UUID]);
    let guest = copied(
        draft,
        source.get(vm::GUEST_METRICS).as_ref(),
        &[vm_guest_metrics::UUID],
    );
    let state = if memory.is_null() {
        vm_rules::HALTED
    } else {
        vm_rules::SUSPENDED
    };
    draft.update(
        owner,
        vec![
            (vm::POWER_STATE, state.into()),
            (vm::SUSPEND_VDI, memory.into()),
            (vm::METRICS, metrics.into()),
            (vm::GUEST_METRICS, guest.into()),
            (vm::HA_ALWAYS_RUN, false.into()),
            (vm::DOMID, Value::Int(-1)),
            (vm::PARENT, snapshot.into()),
        ],
    );
    Ok(())
}

/// Every snapshot of the old disk is one of the new disk from now on.
fn move_snapshots(draft: &mut Draft<'_>, disk: &Restored) {
    let of = match draft.db().of_class(vdi::CLASS, disk.old) {
        Some(old) => old.get(vdi::SNAPSHOTS).as_refs(),
        None => vec![disk.frozen],
    };
    for frozen in of {
        draft.set(frozen, vdi::SNAPSHOT_OF, disk.new);
    }
}
