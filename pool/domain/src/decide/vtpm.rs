//! Trusted platform modules of VMs. What one holds is kept in the pool as a secret, so that a VM finds it wherever it
//! starts; while the VM runs its host has the newest, which comes back when it has ended.

use std::sync::Arc;

use proto_types::generated::{host, secret, vm, vtpm};
use proto_types::{ApiError, Ref};

use crate::database::Database;
use crate::decide::setting;
use crate::decide::vm::admitted;
use crate::draft::Draft;
use crate::row::Row;

/// Most modules of one VM.
const MOST: usize = 1;

/// Where it is noted which host has the newest of what a VM's module holds.
fn key(vm_uuid: &str) -> String {
    format!("vtpm-is-at/{vm_uuid}")
}

/// The module of a VM, if it has one.
pub fn of(db: &Database, vm_ref: Ref) -> Option<&Arc<Row>> {
    let module = db
        .of_class(vm::CLASS, vm_ref)?
        .get(vm::VTPMS)
        .as_refs()
        .into_iter()
        .next()?;
    db.of_class(vtpm::CLASS, module)
}

/// What a module holds, as far as the pool knows; empty means a new one.
pub fn contents<'a>(db: &'a Database, module: &Row) -> &'a str {
    db.of_class(secret::CLASS, module.get(vtpm::CONTENTS).as_ref())
        .map_or("", |row| row.get(secret::VALUE).as_str())
}

/// Gives a VM a new module: `VTPM.create`.
///
/// # Errors
/// `VM_BAD_POWER_STATE` unless it is halted; `VTPM_MAX_AMOUNT_REACHED [1]` if it has one.
pub fn create(draft: &mut Draft<'_>, vm_ref: Ref, is_unique: bool) -> Result<Ref, ApiError> {
    let row = admitted(draft, vm_ref, "create_vtpm")?;
    if row.get(vm::VTPMS).as_refs().len() >= MOST {
        return Err(ApiError::new("VTPM_MAX_AMOUNT_REACHED", [MOST.to_string()]));
    }
    let contents = draft.insert(secret::CLASS, vec![(secret::VALUE, "".into())]);
    setting::put(draft, &key(row.uuid()), None);
    Ok(draft.insert(
        vtpm::CLASS,
        vec![
            (vtpm::VM, vm_ref.into()),
            (vtpm::IS_UNIQUE, is_unique.into()),
            (vtpm::CONTENTS, contents.into()),
        ],
    ))
}

fn owner_halted(draft: &mut Draft<'_>, module: &Row) -> Result<String, ApiError> {
    let owner = module.get(vtpm::VM).as_ref();
    let row = draft.read(vm::CLASS, owner)?;
    super::vm_settings::check_halted(&row)?;
    Ok(row.uuid().to_owned())
}

/// Takes a module away with all it holds: `VTPM.destroy`.
///
/// # Errors
/// `HANDLE_INVALID`; `VM_BAD_POWER_STATE` unless its VM is halted.
pub fn destroy(draft: &mut Draft<'_>, module: Ref) -> Result<(), ApiError> {
    let row = draft.read(vtpm::CLASS, module)?;
    let uuid = owner_halted(draft, &row)?;
    setting::put(draft, &key(&uuid), None);
    draft.delete(row.get(vtpm::CONTENTS).as_ref());
    draft.delete(module);
    Ok(())
}

/// Replaces what a module holds: `VTPM.set_contents`. The text is base64, checked by the caller.
///
/// # Errors
/// `HANDLE_INVALID`; `VM_BAD_POWER_STATE` unless its VM is halted.
pub fn set_contents(draft: &mut Draft<'_>, module: Ref, text: &str) -> Result<(), ApiError> {
    let row = draft.read(vtpm::CLASS, module)?;
    let uuid = owner_halted(draft, &row)?;
    setting::put(draft, &key(&uuid), None);
    write(draft, &row, text);
    Ok(())
}

fn write(draft: &mut Draft<'_>, module: &Row, text: &str) {
    let kept = module.get(vtpm::CONTENTS).as_ref();
    if draft.db().of_class(secret::CLASS, kept).is_some() {
        draft.set(kept, secret::VALUE, text);
    } else {
        let kept = draft.insert(secret::CLASS, vec![(secret::VALUE, text.into())]);
        draft.set(module.reference, vtpm::CONTENTS, kept);
    }
}

/// Notes that a VM has ended: the host on which it was has the newest of what its module holds.
pub fn ended(draft: &mut Draft<'_>, row: &Row) {
    let at = row.get(vm::RESIDENT_ON).as_ref();
    if at.is_null() || row.get(vm::VTPMS).as_refs().is_empty() {
        return;
    }
    let Some(at) = draft.db().of_class(host::CLASS, at).map(|h| h.uuid().to_owned()) else {
        return;
    };
    setting::put(draft, &key(row.uuid()), Some(&at));
}

/// The host that has the newest of what the module of a halted VM holds, by its uuid; `None` if the pool has it.
pub fn is_at<'a>(db: &'a Database, vm_row: &Row) -> Option<&'a str> {
    setting::get(db, &key(vm_row.uuid()))
}

/// Halted VMs whose module's newest contents are still on a host: the VM and the host's uuid.
pub fn to_fetch(db: &Database) -> Vec<(Ref, String)> {
    let of = |module: &Row| {
        let row = db.of_class(vm::CLASS, module.get(vtpm::VM).as_ref())?;
        let halted = row.get(vm::POWER_STATE).as_str() == crate::vm_rules::HALTED;
        let at = is_at(db, row).filter(|_| halted)?;
        Some((row.reference, at.to_owned()))
    };
    db.rows(vtpm::CLASS).filter_map(|row| of(row)).collect()
}

/// Takes in what a host had: `None` if it has nothing. Ignored if the VM has been elsewhere since.
pub fn fetched(draft: &mut Draft<'_>, vm_ref: Ref, at: &str, text: Option<&str>) {
    let Some(row) = draft.db().of_class(vm::CLASS, vm_ref).cloned() else {
        return;
    };
    if is_at(draft.db(), &row) != Some(at) {
        return;
    }
    draft.note(vm_ref);
    setting::put(draft, &key(row.uuid()), None);
    let module = of(draft.db(), vm_ref).cloned();
    if let (Some(module), Some(text)) = (module, text) {
        write(draft, &module, text);
    }
}

/// The VM goes.
pub fn forget(draft: &mut Draft<'_>, vm_uuid: &str) {
    setting::put(draft, &key(vm_uuid), None);
}
