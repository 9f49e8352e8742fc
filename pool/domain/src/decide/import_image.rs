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
    let mut plan = Plan {
        objects: Vec::new(),
        reference,
    };
    let managed = db.rows(pif::CLASS).find(|row| row.get(pif::MANAGEMENT).as_bool());
    let net = managed.map(|card| {
        let there = settings(db, card.get(pif::NETWORK).as_ref());
        plan.add(network::CLASS, Value::Record(there))
    });
    for machine in wanted {
        plan.machine(db, machine, net)?;
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
    fn add(&mut self, class: ClassId, record: Value) -> Ref {
        let reference = (self.reference)();
        self.add_as(reference, class, record);
        reference
    }

    fn add_as(&mut self, reference: Ref, class: ClassId, record: Value) {
        self.objects.push(ImportedObject {
            class: class.name().to_owned(),
            id: format!("Ref:{}", self.objects.len()),
            reference,
            record,
        });
    }

    fn machine(&mut self, db: &Database, machine: &Machine, net: Option<Ref>) -> Result<(), ApiError> {
        let name = if machine.name.is_empty() {
            NAME
        } else {
            &machine.name
        };
        let memory = machine.memory.unwrap_or(MEMORY).as_i64();
        let mut changes: Vec<(&str, Value)> = vec![
            ("name_label", name.into()),
            ("name_description", machine.description.as_str().into()),
            ("memory_static_min", memory.into()),
            ("memory_dynamic_min", memory.into()),
            ("memory_dynamic_max", memory.into()),
            ("memory_static_max", memory.into()),
            (
                "other_config",
                Value::string_map([("base_template_name", TEMPLATE)]),
            ),
        ];
        if let Some(count) = machine.processors {
            changes.extend([("VCPUs_max", count.into()), ("VCPUs_at_startup", count.into())]);
        }
        if machine.uefi {
            changes.push(("HVM_boot_params", uefi()));
        }
        let me = self.add(vm::CLASS, like_template(db, changes)?);
        for (number, disk) in machine.disks.iter().enumerate() {
            let label = match number {
                0 => name.to_owned(),
                number => format!("{name} {number}"),
            };
            self.disk(me, number, disk, &label);
        }
        for number in 0..net.map_or(0, |_| machine.cards) {
            let card = [
                ("VM", me.into()),
                ("network", net.unwrap_or(Ref::NULL).into()),
                ("device", number.to_string().into()),
                ("MAC", "".into()),
                ("MTU", Value::Int(1500)),
                ("other_config", Value::empty_map()),
                ("qos_algorithm_type", "".into()),
                ("qos_algorithm_params", Value::empty_map()),
            ];
            self.add(vif::CLASS, record(card));
        }
        Ok(())
    }

    fn disk(&mut self, me: Ref, number: usize, disk: &Disk, label: &str) {
        let image = [
            ("name_label", label.into()),
            ("name_description", "".into()),
            ("virtual_size", disk.size.into()),
            ("type", if number == 0 { "system" } else { "user" }.into()),
            ("sharable", false.into()),
            ("read_only", false.into()),
            ("other_config", Value::empty_map()),
            ("SR", Ref::NULL.into()),
        ];
        self.add_as(disk.reference, vdi::CLASS, record(image));
        let drive = [
            ("VM", me.into()),
            ("VDI", disk.reference.into()),
            ("userdevice", number.to_string().into()),
            ("bootable", (number == 0).into()),
            ("mode", "RW".into()),
            ("type", "Disk".into()),
            ("unpluggable", true.into()),
            ("empty", false.into()),
            ("other_config", Value::string_map([("owner", "")])),
            ("qos_algorithm_type", "".into()),
            ("qos_algorithm_params", Value::empty_map()),
        ];
        self.add(vbd::CLASS, record(drive));
    }
}

/// A record of these members.
pub(crate) fn record<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Record(
        members
            .into_iter()
            .map(|(name, value)| (Arc::from(name), value))
            .collect(),
    )
}

/// How a VM is started by UEFI.
pub(crate) fn uefi() -> Value {
    Value::string_map([("firmware", "uefi"), ("order", "cd")])
}

/// The record of a VM with the settings of the template for such VMs, but for what is said.
///
/// # Errors
/// `IMPORT_ERROR` if the pool lacks the template.
pub(crate) fn like_template(db: &Database, changes: Vec<(&str, Value)>) -> Result<Value, ApiError> {
    let template = db
        .rows(vm::CLASS)
        .find(|row| {
            row.get(vm::IS_DEFAULT_TEMPLATE).as_bool() && row.get(vm::NAME_LABEL).as_str() == TEMPLATE
        })
        .ok_or_else(|| ApiError::new("IMPORT_ERROR", [format!("there is no template {TEMPLATE:?}")]))?;
    let mut members = settings(db, template.reference);
    let usual = ["is_a_template", "is_default_template", "is_a_snapshot"].map(|name| (name, false.into()));
    for (name, value) in usual.into_iter().chain(changes) {
        members.retain(|(there, _)| &**there != name);
        members.push((Arc::from(name), value));
    }
    Ok(Value::Record(members))
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
