//! Secure Boot's two modes: in the user mode keys are enrolled and enforced, in the setup mode whoever boots may enrol
//! some. A change of mode begins with new firmware variables at the next start.

use proto_types::generated::vm;
use proto_types::{ApiError, Ref};

use crate::database::Database;
use crate::decide::{setting, vm_settings};
use crate::draft::Draft;
use crate::row::Row;

/// The names of the modes in the API.
const SETUP: &str = "setup";

fn mode_key(uuid: &str) -> String {
    format!("uefi-mode/{uuid}")
}

fn anew_key(uuid: &str) -> String {
    format!("uefi-anew/{uuid}")
}

/// Whether a VM is in the setup mode; the user mode is usual.
pub fn is_setup(db: &Database, row: &Row) -> bool {
    setting::get(db, &mode_key(row.uuid())) == Some(SETUP)
}

/// Whether a VM's next start begins with new variables.
pub fn begins_anew(db: &Database, row: &Row) -> bool {
    setting::get(db, &anew_key(row.uuid())).is_some()
}

/// `VM.set_uefi_mode`.
///
/// # Errors
/// `VM_BAD_POWER_STATE` unless halted; `OPERATION_NOT_ALLOWED` for a VM that does not boot by UEFI.
pub fn set(draft: &mut Draft<'_>, reference: Ref, mode: &str) -> Result<(), ApiError> {
    let row = draft.read(vm::CLASS, reference)?;
    if row.get(vm::HVM_BOOT_PARAMS).get("firmware") != Some("uefi") {
        return Err(ApiError::new(
            "OPERATION_NOT_ALLOWED",
            ["The VM does not boot by UEFI"],
        ));
    }
    vm_settings::check_halted(&row)?;
    let uuid = row.uuid().to_owned();
    setting::put(draft, &mode_key(&uuid), (mode == SETUP).then_some(SETUP));
    setting::put(draft, &anew_key(&uuid), Some("true"));
    Ok(())
}

/// The VM has begun with its new variables.
pub fn begun(draft: &mut Draft<'_>, reference: Ref) {
    let Some(uuid) = draft.db().get(reference).map(|row| row.uuid().to_owned()) else {
        return;
    };
    setting::put(draft, &anew_key(&uuid), None);
}

/// The VM goes.
pub fn forget(draft: &mut Draft<'_>, uuid: &str) {
    setting::put(draft, &mode_key(uuid), None);
    setting::put(draft, &anew_key(uuid), None);
}
