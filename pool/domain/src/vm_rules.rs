//! Which operation a VM admits in which state, and the error where it does not.

use proto_types::generated::{vbd, vdi, vm, vm_appliance, vm_metrics};
use proto_types::{ApiError, Ref, Value};

use crate::database::Database;
use crate::decide::usb;
use crate::row::Row;

/// Power states by the names of the wire.
pub const HALTED: &str = "Halted";
/// Frozen in memory.
pub const PAUSED: &str = "Paused";
/// Runs.
pub const RUNNING: &str = "Running";
/// Its memory is on disk.
pub const SUSPENDED: &str = "Suspended";

/// Says whether a VM has a graphical console. The key counts whatever its value: whoever sets it wants the text console
/// alone. XenServer looks at it for paravirtual guests only, which are no different from others here.
pub fn has_screen(row: &Row) -> bool {
    row.get(vm::OTHER_CONFIG).get("disable_pv_vnc").is_none()
}

/// Every operation with the power states it needs; an empty list means any.
const OPERATIONS: &[(&str, &[&str])] = &[
    ("assert_operation_valid", &[]),
    ("awaiting_memory_live", &[]),
    ("call_plugin", &[RUNNING]),
    ("changing_NVRAM", &[HALTED]),
    ("changing_VCPUs", &[HALTED]),
    ("changing_VCPUs_live", &[RUNNING]),
    ("changing_dynamic_range", &[HALTED, RUNNING]),
    ("changing_memory_limits", &[HALTED]),
    ("changing_memory_live", &[RUNNING]),
    ("changing_shadow_memory", &[HALTED]),
    ("changing_shadow_memory_live", &[RUNNING]),
    ("changing_static_range", &[HALTED]),
    ("checkpoint", &[RUNNING, PAUSED, SUSPENDED]),
    ("clean_reboot", &[RUNNING]),
    ("clean_shutdown", &[RUNNING]),
    ("clone", &[HALTED]),
    ("copy", &[HALTED]),
    ("create_vtpm", &[HALTED]),
    ("data_source_op", &[RUNNING]),
    ("destroy", &[HALTED, SUSPENDED]),
    ("export", &[HALTED, SUSPENDED]),
    ("get_boot_record", &[]),
    ("hard_reboot", &[RUNNING, PAUSED]),
    ("hard_shutdown", &[RUNNING, PAUSED, SUSPENDED]),
    ("make_into_template", &[HALTED]),
    ("metadata_export", &[]),
    ("migrate_send", &[RUNNING, SUSPENDED, HALTED]),
    ("pause", &[RUNNING]),
    ("pool_migrate", &[RUNNING]),
    ("power_state_reset", &[]),
    ("provision", &[HALTED]),
    ("query_services", &[]),
    ("resume", &[SUSPENDED]),
    ("resume_on", &[SUSPENDED]),
    ("revert", &[]),
    ("send_sysrq", &[RUNNING]),
    ("send_trigger", &[RUNNING]),
    ("shutdown", &[RUNNING, PAUSED, SUSPENDED]),
    ("snapshot", &[]),
    ("snapshot_with_quiesce", &[RUNNING]),
    ("start", &[HALTED]),
    ("start_on", &[HALTED]),
    ("suspend", &[RUNNING]),
    ("unpause", &[PAUSED]),
    ("update_allowed_operations", &[]),
];

/// Never advertised, though some are valid.
const NOT_ADVERTISED: &[&str] = &[
    "assert_operation_valid",
    "awaiting_memory_live",
    "call_plugin",
    "changing_VCPUs",
    "changing_memory_limits",
    "changing_memory_live",
    "changing_shadow_memory_live",
    "data_source_op",
    "get_boot_record",
    "power_state_reset",
    "query_services",
    "send_sysrq",
    "send_trigger",
    "shutdown",
    "update_allowed_operations",
];

const ON_TEMPLATES: &[&str] = &["clone", "copy", "export", "metadata_export", "provision"];
const ON_SNAPSHOTS: &[&str] = &[
    "revert",
    "clone",
    "copy",
    "export",
    "destroy",
    "hard_shutdown",
    "metadata_export",
];
const READ_TOGETHER: &[&str] = &["clone", "copy", "export"];

/// The operations to advertise for a VM, in the order of the data model's table.
pub fn advertised(db: &Database, row: &Row) -> Value {
    let names = OPERATIONS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !NOT_ADVERTISED.contains(name));
    Value::strings(names.filter(|name| check(db, row, name).is_ok()))
}

