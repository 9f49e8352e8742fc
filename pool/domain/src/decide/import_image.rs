//! Machines around disks: the records that an archive of them would hold.

use std::sync::Arc;

use proto_types::generated::{network, pif, vbd, vdi, vif, vm};
use proto_types::{ApiError, Bytes, ClassId, Ref, Value};

use crate::database::Database;
use crate::decide::import::{Import, ImportedObject};
use crate::query;

/// The template whose settings the VM has, but for what is said here.
const TEMPLATE: &str = "Other install media";
/// Its memory: what images for clouds need at least.
const MEMORY: Bytes = Bytes::gib(1);
/// Its name if none is given.
const NAME: &str = "Imported VM";

type Members = Vec<(Arc<str>, Value)>;

fn member(name: &str, value: impl Into<Value>) -> (Arc<str>, Value) {
    (Arc::from(name), value.into())
}

/// A machine to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name; empty if none is given.
    pub name: String,
    /// What is written about it.
    pub description: String,
    /// Its memory, if it is said.
    pub memory: Option<Bytes>,
    /// Virtual processors; `None` for as many as the template has.
    pub processors: Option<i64>,
    /// Whether it is started by UEFI rather than a BIOS.
    pub uefi: bool,
    /// Its disks in order, of which it boots from the first.
    pub disks: Vec<Disk>,
    /// Network cards, all in the network by which its host is managed.
    pub cards: usize,
}

/// A disk of a machine to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What the records call it by.
    pub reference: Ref,
    /// Bytes.
    pub size: i64,
}

impl Machine {
    /// One that boots from one disk of this size.
    pub fn around(name: &str, size: i64, reference: Ref) -> Machine {
        Machine {
            name: name.to_owned(),
            description: String::new(),
            memory: None,
            processors: None,
            uefi: false,
            disks: vec![Disk { reference, size }],
            cards: 1,
        }
    }
}

/// Plans VMs. Objects are numbered as they come.
///
/// # Errors
/// `IMPORT_ERROR` if the pool lacks the template for such VMs.
pub fn machines(
    db: &Database,
    wanted: &[Machine],
    reference: &mut dyn FnMut() -> Ref,
) -> Result<Import, ApiError> {
    let template = db
        .rows(vm::CLASS)
        .find(|row| {
            row.get(vm::IS_DEFAULT_TEMPLATE).as_bool() && row.get(vm::NAME_LABEL).as_str() == TEMPLATE
        })
        .ok_or_else(|| ApiError::new("IMPORT_ERROR", [format!("there is no template {TEMPLATE:?}")]))?;
    let mut plan = Plan {
        objects: Vec::new(),
        reference,
    };
    let managed = db.rows(pif::CLASS).find(|row| row.get(pif::MANAGEMENT).as_bool());
    let net = managed.map(|card| {
        let there = settings(db, card.get(pif::NETWORK).as_ref());
        plan.add(network::CLASS, there)
    });
    for machine in wanted {
        let settings = settings(db, template.reference);
        plan.machine(settings, machine, net);
    }
    Ok(Import {
        objects: plan.objects,
        restore: false,
        force: false,
    })
}

/// The objects so far.
struct Plan<'a> {
    objects: Vec<ImportedObject>,
    reference: &'a mut dyn FnMut() -> Ref,
}

impl Plan<'_> {
    fn add(&mut self, class: ClassId, members: Members) -> Ref {
        let reference = (self.reference)();
        self.add_as(reference, class, members);
        reference
    }

    fn add_as(&mut self, reference: Ref, class: ClassId, members: Members) {
        self.objects.push(ImportedObject {
            class: class.name().to_owned(),
            id: format!("Ref:{}", self.objects.len()),
            reference,
            record: Value::Record(members),
        });
    }

    fn machine(&mut self, mut record: Members, machine: &Machine, net: Option<Ref>) {
        let name = if machine.name.is_empty() {
            NAME
        } else {
            &machine.name
        };
        let memory = machine.memory.unwrap_or(MEMORY).as_i64();
        let mut changes = vec![
            member("name_label", name),
            member("name_description", machine.description.as_str()),
            member("is_a_template", false),
            member("is_default_template", false),
            member("is_a_snapshot", false),
            member("memory_static_min", memory),
            member("memory_dynamic_min", memory),
            member("memory_dynamic_max", memory),
            member("memory_static_max", memory),
            member(
                "other_config",
                Value::string_map([("base_template_name", TEMPLATE)]),
            ),
        ];
        if let Some(count) = machine.processors {
            changes.extend([member("VCPUs_max", count), member("VCPUs_at_startup", count)]);
        }
        if machine.uefi {
            let boot = Value::string_map([("firmware", "uefi"), ("order", "cd")]);
            changes.push(member("HVM_boot_params", boot));
        }
        record.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        record.extend(changes);
        let me = self.add(vm::CLASS, record);
        for (number, disk) in machine.disks.iter().enumerate() {
            let label = match number {
                0 => name.to_owned(),
                number => format!("{name} {number}"),
            };
            self.disk(me, number, disk, &label);
        }
        for number in 0..net.map_or(0, |_| machine.cards) {
            self.add(
                vif::CLASS,
                vec![
                    member("VM", me),
                    member("network", net.unwrap_or(Ref::NULL)),
                    member("device", number.to_string()),
                    member("MAC", ""),
                    member("MTU", 1500_i64),
                    member("other_config", Value::empty_map()),
                    member("qos_algorithm_type", ""),
                    member("qos_algorithm_params", Value::empty_map()),
                ],
            );
        }
    }

    fn disk(&mut self, me: Ref, number: usize, disk: &Disk, label: &str) {
        let image = vec![
            member("name_label", label),
            member("name_description", ""),
            member("virtual_size", disk.size),
            member("type", if number == 0 { "system" } else { "user" }),
            member("sharable", false),
            member("read_only", false),
            member("other_config", Value::empty_map()),
            member("SR", Ref::NULL),
        ];
        self.add_as(disk.reference, vdi::CLASS, image);
        let drive = vec![
            member("VM", me),
            member("VDI", disk.reference),
            member("userdevice", number.to_string()),
            member("bootable", number == 0),
            member("mode", "RW"),
            member("type", "Disk"),
            member("unpluggable", true),
            member("empty", false),
            member("other_config", Value::string_map([("owner", "")])),
            member("qos_algorithm_type", ""),
            member("qos_algorithm_params", Value::empty_map()),
        ];
        self.add(vbd::CLASS, drive);
    }
}

/// What a row says of itself; it refers to nothing.
fn settings(db: &Database, reference: Ref) -> Members {
    let Some(Value::Record(mut members)) = db.get(reference).map(|row| query::record(db, row)) else {
        return Vec::new();
    };
    for (_, value) in &mut members {
        if matches!(value, Value::Ref(_)) {
            *value = Value::Ref(Ref::NULL);
        }
    }
    members
}
