//! The record of a clone.

use std::collections::BTreeMap;

use proto_types::generated::{vbd, vif, vm, vm_metrics};
use proto_types::{ApiError, Field, Ref, Value};

use crate::decide::{operation, vif as nics};
use crate::draft::Draft;
use crate::row::Row;

/// Which images a clone must have copied before its record can be made: the disks of the source's drives.
pub fn disks_to_clone(draft: &Draft<'_>, source: &Row) -> Vec<Ref> {
    source
        .get(vm::VBDS)
        .as_refs()
        .into_iter()
        .filter_map(|r| draft.db().of_class(vbd::CLASS, r))
        .filter(|v| v.get(vbd::TYPE).as_str() == "Disk" && !v.get(vbd::VDI).as_ref().is_null())
        .map(|v| v.get(vbd::VDI).as_ref())
        .collect()
}

/// Begins a clone or copy: marks the source.
///
/// # Errors
/// The operation's first obstacle.
pub fn begin(draft: &mut Draft<'_>, source: Ref, task: Ref, name: &str) -> Result<Vec<Ref>, ApiError> {
    let row = super::vm::admitted(draft, source, name)?;
    operation::begin(draft, source, vm::CURRENT_OPERATIONS, task, name);
    let mut images = disks_to_clone(draft, &row);
    // The memory of a suspended one is cloned as well.
    images.extend(row.get(vm::SUSPEND_VDI).as_ref().some());
    Ok(images)
}

/// Ends a clone: takes the mark from the source.
pub fn end(draft: &mut Draft<'_>, source: Ref, task: Ref) {
    operation::end(draft, source, vm::CURRENT_OPERATIONS, task);
}

/// Fields that a clone does not take over, with what it has instead (`None`: the default).
fn replaced(source: &Row) -> Vec<Field> {
    let _ = source;
    vec![
        vm::UUID,
        vm::NAME_LABEL,
        vm::OTHER_CONFIG,
        vm::ALLOWED_OPERATIONS,
        vm::CURRENT_OPERATIONS,
        vm::IS_DEFAULT_TEMPLATE,
        vm::IS_A_SNAPSHOT,
        vm::SNAPSHOT_OF,
        vm::SNAPSHOTS,
        vm::SNAPSHOT_TIME,
        vm::SNAPSHOT_INFO,
        vm::SNAPSHOT_METADATA,
        vm::TRANSPORTABLE_SNAPSHOT_ID,
        vm::PARENT,
        vm::CHILDREN,
        vm::APPLIANCE,
        vm::START_DELAY,
        vm::SHUTDOWN_DELAY,
        vm::ORDER,
        vm::VERSION,
        vm::SUSPEND_SR,
        vm::SUSPEND_VDI,
        vm::HA_ALWAYS_RUN,
        vm::BLOCKED_OPERATIONS,
        vm::SNAPSHOT_SCHEDULE,
        vm::PROTECTION_POLICY,
        vm::BLOBS,
        vm::GENERATION_ID,
        vm::METRICS,
        vm::GUEST_METRICS,
        vm::POWER_STATE,
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
        vm::LAST_BOOTED_RECORD,
    ]
}

/// Makes the record of a clone. `disks` says which new image stands for which of the source's.
///
/// # Errors
/// `HANDLE_INVALID` if the source has gone.
pub fn made(
    draft: &mut Draft<'_>,
    source: Ref,
    reference: Ref,
    label: &str,
    disks: &BTreeMap<Ref, Ref>,
) -> Result<(), ApiError> {
    let row = draft.read(vm::CLASS, source)?;
    let left_out = replaced(&row);
    let mut fields: Vec<(Field, Value)> = row
        .values
        .iter()
        .zip(0u16..)
        .map(|(v, index)| {
            (
                Field {
                    class: vm::CLASS,
                    index,
                },
                v.clone(),
            )
        })
        .filter(|(f, _)| !left_out.contains(f))
        .collect();
    let seed = draft.facts().uuid_text();
    let memory = disks
        .get(&row.get(vm::SUSPEND_VDI).as_ref())
        .copied()
        .unwrap_or(Ref::NULL);
    let metrics = match draft
        .db()
        .of_class(vm_metrics::CLASS, row.get(vm::METRICS).as_ref())
        .cloned()
    {
        Some(old) => copy_row(draft, &old, &[vm_metrics::UUID]),
        None => super::vm_create::new_metrics(draft, row.get(vm::VCPUS_MAX).as_int()),
    };
    fields.extend([
        (vm::NAME_LABEL, label.into()),
        (vm::OTHER_CONFIG, other_config(&row, &seed)),
        (
            vm::POWER_STATE,
            if memory.is_null() {
                crate::vm_rules::HALTED
            } else {
                crate::vm_rules::SUSPENDED
            }
            .into(),
        ),
        (vm::SUSPEND_VDI, memory.into()),
        (vm::IS_DEFAULT_TEMPLATE, false.into()),
        (vm::METRICS, metrics.into()),
        (vm::DOMID, Value::Int(-1)),
        (vm::GENERATION_ID, generation_id(draft)),
    ]);
    draft.insert_as(vm::CLASS, reference, fields);
    clone_drives(draft, &row, reference, disks);
    clone_nics(draft, &row, reference, Macs::Fresh(&seed));
    Ok(())
}

