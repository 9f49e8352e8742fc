//! USB devices of hosts, the groups of like ones, and what VMs have of them.
//!
//! A host's device is a PUSB; a VM asks for one of a group by a VUSB. Which device it gets is settled when the VM starts
//! (`VUSB.attached`, not seen by clients), and stays so until the VM is down.

use std::sync::Arc;

use proto_types::generated::{pusb, usb_group, vm, vusb};
use proto_types::{ApiError, Ref, Value};

use crate::database::Database;
use crate::decide::operation;
use crate::draft::Draft;
use crate::row::Row;
use crate::vm_rules;

/// The most a VM may have. Source: XenServer 8's limit for USB pass-through.
pub const MOST_PER_VM: usize = 6;

/// A device that is plugged in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UsbFacts {
    /// Where, such as `1-2.1`.
    pub path: String,
    /// Maker: number and name.
    pub vendor: (String, String),
    /// Product: number and name.
    pub product: (String, String),
    /// Serial number.
    pub serial: String,
    /// Version of USB.
    pub version: String,
    /// Mbit/s.
    pub speed: f64,
}

impl UsbFacts {
    fn is(&self, row: &Row) -> bool {
        let text = |field| row.get(field).as_str();
        text(pusb::PATH) == self.path
            && text(pusb::VENDOR_ID) == self.vendor.0
            && text(pusb::PRODUCT_ID) == self.product.0
            && text(pusb::SERIAL) == self.serial
    }
}

/// Brings the rows of a host's devices in line with what is plugged in: `PUSB.scan`.
pub fn scan(draft: &mut Draft<'_>, host: Ref, seen: &[UsbFacts]) {
    let known: Vec<(Ref, Option<usize>)> = draft
        .db()
        .rows(pusb::CLASS)
        .filter(|row| row.get(pusb::HOST).as_ref() == host)
        .map(|row| (row.reference, seen.iter().position(|s| s.is(row))))
        .collect();
    for (row, place) in &known {
        if place.is_none() {
            forget(draft, *row);
        }
    }
    for (place, device) in seen.iter().enumerate() {
        if !known.iter().any(|(_, at)| *at == Some(place)) {
            introduce(draft, host, device);
        }
    }
}

fn introduce(draft: &mut Draft<'_>, host: Ref, device: &UsbFacts) {
    let group = group_of(draft, device);
    let parts = [&device.vendor.1, &device.product.1, &device.serial];
    let words: Vec<&str> = parts
        .into_iter()
        .map(String::as_str)
        .filter(|p| !p.is_empty())
        .collect();
    draft.insert(
        pusb::CLASS,
        vec![
            (pusb::USB_GROUP, group.into()),
            (pusb::HOST, host.into()),
            (pusb::PATH, device.path.as_str().into()),
            (pusb::VENDOR_ID, device.vendor.0.as_str().into()),
            (pusb::VENDOR_DESC, device.vendor.1.as_str().into()),
            (pusb::PRODUCT_ID, device.product.0.as_str().into()),
            (pusb::PRODUCT_DESC, device.product.1.as_str().into()),
            (pusb::SERIAL, device.serial.as_str().into()),
            (pusb::VERSION, device.version.as_str().into()),
            (pusb::DESCRIPTION, words.join("_").into()),
            (pusb::SPEED, Value::Float(device.speed)),
        ],
    );
}

/// Like devices of all hosts are in one group, so that a VM may have any of them.
fn group_of(draft: &mut Draft<'_>, device: &UsbFacts) -> Ref {
    let found = draft
        .db()
        .rows(pusb::CLASS)
        .find(|row| {
            row.get(pusb::VENDOR_ID).as_str() == device.vendor.0
                && row.get(pusb::PRODUCT_ID).as_str() == device.product.0
        })
        .map(|row| row.get(pusb::USB_GROUP).as_ref())
        .filter(|group| !group.is_null());
    if let Some(group) = found {
        draft.note(group);
        return group;
    }
    let label = format!("Group of {} {} USBs", device.vendor.0, device.product.0);
    create_group(draft, &label, "", Value::empty_map())
}

/// Removes a device that is gone, and its group if that is empty then.
fn forget(draft: &mut Draft<'_>, device: Ref) {
    let Some(group) = draft
        .db()
        .get(device)
        .map(|row| row.get(pusb::USB_GROUP).as_ref())
    else {
        return;
    };
    draft.delete(device);
    let is_empty = draft.db().of_class(usb_group::CLASS, group).is_some_and(|row| {
        row.get(usb_group::PUSBS).as_refs().is_empty() && row.get(usb_group::VUSBS).as_refs().is_empty()
    });
    if is_empty {
        draft.note(group);
        draft.delete(group);
    }
}

