//! Drives of VMs.

use proto_types::generated::{vbd, vdi, vm};
use proto_types::{ApiError, Ref, Value};

use crate::decide::{generic, operation, vdi as disks};
use crate::draft::Draft;
use crate::vm_rules;

/// Device numbers a VM may use for drives.
pub const MOST_DEVICES: u16 = 255;

/// Makes a drive; it is not plugged by this.
///
/// # Errors
/// `HANDLE_INVALID`; `INVALID_DEVICE [userdevice]`; `DEVICE_ALREADY_EXISTS [userdevice]`;
/// `VBD_CDS_MUST_BE_READONLY`; `VBD_NOT_REMOVABLE_MEDIA ["in constructor"]`; `VDI_READONLY [vdi]`.
pub fn create(draft: &mut Draft<'_>, record: &Value) -> Result<Ref, ApiError> {
    let mut fields = generic::fields_of(vbd::CLASS, record)?;
    let given = |field| {
        fields
            .iter()
            .find(|(f, _)| *f == field)
            .map_or(Value::Void, |(_, v)| v.clone())
    };
    let owner = draft.read(vm::CLASS, given(vbd::VM).as_ref())?;
    let taken: Vec<u16> = owner
        .get(vm::VBDS)
        .as_refs()
        .into_iter()
        .filter_map(|r| draft.db().of_class(vbd::CLASS, r))
        .filter_map(|v| disks::device_number(v.get(vbd::USERDEVICE).as_str()))
        .collect();
    let wanted = given(vbd::USERDEVICE);
    let number = match wanted.as_str() {
        "autodetect" => (0..MOST_DEVICES).find(|n| !taken.contains(n)),
        text => disks::device_number(text),
    }
    .ok_or_else(|| ApiError::new("INVALID_DEVICE", [wanted.as_str()]))?;
    if taken.contains(&number) {
        return Err(ApiError::new("DEVICE_ALREADY_EXISTS", [number.to_string()]));
    }
    let kind = given(vbd::TYPE);
    let writes = given(vbd::MODE).as_str() == "RW";
    if kind.as_str() == "CD" && writes {
        return Err(ApiError::bare("VBD_CDS_MUST_BE_READONLY"));
    }
    let empty = given(vbd::EMPTY).as_bool();
    if kind.as_str() != "CD" && empty {
        return Err(ApiError::new("VBD_NOT_REMOVABLE_MEDIA", ["in constructor"]));
    }
    let image = given(vbd::VDI).as_ref();
    if !empty {
        let row = draft.read(vdi::CLASS, image)?;
        if writes && row.get(vdi::READ_ONLY).as_bool() {
            return Err(ApiError::new("VDI_READONLY", [image.to_string()]));
        }
        let purpose = row.get(vdi::TYPE).as_str();
        if ["ha_statefile", "redo_log", "cbt_metadata"].contains(&purpose) {
            return Err(ApiError::new(
                "VDI_INCOMPATIBLE_TYPE",
                [image.to_string(), purpose.to_owned()],
            ));
        }
    }
    let suspended = owner.get(vm::POWER_STATE).as_str() == vm_rules::SUSPENDED;
    fields.retain(|(f, _)| {
        *f != vbd::USERDEVICE && (suspended || (*f != vbd::DEVICE && *f != vbd::CURRENTLY_ATTACHED))
    });
    fields.push((vbd::USERDEVICE, number.to_string().into()));
    if empty {
        fields.retain(|(f, _)| *f != vbd::VDI);
    }
    Ok(draft.insert(vbd::CLASS, fields))
}

