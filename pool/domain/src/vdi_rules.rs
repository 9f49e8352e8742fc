//! Which operation a disk admits now, and the error where it does not.

use proto_types::generated::{pool, sm, sr, vbd, vdi, vm};
use proto_types::{ApiError, Ref, Value};

use crate::database::Database;
use crate::decide::storage;
use crate::row::Row;

/// The operations that clients are told of, with what the SR's driver must be able to do for it.
const ADVERTISED: &[&str] = &[
    "clone",
    "copy",
    "destroy",
    "forget",
    "generate_config",
    "resize",
    "resize_online",
    "snapshot",
    "update",
];

/// Operations that a disk in use admits.
const LIVE: &[&str] = &[
    "snapshot",
    "resize_online",
    "clone",
    "mirror",
    "enable_cbt",
    "disable_cbt",
    "data_destroy",
    "list_changed_blocks",
    "blocked",
    "update",
    "revert_to",
];

/// What a driver calls its ability to do an operation; nothing where every driver can.
fn capability(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "clone" => "VDI_CLONE",
        "destroy" => "VDI_DELETE",
        "resize" => "VDI_RESIZE",
        "resize_online" => "VDI_RESIZE_ONLINE",
        "snapshot" => "VDI_SNAPSHOT",
        "update" => "VDI_UPDATE",
        "introduce" => "VDI_INTRODUCE",
        "create" => "VDI_CREATE",
        "generate_config" => "VDI_GENERATE_CONFIG",
        "mirror" => "VDI_MIRROR",
        "set_on_boot" => "VDI_RESET_ON_BOOT",
        "enable_cbt" | "disable_cbt" | "data_destroy" | "list_changed_blocks" => "VDI_CONFIG_CBT",
        _ => return None,
    })
}

/// Whether an SR's driver can do an operation on disks.
///
/// # Errors
/// `HANDLE_INVALID`; `SR_OPERATION_NOT_SUPPORTED [sr]`.
pub fn supports(db: &Database, storage: Ref, operation: &str) -> Result<(), ApiError> {
    let row = crate::query::find(db, sr::CLASS, storage)?;
    let kind = row.get(sr::TYPE).as_str();
    let driver = db.rows(sm::CLASS).find(|s| s.get(sm::TYPE).as_str() == kind);
    let lacks = match (capability(operation), driver) {
        (Some(name), Some(driver)) => !driver
            .get(sm::FEATURES)
            .as_map()
            .is_some_and(|features| features.contains_key(&Value::str(name))),
        _ => false,
    };
    if lacks {
        return Err(ApiError::new("SR_OPERATION_NOT_SUPPORTED", [storage.to_string()]));
    }
    Ok(())
}

/// The operations to advertise for a disk.
pub fn advertised(db: &Database, row: &Row) -> Value {
    Value::strings(ADVERTISED.iter().filter(|name| {
        // Growing a disk has two names, one for each state.
        check(db, row, name).is_ok() && (**name != "resize_online" || is_attached(db, row))
    }))
}

/// Says whether a disk admits an operation now.
///
/// # Errors
/// The first obstacle: another operation, use by a VM, the driver, the SR's plugs, and what is particular to some.
///
/// Source: XenServer's order of checks (xen-api `ocaml/xapi/xapi_vdi.ml`), as a table of facts.
pub fn check(db: &Database, row: &Row, operation: &str) -> Result<(), ApiError> {
    let me = row.reference.to_string();
    let storage = row.get(vdi::SR).as_ref();
    not_busy(row, operation)?;
    if !LIVE.contains(&operation) {
        let in_use = if operation == "copy" {
            active(db, row).any(|drive| drive.get(vbd::MODE).as_str() == "RW")
        } else {
            is_attached(db, row)
        };
        if in_use {
            return Err(ApiError::new("VDI_IN_USE", [me, operation.to_owned()]));
        }
    }
    supports(db, storage, operation)?;
    if operation != "forget" && storage::plugged_hosts(db, storage).is_empty() {
        return Err(ApiError::new("SR_HAS_NO_PBDS", [storage.to_string()]));
    }
    let purpose = row.get(vdi::TYPE).as_str();
    check_tracking(db, row, operation)?;
    match operation {
        "destroy" if purpose == "rrd" => return Err(ApiError::new("VDI_HAS_RRDS", [me])),
        "destroy" | "forget" if matches!(purpose, "ha_statefile" | "redo_log") => {
            let enabled = db
                .only(pool::CLASS)
                .is_some_and(|p| p.get(pool::HA_ENABLED).as_bool());
            if enabled {
                return Err(ApiError::bare("HA_IS_ENABLED"));
            }
        }
        "destroy" => {
            let tools = db
                .of_class(sr::CLASS, storage)
                .is_some_and(|s| s.get(sr::IS_TOOLS_SR).as_bool());
            if tools {
                return Err(ApiError::new(
                    "OPERATION_NOT_ALLOWED",
                    ["VDI operations are not allowed on the tools SR"],
                ));
            }
        }
        "snapshot" if row.get(vdi::SHARABLE).as_bool() => {
            return Err(ApiError::new("VDI_IS_SHARABLE", [me]));
        }
        "snapshot" | "mirror" if row.get(vdi::ON_BOOT).as_str() == "reset" => {
            return Err(ApiError::new(
                "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION",
                [me],
            ));
        }
        _ => {}
    }
    Ok(())
}