/// Removes the devices of a host that goes.
pub fn forget_host(draft: &mut Draft<'_>, host: Ref) {
    scan(draft, host, &[]);
}

/// Makes an empty group: `USB_group.create`.
pub fn create_group(draft: &mut Draft<'_>, label: &str, description: &str, other_config: Value) -> Ref {
    draft.insert(
        usb_group::CLASS,
        vec![
            (usb_group::NAME_LABEL, label.into()),
            (usb_group::NAME_DESCRIPTION, description.into()),
            (usb_group::OTHER_CONFIG, other_config),
        ],
    )
}

/// Removes an empty group: `USB_group.destroy`.
///
/// # Errors
/// `HANDLE_INVALID`; `USB_GROUP_CONTAINS_VUSB [vusbs]`, `USB_GROUP_CONTAINS_PUSB [pusbs]`.
pub fn destroy_group(draft: &mut Draft<'_>, group: Ref) -> Result<(), ApiError> {
    let row = draft.read(usb_group::CLASS, group)?;
    let contents = [
        ("USB_GROUP_CONTAINS_VUSB", usb_group::VUSBS),
        ("USB_GROUP_CONTAINS_PUSB", usb_group::PUSBS),
    ];
    for (code, field) in contents {
        let inside = row.get(field).as_refs();
        if !inside.is_empty() {
            return Err(ApiError::new(code, inside.iter().map(ToString::to_string)));
        }
    }
    draft.delete(group);
    Ok(())
}

/// Lets VMs have a device, or no longer: `PUSB.set_passthrough_enabled`.
///
/// # Errors
/// `HANDLE_INVALID`; `USB_ALREADY_ATTACHED [pusb, vm]` while a VM has it.
pub fn set_passthrough(draft: &mut Draft<'_>, device: Ref, on: bool) -> Result<(), ApiError> {
    draft.read(pusb::CLASS, device)?;
    let held = draft
        .db()
        .rows(vusb::CLASS)
        .find(|wish| wish.get(vusb::ATTACHED).as_ref() == device)
        .map(|wish| wish.get(vusb::VM).as_ref());
    if let Some(by) = held.filter(|_| !on) {
        let params = [device.to_string(), by.to_string()];
        return Err(ApiError::new("USB_ALREADY_ATTACHED", params));
    }
    draft.set(device, pusb::PASSTHROUGH_ENABLED, on);
    Ok(())
}

/// Has a VM ask for a device of a group from its next start on: `VUSB.create`.
///
/// # Errors
/// `HANDLE_INVALID`; `VM_BAD_POWER_STATE` unless it is halted; `VM_IS_PROTECTED [vm]` where high availability would restart
/// it anywhere; `TOO_MANY_VUSBS [most]`; `USB_GROUP_CONTAINS_NO_PUSBS [group]`; `USB_GROUP_CONFLICT [group]` if another VUSB
/// asks for the same group: XenServer has one at most.
pub fn ask_for(draft: &mut Draft<'_>, guest: Ref, group: Ref, other_config: Value) -> Result<Ref, ApiError> {
    let row = draft.read(vm::CLASS, guest)?;
    let of = draft.read(usb_group::CLASS, group)?;
    let state = row.get(vm::POWER_STATE).as_str();
    if state != vm_rules::HALTED {
        return Err(vm_rules::bad_power_state(guest, &[vm_rules::HALTED], state));
    }
    if super::ha::is_protected(&row) {
        return Err(ApiError::new("VM_IS_PROTECTED", [guest.to_string()]));
    }
    if row.get(vm::VUSBS).as_refs().len() >= MOST_PER_VM {
        return Err(ApiError::new("TOO_MANY_VUSBS", [MOST_PER_VM.to_string()]));
    }
    if of.get(usb_group::PUSBS).as_refs().is_empty() {
        return Err(ApiError::new("USB_GROUP_CONTAINS_NO_PUSBS", [group.to_string()]));
    }
    if !of.get(usb_group::VUSBS).as_refs().is_empty() {
        return Err(ApiError::new("USB_GROUP_CONFLICT", [group.to_string()]));
    }
    let fields = vec![
        (vusb::VM, guest.into()),
        (vusb::USB_GROUP, group.into()),
        (vusb::OTHER_CONFIG, other_config),
    ];
    Ok(draft.insert(vusb::CLASS, fields))
}

