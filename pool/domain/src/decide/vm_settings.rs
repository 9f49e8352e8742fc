//! Settings of VMs that are more than a write of one field.

use proto_types::generated::{host, vm};
use proto_types::{ApiError, Field, Ref, Value};

use crate::decide::vm::admitted;
use crate::decide::vm_power;
use crate::draft::Draft;
use crate::{placement, vm_rules};

/// The strings that firmware can show a guest.
pub const BIOS_STRINGS: &[&str] = &[
    "bios-vendor",
    "bios-version",
    "system-manufacturer",
    "system-product-name",
    "system-version",
    "system-serial-number",
    "baseboard-manufacturer",
    "baseboard-product-name",
    "baseboard-version",
    "baseboard-serial-number",
    "baseboard-asset-tag",
    "baseboard-location-in-chassis",
    "enclosure-asset-tag",
];
/// Longest of them, in bytes.
const LONGEST_STRING: usize = 512;

/// `VM.set_bios_strings`: once, before the first start.
///
/// # Errors
/// `VM_BIOS_STRINGS_ALREADY_SET []`; `INVALID_VALUE [key, text]` for a key that is not known, or a value that is too
/// long or not printable.
pub fn set_bios_strings(draft: &mut Draft<'_>, reference: Ref, strings: &Value) -> Result<(), ApiError> {
    bios_strings_unset(draft, reference)?;
    for (key, value) in strings.as_map().into_iter().flatten() {
        let (key, value) = (key.as_str(), value.as_str());
        let bad = |why: &str| ApiError::new("INVALID_VALUE", [key, why]);
        if !BIOS_STRINGS.contains(&key) {
            return Err(bad("Unknown key"));
        }
        if value.len() > LONGEST_STRING {
            return Err(bad("The value is longer than 512 characters"));
        }
        if !value.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(bad("The value has characters that are not printable ASCII"));
        }
    }
    draft.set(reference, vm::BIOS_STRINGS, strings.clone());
    Ok(())
}

/// `VM.copy_bios_strings`: those of a host, once.
///
/// # Errors
/// `HANDLE_INVALID`; `VM_BIOS_STRINGS_ALREADY_SET []`.
pub fn copy_bios_strings(draft: &mut Draft<'_>, reference: Ref, from: Ref) -> Result<(), ApiError> {
    bios_strings_unset(draft, reference)?;
    let strings: Vec<(String, String)> = draft
        .read(host::CLASS, from)?
        .get(host::BIOS_STRINGS)
        .as_map()
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.as_str().to_owned(), v.as_str().to_owned()))
        .filter(|(k, _)| BIOS_STRINGS.contains(&k.as_str()))
        .collect();
    draft.set(reference, vm::BIOS_STRINGS, Value::string_map(strings));
    Ok(())
}

fn bios_strings_unset(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = draft.read(vm::CLASS, reference)?;
    let set = row.get(vm::BIOS_STRINGS).as_map().is_some_and(|m| !m.is_empty());
    if set {
        Err(ApiError::bare("VM_BIOS_STRINGS_ALREADY_SET"))
    } else {
        Ok(())
    }
}

/// Writes a field that only a halted VM may have changed.
///
/// # Errors
/// `VM_BAD_POWER_STATE [vm, halted, actual]`.
pub fn set_halted(
    draft: &mut Draft<'_>,
    reference: Ref,
    field: Field,
    value: impl Into<Value>,
) -> Result<(), ApiError> {
    halted(draft, reference)?;
    draft.set(reference, field, value);
    Ok(())
}

fn halted(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = draft.read(vm::CLASS, reference)?;
    check_halted(&row)
}

/// Whether a VM is halted.
///
/// # Errors
/// `VM_BAD_POWER_STATE [vm, halted, state]`.
pub fn check_halted(row: &crate::Row) -> Result<(), ApiError> {
    let state = row.get(vm::POWER_STATE).as_str();
    if state == vm_rules::HALTED {
        Ok(())
    } else {
        Err(vm_rules::bad_power_state(
            row.reference,
            &[vm_rules::HALTED],
            state,
        ))
    }
}

/// Changes a VM's firmware variables as a map.
///
/// # Errors
/// `VM_BAD_POWER_STATE` unless halted, and so on.
pub fn change_nvram(
    draft: &mut Draft<'_>,
    reference: Ref,
    change: impl FnOnce(&mut Draft<'_>) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    admitted(draft, reference, "changing_NVRAM")?;
    change(draft)
}

/// `VM.set_shadow_multiplier_live`: kept as it is given; processors with nested paging have no shadow memory.
///
/// # Errors
/// `VM_BAD_POWER_STATE` unless it runs; `INVALID_VALUE [multiplier, value]` below 1.
pub fn set_shadow_live(draft: &mut Draft<'_>, reference: Ref, multiplier: f64) -> Result<(), ApiError> {
    admitted(draft, reference, "changing_shadow_memory_live")?;
    if multiplier.is_nan() || multiplier < 1.0 {
        return Err(ApiError::new(
            "INVALID_VALUE",
            ["multiplier".to_owned(), multiplier.to_string()],
        ));
    }
    draft.set(reference, vm::HVM_SHADOW_MULTIPLIER, multiplier);
    Ok(())
}

/// How far a guest is from starting under Secure Boot, by the names of `vm_secureboot_readiness`.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn secureboot_readiness(db: &crate::Database, reference: Ref) -> Result<&'static str, ApiError> {
    let row = crate::query::find(db, vm::CLASS, reference)?;
    Ok(if row.get(vm::HVM_BOOT_PARAMS).get("firmware") != Some("uefi") {
        "not_supported"
    } else if row.get(vm::PLATFORM).get("secureboot") != Some("true") {
        "disabled"
    } else if super::uefi_mode::is_setup(db, row) {
        "setup_mode"
    } else if row.get(vm::LAST_BOOTED_RECORD).as_str().is_empty() {
        // The host enrols the usual keys when it makes the VM's variables, at the first start.
        "first_boot"
    } else {
        "ready"
    })
}

/// Begins `VM.power_state_reset`. Says which host must be asked first whether the guest is there: a host that answers
/// knows better than the operator.
///
/// # Errors
/// `HANDLE_INVALID`; `CANNOT_RESET_CONTROL_DOMAIN [vm]`.
pub fn begin_reset(draft: &mut Draft<'_>, reference: Ref) -> Result<Option<Ref>, ApiError> {
    let row = draft.read(vm::CLASS, reference)?;
    if row.get(vm::IS_CONTROL_DOMAIN).as_bool() {
        return Err(ApiError::new(
            "CANNOT_RESET_CONTROL_DOMAIN",
            [reference.to_string()],
        ));
    }
    // One that is on its way up, or may be, is as good as there.
    let on = [vm::RESIDENT_ON, vm::SCHEDULED_TO_BE_RESIDENT_ON]
        .into_iter()
        .find_map(|field| row.get(field).as_ref().some())
        .unwrap_or(Ref::NULL);
    let answers = draft
        .db()
        .of_class(host::CLASS, on)
        .is_some_and(|h| placement::is_live(draft.db(), h));
    Ok(answers.then_some(on))
}

/// The VM counts as halted, whatever was believed. Its suspend image stays in its repository, for it may be all that
/// is left of the guest.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn reset(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    draft.read(vm::CLASS, reference)?;
    draft.set(reference, vm::SUSPEND_VDI, Ref::NULL);
    vm_power::given_up(draft, reference);
    Ok(())
}