/// Says whether an operation agrees with the tracking of a disk's changes.
fn check_tracking(db: &Database, row: &Row, operation: &str) -> Result<(), ApiError> {
    let me = row.reference.to_string();
    let purpose = row.get(vdi::TYPE).as_str();
    let without_data = purpose == crate::decide::vdi::WITHOUT_DATA;
    let incompatible = || ApiError::new("VDI_INCOMPATIBLE_TYPE", [me.as_str(), purpose]);
    match operation {
        "snapshot" | "clone" | "resize" | "resize_online" | "copy" | "set_on_boot" if without_data => {
            Err(incompatible())
        }
        "mirror" | "set_on_boot" if row.get(vdi::CBT_ENABLED).as_bool() => {
            Err(ApiError::new("VDI_CBT_ENABLED", [me]))
        }
        "enable_cbt" | "disable_cbt" => {
            if row.get(vdi::IS_A_SNAPSHOT).as_bool() {
                Err(ApiError::new(
                    "OPERATION_NOT_ALLOWED",
                    [format!("VDI is a snapshot: {me}")],
                ))
            } else if !matches!(purpose, "user" | "system") {
                Err(incompatible())
            } else if row.get(vdi::ON_BOOT).as_str() == "reset" {
                Err(ApiError::new(
                    "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION",
                    [me],
                ))
            } else {
                Ok(())
            }
        }
        "data_destroy" => {
            if !row.get(vdi::IS_A_SNAPSHOT).as_bool() {
                Err(ApiError::new(
                    "OPERATION_NOT_ALLOWED",
                    [format!("VDI is not a snapshot: {me}")],
                ))
            } else if !row.get(vdi::CBT_ENABLED).as_bool() {
                Err(ApiError::new("VDI_NO_CBT_METADATA", [me]))
            } else {
                Ok(())
            }
        }
        "list_changed_blocks" if is_attached_to_live(db, row) => {
            Err(ApiError::new("VDI_IN_USE", [me.as_str(), operation]))
        }
        _ => Ok(()),
    }
}

/// Whether a VM that is no snapshot holds a disk.
fn is_attached_to_live(db: &Database, row: &Row) -> bool {
    active(db, row).any(|drive| {
        db.of_class(vm::CLASS, drive.get(vbd::VM).as_ref())
            .is_none_or(|owner| !owner.get(vm::IS_A_SNAPSHOT).as_bool())
    })
}

/// Several may copy a disk at once, and it may be destroyed while it is mirrored.
fn not_busy(row: &Row, operation: &str) -> Result<(), ApiError> {
    let clash = row.get(vdi::CURRENT_OPERATIONS).as_map().and_then(|m| {
        m.iter().find(|(_, current)| match current.as_str() {
            "copy" => operation != "copy",
            "mirror" => operation != "destroy",
            _ => true,
        })
    });
    match clash {
        Some((holder, current)) => Err(ApiError::new(
            "OTHER_OPERATION_IN_PROGRESS",
            [
                "VDI",
                &row.reference.to_string(),
                current.as_str(),
                holder.as_str(),
            ],
        )),
        None => Ok(()),
    }
}

/// The drives of VMs that hold a disk, or are about to.
pub fn active<'a>(db: &'a Database, row: &Row) -> impl Iterator<Item = &'a std::sync::Arc<Row>> {
    row.get(vdi::VBDS).as_refs().into_iter().filter_map(|r| {
        db.of_class(vbd::CLASS, r)
            .filter(|v| v.get(vbd::CURRENTLY_ATTACHED).as_bool() || v.get(vbd::RESERVED).as_bool())
    })
}

/// Says whether a live VM or the control domain holds a disk.
pub fn is_attached(db: &Database, row: &Row) -> bool {
    active(db, row).next().is_some()
}

/// The drive by which a live VM holds a disk, with its VM; the writing one first.
pub fn live_drive(db: &Database, row: &Row) -> Option<(Ref, Ref)> {
    let mut drives: Vec<_> = active(db, row)
        .filter(|drive| drive.get(vbd::CURRENTLY_ATTACHED).as_bool())
        .filter(|drive| {
            db.of_class(vm::CLASS, drive.get(vbd::VM).as_ref())
                .is_some_and(|v| !v.get(vm::RESIDENT_ON).as_ref().is_null())
        })
        .collect();
    drives.sort_by_key(|drive| drive.get(vbd::MODE).as_str() != "RW");
    drives
        .first()
        .map(|drive| (drive.reference, drive.get(vbd::VM).as_ref()))
}
