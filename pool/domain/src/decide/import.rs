//! VMs from an archive: which disks are to be made for them, and the records.

use std::collections::BTreeMap;

use proto_types::generated::{host, network, sr, vbd, vdi, vif, vm};
use proto_types::{ApiError, ClassId, Field, Ref, Value};
use serde::{Deserialize, Serialize};

use crate::database::Database;
use crate::decide::{generic, network as networks, vif as nics, vm_create};
use crate::draft::Draft;
use crate::vm_rules;

/// An object of an archive. References in its record are those of the archive's objects, or null.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportedObject {
    /// Its class.
    pub class: String,
    /// Its name within the archive.
    pub id: String,
    /// What other records of the archive call it by; nothing in the pool has this reference.
    pub reference: Ref,
    /// Its record.
    pub record: Value,
}

/// What to do with an archive.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Import {
    /// Its objects.
    pub objects: Vec<ImportedObject>,
    /// VMs keep their uuid and addresses, and replace what has that uuid.
    pub restore: bool,
    /// What is in the way is passed over.
    pub force: bool,
}

/// A disk whose bytes come in the archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskInArchive {
    /// Its name within the archive, which is the folder of its pieces.
    pub id: String,
    /// What the archive's records call it by.
    pub reference: Ref,
    /// Its size in bytes.
    pub size: i64,
}

/// No disk is larger.
const LARGEST_DISK: i64 = 256 << 40;

fn import_error(text: impl Into<String>) -> ApiError {
    ApiError::new("IMPORT_ERROR", [text.into()])
}

impl Import {
    fn of(&self, class: ClassId) -> impl Iterator<Item = &ImportedObject> {
        let name = class.name();
        self.objects.iter().filter(move |object| object.class == name)
    }

    fn get(&self, class: ClassId, reference: Ref) -> Option<&ImportedObject> {
        self.of(class).find(|object| object.reference == reference)
    }

    /// The VMs that are made: not those that stand for a default template of the pool.
    fn vms<'a>(&'a self, db: &'a Database) -> impl Iterator<Item = &'a ImportedObject> {
        self.of(vm::CLASS)
            .filter(move |object| existing_template(db, object).is_none())
    }

    /// The disks whose bytes come in the archive, in the order in which they come.
    ///
    /// # Errors
    /// `IMPORT_ERROR` for one of an absurd size.
    pub fn disks(&self, db: &Database) -> Result<Vec<DiskInArchive>, ApiError> {
        let mut found: Vec<DiskInArchive> = Vec::new();
        for object in self.vms(db) {
            let drives = self
                .of(vbd::CLASS)
                .filter(|drive| part_of(drive, "VM") == object.reference && text(drive, "type") != "CD")
                .map(|drive| part_of(drive, "VDI"));
            let suspended = text(object, "power_state") == vm_rules::SUSPENDED;
            let memory = suspended.then(|| part_of(object, "suspend_VDI"));
            for reference in drives.chain(memory) {
                let Some(image) = self.get(vdi::CLASS, reference) else {
                    continue;
                };
                let library = self
                    .get(sr::CLASS, part_of(image, "SR"))
                    .is_some_and(|storage| text(storage, "content_type") == "iso");
                if library || found.iter().any(|disk| disk.reference == reference) {
                    continue;
                }
                let size = image.record.member("virtual_size").map_or(0, Value::as_int);
                if size <= 0 || size > LARGEST_DISK {
                    return Err(import_error(format!("{} has {size} bytes", image.id)));
                }
                found.push(DiskInArchive {
                    id: image.id.clone(),
                    reference,
                    size,
                });
            }
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(found)
    }
}

fn part_of(object: &ImportedObject, member: &str) -> Ref {
    object.record.member(member).map_or(Ref::NULL, Value::as_ref)
}

fn text<'a>(object: &'a ImportedObject, member: &str) -> &'a str {
    object.record.member(member).map_or("", Value::as_str)
}

