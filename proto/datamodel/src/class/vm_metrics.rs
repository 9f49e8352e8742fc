//! The class `VM_metrics`.

use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("VM_metrics", "rio", "A VM metrics of the pool.")
    .writer(VmAdmin)
    .fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime("memory_actual", Int, "rio", "The memory actual, a number.").volatile(),
    Field::runtime("VCPUs_number", Int, "rio", "The VCPUs number, a number."),
    Field::runtime(
        "VCPUs_utilisation",
        Map(&Int, &Float),
        "rio",
        "The VCPUs utilisation, as keys and values.",
    )
    .default(Default::EmptyMap)
    .volatile()
    .deprecated("tampa")
    .removed("tampa"),
    Field::runtime(
        "VCPUs_CPU",
        Map(&Int, &Int),
        "rio",
        "The VCPUs CPU, as keys and values.",
    )
    .volatile(),
    Field::runtime(
        "VCPUs_params",
        TEXT_MAP,
        "rio",
        "The VCPUs params, as keys and values.",
    )
    .volatile(),
    Field::runtime(
        "VCPUs_flags",
        Map(&Int, &TEXTS),
        "rio",
        "The VCPUs flags, as keys and values.",
    )
    .volatile(),
    Field::runtime("state", TEXTS, "rio", "The set of state.").volatile(),
    Field::runtime("start_time", Time, "rio", "Time of start time."),
    Field::runtime("install_time", Time, "rio", "Time of install time."),
    Field::runtime("last_updated", Time, "rio", "When this was last measured.").volatile(),
    Field::settable(
        "other_config",
        TEXT_MAP,
        "orlando",
        "Further settings as keys and values.",
    )
    .default(Default::EmptyMap)
    .volatile(),
    Field::runtime("hvm", Bool, "ely", "True if hvm.")
        .default(Default::Bool(false))
        .volatile(),
    Field::runtime("nested_virt", Bool, "ely", "True if nested virt.")
        .default(Default::Bool(false))
        .volatile(),
    Field::runtime("nomigrate", Bool, "ely", "True if nomigrate.")
        .default(Default::Bool(false))
        .volatile(),
    Field::runtime(
        "current_domain_type",
        Enum(&crate::class::vm::DOMAIN_TYPE),
        "kolkata",
        "The current domain type.",
    )
    .default(Default::Text("unspecified")),
    Field::fixed("numa_optimised", Bool, "26.2.0", "True if numa optimised.")
        .default(Default::Bool(false))
        .prototyped(),
    Field::fixed("numa_nodes", Int, "26.2.0", "The numa nodes, a number.")
        .default(Default::Int(0))
        .prototyped(),
    Field::runtime(
        "numa_node_memory",
        Map(&Int, &Int),
        "26.2.0",
        "The numa node memory, as keys and values.",
    )
    .default(Default::EmptyMap)
    .prototyped(),
];