/// Removes a drive that is not attached; its disk stays.
///
/// # Errors
/// `HANDLE_INVALID`; `OPERATION_NOT_ALLOWED` while attached to a live VM.
pub fn destroy(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = draft.read(vbd::CLASS, reference)?;
    // An empty CD drive of a running VM only stays in it until its next start.
    let harmless = row.get(vbd::TYPE).as_str() == "CD" && row.get(vbd::EMPTY).as_bool();
    if row.get(vbd::CURRENTLY_ATTACHED).as_bool() && !harmless {
        return Err(ApiError::new(
            "OPERATION_NOT_ALLOWED",
            ["The VBD is still attached"],
        ));
    }
    remove_row(draft, reference);
    Ok(())
}

/// Removes a drive's row whatever its state.
pub fn remove_row(draft: &mut Draft<'_>, reference: Ref) {
    let Some(row) = draft.db().of_class(vbd::CLASS, reference).cloned() else {
        return;
    };
    draft.delete(row.get(vbd::METRICS).as_ref());
    draft.delete(reference);
}

/// Begins a hot plug.
///
/// # Errors
/// `VM_BAD_POWER_STATE [vm, running, actual]`; `DEVICE_ALREADY_ATTACHED [vbd]`; `VDI_IN_USE`;
/// `OPERATION_NOT_ALLOWED` for a CD drive; another operation on the drive, its disk or its VM.
pub fn begin_plug(draft: &mut Draft<'_>, reference: Ref, task: Ref) -> Result<(), ApiError> {
    let row = draft.read(vbd::CLASS, reference)?;
    let owner = running_owner(draft, &row)?;
    if row.get(vbd::CURRENTLY_ATTACHED).as_bool() {
        return Err(ApiError::new("DEVICE_ALREADY_ATTACHED", [reference.to_string()]));
    }
    not_busy(&row)?;
    if row.get(vbd::TYPE).as_str() == "CD" {
        return Err(ApiError::new(
            "OPERATION_NOT_ALLOWED",
            ["A CD drive of a running VM can only be filled and emptied"],
        ));
    }
    disks::check_sharing(draft.db(), &row)?;
    let image = row.get(vbd::VDI).as_ref();
    let disk = draft.read(vdi::CLASS, image)?;
    if !disk.get(vdi::MANAGED).as_bool() {
        return Err(ApiError::new("VDI_NOT_MANAGED", [reference.to_string()]));
    }
    disks::check_at_rest(draft, &[reference])?;
    let host = owner.get(vm::RESIDENT_ON).as_ref();
    let storage = disk.get(vdi::SR).as_ref();
    if !crate::placement::has_plugged(draft.db(), storage, host) {
        return Err(ApiError::new(
            "VM_REQUIRES_SR",
            [owner.reference.to_string(), storage.to_string()],
        ));
    }
    operation::begin(draft, reference, vbd::CURRENT_OPERATIONS, task, "plug");
    draft.set(reference, vbd::RESERVED, true);
    draft.touch(image);
    Ok(())
}

/// Begins a hot unplug.
///
/// # Errors
/// `VM_BAD_POWER_STATE`; `DEVICE_ALREADY_DETACHED [vbd]`; `VBD_NOT_UNPLUGGABLE [vbd]` unless it is forced;
/// `OPERATION_NOT_ALLOWED` for a CD drive.
pub fn begin_unplug(draft: &mut Draft<'_>, reference: Ref, task: Ref, name: &str) -> Result<(), ApiError> {
    let row = draft.read(vbd::CLASS, reference)?;
    running_owner(draft, &row)?;
    if !row.get(vbd::CURRENTLY_ATTACHED).as_bool() {
        return Err(ApiError::new("DEVICE_ALREADY_DETACHED", [reference.to_string()]));
    }
    not_busy(&row)?;
    if row.get(vbd::TYPE).as_str() == "CD" {
        return Err(ApiError::new(
            "OPERATION_NOT_ALLOWED",
            ["A CD drive of a running VM can only be filled and emptied"],
        ));
    }
    if name == "unplug" && !row.get(vbd::UNPLUGGABLE).as_bool() {
        return Err(ApiError::new("VBD_NOT_UNPLUGGABLE", [reference.to_string()]));
    }
    operation::begin(draft, reference, vbd::CURRENT_OPERATIONS, task, name);
    Ok(())
}