/// A record of a default template stands for the pool's own of that name.
fn existing_template(db: &Database, object: &ImportedObject) -> Option<Ref> {
    let is_default = object
        .record
        .member("is_default_template")
        .is_some_and(Value::as_bool);
    let label = text(object, "name_label");
    is_default
        .then(|| {
            db.rows(vm::CLASS)
                .find(|r| r.get(vm::IS_DEFAULT_TEMPLATE).as_bool() && r.get(vm::NAME_LABEL).as_str() == label)
        })
        .flatten()
        .map(|r| r.reference)
}

/// Checks that the VMs can come. Also done by [`make`], since much may change while disks are filled.
///
/// # Errors
/// `IMPORT_ERROR` if there is no VM; when restoring `VM_BAD_POWER_STATE`, `VM_TO_IMPORT_IS_NOT_NEWER_VERSION
/// [vm, existing, import]`, `DUPLICATE_MAC_SEED [seed]`.
pub fn check(draft: &mut Draft<'_>, import: &Import) -> Result<(), ApiError> {
    if import.of(vm::CLASS).next().is_none() {
        return Err(import_error("the archive holds no VM"));
    }
    if !import.restore {
        return Ok(());
    }
    for object in import.of(vm::CLASS) {
        let uuid = text(object, "uuid");
        if let Some(existing) = draft.db().by_uuid(vm::CLASS, uuid).cloned() {
            draft.note(existing.reference);
            let state = existing.get(vm::POWER_STATE).as_str();
            if state != vm_rules::HALTED && !import.force {
                return Err(vm_rules::bad_power_state(
                    existing.reference,
                    &[vm_rules::HALTED],
                    state,
                ));
            }
            let here = existing.get(vm::VERSION).as_int();
            let there = object.record.member("version").map_or(0, Value::as_int);
            if here >= there && !import.force {
                return Err(ApiError::new(
                    "VM_TO_IMPORT_IS_NOT_NEWER_VERSION",
                    [
                        existing.reference.to_string(),
                        here.to_string(),
                        there.to_string(),
                    ],
                ));
            }
        }
        let seed = object
            .record
            .member("other_config")
            .and_then(|m| m.get("mac_seed"));
        let taken = |seed: &str| {
            draft
                .db()
                .rows(vm::CLASS)
                .any(|r| r.uuid() != uuid && r.get(vm::OTHER_CONFIG).get("mac_seed") == Some(seed))
        };
        if let Some(seed) = seed.filter(|seed| taken(seed)) {
            return Err(ApiError::new("DUPLICATE_MAC_SEED", [seed]));
        }
    }
    Ok(())
}

/// Makes the records. `disks` says which image stands for which of the archive's. Answers the VMs, without snapshots if
/// there are others.
///
/// # Errors
/// As [`check`]; `IMPORT_ERROR` for records that lack what has no default.
pub fn make(
    draft: &mut Draft<'_>,
    import: &Import,
    disks: &BTreeMap<Ref, Ref>,
) -> Result<Vec<Ref>, ApiError> {
    check(draft, import)?;
    let mut stands_for: BTreeMap<Ref, Ref> = disks.clone();
    for object in import.of(host::CLASS) {
        if let Some(row) = draft.db().by_uuid(host::CLASS, text(object, "uuid")) {
            stands_for.insert(object.reference, row.reference);
        }
    }
    for object in import.of(vdi::CLASS) {
        if !stands_for.contains_key(&object.reference)
            && let Some(medium) = same_medium(draft.db(), import, object)
        {
            stands_for.insert(object.reference, medium);
        }
    }
    for object in import.of(network::CLASS) {
        let found = match same_network(draft.db(), object) {
            Some(found) => found,
            None => make_network(draft, object)?,
        };
        stands_for.insert(object.reference, found);
    }
    let (mut vms, mut snapshots) = (Vec::new(), Vec::new());
    for object in import.of(vm::CLASS) {
        let made = match existing_template(draft.db(), object) {
            Some(template) => {
                vms.push(template);
                continue;
            }
            None => make_vm(draft, import, object, &stands_for)?,
        };
        let Some(made) = made else { continue };
        if object.record.member("is_a_snapshot").is_some_and(Value::as_bool) {
            snapshots.push(made);
        } else {
            vms.push(made);
        }
        for drive in import
            .of(vbd::CLASS)
            .filter(|d| part_of(d, "VM") == object.reference)
        {
            make_drive(draft, import, drive, made, &stands_for)?;
        }
        for nic in import
            .of(vif::CLASS)
            .filter(|n| part_of(n, "VM") == object.reference)
        {
            make_nic(draft, import, nic, made, &stands_for)?;
        }
    }
    Ok(if vms.is_empty() { snapshots } else { vms })
}

