//! What hosts are asked for, from the records.

use pool_domain::transaction::Origin;
use pool_domain::{Draft, Facts, apply};
use proto_types::{DateTime, Field, Value};

use super::*;

/// A drive on a repository, whose `other_config` say this.
fn asked(drive: Option<&str>, storage: Option<&str>) -> DiskRequest {
    let facts = Facts::counting(DateTime(1_000));
    let mut db = Database::default();
    let mut draft = Draft::new(&db, &facts);
    let said = |field: Field, text: Option<&str>| {
        let entries = text.map(|text| (Value::str(ON_DISK_ERROR), Value::str(text)));
        (field, Value::Map(entries.into_iter().collect()))
    };
    let repository = draft.insert(sr::CLASS, vec![said(sr::OTHER_CONFIG, storage)]);
    let image = draft.insert(
        vdi::CLASS,
        vec![(vdi::SR, repository.into()), (vdi::LOCATION, "a.qcow2".into())],
    );
    let drive = draft.insert(
        vbd::CLASS,
        vec![
            (vbd::VDI, image.into()),
            (vbd::USERDEVICE, "0".into()),
            (vbd::MODE, "RW".into()),
            (vbd::TYPE, "Disk".into()),
            said(vbd::OTHER_CONFIG, drive),
        ],
    );
    let made = draft.finish(Uuid::nil(), Origin::default());
    apply::apply(&mut db, 1, &made);
    disk_request(&db, db.get(drive).unwrap()).unwrap().unwrap()
}

#[test]
fn a_drive_says_what_becomes_of_errors_and_else_its_repository() {
    for (drive, storage, expected) in [
        (None, None, DiskErrorPolicy::Automatic),
        (None, Some("pause"), DiskErrorPolicy::Pause),
        (Some("report"), Some("pause"), DiskErrorPolicy::Report),
        (Some("pause"), None, DiskErrorPolicy::Pause),
        (Some("whatever"), Some("pause"), DiskErrorPolicy::Automatic),
    ] {
        assert_eq!(asked(drive, storage).on_error, expected, "{drive:?} {storage:?}");
    }
}