/// Takes back what [`ask_for`] did: `VUSB.destroy`.
///
/// # Errors
/// `HANDLE_INVALID`; `OPERATION_NOT_ALLOWED` while the VM has the device.
pub fn ask_no_more(draft: &mut Draft<'_>, wish: Ref) -> Result<(), ApiError> {
    let row = draft.read(vusb::CLASS, wish)?;
    if !row.get(vusb::ATTACHED).as_ref().is_null() {
        let by = row.get(vusb::VM).as_ref();
        let text = format!("VUSB '{}' still attached to '{by}'", row.uuid());
        return Err(ApiError::new("OPERATION_NOT_ALLOWED", [text]));
    }
    draft.delete(wish);
    Ok(())
}

/// The device that a wish would get on a host: one of the group that may be given away and that nobody has.
pub fn device_for(db: &Database, wish: &Row, on: Ref) -> Option<Ref> {
    let has = wish.get(vusb::ATTACHED).as_ref();
    let devices = db
        .of_class(usb_group::CLASS, wish.get(vusb::USB_GROUP).as_ref())
        .map(|group| group.get(usb_group::PUSBS).as_refs())
        .unwrap_or_default();
    devices.into_iter().find(|device| {
        let is_free = *device == has
            || !db
                .rows(vusb::CLASS)
                .any(|other| other.get(vusb::ATTACHED).as_ref() == *device);
        is_free
            && db.of_class(pusb::CLASS, *device).is_some_and(|row| {
                row.get(pusb::HOST).as_ref() == on && row.get(pusb::PASSTHROUGH_ENABLED).as_bool()
            })
    })
}

/// Whether a VM has a device of its host's.
pub fn has_device(db: &Database, guest: &Row) -> bool {
    wishes(db, guest).any(|wish| !wish.get(vusb::ATTACHED).as_ref().is_null())
}

/// Where the devices are that a VM has, such as `1-2.1`.
pub fn paths(db: &Database, guest: &Row) -> Vec<String> {
    wishes(db, guest).filter_map(|wish| path_of(db, wish)).collect()
}

fn path_of(db: &Database, wish: &Row) -> Option<String> {
    let device = db.of_class(pusb::CLASS, wish.get(vusb::ATTACHED).as_ref())?;
    Some(device.get(pusb::PATH).as_str().to_owned())
}

fn wishes<'a>(db: &'a Database, guest: &Row) -> impl Iterator<Item = &'a Arc<Row>> {
    let all = guest.get(vm::VUSBS).as_refs();
    all.into_iter().filter_map(|wish| db.of_class(vusb::CLASS, wish))
}

/// Sets the devices aside that a VM asks for, on the host where it is about to start.
pub(crate) fn set_aside(draft: &mut Draft<'_>, guest: &Row, on: Ref) -> Result<(), ApiError> {
    for wish in guest.get(vm::VUSBS).as_refs() {
        let row = draft.read(vusb::CLASS, wish)?;
        let Some(device) = device_for(draft.db(), &row, on) else {
            let params = [guest.reference, row.get(vusb::USB_GROUP).as_ref()];
            return Err(ApiError::new("VM_REQUIRES_VUSB", params.map(|r| r.to_string())));
        };
        draft.set(wish, vusb::ATTACHED, device);
        // Two VMs that start at once: the second must see the first's claim.
        draft.note(device);
        draft.touch(device);
    }
    Ok(())
}

/// The VM runs, and has what was set aside for it.
pub(crate) fn given(draft: &mut Draft<'_>, guest: &Row) {
    for wish in guest.get(vm::VUSBS).as_refs() {
        let has = draft
            .db()
            .of_class(vusb::CLASS, wish)
            .is_some_and(|row| !row.get(vusb::ATTACHED).as_ref().is_null());
        draft.set(wish, vusb::CURRENTLY_ATTACHED, has);
    }
}

/// The VM has none of them any more.
pub(crate) fn give_back(draft: &mut Draft<'_>, guest: &Row) {
    for wish in guest.get(vm::VUSBS).as_refs() {
        let fields = vec![
            (vusb::CURRENTLY_ATTACHED, false.into()),
            (vusb::CURRENT_OPERATIONS, Value::empty_map()),
            (vusb::ATTACHED, Ref::NULL.into()),
        ];
        draft.update(wish, fields);
    }
}

