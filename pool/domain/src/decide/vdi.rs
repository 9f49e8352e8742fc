//! Disk images: who may use one, and what the rows say when the storage has done its part.

use proto_types::generated::{sr, vbd, vdi, vm};
use proto_types::{ApiError, DateTime, Field, Ref, Value};

use crate::database::Database;
use crate::decide::operation;
use crate::draft::Draft;
use crate::row::Row;
use crate::vdi_rules;

/// The name a guest's disk has, by its device number: `xvda`, `xvdb`, ...
///
/// Accepts what clients write: a number, or a name such as `xvdb`, `hda`, `sdc`.
pub fn device_name(userdevice: &str) -> String {
    match device_number(userdevice) {
        Some(number) => name_of(number),
        None => userdevice.to_owned(),
    }
}

fn name_of(number: u16) -> String {
    const LETTERS: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";
    let letter = |n: u16| char::from(LETTERS.get(usize::from(n)).copied().unwrap_or(b'a'));
    match number.checked_sub(26) {
        None => format!("xvd{}", letter(number)),
        Some(rest) => format!("xvd{}{}", letter(rest / 26), letter(rest % 26)),
    }
}

/// The number behind a device name as clients write it.
pub fn device_number(userdevice: &str) -> Option<u16> {
    if let Ok(number) = userdevice.parse::<u16>() {
        return (number < 255).then_some(number);
    }
    let letters = ["xvd", "hd", "sd"]
        .iter()
        .find_map(|p| userdevice.strip_prefix(p))?;
    (0..255).find(|n| name_of(*n).strip_prefix("xvd") == Some(letters))
}

/// Checks that a VBD's disk may be opened as the VBD wants: read-only by many, for writing by one.
///
/// # Errors
/// `VDI_IN_USE [vdi, operation]`.
pub fn check_sharing(db: &Database, disk: &Row) -> Result<(), ApiError> {
    let image = disk.get(vbd::VDI).as_ref();
    let Some(row) = db.of_class(vdi::CLASS, image) else {
        return Ok(());
    };
    if row.get(vdi::SHARABLE).as_bool() {
        return Ok(());
    }
    let writes = disk.get(vbd::MODE).as_str() == "RW";
    let clash = row
        .get(vdi::VBDS)
        .as_refs()
        .into_iter()
        .filter(|r| *r != disk.reference)
        .any(|r| {
            db.of_class(vbd::CLASS, r).is_some_and(|other| {
                let active =
                    other.get(vbd::CURRENTLY_ATTACHED).as_bool() || other.get(vbd::RESERVED).as_bool();
                active && (writes || other.get(vbd::MODE).as_str() == "RW")
            })
        });
    if clash {
        Err(ApiError::new(
            "VDI_IN_USE",
            [image.to_string(), "attach".to_owned()],
        ))
    } else {
        Ok(())
    }
}

/// Checks that a disk may be opened for reading by a drive: nobody else writes it.
///
/// # Errors
/// `VDI_IN_USE [vdi, operation]`.
pub fn check_reading(db: &Database, image: &Row, by: Ref) -> Result<(), ApiError> {
    let written = vdi_rules::active(db, image)
        .any(|drive| drive.reference != by && drive.get(vbd::MODE).as_str() == "RW");
    if written && !image.get(vdi::SHARABLE).as_bool() {
        return Err(ApiError::new(
            "VDI_IN_USE",
            [image.reference.to_string(), "attach".to_owned()],
        ));
    }
    Ok(())
}

/// Begins an operation on a disk.
///
/// # Errors
/// `HANDLE_INVALID`; the operation's first obstacle.
pub fn begin(draft: &mut Draft<'_>, reference: Ref, task: Ref, name: &str) -> Result<(), ApiError> {
    let row = draft.read(vdi::CLASS, reference)?;
    vdi_rules::check(draft.db(), &row, name)?;
    operation::begin(draft, reference, vdi::CURRENT_OPERATIONS, task, name);
    Ok(())
}

/// Ends an operation on a disk.
pub fn end(draft: &mut Draft<'_>, reference: Ref, task: Ref) {
    operation::end(draft, reference, vdi::CURRENT_OPERATIONS, task);
}

/// What is known of an image when its row is made.
#[derive(Clone, Debug)]
pub struct NewVdi {
    /// The SR that holds it.
    pub sr: Ref,
    /// Its uuid, which is also its location in the SR.
    pub uuid: String,
    /// Bytes a guest sees.
    pub virtual_size: i64,
    /// Bytes it takes in the SR.
    pub utilisation: i64,
    /// Further fields: label, type, and so on.
    pub fields: Vec<(Field, Value)>,
}

