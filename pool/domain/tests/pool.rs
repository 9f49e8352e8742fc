//! From an empty database to a VM that runs, as decisions only.

#[path = "bed/pool_of_two.rs"]
mod pool_of_two;

use pool_domain::decide::vm_power::{self, VmOperation};
use pool_domain::decide::{self, session};
use pool_domain::{Draft, Outcome, query};
use pool_of_two::Pool;
use proto_types::generated::{sr, vbd, vm};
use proto_types::{ApiError, Ref, Value};
use uuid::Uuid;

#[test]
fn a_new_pool_has_its_templates_and_complete_records() {
    let pool = Pool::new();
    assert_eq!(
        query::by_name_label(&pool.db, vm::CLASS, "Debian Etch 4.0").len(),
        1
    );
    for row in pool.db.all() {
        let Value::Record(members) = query::record(&pool.db, row) else {
            panic!("not a record")
        };
        assert_eq!(
            members.len(),
            row.class.def().fields.iter().filter(|f| !f.internal).count()
        );
    }
    // Networks are pool-wide: both hosts have an interface on the one network.
    assert_eq!(pool.db.count(proto_types::generated::network::CLASS), 1);
    assert_eq!(pool.db.count(proto_types::generated::pif::CLASS), 2);
}

#[test]
fn a_vm_lives_its_life_and_is_never_admitted_twice() {
    let mut pool = Pool::new();
    let guest = pool.vm();
    let task = pool.facts.reference();
    let start = VmOperation {
        vm: guest,
        task,
        name: "start",
    };
    let on = pool.decide(|d| vm_power::begin_on_host(d, &start, None)).unwrap();
    let second = VmOperation {
        vm: guest,
        task: Ref::from_uuid(Uuid::from_u128(1 << 100)),
        name: "start",
    };
    let refused = pool
        .decide(|d| vm_power::begin_on_host(d, &second, None))
        .unwrap_err();
    assert_eq!(refused.code, "OTHER_OPERATION_IN_PROGRESS");
    pool.decide(|d| {
        vm_power::commit_live(d, &start, on, false);
        Ok(())
    })
    .unwrap();
    assert_eq!(pool.state(guest), "Running");
    assert!(pool.allowed(guest, "pool_migrate") && !pool.allowed(guest, "start"));
    let error = pool
        .decide(|d| {
            vm_power::begin(
                d,
                &VmOperation {
                    vm: guest,
                    task,
                    name: "resume",
                },
            )
        })
        .unwrap_err();
    assert_eq!(
        error.params,
        [guest.to_string(), "suspended".to_owned(), "running".to_owned()]
    );
    // Live migration to the other host: the record names one host before and another after one entry.
    let target = pool.host(if on == pool.host("one") { "two" } else { "one" });
    let migrate = VmOperation {
        vm: guest,
        task,
        name: "pool_migrate",
    };
    let source = pool
        .decide(|d| vm_power::begin_migration(d, &migrate, target))
        .unwrap();
    let way = vm_power::Way { source, target };
    pool.decide(|d| vm_power::commit_migration(d, &migrate, way))
        .unwrap();
    assert_eq!(pool.db.get(guest).unwrap().get(vm::RESIDENT_ON).as_ref(), target);
    // Its host says it runs nothing: the record follows, and nobody else is touched.
    let ended = pool
        .decide(|d| Ok(decide::host::reconcile_domains(d, target, &[], &[])))
        .unwrap();
    assert_eq!(ended, [], "nobody has looked again");
    let version = pool.db.get(guest).unwrap().version;
    let ended = pool
        .decide(|d| {
            Ok(decide::host::reconcile_domains(
                d,
                target,
                &[],
                &[(guest, version)],
            ))
        })
        .unwrap();
    assert_eq!(ended, [guest]);
    assert_eq!(pool.state(guest), "Halted");
    pool.decide(|d| decide::vm_create::destroy(d, guest)).unwrap();
    assert!(pool.db.get(guest).is_none());
}

