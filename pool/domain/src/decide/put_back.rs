//! A pool's objects are put back to what a document says (`/pool/xmldbdump`), while the pool goes on.
//!
//! What exists outside the records is not touched by that: hosts and their interfaces, storage, images, and VMs that are not
//! halted stay as they are. Halted VMs, templates and what belongs to them become what they were; those that the document
//! does not know go, but for their disks. Of what stays only what clients may set comes back: names, tags and the like.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proto_types::generated::{
    host, network, pbd, pif, pool, secret, sr, subject, vbd, vdi, vif, vm, vm_appliance, vm_metrics,
};
use proto_types::schema::Qualifier;
use proto_types::{ApiError, ClassId, Field, Ref, Value};

use crate::database::Database;
use crate::decide::{subject as subjects, vm_create};
use crate::draft::Draft;
use crate::row::Row;
use crate::vm_rules;
use crate::xml::database::{DumpedRow, NotADatabase};

/// Classes of which all that is there stays and all that is missing comes back, in the order in which they are made.
const ADDED: &[ClassId] = &[
    network::CLASS,
    sr::CLASS,
    secret::CLASS,
    pbd::CLASS,
    vdi::CLASS,
    vm_appliance::CLASS,
];
/// Classes of which only what clients may set comes back.
const SET: &[ClassId] = &[pool::CLASS, host::CLASS, pif::CLASS];

/// What of a VM is true of this moment and not of the document's.
const OF_NOW: &[Field] = &[
    vm::POWER_STATE,
    vm::RESIDENT_ON,
    vm::SCHEDULED_TO_BE_RESIDENT_ON,
    vm::CURRENT_OPERATIONS,
    vm::ALLOWED_OPERATIONS,
    vm::SUSPEND_VDI,
    vm::METRICS,
    vm::GUEST_METRICS,
    vm::DOMID,
    vm::DOMARCH,
    vm::BLOBS,
    vbd::CURRENTLY_ATTACHED,
    vbd::CURRENT_OPERATIONS,
    vbd::ALLOWED_OPERATIONS,
    vbd::METRICS,
    vif::CURRENTLY_ATTACHED,
    vif::CURRENT_OPERATIONS,
    vif::ALLOWED_OPERATIONS,
    vif::METRICS,
    vdi::CURRENT_OPERATIONS,
    vdi::ALLOWED_OPERATIONS,
    sr::CURRENT_OPERATIONS,
    sr::ALLOWED_OPERATIONS,
    sr::BLOBS,
    network::CURRENT_OPERATIONS,
    network::ALLOWED_OPERATIONS,
    network::BLOBS,
    pbd::CURRENTLY_ATTACHED,
    vm_appliance::CURRENT_OPERATIONS,
    vm_appliance::ALLOWED_OPERATIONS,
];

/// What cannot be read, in the API's terms.
pub fn unreadable(error: &NotADatabase) -> ApiError {
    match error {
        NotADatabase::Version(_) => ApiError::bare("RESTORE_INCOMPATIBLE_VERSION"),
        NotADatabase::Malformed(why) => ApiError::new("INVALID_VALUE", ["database", why.as_str()]),
    }
}

/// Puts the objects back. The repositories to be looked at afterwards, since records of images came back, are the answer.
///
/// # Errors
/// `RESTORE_TARGET_MGMT_IF_NOT_IN_BACKUP []` for another pool's document; `VM_BAD_POWER_STATE` if a VM runs that the
/// document does not know; `OTHER_OPERATION_IN_PROGRESS` if one is being worked on.
pub fn put_back(draft: &mut Draft<'_>, rows: &[DumpedRow]) -> Result<Vec<Ref>, ApiError> {
    let dump = Dump::of(draft.db(), rows);
    let master = draft.db().only(pool::CLASS).map(|p| p.get(pool::MASTER).as_ref());
    if !master.is_some_and(|master| dump.has(host::CLASS, master)) {
        return Err(ApiError::bare("RESTORE_TARGET_MGMT_IF_NOT_IN_BACKUP"));
    }
    let vms = dump.vms_to_restore(draft)?;
    remove_unknown(draft, &dump)?;
    let mut looked_at = BTreeSet::new();
    for class in ADDED {
        for row in dump.of_class(*class) {
            if draft.db().get(row.reference).is_some() {
                settle(draft, &dump, row, is_settable);
            } else if let Some(storage) = add(draft, &dump, row) {
                looked_at.insert(storage);
            }
        }
    }
    for class in SET {
        for row in dump.of_class(*class) {
            if draft.db().of_class(*class, row.reference).is_some() {
                settle(draft, &dump, row, |field| is_settable(field) && !is_of_ha(field));
            }
        }
    }
    put_subjects_back(draft, &dump)?;
    for reference in &vms {
        put_vm_back(draft, &dump, *reference);
    }
    Ok(looked_at.into_iter().collect())
}

