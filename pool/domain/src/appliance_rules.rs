//! Which operation an appliance admits now, and in which order its VMs start and stop.

use std::collections::BTreeMap;

use proto_types::generated::{vm, vm_appliance};
use proto_types::{ApiError, Ref, Value};

use crate::database::Database;
use crate::row::Row;
use crate::vm_rules;

/// The operations, in the order of the data model.
const OPERATIONS: &[&str] = &["start", "clean_shutdown", "hard_shutdown", "shutdown"];

/// The operations to advertise for an appliance.
pub fn advertised(db: &Database, row: &Row) -> Value {
    Value::strings(OPERATIONS.iter().filter(|name| check(db, row, name).is_ok()))
}

/// Says whether an appliance admits an operation now: one at a time, and only if some VM would be affected.
///
/// # Errors
/// `OTHER_OPERATION_IN_PROGRESS ["VM_appliance", appliance, operation, task]`, `OPERATION_NOT_ALLOWED [text]`.
pub fn check(db: &Database, row: &Row, operation: &str) -> Result<(), ApiError> {
    let current = row.get(vm_appliance::CURRENT_OPERATIONS).as_map();
    if let Some((task, running)) = current.and_then(|m| m.iter().next()) {
        return Err(ApiError::new(
            "OTHER_OPERATION_IN_PROGRESS",
            [
                "VM_appliance".to_owned(),
                row.reference.to_string(),
                running.as_str().to_owned(),
                task.as_str().to_owned(),
            ],
        ));
    }
    let states: Vec<&str> = row
        .get(vm_appliance::VMS)
        .as_refs()
        .into_iter()
        .filter_map(|r| db.of_class(vm::CLASS, r))
        .map(|v| v.get(vm::POWER_STATE).as_str())
        .collect();
    if states.is_empty() {
        return Err(ApiError::new("OPERATION_NOT_ALLOWED", ["Appliance has no VMs."]));
    }
    let affects_one = match operation {
        "start" => states.contains(&vm_rules::HALTED),
        _ => states.iter().any(|s| *s != vm_rules::HALTED),
    };
    if affects_one {
        Ok(())
    } else {
        Err(ApiError::new(
            "OPERATION_NOT_ALLOWED",
            [format!(
                "No VM of the appliance is in a power state that allows {operation}"
            )],
        ))
    }
}

/// VMs that belong together in the order, with the longest wait that any of them asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The VMs.
    pub vms: Vec<Ref>,
    /// Seconds to wait after them.
    pub delay: u64,
}

/// The VMs of an appliance by ascending `order`, with `start_delay` after each group.
pub fn start_groups(db: &Database, row: &Row) -> Vec<Group> {
    groups(db, row, vm::START_DELAY)
}

/// The VMs of an appliance by descending `order`, with `shutdown_delay` after each group.
pub fn stop_groups(db: &Database, row: &Row) -> Vec<Group> {
    let mut all = groups(db, row, vm::SHUTDOWN_DELAY);
    all.reverse();
    all
}

fn groups(db: &Database, row: &Row, delay: proto_types::Field) -> Vec<Group> {
    let mut by_order: BTreeMap<i64, Group> = BTreeMap::new();
    for reference in row.get(vm_appliance::VMS).as_refs() {
        let Some(member) = db.of_class(vm::CLASS, reference) else {
            continue;
        };
        let group = by_order
            .entry(member.get(vm::ORDER).as_int())
            .or_insert_with(|| Group {
                vms: Vec::new(),
                delay: 0,
            });
        group.vms.push(reference);
        let wanted = u64::try_from(member.get(delay).as_int()).unwrap_or(0);
        group.delay = group.delay.max(wanted);
    }
    by_order.into_values().collect()
}
