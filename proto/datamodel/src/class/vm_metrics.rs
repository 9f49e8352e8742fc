//! The class `VM_metrics`.

use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("VM_metrics", "rio", "What is measured of a VM from outside.").writer(VmAdmin).fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime("memory_actual", Int, "rio", "Memory in bytes it has.").volatile(),
    Field::runtime("VCPUs_number", Int, "rio", "Number of processors it has."),
    Field::runtime("VCPUs_utilisation", Map(&Int, &Float), "rio", "Load of each processor; now a metric.")
        .default(Default::EmptyMap)
        .volatile()
        .deprecated("tampa")
        .removed("tampa"),
    Field::runtime("VCPUs_CPU", Map(&Int, &Int), "rio", "Physical processor under each virtual one.")
        .volatile(),
    Field::runtime("VCPUs_params", TEXT_MAP, "rio", "Settings of the processors as they are in force.")
        .volatile(),
    Field::runtime("VCPUs_flags", Map(&Int, &TEXTS), "rio", "State of each processor.").volatile(),
    Field::runtime("state", TEXTS, "rio", "State of its domain in the hypervisor's words.").volatile(),
    Field::runtime("start_time", Time, "rio", "When it was last started."),
    Field::runtime("install_time", Time, "rio", "When it was made."),
    Field::runtime("last_updated", Time, "rio", "When this was last measured.").volatile(),
    Field::settable("other_config", TEXT_MAP, "orlando", "Further settings as keys and values.")
        .default(Default::EmptyMap)
        .volatile(),
    Field::runtime("hvm", Bool, "ely", "True if its domain is fully virtualised.")
        .default(Default::Bool(false))
        .volatile(),
    Field::runtime("nested_virt", Bool, "ely", "True if it may run VMs itself.")
        .default(Default::Bool(false))
        .volatile(),
    Field::runtime("nomigrate", Bool, "ely", "True if it cannot be moved as it runs.")
        .default(Default::Bool(false))
        .volatile(),
    Field::runtime(
        "current_domain_type",
        Enum(&crate::class::vm::DOMAIN_TYPE),
        "kolkata",
        "How its domain is virtualised at the moment.",
    )
    .default(Default::Text("unspecified")),
    Field::fixed("numa_optimised", Bool, "26.2.0", "True if its memory is on the nodes of its processors.")
        .default(Default::Bool(false))
        .prototyped(),
    Field::fixed("numa_nodes", Int, "26.2.0", "Number of NUMA nodes its memory is on.")
        .default(Default::Int(0))
        .prototyped(),
    Field::runtime("numa_node_memory", Map(&Int, &Int), "26.2.0", "Memory in bytes on each NUMA node.")
        .default(Default::EmptyMap)
        .prototyped(),
];
