//! Records written and read again.

use pool_domain::decide::export::{ExportOptions, collect};
use pool_domain::decide::import::{self, Import};
use pool_domain::transaction::Origin;
use pool_domain::{Draft, Facts, apply};
use proto_types::DateTime;

use super::*;

fn facts() -> Facts {
    Facts::new(DateTime(0), Uuid::new_v4)
}

fn write_down(db: &mut Database, draft: Draft<'_>, index: u64) {
    let transaction = draft.finish(Uuid::new_v4(), Origin::default());
    let _ = apply::apply(db, index, &transaction);
}

/// A halted VM with a disk, an ISO drive that is empty, and an interface.
fn pool() -> (Database, Ref, Ref) {
    let facts = facts();
    let mut db = Database::default();
    let mut draft = Draft::new(&db, &facts);
    let storage = draft.insert(
        sr::CLASS,
        vec![(sr::CONTENT_TYPE, "user".into()), (sr::TYPE, "file".into())],
    );
    let disk = draft.insert(
        vdi::CLASS,
        vec![
            (vdi::SR, storage.into()),
            (vdi::VIRTUAL_SIZE, Value::Int(1 << 30)),
        ],
    );
    let other = Value::string_map([("mac_seed", "seed"), ("XenCenter.CustomFields.x", "<&>")]);
    let vm = draft.insert(
        vm::CLASS,
        vec![
            (vm::NAME_LABEL, "web & more".into()),
            (vm::POWER_STATE, "Halted".into()),
            (vm::VCPUS_MAX, Value::Int(2)),
            (vm::VCPUS_AT_STARTUP, Value::Int(2)),
            (vm::MEMORY_STATIC_MAX, Value::Int(1 << 30)),
            (vm::OTHER_CONFIG, other),
            (vm::TAGS, Value::strings(["a", "b"])),
        ],
    );
    let net = draft.insert(network::CLASS, vec![(network::NAME_LABEL, "lan".into())]);
    for (device, kind, image) in [("0", "Disk", disk), ("3", "CD", Ref::NULL)] {
        draft.insert(
            vbd::CLASS,
            vec![
                (vbd::VM, vm.into()),
                (vbd::VDI, image.into()),
                (vbd::USERDEVICE, device.into()),
                (vbd::TYPE, kind.into()),
                (vbd::MODE, "RW".into()),
                (vbd::EMPTY, image.is_null().into()),
            ],
        );
    }
    draft.insert(
        vif::CLASS,
        vec![
            (vif::VM, vm.into()),
            (vif::NETWORK, net.into()),
            (vif::DEVICE, "0".into()),
            (vif::MAC, "02:00:00:00:00:01".into()),
        ],
    );
    write_down(&mut db, draft, 1);
    (db, vm, disk)
}

#[test]
fn records_come_back_and_make_a_vm_of_their_own() {
    let (mut db, vm, disk) = pool();
    let exported = collect(&db, &[vm], &ExportOptions::default());
    assert_eq!(exported.disks.len(), 1);
    assert_eq!(exported.disks[0].1, disk);
    let text = write(&db, &exported);
    assert!(text.starts_with("<value>") && text.ends_with("</value>"));
    assert!(!text.contains("OpaqueRef:") || !text.replace("OpaqueRef:NULL", "").contains("OpaqueRef:"));
    let ova = read(text.as_bytes()).unwrap();
    assert_eq!(ova.version, 2);
    let import = Import {
        objects: ova.objects,
        restore: false,
        force: false,
    };
    let disks = import.disks(&db).unwrap();
    assert_eq!(
        disks.iter().map(|d| (d.id.as_str(), d.size)).collect::<Vec<_>>(),
        [(exported.disks[0].0.as_str(), 1 << 30)]
    );
    let facts = facts();
    let mut draft = Draft::new(&db, &facts);
    let image = draft.insert(vdi::CLASS, vec![]);
    let stands_for = [(disks[0].reference, image)].into();
    let made = import::make(&mut draft, &import, &stands_for).unwrap();
    write_down(&mut db, draft, 2);
    let [made] = made[..] else { panic!("{made:?}") };
    let (old, new) = (
        db.of_class(vm::CLASS, vm).unwrap(),
        db.of_class(vm::CLASS, made).unwrap(),
    );
    assert_ne!(old.uuid(), new.uuid());
    for field in [vm::NAME_LABEL, vm::TAGS, vm::VCPUS_MAX, vm::MEMORY_STATIC_MAX] {
        assert_eq!(old.get(field), new.get(field), "{field:?}");
    }
    assert_ne!(new.get(vm::OTHER_CONFIG).get("mac_seed"), Some("seed"));
    assert_eq!(
        new.get(vm::OTHER_CONFIG).get("XenCenter.CustomFields.x"),
        Some("<&>")
    );
    let drives = new.get(vm::VBDS).as_refs();
    assert_eq!(drives.len(), 2);
    assert!(
        drives
            .iter()
            .any(|d| db.of_class(vbd::CLASS, *d).unwrap().get(vbd::VDI).as_ref() == image)
    );
    let nics = new.get(vm::VIFS).as_refs();
    let nic = db.of_class(vif::CLASS, nics[0]).unwrap();
    assert_ne!(nic.get(vif::MAC).as_str(), "02:00:00:00:00:01");
    assert_eq!(
        db.rows(network::CLASS).count(),
        1,
        "the network of that name is taken"
    );
}