fn generation_id(draft: &Draft<'_>) -> Value {
    let number = draft.facts().uuid().as_u128();
    let (high, low) = ((number >> 64) as u64, number as u64);
    Value::from(format!("{high}:{low}"))
}

fn other_config(source: &Row, seed: &str) -> Value {
    let mut map = source.get(vm::OTHER_CONFIG).as_map().cloned().unwrap_or_default();
    for key in ["default_template", "xensource_internal"] {
        map.remove(&Value::str(key));
    }
    map.insert("mac_seed".into(), seed.into());
    if source.get(vm::IS_A_TEMPLATE).as_bool() {
        map.entry("base_template_name".into())
            .or_insert_with(|| source.get(vm::NAME_LABEL).clone());
    }
    Value::Map(map)
}

pub(super) fn clone_drives(draft: &mut Draft<'_>, source: &Row, owner: Ref, disks: &BTreeMap<Ref, Ref>) {
    for drive in source.get(vm::VBDS).as_refs() {
        let Some(old) = draft.db().of_class(vbd::CLASS, drive).cloned() else {
            continue;
        };
        let image = old.get(vbd::VDI).as_ref();
        let shared = old.get(vbd::TYPE).as_str() != "Disk";
        if !shared && !image.is_null() && !disks.contains_key(&image) {
            // A disk that was left out.
            continue;
        }
        let mut other = old.get(vbd::OTHER_CONFIG).as_map().cloned().unwrap_or_default();
        if disks.contains_key(&image) {
            other.insert("owner".into(), "".into());
        }
        draft.insert(
            vbd::CLASS,
            vec![
                (vbd::VM, owner.into()),
                (vbd::VDI, disks.get(&image).copied().unwrap_or(image).into()),
                (vbd::USERDEVICE, old.get(vbd::USERDEVICE).clone()),
                (vbd::BOOTABLE, old.get(vbd::BOOTABLE).clone()),
                (vbd::MODE, old.get(vbd::MODE).clone()),
                (vbd::TYPE, old.get(vbd::TYPE).clone()),
                (vbd::UNPLUGGABLE, old.get(vbd::UNPLUGGABLE).clone()),
                (vbd::EMPTY, old.get(vbd::EMPTY).clone()),
                (vbd::OTHER_CONFIG, Value::Map(other)),
                (vbd::QOS_ALGORITHM_TYPE, old.get(vbd::QOS_ALGORITHM_TYPE).clone()),
                (
                    vbd::QOS_ALGORITHM_PARAMS,
                    old.get(vbd::QOS_ALGORITHM_PARAMS).clone(),
                ),
            ],
        );
    }
}

/// What becomes of the addresses of copied interfaces.
#[derive(Clone, Copy)]
pub(super) enum Macs<'a> {
    /// New ones, from this seed.
    Fresh(&'a str),
    /// The same.
    Same,
}

pub(super) fn clone_nics(draft: &mut Draft<'_>, source: &Row, owner: Ref, macs: Macs<'_>) {
    for nic in source.get(vm::VIFS).as_refs() {
        let Some(old) = draft.db().of_class(vif::CLASS, nic).cloned() else {
            continue;
        };
        let device = old.get(vif::DEVICE).as_str().parse::<u16>().unwrap_or(0);
        let fields: Vec<(Field, Value)> = [
            vif::DEVICE,
            vif::NETWORK,
            vif::MTU,
            vif::OTHER_CONFIG,
            vif::QOS_ALGORITHM_TYPE,
            vif::QOS_ALGORITHM_PARAMS,
            vif::LOCKING_MODE,
            vif::IPV4_ALLOWED,
            vif::IPV6_ALLOWED,
        ]
        .into_iter()
        .map(|f| (f, old.get(f).clone()))
        .chain([(vif::VM, owner.into())])
        .chain(match macs {
            Macs::Fresh(seed) => [
                (vif::MAC, nics::generated_mac(seed, device).into()),
                (vif::MAC_AUTOGENERATED, true.into()),
            ],
            Macs::Same => [vif::MAC, vif::MAC_AUTOGENERATED].map(|f| (f, old.get(f).clone())),
        })
        .collect();
        draft.insert(vif::CLASS, fields);
    }
}

pub(super) fn copy_row(draft: &mut Draft<'_>, old: &Row, left_out: &[Field]) -> Ref {
    let fields = old
        .values
        .iter()
        .zip(0u16..)
        .map(|(v, index)| {
            (
                Field {
                    class: old.class,
                    index,
                },
                v.clone(),
            )
        })
        .filter(|(f, _)| !left_out.contains(f))
        .collect();
    draft.insert(old.class, fields)
}