/// Makes the row of an image that exists in its SR.
pub fn made(draft: &mut Draft<'_>, reference: Ref, new: NewVdi) {
    let mut fields = vec![
        (vdi::UUID, new.uuid.clone().into()),
        (vdi::SR, new.sr.into()),
        (vdi::LOCATION, new.uuid.into()),
        (vdi::VIRTUAL_SIZE, new.virtual_size.into()),
        (vdi::PHYSICAL_UTILISATION, new.utilisation.into()),
        (vdi::MANAGED, true.into()),
        (vdi::STORAGE_LOCK, false.into()),
        (vdi::SNAPSHOT_TIME, DateTime::EPOCH.into()),
    ];
    fields.extend(new.fields);
    draft.insert_as(vdi::CLASS, reference, fields);
}

/// The fields a clone takes over from its source.
pub fn inherited(source: &Row) -> Vec<(Field, Value)> {
    [
        vdi::NAME_LABEL,
        vdi::NAME_DESCRIPTION,
        vdi::TYPE,
        vdi::SHARABLE,
        vdi::READ_ONLY,
        vdi::OTHER_CONFIG,
        vdi::XENSTORE_DATA,
        vdi::TAGS,
    ]
    .into_iter()
    .map(|f| (f, source.get(f).clone()))
    .collect()
}

/// The type of a snapshot that has given up its data, and only tells what was written since an earlier one.
pub const WITHOUT_DATA: &str = "cbt_metadata";

/// The fields of a disk's snapshot.
pub fn of_snapshot(draft: &Draft<'_>, source: &Row) -> Vec<(Field, Value)> {
    let mut fields = inherited(source);
    fields.extend([
        (vdi::IS_A_SNAPSHOT, true.into()),
        (vdi::SNAPSHOT_OF, source.reference.into()),
        (vdi::SNAPSHOT_TIME, draft.facts().now.into()),
        (vdi::CBT_ENABLED, source.get(vdi::CBT_ENABLED).clone()),
    ]);
    fields
}

/// Checks that nobody will want the data of a disk: only snapshots of VMs may still name it.
///
/// # Errors
/// `VDI_IN_USE [vdi, operation]`.
pub fn check_data_unused(db: &Database, image: &Row) -> Result<(), ApiError> {
    let of_snapshot = |drive: &Row| {
        db.of_class(vm::CLASS, drive.get(vbd::VM).as_ref())
            .is_some_and(|owner| owner.get(vm::IS_A_SNAPSHOT).as_bool())
    };
    let wanted = image
        .get(vdi::VBDS)
        .as_refs()
        .into_iter()
        .filter_map(|drive| db.of_class(vbd::CLASS, drive))
        .any(|drive| !of_snapshot(drive));
    if wanted {
        return Err(ApiError::new(
            "VDI_IN_USE",
            [image.reference.to_string(), "data_destroy".to_owned()],
        ));
    }
    Ok(())
}

/// Removes an image's row and the drives of VMs that named it.
pub fn removed(draft: &mut Draft<'_>, reference: Ref) {
    let Some(row) = draft.db().of_class(vdi::CLASS, reference).cloned() else {
        return;
    };
    for drive in row.get(vdi::VBDS).as_refs() {
        super::vbd::remove_row(draft, drive);
    }
    draft.delete(reference);
}

/// Checks that an SR can take a new image.
///
/// # Errors
/// `HANDLE_INVALID`; `SR_HAS_NO_PBDS [sr]` when no host has it plugged; `SR_OPERATION_NOT_SUPPORTED [sr]` for a
/// read-only library.
pub fn check_can_create(db: &Database, storage: Ref) -> Result<(), ApiError> {
    vdi_rules::supports(db, storage, "create")?;
    if super::storage::plugged_hosts(db, storage).is_empty() {
        return Err(ApiError::new("SR_HAS_NO_PBDS", [storage.to_string()]));
    }
    Ok(())
}

/// The VMs that hold an image open for writing.
pub fn writers(db: &Database, row: &Row) -> Vec<Ref> {
    row.get(vdi::VBDS)
        .as_refs()
        .into_iter()
        .filter_map(|r| db.of_class(vbd::CLASS, r))
        .filter(|v| v.get(vbd::MODE).as_str() == "RW" && v.get(vbd::CURRENTLY_ATTACHED).as_bool())
        .map(|v| v.get(vbd::VM).as_ref())
        .filter(|v| db.of_class(vm::CLASS, *v).is_some())
        .collect()
}

/// Removes the record of a disk; its data stays.
///
/// # Errors
/// `HANDLE_INVALID`; the operation's first obstacle.
pub fn forget(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = draft.read(vdi::CLASS, reference)?;
    vdi_rules::check(draft.db(), &row, "forget")?;
    removed(draft, reference);
    Ok(())
}