/// A document's rows, to be found.
struct Dump<'a> {
    rows: BTreeMap<Ref, &'a DumpedRow>,
    /// Drives and interfaces by the VM that has them.
    parts: BTreeMap<Ref, Vec<&'a DumpedRow>>,
    /// What is here under another reference by now: an image that a scan has found again.
    now_as: BTreeMap<Ref, Ref>,
}

impl<'a> Dump<'a> {
    fn of(db: &Database, rows: &'a [DumpedRow]) -> Dump<'a> {
        let mut parts: BTreeMap<Ref, Vec<&DumpedRow>> = BTreeMap::new();
        let mut now_as = BTreeMap::new();
        for row in rows {
            for (class, owner) in [(vbd::CLASS, vbd::VM), (vif::CLASS, vif::VM)] {
                if row.class == class {
                    parts.entry(row.reference_in(owner)).or_default().push(row);
                }
            }
            if ADDED.contains(&row.class)
                && db.get(row.reference).is_none()
                && let Some(here) = db.by_uuid(row.class, uuid_of(row))
            {
                now_as.insert(row.reference, here.reference);
            }
        }
        Dump {
            rows: rows.iter().map(|row| (row.reference, row)).collect(),
            parts,
            now_as,
        }
    }

    fn find(&self, class: ClassId, reference: Ref) -> Option<&'a DumpedRow> {
        self.rows
            .get(&reference)
            .copied()
            .filter(|row| row.class == class)
    }

    fn has(&self, class: ClassId, reference: Ref) -> bool {
        self.find(class, reference).is_some()
    }

    fn of_class(&self, class: ClassId) -> impl Iterator<Item = &'a DumpedRow> + '_ {
        self.rows.values().copied().filter(move |row| row.class == class)
    }

    /// The parts of a class that a VM has by the document.
    fn parts(&self, class: ClassId, of: Ref) -> Vec<&'a DumpedRow> {
        let all = self.parts.get(&of).into_iter().flatten();
        all.copied().filter(|row| row.class == class).collect()
    }

    /// The VMs that become what they were: those that are halted, or gone. Busy ones are in the way.
    fn vms_to_restore(&self, draft: &Draft<'_>) -> Result<Vec<Ref>, ApiError> {
        let mut found = Vec::new();
        for row in self.of_class(vm::CLASS) {
            let is_control = row.get(vm::IS_CONTROL_DOMAIN).is_some_and(Value::as_bool);
            match draft.db().of_class(vm::CLASS, row.reference) {
                _ if is_control => {}
                None => found.push(row.reference),
                Some(now) if is_halted(now) => {
                    vm_rules::check_idle(now)?;
                    found.push(row.reference);
                }
                Some(_) => {}
            }
        }
        Ok(found)
    }
}

fn is_halted(row: &Row) -> bool {
    row.get(vm::POWER_STATE).as_str() == vm_rules::HALTED
}

/// Names of images and repositories are set by messages of their own, and are no less the client's.
const NAMES: &[&str] = &["name_label", "name_description"];

fn is_settable(field: Field) -> bool {
    let def = field.def();
    let is_clients = def.qualifier == Qualifier::ReadWrite || NAMES.contains(&def.name);
    is_clients && !OF_NOW.contains(&field)
}

/// High availability is switched by its own verbs.
fn is_of_ha(field: Field) -> bool {
    field.def().name.starts_with("ha_")
}

/// VMs that came after the document was written.
fn remove_unknown(draft: &mut Draft<'_>, dump: &Dump<'_>) -> Result<(), ApiError> {
    let unknown: Vec<Arc<Row>> = draft
        .db()
        .rows(vm::CLASS)
        .filter(|row| !row.get(vm::IS_CONTROL_DOMAIN).as_bool() && !dump.has(vm::CLASS, row.reference))
        .cloned()
        .collect();
    for row in unknown {
        if !is_halted(&row) {
            return Err(vm_rules::bad_power_state(
                row.reference,
                &[vm_rules::HALTED],
                row.get(vm::POWER_STATE).as_str(),
            ));
        }
        vm_rules::check(draft.db(), &row, "destroy")?;
        draft.note(row.reference);
        vm_create::remove(draft, row.reference);
    }
    Ok(())
}

/// Gives a row that is there the document's values of some fields.
fn settle(draft: &mut Draft<'_>, dump: &Dump<'_>, row: &DumpedRow, takes: impl Fn(Field) -> bool) {
    let fields: Vec<(Field, Value)> = row
        .fields
        .iter()
        .filter(|(field, _)| takes(*field))
        .map(|(field, value)| (*field, known(draft, dump, value)))
        .filter(|(field, value)| {
            draft
                .db()
                .get(row.reference)
                .is_some_and(|now| now.get(*field) != value)
        })
        .collect();
    if !fields.is_empty() {
        draft.note(row.reference);
        draft.update(row.reference, fields);
    }
}

