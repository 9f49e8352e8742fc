//! Appliances: VMs that start and stop together.

use proto_types::generated::{vm, vm_appliance};
use proto_types::{ApiError, Ref};

use crate::appliance_rules::{self, Group};
use crate::decide::operation;
use crate::draft::Draft;

/// Begins `start`, `clean_shutdown`, `hard_shutdown` or `shutdown`: marks the appliance, and says which VMs come
/// in which order.
///
/// # Errors
/// `HANDLE_INVALID`; see [`appliance_rules::check`].
pub fn begin(draft: &mut Draft<'_>, reference: Ref, task: Ref, name: &str) -> Result<Vec<Group>, ApiError> {
    let row = draft.read(vm_appliance::CLASS, reference)?;
    appliance_rules::check(draft.db(), &row, name)?;
    operation::begin(draft, reference, vm_appliance::CURRENT_OPERATIONS, task, name);
    Ok(if name == "start" {
        appliance_rules::start_groups(draft.db(), &row)
    } else {
        appliance_rules::stop_groups(draft.db(), &row)
    })
}

/// Takes the mark away.
pub fn end(draft: &mut Draft<'_>, reference: Ref, task: Ref) {
    operation::end(draft, reference, vm_appliance::CURRENT_OPERATIONS, task);
}

/// Removes an appliance; its VMs stay and belong to none.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn destroy(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = draft.read(vm_appliance::CLASS, reference)?;
    for member in row.get(vm_appliance::VMS).as_refs() {
        draft.set(member, vm::APPLIANCE, Ref::NULL);
    }
    draft.delete(reference);
    Ok(())
}
