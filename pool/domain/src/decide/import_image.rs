//! A machine around the image of a disk: the records that an archive of it would hold.

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

/// Plans a VM that boots from one disk of this size and has a card in the network by which its host is managed.
///
/// # Errors
/// `IMPORT_ERROR` if the pool lacks the template for such VMs.
pub fn machine(db: &Database, name: &str, size: i64, references: [Ref; 5]) -> Result<Import, ApiError> {
    let [me, image, drive, card, net] = references;
    let template = db
        .rows(vm::CLASS)
        .find(|row| {
            row.get(vm::IS_DEFAULT_TEMPLATE).as_bool() && row.get(vm::NAME_LABEL).as_str() == TEMPLATE
        })
        .ok_or_else(|| ApiError::new("IMPORT_ERROR", [format!("there is no template {TEMPLATE:?}")]))?;
    let name = if name.is_empty() { NAME } else { name };
    let object = |class: ClassId, id: &str, reference: Ref, members: Members| ImportedObject {
        class: class.name().to_owned(),
        id: format!("Ref:{id}"),
        reference,
        record: Value::Record(members),
    };
    let mut machine = settings(db, template.reference);
    let memory = MEMORY.as_i64();
    let changes = [
        member("name_label", name),
        member("name_description", ""),
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
    machine.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    machine.extend(changes);
    let disk = vec![
        member("name_label", name),
        member("name_description", ""),
        member("virtual_size", size),
        member("type", "system"),
        member("sharable", false),
        member("read_only", false),
        member("other_config", Value::empty_map()),
        member("SR", Ref::NULL),
    ];
    let door = vec![
        member("VM", me),
        member("VDI", image),
        member("userdevice", "0"),
        member("bootable", true),
        member("mode", "RW"),
        member("type", "Disk"),
        member("unpluggable", true),
        member("empty", false),
        member("other_config", Value::string_map([("owner", "")])),
        member("qos_algorithm_type", ""),
        member("qos_algorithm_params", Value::empty_map()),
    ];
    let mut objects = vec![
        object(vm::CLASS, "0", me, machine),
        object(vdi::CLASS, "1", image, disk),
        object(vbd::CLASS, "2", drive, door),
    ];
    if let Some(managed) = db.rows(pif::CLASS).find(|row| row.get(pif::MANAGEMENT).as_bool()) {
        let there = settings(db, managed.get(pif::NETWORK).as_ref());
        let nic = vec![
            member("VM", me),
            member("network", net),
            member("device", "0"),
            member("MAC", ""),
            member("MTU", 1500_i64),
            member("other_config", Value::empty_map()),
            member("qos_algorithm_type", ""),
            member("qos_algorithm_params", Value::empty_map()),
        ];
        objects.push(object(network::CLASS, "3", net, there));
        objects.push(object(vif::CLASS, "4", card, nic));
    }
    Ok(Import {
        objects,
        restore: false,
        force: false,
    })
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
