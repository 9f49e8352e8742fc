//! Whether a VM could move, asked without moving it.

use proto_types::generated::{host, sr, vbd, vdi, vm};
use proto_types::{ApiError, Ref, Value};

use crate::database::Database;
use crate::{placement, query, vm_rules};

/// What `VM.assert_can_migrate` is asked.
#[derive(Clone, Copy, Debug)]
pub struct Journey<'a> {
    /// The VM.
    pub vm: Ref,
    /// The host of this pool it would go to.
    pub to: Ref,
    /// Which disk goes to which repository; those not named stay where they are.
    pub disks: &'a Value,
    /// Which interface goes to which network: none within a pool.
    pub nics: &'a Value,
    /// `copy` and so on.
    pub options: &'a Value,
}

/// Says whether a VM could go to another host of the pool, its disks perhaps to other repositories.
///
/// # Errors
/// The first obstacle of the operation `migrate_send`; `OPERATION_NOT_ALLOWED [text]` for networks to change or a copy
/// within the pool; `HANDLE_INVALID`; why the host cannot take it; `VM_REQUIRES_SR [vm, sr]` for a repository that the
/// host does not see.
pub fn check(db: &Database, journey: Journey<'_>) -> Result<(), ApiError> {
    let row = query::find(db, vm::CLASS, journey.vm)?;
    vm_rules::check(db, row, "migrate_send")?;
    let target = query::find(db, host::CLASS, journey.to)?;
    let not_allowed = |text: &str| Err(ApiError::new("OPERATION_NOT_ALLOWED", [text]));
    if journey.nics.as_map().is_some_and(|m| !m.is_empty()) {
        return not_allowed("VIF mapping is not allowed for intra-pool migration");
    }
    if journey.options.get("copy") == Some("true") {
        return not_allowed("Copy mode is disallowed on intra pool storage migration");
    }
    let moves = journey.disks.as_map();
    for (disk, repository) in moves.into_iter().flatten() {
        query::find(db, vdi::CLASS, disk.as_ref())?;
        query::find(db, sr::CLASS, repository.as_ref())?;
    }
    for image in disks_of(db, row) {
        let mapped = moves.and_then(|m| m.get(&Value::Ref(image.reference)));
        let repository = mapped.map_or_else(|| image.get(vdi::SR).as_ref(), Value::as_ref);
        if !placement::has_plugged(db, repository, journey.to) {
            return Err(ApiError::new(
                "VM_REQUIRES_SR",
                [journey.vm.to_string(), repository.to_string()],
            ));
        }
    }
    let at_home = row.get(vm::RESIDENT_ON).as_ref() == journey.to;
    if at_home {
        return Ok(());
    }
    if row.get(vm::POWER_STATE).as_str() == vm_rules::HALTED {
        placement::can_reach_networks(db, row, target)
    } else {
        placement::can_take(db, row, target)
    }
}

fn disks_of<'a>(db: &'a Database, row: &crate::row::Row) -> Vec<&'a std::sync::Arc<crate::row::Row>> {
    row.get(vm::VBDS)
        .as_refs()
        .into_iter()
        .filter_map(|r| db.of_class(vbd::CLASS, r))
        .filter(|v| v.get(vbd::TYPE).as_str() == "Disk")
        .filter_map(|v| db.of_class(vdi::CLASS, v.get(vbd::VDI).as_ref()))
        .collect()
}