/// Makes a row that is gone, without what was true of it then only. Of an image the repository is the answer.
fn add(draft: &mut Draft<'_>, dump: &Dump<'_>, row: &DumpedRow) -> Option<Ref> {
    let there = |class: ClassId, field: Field| {
        let of = row
            .get(field)
            .map_or(Ref::NULL, |of| known(draft, dump, of).as_ref());
        draft.db().of_class(class, of).is_some()
    };
    let has_place = match row.class {
        pbd::CLASS => there(host::CLASS, pbd::HOST) && there(sr::CLASS, pbd::SR),
        vdi::CLASS => there(sr::CLASS, vdi::SR),
        _ => true,
    };
    if !has_place || dump.now_as.contains_key(&row.reference) {
        return None;
    }
    insert(draft, dump, row);
    let made = draft.db().of_class(vdi::CLASS, row.reference);
    made.map(|image| image.get(vdi::SR).as_ref())
}

fn uuid_of<'a>(row: &'a DumpedRow) -> &'a str {
    let index = row.class.def().field("uuid");
    index.map_or("", |index| {
        row.text(Field {
            class: row.class,
            index,
        })
    })
}

fn insert(draft: &mut Draft<'_>, dump: &Dump<'_>, row: &DumpedRow) {
    let fields = row
        .fields
        .iter()
        .filter(|(field, _)| !OF_NOW.contains(field))
        .map(|(field, value)| (*field, known(draft, dump, value)))
        .collect();
    draft.insert_as(row.class, row.reference, fields);
}

/// A value without references to what is not there and does not come back, and with the references of now.
fn known(draft: &Draft<'_>, dump: &Dump<'_>, value: &Value) -> Value {
    let stays = |reference: &Ref| {
        if dump.now_as.contains_key(reference) {
            return true;
        }
        let comes = dump.rows.get(reference).is_some_and(|row| {
            ADDED.contains(&row.class)
                || [vm::CLASS, vbd::CLASS, vif::CLASS, vm_metrics::CLASS].contains(&row.class)
        });
        draft.db().get(*reference).is_some() || comes
    };
    match value {
        Value::Ref(reference) if !stays(reference) => Value::Ref(Ref::NULL),
        Value::Ref(reference) => Value::Ref(dump.now_as.get(reference).copied().unwrap_or(*reference)),
        Value::Set(items) => {
            let keeps = |item: &&Value| !matches!(item, Value::Ref(r) if !stays(r));
            let kept = items.iter().filter(keeps);
            Value::Set(kept.map(|item| known(draft, dump, item)).collect())
        }
        Value::Map(map) => {
            let keeps = |(key, _): &(&Value, &Value)| !matches!(key, Value::Ref(r) if !stays(r));
            let pairs = map.iter().filter(keeps);
            let now = pairs.map(|(k, v)| (known(draft, dump, k), known(draft, dump, v)));
            Value::Map(now.collect())
        }
        other => other.clone(),
    }
}

/// Who may log in is who might then.
fn put_subjects_back(draft: &mut Draft<'_>, dump: &Dump<'_>) -> Result<(), ApiError> {
    let now: Vec<Ref> = draft.db().rows(subject::CLASS).map(|row| row.reference).collect();
    for reference in now.iter().filter(|r| !dump.has(subject::CLASS, **r)) {
        subjects::destroy(draft, *reference)?;
    }
    for row in dump.of_class(subject::CLASS) {
        if now.contains(&row.reference) {
            settle(draft, dump, row, |_| true);
        } else {
            insert(draft, dump, row);
        }
    }
    Ok(())
}

/// A VM that is halted or gone becomes what it was, halted, with the drives and interfaces that it had.
fn put_vm_back(draft: &mut Draft<'_>, dump: &Dump<'_>, reference: Ref) {
    let Some(row) = dump.find(vm::CLASS, reference) else {
        return;
    };
    if draft.db().get(reference).is_some() {
        settle(draft, dump, row, |field| !OF_NOW.contains(&field));
    } else {
        let metrics = row.reference_in(vm::METRICS);
        if draft.db().get(metrics).is_none()
            && let Some(figures) = dump.find(vm_metrics::CLASS, metrics)
        {
            insert(draft, dump, figures);
        }
        insert(draft, dump, row);
        draft.update(
            reference,
            vec![
                (vm::POWER_STATE, vm_rules::HALTED.into()),
                (vm::METRICS, metrics.into()),
            ],
        );
    }
    for (class, list) in [(vbd::CLASS, vm::VBDS), (vif::CLASS, vm::VIFS)] {
        let parts = dump.parts(class, reference);
        let there = draft
            .db()
            .of_class(vm::CLASS, reference)
            .map(|row| row.get(list).as_refs())
            .unwrap_or_default();
        for gone in there
            .iter()
            .filter(|r| !parts.iter().any(|part| part.reference == **r))
        {
            draft.delete(*gone);
        }
        for part in parts {
            if draft.db().get(part.reference).is_some() {
                settle(draft, dump, part, |field| !OF_NOW.contains(&field));
            } else {
                insert(draft, dump, part);
            }
        }
    }
}