/// An ISO is found again by its place in any library.
fn same_medium(db: &Database, import: &Import, object: &ImportedObject) -> Option<Ref> {
    let storage = import.get(sr::CLASS, part_of(object, "SR"))?;
    if text(storage, "content_type") != "iso" {
        return None;
    }
    let location = text(object, "location");
    db.rows(vdi::CLASS)
        .filter(|v| v.get(vdi::LOCATION).as_str() == location)
        .find(|v| {
            db.of_class(sr::CLASS, v.get(vdi::SR).as_ref()).is_some_and(|s| {
                s.get(sr::CONTENT_TYPE).as_str() == "iso" && s.get(sr::TYPE).as_str() != "udev"
            })
        })
        .map(|v| v.reference)
}

fn same_network(db: &Database, object: &ImportedObject) -> Option<Ref> {
    let by = |field: Field, wanted: &str| {
        db.rows(network::CLASS)
            .find(|n| !wanted.is_empty() && n.get(field).as_str() == wanted)
            .map(|n| n.reference)
    };
    by(network::NAME_LABEL, text(object, "name_label"))
        .or_else(|| by(network::BRIDGE, text(object, "bridge")))
}

fn make_network(draft: &mut Draft<'_>, object: &ImportedObject) -> Result<Ref, ApiError> {
    let Value::Record(members) = &object.record else {
        return Err(import_error("a network without a record"));
    };
    // A bridge of that name is not here, and its name may be one that only the server gives.
    let members = members.iter().filter(|(name, _)| &**name != "bridge").cloned();
    networks::create(draft, &Value::Record(members.collect()))
}

/// The fields that a record gives, without references: those are set one by one.
fn given(class: ClassId, object: &ImportedObject) -> Result<Vec<(Field, Value)>, ApiError> {
    let mut fields = generic::fields_of(class, &object.record)
        .map_err(|error| import_error(format!("{}: {}", object.id, error.params.join(" "))))?;
    fields.retain(|(_, value)| {
        !matches!(value, Value::Ref(_)) && !value.as_set().iter().any(|item| matches!(item, Value::Ref(_)))
    });
    Ok(fields)
}

fn replace(fields: &mut Vec<(Field, Value)>, field: Field, value: impl Into<Value>) {
    fields.retain(|(f, _)| *f != field);
    fields.push((field, value.into()));
}

