//! What of the pool goes into an archive of VMs: their records and what those refer to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proto_types::generated::{host, network, sr, vbd, vdi, vif, vm, vm_guest_metrics, vm_metrics};
use proto_types::{ClassId, Ref, Value};

use crate::database::Database;
use crate::query;
use crate::row::Row;
use crate::vm_rules;

/// One object of an archive.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportedObject {
    /// Its class.
    pub class: &'static str,
    /// Its name within the archive.
    pub id: String,
    /// Its record, with references as names within the archive.
    pub record: Value,
}

/// What goes into an archive.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exported {
    /// The objects, in the order of classes.
    pub objects: Vec<ExportedObject>,
    /// The disks whose bytes go along, in the order of their names within the archive.
    pub disks: Vec<(String, Ref)>,
}

/// Where an archive differs from the usual one, of halted VMs with their disks.
#[derive(Clone, Debug, Default)]
pub struct ExportOptions {
    /// Power states and attachments stay as they are, and the memory of suspended VMs goes along.
    pub keeps_state: bool,
    /// The VMs' snapshots go along.
    pub with_snapshots: bool,
    /// Classes of devices that stay out: `vif`, `vbd`, `vgpu`, `vtpm`.
    pub without: Vec<String>,
}

/// Collects what an archive of some VMs holds.
pub fn collect(db: &Database, vms: &[Ref], options: &ExportOptions) -> Exported {
    let mut found = Found::default();
    for reference in vms {
        if let Some(row) = db.of_class(vm::CLASS, *reference) {
            found.vm(db, row, options);
            if options.with_snapshots {
                for snapshot in row.get(vm::SNAPSHOTS).as_refs() {
                    if let Some(row) = db.of_class(vm::CLASS, snapshot) {
                        found.vm(db, row, options);
                    }
                }
            }
        }
    }
    found.write(db, options)
}

#[derive(Default)]
struct Found {
    /// By class, in the order of an archive; each in the order found.
    lists: BTreeMap<usize, Vec<Ref>>,
    seen: BTreeSet<Ref>,
    streamed: Vec<Ref>,
}

/// The order of classes in an archive.
const ORDER: &[ClassId] = &[
    host::CLASS,
    vm::CLASS,
    vm_metrics::CLASS,
    vm_guest_metrics::CLASS,
    vbd::CLASS,
    vif::CLASS,
    network::CLASS,
    vdi::CLASS,
    sr::CLASS,
];

impl Found {
    fn add<'a>(&mut self, db: &'a Database, class: ClassId, reference: Ref) -> Option<&'a Arc<Row>> {
        let row = db.of_class(class, reference)?;
        if self.seen.insert(reference) {
            let place = ORDER.iter().position(|c| *c == class)?;
            self.lists.entry(place).or_default().push(reference);
        }
        Some(row)
    }

    fn vm(&mut self, db: &Database, row: &Row, options: &ExportOptions) {
        self.add(db, vm::CLASS, row.reference);
        for field in [vm::RESIDENT_ON, vm::AFFINITY] {
            self.add(db, host::CLASS, row.get(field).as_ref());
        }
        self.add(db, vm_metrics::CLASS, row.get(vm::METRICS).as_ref());
        self.add(db, vm_guest_metrics::CLASS, row.get(vm::GUEST_METRICS).as_ref());
        let wanted = |class: &str| !options.without.iter().any(|c| c.eq_ignore_ascii_case(class));
        if wanted("vbd") {
            for drive in row.get(vm::VBDS).as_refs() {
                let Some(drive) = self.add(db, vbd::CLASS, drive) else {
                    continue;
                };
                let is_disk = drive.get(vbd::TYPE).as_str() != "CD";
                self.image(db, drive.get(vbd::VDI).as_ref(), is_disk);
            }
        }
        if wanted("vif") {
            for nic in row.get(vm::VIFS).as_refs() {
                if let Some(nic) = self.add(db, vif::CLASS, nic) {
                    self.add(db, network::CLASS, nic.get(vif::NETWORK).as_ref());
                }
            }
        }
        if options.keeps_state && row.get(vm::POWER_STATE).as_str() == vm_rules::SUSPENDED {
            self.image(db, row.get(vm::SUSPEND_VDI).as_ref(), true);
        }
    }

    fn image(&mut self, db: &Database, image: Ref, is_disk: bool) {
        let Some(row) = self.add(db, vdi::CLASS, image) else {
            return;
        };
        let storage = self.add(db, sr::CLASS, row.get(vdi::SR).as_ref());
        let library = storage.is_some_and(|s| s.get(sr::CONTENT_TYPE).as_str() == "iso");
        if is_disk && !library && !self.streamed.contains(&image) {
            self.streamed.push(image);
        }
    }

    fn write(self, db: &Database, options: &ExportOptions) -> Exported {
        let all: Vec<Ref> = self.lists.into_values().flatten().collect();
        let digits = all.len().to_string().len();
        let ids: BTreeMap<Ref, String> = all
            .iter()
            .enumerate()
            .map(|(number, reference)| (*reference, format!("Ref:{number:0digits$}")))
            .collect();
        let mut disks: Vec<(String, Ref)> = self
            .streamed
            .iter()
            .filter_map(|image| Some((ids.get(image)?.clone(), *image)))
            .collect();
        disks.sort();
        let objects = all
            .iter()
            .filter_map(|reference| {
                let row = db.get(*reference)?;
                Some(ExportedObject {
                    class: row.class.name(),
                    id: ids.get(reference)?.clone(),
                    record: record(db, row, &ids, options),
                })
            })
            .collect();
        Exported { objects, disks }
    }
}

/// The record as it stands in an archive.
fn record(db: &Database, row: &Row, ids: &BTreeMap<Ref, String>, options: &ExportOptions) -> Value {
    let Value::Record(members) = query::record(db, row) else {
        return Value::Void;
    };
    let changed = members.into_iter().map(|(name, value)| {
        let value = match (row.class.name(), &*name) {
            (_, "allowed_operations") | ("VM", "consoles" | "crash_dumps") => Value::Set(Vec::new()),
            ("SR", "PBDs") | ("network", "PIFs") => Value::Set(Vec::new()),
            (_, "current_operations") | ("VM", "blobs") => Value::empty_map(),
            ("VBD" | "VIF", "metrics") => Value::Ref(Ref::NULL),
            ("VM", "power_state") if !options.keeps_state => Value::from(vm_rules::HALTED),
            ("VM", "suspend_VDI") if !options.keeps_state => Value::Ref(Ref::NULL),
            ("VBD" | "VIF", "currently_attached") if !options.keeps_state => Value::Bool(false),
            _ => value,
        };
        (name, within(value, ids))
    });
    Value::Record(changed.collect())
}

/// References as names within the archive; what is not in it is left out of sets and null elsewhere.
fn within(value: Value, ids: &BTreeMap<Ref, String>) -> Value {
    match value {
        Value::Ref(reference) => Value::from(match ids.get(&reference) {
            Some(id) => id.clone(),
            None => Ref::NULL.to_string(),
        }),
        Value::Set(items) => Value::Set(
            items
                .into_iter()
                .filter(|item| !matches!(item, Value::Ref(r) if !ids.contains_key(r)))
                .map(|item| within(item, ids))
                .collect(),
        ),
        Value::Map(map) => Value::Map(
            map.into_iter()
                .map(|(k, v)| (within(k, ids), within(v, ids)))
                .collect(),
        ),
        other => other,
    }
}