#[test]
fn a_restored_vm_keeps_its_identity_and_replaces_what_has_it() {
    let (mut db, vm, _) = pool();
    let uuid = db.of_class(vm::CLASS, vm).unwrap().uuid().to_owned();
    let text = write(&db, &collect(&db, &[vm], &ExportOptions::default()));
    let mut import = Import {
        objects: read(text.as_bytes()).unwrap().objects,
        restore: true,
        force: false,
    };
    let image = import.disks(&db).unwrap()[0].reference;
    let facts = facts();
    let refused = import::check(&mut Draft::new(&db, &facts), &import).unwrap_err();
    assert_eq!(refused.code, "VM_TO_IMPORT_IS_NOT_NEWER_VERSION");
    import.force = true;
    let mut draft = Draft::new(&db, &facts);
    let disk = draft.insert(vdi::CLASS, vec![]);
    let made = import::make(&mut draft, &import, &[(image, disk)].into()).unwrap();
    write_down(&mut db, draft, 2);
    assert_eq!(db.rows(vm::CLASS).count(), 1);
    let row = db.of_class(vm::CLASS, made[0]).unwrap();
    assert_eq!(row.uuid(), uuid);
    assert_eq!(row.get(vm::VERSION).as_int(), 1);
    let nic = db.of_class(vif::CLASS, row.get(vm::VIFS).as_refs()[0]).unwrap();
    assert_eq!(nic.get(vif::MAC).as_str(), "02:00:00:00:00:01");
}

#[test]
fn what_is_no_archive_is_refused() {
    let object = |class: &str, id: &str, record: &str| {
        format!(
            "<value><struct><member><name>class</name><value>{class}</value></member><member><name>id</name><value>{id}</value></member><member><name>snapshot</name><value>{record}</value></member></struct></value>"
        )
    };
    let whole = |objects: String| {
        format!(
            "<value><struct><member><name>objects</name><value><array><data>{objects}</data></array></value></member></struct></value>"
        )
    };
    for bad in [
        String::new(),
        "<value>1</value>".to_owned(),
        whole(object("VM", "Ref:1", "1").repeat(2)),
        whole(object(
            "VM",
            "Ref:1",
            "<struct><member><name>is_a_template</name><value>maybe</value></member></struct>",
        )),
    ] {
        assert_eq!(read(bad.as_bytes()).unwrap_err().code, "IMPORT_ERROR", "{bad}");
    }
    // Of a class that is of no use here nothing is looked at.
    assert!(
        read(whole(object("VGPU", "Ref:1", "1")).as_bytes())
            .unwrap()
            .objects
            .is_empty()
    );
    let size = "<struct><member><name>virtual_size</name><value>-5</value></member></struct>";
    let drive = "<struct><member><name>VM</name><value>Ref:1</value></member><member><name>VDI</name><value>Ref:2</value></member><member><name>type</name><value>Disk</value></member></struct>";
    let text = whole(
        object("VM", "Ref:1", "<struct></struct>")
            + &object("VDI", "Ref:2", size)
            + &object("VBD", "Ref:3", drive),
    );
    let import = Import {
        objects: read(text.as_bytes()).unwrap().objects,
        restore: false,
        force: false,
    };
    assert_eq!(
        import.disks(&Database::default()).unwrap_err().code,
        "IMPORT_ERROR"
    );
}
