//! A disk goes to another repository: its row is replaced, and whatever named it names the new one.

use proto_types::generated::{sr, vbd, vdi, vm};
use proto_types::{ApiError, Field, Ref, Value};

use crate::database::Database;
use crate::decide::vdi::{self as disks, NewVdi};
use crate::decide::{operation, vm as vms};
use crate::draft::Draft;
use crate::{placement, query, vdi_rules};

/// Who has the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The VM.
    pub vm: Ref,
    /// The drive by which it has the disk.
    pub drive: Ref,
    /// Where it runs; null if it does not.
    pub on: Ref,
}

/// Begins: checks disk, VM and repository, and marks the first two.
///
/// # Errors
/// `HANDLE_INVALID`; `VDI_NEEDS_VM_FOR_MIGRATE [vdi]` for a disk that no VM has; `VDI_CBT_ENABLED [vdi]`; the first obstacle
/// of the disk and of the VM; `VDI_IN_USE [vdi, operation]` if another live VM has it too; `VM_REQUIRES_SR [vm, sr]` if
/// the VM's host does not see the repository.
pub fn begin(draft: &mut Draft<'_>, image: Ref, to: Ref, task: Ref) -> Result<Owner, ApiError> {
    let row = draft.read(vdi::CLASS, image)?;
    disks::check_can_create(draft.db(), to)?;
    let db = draft.db();
    let mut owners: Vec<Owner> = row
        .get(vdi::VBDS)
        .as_refs()
        .into_iter()
        .filter_map(|drive| db.of_class(vbd::CLASS, drive))
        .filter_map(|drive| {
            let owner = db.of_class(vm::CLASS, drive.get(vbd::VM).as_ref())?;
            let counts =
                !owner.get(vm::IS_CONTROL_DOMAIN).as_bool() && !owner.get(vm::IS_A_SNAPSHOT).as_bool();
            counts.then(|| Owner {
                vm: owner.reference,
                drive: drive.reference,
                on: owner.get(vm::RESIDENT_ON).as_ref(),
            })
        })
        .collect();
    // A live one has it open.
    owners.sort_by_key(|owner| owner.on.is_null());
    let Some(owner) = owners.first().copied() else {
        return Err(ApiError::new("VDI_NEEDS_VM_FOR_MIGRATE", [image.to_string()]));
    };
    if owners.iter().filter(|o| !o.on.is_null()).count() > 1 {
        return Err(ApiError::new(
            "VDI_IN_USE",
            [image.to_string(), "mirror".to_owned()],
        ));
    }
    if row.get(vdi::CBT_ENABLED).as_bool() {
        return Err(ApiError::new("VDI_CBT_ENABLED", [image.to_string()]));
    }
    if row.get(vdi::ON_BOOT).as_str() == "reset" {
        let code = "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION";
        return Err(ApiError::new(code, [image.to_string()]));
    }
    if !owner.on.is_null() && !placement::has_plugged(db, to, owner.on) {
        return Err(ApiError::new(
            "VM_REQUIRES_SR",
            [owner.vm.to_string(), to.to_string()],
        ));
    }
    if !owner.on.is_null() {
        supports(db, row.get(vdi::SR).as_ref())?;
    }
    vms::admitted(draft, owner.vm, "migrate_send")?;
    // A running guest's disk is mirrored, another one is copied.
    disks::begin(
        draft,
        image,
        task,
        if owner.on.is_null() { "copy" } else { "mirror" },
    )?;
    operation::begin(draft, owner.vm, vm::CURRENT_OPERATIONS, task, "migrate_send");
    Ok(owner)
}

/// Takes the marks away.
pub fn end(draft: &mut Draft<'_>, image: Ref, owner: Ref, task: Ref) {
    disks::end(draft, image, task);
    operation::end(draft, owner, vm::CURRENT_OPERATIONS, task);
}

/// The bytes are in the new repository: the new row takes the old one's place.
///
/// # Errors
/// `HANDLE_INVALID` if the old row has gone.
pub fn moved(draft: &mut Draft<'_>, old: Ref, new: Ref, mut described: NewVdi) -> Result<(), ApiError> {
    let row = draft.read(vdi::CLASS, old)?;
    let mut fields: Vec<(Field, Value)> = disks::inherited(&row);
    fields.extend(
        [
            vdi::ON_BOOT,
            vdi::ALLOW_CACHING,
            vdi::IS_A_SNAPSHOT,
            vdi::SNAPSHOT_OF,
        ]
        .map(|field| (field, row.get(field).clone())),
    );
    described.fields.extend(fields);
    disks::made(draft, new, described);
    draft.set(new, vdi::SNAPSHOT_TIME, row.get(vdi::SNAPSHOT_TIME).clone());
    for drive in row.get(vdi::VBDS).as_refs() {
        draft.set(drive, vbd::VDI, new);
    }
    let snapshots: Vec<Ref> = draft
        .db()
        .rows(vdi::CLASS)
        .filter(|other| other.get(vdi::SNAPSHOT_OF).as_ref() == old)
        .map(|other| other.reference)
        .collect();
    for snapshot in snapshots {
        draft.set(snapshot, vdi::SNAPSHOT_OF, new);
    }
    draft.delete(old);
    Ok(())
}

/// Says whether a repository's disks can be copied while they are written.
///
/// # Errors
/// `HANDLE_INVALID`; `SR_DOES_NOT_SUPPORT_MIGRATION [sr, missing]`.
fn supports(db: &Database, storage: Ref) -> Result<(), ApiError> {
    query::find(db, sr::CLASS, storage)?;
    vdi_rules::supports(db, storage, "mirror").map_err(|_| {
        let missing = "VDI_MIRROR".to_owned();
        ApiError::new("SR_DOES_NOT_SUPPORT_MIGRATION", [storage.to_string(), missing])
    })
}