/// `None` for a VM that is passed over because one of its uuid runs.
fn make_vm(
    draft: &mut Draft<'_>,
    import: &Import,
    object: &ImportedObject,
    stands_for: &BTreeMap<Ref, Ref>,
) -> Result<Option<Ref>, ApiError> {
    let mut fields = given(vm::CLASS, object)?;
    let version = object.record.member("version").map_or(0, Value::as_int);
    if import.restore {
        let uuid = text(object, "uuid");
        if let Some(existing) = draft.db().by_uuid(vm::CLASS, uuid).cloned() {
            if existing.get(vm::POWER_STATE).as_str() != vm_rules::HALTED {
                return Ok(None);
            }
            vm_create::remove(draft, existing.reference);
        }
        replace(&mut fields, vm::UUID, uuid);
        replace(&mut fields, vm::VERSION, Value::Int(version.saturating_add(1)));
    } else {
        fields.retain(|(f, _)| *f != vm::UUID);
        replace(&mut fields, vm::VERSION, Value::Int(0));
    }
    let mut other = object
        .record
        .member("other_config")
        .and_then(Value::as_map)
        .cloned()
        .unwrap_or_default();
    other.remove(&Value::str("import_task"));
    if !import.restore {
        other.insert("mac_seed".into(), draft.facts().uuid_text().into());
    }
    if !import.force {
        other.remove(&Value::str("default_template"));
        replace(&mut fields, vm::IS_DEFAULT_TEMPLATE, false);
    }
    replace(&mut fields, vm::OTHER_CONFIG, Value::Map(other));
    let policy = text(object, "HVM_boot_policy").to_owned();
    if matches!(text(object, "domain_type"), "" | "unspecified") {
        replace(&mut fields, vm::DOMAIN_TYPE, vm_create::domain_type(&policy));
    }
    let memory = stands_for.get(&part_of(object, "suspend_VDI")).copied();
    let suspended = text(object, "power_state") == vm_rules::SUSPENDED && memory.is_some();
    if suspended {
        replace(&mut fields, vm::SUSPEND_VDI, memory.unwrap_or_default());
    }
    let state = if suspended {
        vm_rules::SUSPENDED
    } else {
        vm_rules::HALTED
    };
    replace(&mut fields, vm::POWER_STATE, state);
    replace(&mut fields, vm::DOMID, Value::Int(-1));
    let affinity = stands_for.get(&part_of(object, "affinity")).copied();
    replace(&mut fields, vm::AFFINITY, affinity.unwrap_or_default());
    let vcpus = object.record.member("VCPUs_max").map_or(1, Value::as_int);
    let metrics = vm_create::new_metrics(draft, vcpus);
    replace(&mut fields, vm::METRICS, metrics);
    if object.record.member("is_a_snapshot").is_some_and(Value::as_bool) {
        replace(&mut fields, vm::IS_A_SNAPSHOT, true);
    }
    Ok(Some(draft.insert(vm::CLASS, fields)))
}

fn make_drive(
    draft: &mut Draft<'_>,
    import: &Import,
    object: &ImportedObject,
    owner: Ref,
    stands_for: &BTreeMap<Ref, Ref>,
) -> Result<(), ApiError> {
    let mut fields = given(vbd::CLASS, object)?;
    let image = stands_for.get(&part_of(object, "VDI")).copied();
    let is_cd = text(object, "type") == "CD";
    if image.is_none() && !is_cd {
        if import.force || part_of(object, "VDI").is_null() {
            return Ok(());
        }
        return Err(import_error(format!(
            "the disk of {} is not in the archive",
            object.id
        )));
    }
    fields.retain(|(f, _)| *f != vbd::UUID);
    replace(&mut fields, vbd::VM, owner);
    replace(&mut fields, vbd::VDI, image.unwrap_or_default());
    replace(&mut fields, vbd::EMPTY, image.is_none());
    replace(&mut fields, vbd::CURRENTLY_ATTACHED, false);
    draft.insert(vbd::CLASS, fields);
    Ok(())
}

fn make_nic(
    draft: &mut Draft<'_>,
    import: &Import,
    object: &ImportedObject,
    owner: Ref,
    stands_for: &BTreeMap<Ref, Ref>,
) -> Result<(), ApiError> {
    let Some(net) = stands_for.get(&part_of(object, "network")).copied() else {
        return Ok(());
    };
    let mut fields = given(vif::CLASS, object)?;
    fields.retain(|(f, _)| *f != vif::UUID);
    replace(&mut fields, vif::VM, owner);
    replace(&mut fields, vif::NETWORK, net);
    replace(&mut fields, vif::CURRENTLY_ATTACHED, false);
    if !import.restore {
        let seed = draft
            .db()
            .of_class(vm::CLASS, owner)
            .and_then(|r| r.get(vm::OTHER_CONFIG).get("mac_seed"))
            .unwrap_or_default()
            .to_owned();
        let device = text(object, "device").parse().unwrap_or(0);
        replace(&mut fields, vif::MAC, nics::generated_mac(&seed, device));
        replace(&mut fields, vif::MAC_AUTOGENERATED, true);
    } else if let Some(made) = object.record.member("MAC_autogenerated") {
        replace(&mut fields, vif::MAC_AUTOGENERATED, made.clone());
    }
    draft.insert(vif::CLASS, fields);
    Ok(())
}