/// Says whether a VM admits an operation now.
///
/// # Errors
/// The first obstacle in the documented order: blocked, power state, another operation, template, snapshot,
/// control domain, and so on.
///
/// Source: XenServer's order of checks (xen-api `ocaml/xapi/xapi_vm_lifecycle.ml`), as a table of facts.
pub fn check(db: &Database, row: &Row, operation: &str) -> Result<(), ApiError> {
    let me = || row.reference.to_string();
    if let Some(reason) = row.get(vm::BLOCKED_OPERATIONS).get(operation) {
        return Err(ApiError::new("OPERATION_BLOCKED", [me(), reason.to_owned()]));
    }
    let state = row.get(vm::POWER_STATE).as_str();
    let control_domain = row.get(vm::IS_CONTROL_DOMAIN).as_bool();
    let needed = OPERATIONS
        .iter()
        .find(|(name, _)| *name == operation)
        .map_or(&[][..], |(_, needed)| needed);
    let suspended_snapshot =
        state == SUSPENDED && row.get(vm::IS_A_SNAPSHOT).as_bool() && matches!(operation, "clone" | "copy");
    if !needed.is_empty()
        && !needed.contains(&state)
        && !suspended_snapshot
        && !(control_domain && operation.starts_with("changing_"))
    {
        return Err(bad_power_state(row.reference, needed, state));
    }
    other_operation(row, operation)?;
    let template = row.get(vm::IS_A_TEMPLATE).as_bool();
    let snapshot = row.get(vm::IS_A_SNAPSHOT).as_bool();
    if template && !snapshot {
        let default = row.get(vm::IS_DEFAULT_TEMPLATE).as_bool();
        let allowed = operation.starts_with("changing_")
            || ON_TEMPLATES.contains(&operation)
            || (!default && matches!(operation, "destroy" | "migrate_send"));
        if !allowed {
            return Err(ApiError::new("VM_IS_TEMPLATE", [me(), operation.to_owned()]));
        }
    }
    if snapshot && !ON_SNAPSHOTS.contains(&operation) {
        return Err(ApiError::new("VM_IS_SNAPSHOT", [me(), operation.to_owned()]));
    }
    if operation == "provision" && !template {
        return Err(ApiError::bare("PROVISION_ONLY_ALLOWED_ON_TEMPLATE"));
    }
    if operation == "revert" && !snapshot {
        return Err(ApiError::bare("REVERT_ONLY_ALLOWED_ON_SNAPSHOT"));
    }
    if matches!(operation, "pool_migrate" | "suspend" | "checkpoint") {
        let metrics = db.of_class(vm_metrics::CLASS, row.get(vm::METRICS).as_ref());
        if metrics.is_some_and(|m| m.get(vm_metrics::NOMIGRATE).as_bool()) {
            return Err(ApiError::new("VM_IS_IMMOBILE", [me()]));
        }
    }
    if matches!(
        operation,
        "snapshot" | "checkpoint" | "suspend" | "pool_migrate" | "migrate_send"
    ) && let Some(image) = resets_at_start(db, row)
    {
        return Err(ApiError::new(
            "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION",
            [image.to_string()],
        ));
    }
    if matches!(
        operation,
        "suspend" | "checkpoint" | "pool_migrate" | "migrate_send"
    ) && usb::has_device(db, row)
    {
        return Err(ApiError::new("VM_HAS_VUSBS", [me()]));
    }
    if control_domain && !operation.starts_with("changing_") && operation != "metadata_export" {
        return Err(ApiError::new(
            "OPERATION_NOT_ALLOWED",
            ["This operation is not allowed on a control domain"],
        ));
    }
    if operation == "make_into_template"
        && let Some(appliance) = row.get(vm::APPLIANCE).as_ref().some()
        && db.of_class(vm_appliance::CLASS, appliance).is_some()
    {
        return Err(ApiError::new(
            "VM_IS_PART_OF_AN_APPLIANCE",
            [me(), appliance.to_string()],
        ));
    }
    Ok(())
}

/// A disk of a VM to which nothing written is kept.
fn resets_at_start(db: &Database, row: &Row) -> Option<Ref> {
    row.get(vm::VBDS)
        .as_refs()
        .into_iter()
        .filter_map(|r| db.of_class(vbd::CLASS, r))
        .filter_map(|v| db.of_class(vdi::CLASS, v.get(vbd::VDI).as_ref()))
        .find(|image| image.get(vdi::ON_BOOT).as_str() == "reset")
        .map(|image| image.reference)
}

/// `VM_BAD_POWER_STATE [vm, expected, actual]`, states in lower case.
pub fn bad_power_state(reference: Ref, needed: &[&str], actual: &str) -> ApiError {
    let expected = needed
        .iter()
        .map(|s| s.to_lowercase())
        .collect::<Vec<_>>()
        .join(", ");
    ApiError::new(
        "VM_BAD_POWER_STATE",
        [reference.to_string(), expected, actual.to_lowercase()],
    )
}

/// Whether an operation is at work on a VM.
pub fn is_busy(row: &Row) -> bool {
    row.get(vm::CURRENT_OPERATIONS)
        .as_map()
        .is_some_and(|m| !m.is_empty())
}

/// Says whether nobody is at work on a VM.
///
/// # Errors
/// `OTHER_OPERATION_IN_PROGRESS [VM, vm, operation, task]`.
pub fn check_idle(row: &Row) -> Result<(), ApiError> {
    other_operation(row, "")
}

fn other_operation(row: &Row, operation: &str) -> Result<(), ApiError> {
    let Some(current) = row.get(vm::CURRENT_OPERATIONS).as_map().filter(|m| !m.is_empty()) else {
        return Ok(());
    };
    let compatible = |running: &str| match operation {
        "get_boot_record" | "assert_operation_valid" | "update_allowed_operations" => true,
        "clone" | "copy" | "export" => READ_TOGETHER.contains(&running),
        "snapshot" => running == "checkpoint",
        "checkpoint" => running == "snapshot",
        "hard_shutdown" => running != "hard_shutdown",
        "hard_reboot" => !matches!(running, "hard_reboot" | "hard_shutdown"),
        "clean_shutdown" | "clean_reboot" | "metadata_export" => running == "migrate_send",
        _ => false,
    };
    if current.values().all(|running| compatible(running.as_str())) {
        return Ok(());
    }
    let join = |items: Vec<&str>| match items.as_slice() {
        [one] => (*one).to_owned(),
        many => format!("{{{}}}", many.join(",")),
    };
    Err(ApiError::new(
        "OTHER_OPERATION_IN_PROGRESS",
        [
            "VM".to_owned(),
            row.reference.to_string(),
            join(current.values().map(Value::as_str).collect()),
            join(current.keys().map(Value::as_str).collect()),
        ],
    ))
}