/// The drive is in the guest now, or out of it.
pub fn commit_plug(draft: &mut Draft<'_>, reference: Ref, task: Ref, attached: bool) {
    operation::end(draft, reference, vbd::CURRENT_OPERATIONS, task);
    let Some(row) = draft.db().of_class(vbd::CLASS, reference).cloned() else {
        return;
    };
    let device = disks::device_name(row.get(vbd::USERDEVICE).as_str());
    let mut fields = vec![
        (vbd::CURRENTLY_ATTACHED, attached.into()),
        (vbd::RESERVED, false.into()),
    ];
    if attached {
        fields.push((vbd::DEVICE, device.into()));
    }
    draft.update(reference, fields);
}

/// The plug or unplug did not happen.
pub fn abort_plug(draft: &mut Draft<'_>, reference: Ref, task: Ref) {
    operation::end(draft, reference, vbd::CURRENT_OPERATIONS, task);
    draft.set(reference, vbd::RESERVED, false);
}

/// What a change of medium needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tray {
    /// The drive's VM.
    pub vm: Ref,
    /// The host on which the tray moves; none if the VM does not run, or not with this drive.
    pub host: Option<Ref>,
}

/// Begins to put a disk into a CD drive, or to take it out with `None`.
///
/// # Errors
/// `VBD_NOT_REMOVABLE_MEDIA [vbd]`, `VBD_IS_EMPTY [vbd]`, `VBD_NOT_EMPTY [vbd]`; `VM_BAD_POWER_STATE` for a suspended
/// VM; `VDI_IN_USE`; `VM_REQUIRES_SR [vm, sr]` if the VM's host does not see the disk; another operation.
pub fn begin_media(
    draft: &mut Draft<'_>,
    reference: Ref,
    task: Ref,
    image: Option<Ref>,
) -> Result<Tray, ApiError> {
    let row = draft.read(vbd::CLASS, reference)?;
    if row.get(vbd::TYPE).as_str() != "CD" {
        return Err(ApiError::new("VBD_NOT_REMOVABLE_MEDIA", [reference.to_string()]));
    }
    let empty = row.get(vbd::EMPTY).as_bool();
    match image {
        None if empty => return Err(ApiError::new("VBD_IS_EMPTY", [reference.to_string()])),
        Some(_) if !empty => return Err(ApiError::new("VBD_NOT_EMPTY", [reference.to_string()])),
        _ => {}
    }
    let owner = draft.read(vm::CLASS, row.get(vbd::VM).as_ref())?;
    let state = owner.get(vm::POWER_STATE).as_str();
    if state == vm_rules::SUSPENDED {
        return Err(vm_rules::bad_power_state(
            owner.reference,
            &[vm_rules::HALTED, vm_rules::RUNNING],
            state,
        ));
    }
    not_busy(&row)?;
    vm_not_busy(&owner)?;
    let live = !owner.get(vm::RESIDENT_ON).as_ref().is_null() && row.get(vbd::CURRENTLY_ATTACHED).as_bool();
    let host = owner.get(vm::RESIDENT_ON).as_ref();
    if let Some(image) = image {
        let disk = draft.read(vdi::CLASS, image)?;
        disks::check_reading(draft.db(), &disk, reference)?;
        let storage = disk.get(vdi::SR).as_ref();
        if live && !crate::placement::has_plugged(draft.db(), storage, host) {
            return Err(ApiError::new(
                "VM_REQUIRES_SR",
                [owner.reference.to_string(), storage.to_string()],
            ));
        }
    }
    let name = if image.is_some() { "insert" } else { "eject" };
    operation::begin(draft, reference, vbd::CURRENT_OPERATIONS, task, name);
    Ok(Tray {
        vm: owner.reference,
        host: live.then_some(host),
    })
}