#[test]
fn the_least_recently_active_session_gives_way() {
    let mut pool = Pool::new();
    let limits = session::SessionLimits {
        most: 3,
        idle_seconds: 60,
    };
    let host_ref = pool.host("one");
    let mut made = Vec::new();
    for _ in 0..4 {
        let new = session::NewSession {
            user: "root".to_owned(),
            subject: Ref::NULL,
            sid: String::new(),
            originator: String::new(),
            host: host_ref,
        };
        made.push(pool.decide(|d| Ok(session::login(d, new, limits))).unwrap());
    }
    let alive = made
        .iter()
        .filter(|s| session::check(&pool.db, **s).is_ok())
        .count();
    assert_eq!(alive, 3);
    assert!(session::check(&pool.db, made[3]).is_ok());
}

/// A disk on a repository that both hosts have, in the drives of these VMs.
fn disk_of(pool: &mut Pool, drives: &[(Ref, &str)]) -> Ref {
    let on = pool.host("one");
    let image = pool.facts.reference();
    pool.decide(|d| {
        let new = decide::storage::NewSr {
            uuid: String::new(),
            name_label: "sr".to_owned(),
            name_description: String::new(),
            kind: "file".to_owned(),
            content_type: String::new(),
            shared: true,
            sm_config: Value::empty_map(),
        };
        let storage = decide::storage::introduce(d, &new)?;
        for (plug, _) in decide::storage::make_pbds(d, storage, on, true, &Value::empty_map()) {
            d.set(plug, proto_types::generated::pbd::CURRENTLY_ATTACHED, true);
        }
        assert_eq!(d.db().get(storage).unwrap().get(sr::PBDS).as_refs().len(), 2);
        let made = decide::vdi::NewVdi {
            sr: storage,
            uuid: d.facts().uuid_text(),
            virtual_size: 1,
            utilisation: 0,
            fields: Vec::new(),
        };
        decide::vdi::made(d, image, made);
        for (owner, mode) in drives {
            d.insert(
                vbd::CLASS,
                vec![
                    (vbd::VM, (*owner).into()),
                    (vbd::VDI, image.into()),
                    (vbd::MODE, (*mode).into()),
                    (vbd::USERDEVICE, "0".into()),
                ],
            );
        }
        Ok(())
    })
    .unwrap();
    image
}

/// Begins the start of a VM.
fn start(vm: Ref, task: Ref) -> impl FnOnce(&mut Draft<'_>) -> Result<(), ApiError> {
    let name = "start";
    move |d| vm_power::begin_on_host(d, &VmOperation { vm, task, name }, None).map(|_| ())
}

#[test]
fn a_disk_is_open_for_writing_once() {
    let mut pool = Pool::new();
    let (first, second) = (pool.vm(), pool.vm());
    disk_of(&mut pool, &[(first, "RW"), (second, "RW")]);
    let task = pool.facts.reference();
    pool.decide(start(first, task)).unwrap();
    assert_eq!(pool.decide(start(second, task)).unwrap_err().code, "VDI_IN_USE");
}

#[test]
fn a_disk_that_is_worked_on_is_not_opened() {
    let mut pool = Pool::new();
    let (writes, reads) = (pool.vm(), pool.vm());
    let image = disk_of(&mut pool, &[(writes, "RW"), (reads, "RO")]);
    let task = pool.facts.reference();
    let work = |name: &'static str| move |d: &mut Draft<'_>| decide::vdi::begin(d, image, task, name);
    for (name, read_meanwhile) in [("update", false), ("copy", true), ("snapshot", false)] {
        pool.decide(work(name)).unwrap();
        let refused = pool.decide(start(writes, task)).unwrap_err();
        assert_eq!(refused.code, "OTHER_OPERATION_IN_PROGRESS", "{name}");
        let params = ["VDI", &image.to_string(), name, &task.to_string()];
        assert_eq!(refused.params, params);
        assert_eq!(pool.decide(start(reads, task)).is_ok(), read_meanwhile, "{name}");
        pool.decide(|d| {
            decide::vdi::end(d, image, task);
            let name = "start";
            vm_power::abort(
                d,
                &VmOperation {
                    vm: reads,
                    task,
                    name,
                },
                None,
            );
            Ok(())
        })
        .unwrap();
    }
    let at_once = pool.at_once(work("update"), start(writes, task));
    assert!(matches!(at_once, Outcome::Conflict(_)), "{at_once:?}");
}
