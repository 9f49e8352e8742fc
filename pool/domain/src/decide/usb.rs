//! USB devices of hosts, and the groups of like ones.

use proto_types::generated::{pusb, usb_group};
use proto_types::{ApiError, Ref, Value};

use crate::draft::Draft;
use crate::row::Row;

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