/// The medium is in, or out with `None`.
pub fn commit_media(draft: &mut Draft<'_>, reference: Ref, task: Ref, image: Option<Ref>) {
    operation::end(draft, reference, vbd::CURRENT_OPERATIONS, task);
    draft.update(
        reference,
        vec![
            (vbd::VDI, image.unwrap_or_default().into()),
            (vbd::EMPTY, image.is_none().into()),
        ],
    );
}

/// Checks that a drive's disk could be opened now.
///
/// # Errors
/// `HANDLE_INVALID`; `VDI_NOT_MANAGED [vbd]`; `VDI_MISSING [sr, vdi]`; `VDI_IN_USE`; `SR_HAS_NO_PBDS [sr]`; an operation
/// on the disk.
pub fn assert_attachable(db: &crate::Database, reference: Ref) -> Result<(), ApiError> {
    let row = crate::query::find(db, vbd::CLASS, reference)?;
    crate::query::find(db, vm::CLASS, row.get(vbd::VM).as_ref())?;
    if row.get(vbd::EMPTY).as_bool() {
        return Ok(());
    }
    let image = row.get(vbd::VDI).as_ref();
    let disk = crate::query::find(db, vdi::CLASS, image)?;
    let storage = disk.get(vdi::SR).as_ref();
    if !disk.get(vdi::MANAGED).as_bool() {
        return Err(ApiError::new("VDI_NOT_MANAGED", [reference.to_string()]));
    }
    if disk.get(vdi::MISSING).as_bool() {
        return Err(ApiError::new(
            "VDI_MISSING",
            [storage.to_string(), image.to_string()],
        ));
    }
    disks::check_sharing(db, row)?;
    if super::storage::plugged_hosts(db, storage).is_empty() {
        return Err(ApiError::new("SR_HAS_NO_PBDS", [storage.to_string()]));
    }
    match disk
        .get(vdi::CURRENT_OPERATIONS)
        .as_map()
        .and_then(|m| m.iter().find(|(_, o)| !matches!(o.as_str(), "copy" | "mirror")))
    {
        Some((holder, current)) => Err(ApiError::new(
            "OTHER_OPERATION_IN_PROGRESS",
            ["VDI", &image.to_string(), current.as_str(), holder.as_str()],
        )),
        None => Ok(()),
    }
}

/// The VM of a drive, which must run.
fn running_owner(
    draft: &mut Draft<'_>,
    row: &crate::row::Row,
) -> Result<std::sync::Arc<crate::row::Row>, ApiError> {
    let owner = draft.read(vm::CLASS, row.get(vbd::VM).as_ref())?;
    let state = owner.get(vm::POWER_STATE).as_str();
    if state != vm_rules::RUNNING {
        return Err(vm_rules::bad_power_state(
            owner.reference,
            &[vm_rules::RUNNING],
            state,
        ));
    }
    vm_not_busy(&owner)?;
    Ok(owner)
}

fn vm_not_busy(owner: &crate::row::Row) -> Result<(), ApiError> {
    match owner
        .get(vm::CURRENT_OPERATIONS)
        .as_map()
        .and_then(|m| m.iter().next())
    {
        Some((holder, current)) => Err(ApiError::new(
            "OTHER_OPERATION_IN_PROGRESS",
            [
                "VM",
                &owner.reference.to_string(),
                current.as_str(),
                holder.as_str(),
            ],
        )),
        None => Ok(()),
    }
}

fn not_busy(row: &crate::row::Row) -> Result<(), ApiError> {
    match row
        .get(vbd::CURRENT_OPERATIONS)
        .as_map()
        .and_then(|m| m.iter().next())
    {
        Some((holder, current)) => Err(ApiError::new(
            "OTHER_OPERATION_IN_PROGRESS",
            [
                "VBD",
                &row.reference.to_string(),
                current.as_str(),
                holder.as_str(),
            ],
        )),
        None => Ok(()),
    }
}