/// Begins to take a device out of a running VM: `VUSB.unplug`. Where the device is on the VM's host.
///
/// # Errors
/// `HANDLE_INVALID`; `VM_BAD_POWER_STATE` unless the VM runs; `OTHER_OPERATION_IN_PROGRESS`; `DEVICE_ALREADY_DETACHED [vusb]`.
pub fn begin_unplug(draft: &mut Draft<'_>, wish: Ref, task: Ref) -> Result<String, ApiError> {
    let row = draft.read(vusb::CLASS, wish)?;
    let guest = draft.read(vm::CLASS, row.get(vusb::VM).as_ref())?;
    let state = guest.get(vm::POWER_STATE).as_str();
    if state != vm_rules::RUNNING {
        return Err(vm_rules::bad_power_state(
            guest.reference,
            &[vm_rules::RUNNING],
            state,
        ));
    }
    if let Some(under_way) = row
        .get(vusb::CURRENT_OPERATIONS)
        .as_map()
        .and_then(|m| m.values().next())
    {
        let params = ["VUSB".to_owned(), wish.to_string(), under_way.as_str().to_owned()];
        return Err(ApiError::new("OTHER_OPERATION_IN_PROGRESS", params));
    }
    let path = path_of(draft.db(), &row)
        .ok_or_else(|| ApiError::new("DEVICE_ALREADY_DETACHED", [wish.to_string()]))?;
    operation::begin(draft, wish, vusb::CURRENT_OPERATIONS, task, "unplug");
    Ok(path)
}

/// Ends what [`begin_unplug`] began.
pub fn end_unplug(draft: &mut Draft<'_>, wish: Ref, task: Ref, is_out: bool) {
    operation::end(draft, wish, vusb::CURRENT_OPERATIONS, task);
    if is_out {
        let fields = vec![
            (vusb::CURRENTLY_ATTACHED, false.into()),
            (vusb::ATTACHED, Ref::NULL.into()),
        ];
        draft.update(wish, fields);
    }
}

#[cfg(test)]
mod test {
    use proto_types::DateTime;
    use uuid::Uuid;

    use super::*;
    use crate::transaction::Origin;
    use crate::{Database, Facts, apply};

    fn decide<T>(db: &mut Database, decision: impl FnOnce(&mut Draft<'_>) -> T) -> T {
        let mut number = u128::from(db.applied()) << 32;
        let facts = Facts::new(DateTime(1), move || {
            number += 1;
            Uuid::from_u128(number)
        });
        let mut draft = Draft::new(db, &facts);
        let value = decision(&mut draft);
        let transaction = draft.finish(
            Uuid::from_u128(1 << 100 | u128::from(db.applied())),
            Origin::default(),
        );
        apply::apply(db, db.applied().saturating_add(1), &transaction);
        value
    }

    fn stick(path: &str, serial: &str) -> UsbFacts {
        UsbFacts {
            path: path.to_owned(),
            vendor: ("0781".to_owned(), "SanDisk".to_owned()),
            product: ("5567".to_owned(), "Blade".to_owned()),
            serial: serial.to_owned(),
            version: "2.00".to_owned(),
            speed: 480.0,
        }
    }

    #[test]
    fn like_devices_share_a_group_that_goes_with_the_last() {
        let mut db = Database::default();
        let [one, two] = [7, 8].map(|n| Ref::from_uuid(Uuid::from_u128(n)));
        decide(&mut db, |d| scan(d, one, &[stick("1-1", "a"), stick("1-2", "b")]));
        decide(&mut db, |d| scan(d, two, &[stick("1-1", "c")]));
        assert_eq!((db.count(pusb::CLASS), db.count(usb_group::CLASS)), (3, 1));
        let before: Vec<Ref> = db.rows(pusb::CLASS).map(|r| r.reference).collect();
        decide(&mut db, |d| scan(d, one, &[stick("1-1", "a"), stick("1-2", "b")]));
        assert_eq!(
            db.rows(pusb::CLASS).map(|r| r.reference).collect::<Vec<_>>(),
            before
        );
        let group = db.rows(usb_group::CLASS).next().unwrap().reference;
        let refused = decide(&mut db, |d| destroy_group(d, group)).unwrap_err();
        assert_eq!(
            (refused.code.as_ref(), refused.params.len()),
            ("USB_GROUP_CONTAINS_PUSB", 3)
        );
        // Another stick in the same place is another device.
        decide(&mut db, |d| scan(d, one, &[stick("1-1", "z")]));
        assert_eq!((db.count(pusb::CLASS), db.count(usb_group::CLASS)), (2, 1));
        decide(&mut db, |d| forget_host(d, one));
        decide(&mut db, |d| forget_host(d, two));
        assert_eq!((db.count(pusb::CLASS), db.count(usb_group::CLASS)), (0, 0));
    }
}