/// Checks that no disk of an SR has a location, and that no disk has a uuid.
///
/// # Errors
/// `HANDLE_INVALID`; `LOCATION_NOT_UNIQUE [sr, location]`; `DB_UNIQUENESS_CONSTRAINT_VIOLATION`.
pub fn check_unknown(
    draft: &mut Draft<'_>,
    storage: Ref,
    location: &str,
    uuid: &str,
) -> Result<(), ApiError> {
    let row = draft.read(sr::CLASS, storage)?;
    let taken = row
        .get(sr::VDIS)
        .as_refs()
        .into_iter()
        .filter_map(|r| draft.db().of_class(vdi::CLASS, r))
        .any(|v| v.get(vdi::LOCATION).as_str() == location);
    if taken {
        return Err(ApiError::new(
            "LOCATION_NOT_UNIQUE",
            [storage.to_string(), location.to_owned()],
        ));
    }
    if !uuid.is_empty() && draft.db().by_uuid(vdi::CLASS, uuid).is_some() {
        return Err(ApiError::new(
            "DB_UNIQUENESS_CONSTRAINT_VIOLATION",
            ["VDI", "uuid", uuid],
        ));
    }
    Ok(())
}

/// Makes only the record of a disk, for storage drivers and recovery.
///
/// # Errors
/// As [`check_unknown`].
pub fn introduce_record(draft: &mut Draft<'_>, fields: Vec<(Field, Value)>) -> Result<Ref, ApiError> {
    let given = |field: Field| {
        fields
            .iter()
            .find(|(f, _)| *f == field)
            .map_or(Value::Void, |(_, v)| v.clone())
    };
    let (storage, location, uuid) = (given(vdi::SR), given(vdi::LOCATION), given(vdi::UUID));
    check_unknown(draft, storage.as_ref(), location.as_str(), uuid.as_str())?;
    Ok(draft.insert(vdi::CLASS, fields))
}

/// Says whether what VMs write to a disk is kept at their next start.
///
/// # Errors
/// `HANDLE_INVALID`; the operation's first obstacle: a VM that uses the disk, a driver that cannot do it.
pub fn set_on_boot(draft: &mut Draft<'_>, reference: Ref, value: &Value) -> Result<(), ApiError> {
    let row = draft.read(vdi::CLASS, reference)?;
    vdi_rules::check(draft.db(), &row, "set_on_boot")?;
    draft.set(reference, vdi::ON_BOOT, value.clone());
    Ok(())
}

/// Marks the disks that build on images being merged; an operation that wants one calls the merge off.
///
/// # Errors
/// `OTHER_OPERATION_IN_PROGRESS` if one is busy.
pub fn block(draft: &mut Draft<'_>, disks: &[Ref], task: Ref) -> Result<(), ApiError> {
    for reference in disks {
        begin(draft, *reference, task, "blocked")?;
    }
    Ok(())
}

/// Checks that no disk of a VM is in the hands of the storage itself.
///
/// # Errors
/// `OTHER_OPERATION_IN_PROGRESS`.
pub fn check_not_blocked(draft: &mut Draft<'_>, owner: &Row) -> Result<(), ApiError> {
    let drives = owner.get(vm::VBDS).as_refs();
    check_disks(draft, &drives, |_, operation| operation == "blocked")
}

/// Checks that a VM may open the disks of these drives: nobody is at work on one, but for copies of those that it only
/// reads.
///
/// # Errors
/// `OTHER_OPERATION_IN_PROGRESS`.
pub fn check_at_rest(draft: &mut Draft<'_>, drives: &[Ref]) -> Result<(), ApiError> {
    check_disks(draft, drives, |drive, operation| {
        operation != "copy" || drive.get(vbd::MODE).as_str() == "RW"
    })
}

fn check_disks(
    draft: &mut Draft<'_>,
    drives: &[Ref],
    clashes: impl Fn(&Row, &str) -> bool,
) -> Result<(), ApiError> {
    for reference in drives {
        let Some(drive) = draft.db().of_class(vbd::CLASS, *reference).cloned() else {
            continue;
        };
        let image = drive.get(vbd::VDI).as_ref();
        let Some(row) = draft.db().of_class(vdi::CLASS, image).cloned() else {
            continue;
        };
        draft.note(image);
        let clash = row
            .get(vdi::CURRENT_OPERATIONS)
            .as_map()
            .and_then(|m| m.iter().find(|(_, current)| clashes(&drive, current.as_str())));
        if let Some((holder, current)) = clash {
            return Err(ApiError::new(
                "OTHER_OPERATION_IN_PROGRESS",
                ["VDI", &image.to_string(), current.as_str(), holder.as_str()],
            ));
        }
    }
    Ok(())
}
