//! A pool's objects put back to what a document of an earlier day says.

#[path = "bed/pool_of_two.rs"]
mod pool_of_two;

use pool_domain::decide::put_back::put_back;
use pool_domain::decide::{subject as subjects, vm_create};
use pool_domain::xml::database::{self, DumpedRow};
use pool_of_two::Pool;
use proto_types::generated::{host, pool as pools, sr, subject, vbd, vdi, vm};
use proto_types::{ApiError, Ref, Value};

fn dump(pool: &Pool) -> Vec<DumpedRow> {
    let document: String = database::pieces(&pool.db).collect();
    database::read(&document).unwrap()
}

fn restore(pool: &mut Pool, rows: &[DumpedRow]) -> Result<Vec<Ref>, ApiError> {
    pool.decide(|d| put_back(d, rows))
}

/// A disk of a guest on a repository of its own.
fn disk(pool: &mut Pool, guest: Ref) -> (Ref, Ref, Ref) {
    pool.decide(|d| {
        let storage = d.insert(sr::CLASS, vec![(sr::NAME_LABEL, "store".into())]);
        let image = d.insert(
            vdi::CLASS,
            vec![
                (vdi::NAME_LABEL, "disk".into()),
                (vdi::SR, storage.into()),
                (vdi::VIRTUAL_SIZE, Value::Int(7)),
            ],
        );
        let drive = d.insert(
            vbd::CLASS,
            vec![(vbd::VM, guest.into()), (vbd::VDI, image.into())],
        );
        Ok((storage, image, drive))
    })
    .unwrap()
}

#[test]
fn nothing_changes_if_nothing_has() {
    let mut pool = Pool::new();
    let guest = pool.vm();
    pool.start(guest);
    let rows = dump(&pool);
    let before = pool.db.clone();
    assert_eq!(restore(&mut pool, &rows).unwrap(), []);
    let all = |db: &pool_domain::Database| -> Vec<_> { db.all().map(|r| (r.reference, r.version)).collect() };
    assert_eq!(all(&pool.db), all(&before));
}

#[test]
fn halted_vms_become_what_they_were_and_those_that_run_stay_what_they_are() {
    let mut pool = Pool::new();
    let [changed, gone, runs] = [pool.vm(), pool.vm(), pool.vm()];
    let (storage, image, drive) = disk(&mut pool, gone);
    let master = pool.host("one");
    let rows = dump(&pool);
    let uuid = pool.db.get(gone).unwrap().uuid().to_owned();

    let new = pool.vm();
    let on = pool.start(runs);
    for (row, field) in [
        (changed, vm::NAME_LABEL),
        (runs, vm::NAME_LABEL),
        (master, host::NAME_DESCRIPTION),
        (storage, sr::NAME_LABEL),
    ] {
        pool.set(row, field, "other");
    }
    let label = pools::NAME_LABEL;
    let own = pool.db.only(pools::CLASS).unwrap().reference;
    pool.set(own, label, "other");
    pool.decide(|d| {
        vm_create::remove(d, gone);
        d.delete(image);
        d.insert(subject::CLASS, vec![(subject::SUBJECT_IDENTIFIER, "u1".into())]);
        Ok(())
    })
    .unwrap();

    assert_eq!(
        restore(&mut pool, &rows).unwrap(),
        [storage],
        "an image came back there"
    );
    assert_ne!(pool.get(changed, vm::NAME_LABEL).as_str(), "other");
    assert_eq!(pool.get(runs, vm::NAME_LABEL).as_str(), "other");
    assert_eq!(pool.get(runs, vm::RESIDENT_ON).as_ref(), on);
    assert_ne!(pool.get(master, host::NAME_DESCRIPTION).as_str(), "other");
    assert_eq!(pool.get(storage, sr::NAME_LABEL).as_str(), "store");
    assert_eq!(pool.get(own, label).as_str(), "test");
    assert!(pool.db.get(new).is_none(), "it came later");
    assert_eq!(pool.db.count(subject::CLASS), 0);
    let back = pool.db.of_class(vm::CLASS, gone).unwrap();
    assert_eq!(
        (back.uuid(), back.get(vm::POWER_STATE).as_str()),
        (uuid.as_str(), "Halted")
    );
    assert_eq!(back.get(vm::VBDS).as_refs(), [drive]);
    assert!(pool.db.get(back.get(vm::METRICS).as_ref()).is_some());
    assert_eq!(pool.get(drive, vbd::VDI).as_ref(), image);
    assert_eq!(pool.get(image, vdi::VIRTUAL_SIZE).as_int(), 7);
}

#[test]
fn an_image_that_was_found_again_is_the_one_it_was() {
    let mut pool = Pool::new();
    let guest = pool.vm();
    let (storage, image, drive) = disk(&mut pool, guest);
    let rows = dump(&pool);
    let uuid = pool.db.get(image).unwrap().uuid().to_owned();
    let found = pool
        .decide(|d| {
            vm_create::remove(d, guest);
            d.delete(image);
            Ok(d.insert(
                vdi::CLASS,
                vec![(vdi::SR, storage.into()), (vdi::UUID, uuid.as_str().into())],
            ))
        })
        .unwrap();
    assert_eq!(restore(&mut pool, &rows).unwrap(), []);
    assert!(pool.db.get(image).is_none());
    assert_eq!(pool.get(drive, vbd::VDI).as_ref(), found);
}

#[test]
fn a_guest_that_runs_and_is_not_known_is_in_the_way() {
    let mut pool = Pool::new();
    let rows = dump(&pool);
    let guest = pool.vm();
    pool.start(guest);
    let before = pool.db.clone();
    let refused = restore(&mut pool, &rows).unwrap_err();
    assert_eq!(refused.code, "VM_BAD_POWER_STATE");
    assert_eq!(pool.db.applied(), before.applied());
    let foreign: Vec<DumpedRow> = rows.into_iter().filter(|r| r.class != host::CLASS).collect();
    let refused = restore(&mut pool, &foreign).unwrap_err();
    assert_eq!(refused.code, "RESTORE_TARGET_MGMT_IF_NOT_IN_BACKUP");
}

#[test]
fn who_might_log_in_then_may_again() {
    let mut pool = Pool::new();
    let user = pool
        .decide(|d| Ok(d.insert(subject::CLASS, vec![(subject::SUBJECT_IDENTIFIER, "u1".into())])))
        .unwrap();
    let rows = dump(&pool);
    pool.decide(|d| subjects::destroy(d, user)).unwrap();
    restore(&mut pool, &rows).unwrap();
    assert_eq!(pool.get(user, subject::SUBJECT_IDENTIFIER).as_str(), "u1");
}
