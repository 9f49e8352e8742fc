//! The class `VM_guest_metrics`.

use crate::model;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("VM_guest_metrics", "rio", "A VM guest metrics of the pool.")
    .writer(VmAdmin)
    .fields(FIELDS);

/// `tristate_type`
pub const TRISTATE_TYPE: model::Enum = model::Enum::new("tristate_type", &["yes", "no", "unspecified"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime(
        "os_version",
        TEXT_MAP,
        "rio",
        "The os version, as keys and values.",
    ),
    Field::runtime(
        "netbios_name",
        TEXT_MAP,
        "24.28.0",
        "The netbios name, as keys and values.",
    )
    .default(Default::EmptyMap)
    .prototyped(),
    Field::runtime(
        "PV_drivers_version",
        TEXT_MAP,
        "rio",
        "The PV drivers version, as keys and values.",
    ),
    Field::runtime(
        "PV_drivers_up_to_date",
        Bool,
        "rio",
        "True if PV drivers up to date.",
    )
    .deprecated("dundee"),
    Field::runtime("memory", TEXT_MAP, "rio", "The memory, as keys and values.")
        .default(Default::EmptyMap)
        .deprecated("george")
        .removed("george"),
    Field::runtime("disks", TEXT_MAP, "rio", "The disks, as keys and values.")
        .default(Default::EmptyMap)
        .deprecated("orlando")
        .removed("orlando"),
    Field::runtime("networks", TEXT_MAP, "rio", "The networks, as keys and values."),
    Field::runtime("other", TEXT_MAP, "rio", "The other, as keys and values."),
    Field::runtime("last_updated", Time, "rio", "When this was last measured."),
    Field::settable(
        "other_config",
        TEXT_MAP,
        "orlando",
        "Further settings as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime("live", Bool, "orlando", "True if live.").default(Default::Bool(false)),
    Field::runtime(
        "can_use_hotplug_vbd",
        Enum(&TRISTATE_TYPE),
        "dundee",
        "The can use hotplug vbd.",
    )
    .default(Default::Text("unspecified")),
    Field::runtime(
        "can_use_hotplug_vif",
        Enum(&TRISTATE_TYPE),
        "dundee",
        "The can use hotplug vif.",
    )
    .default(Default::Text("unspecified")),
    Field::runtime(
        "PV_drivers_detected",
        Bool,
        "dundee",
        "True if PV drivers detected.",
    )
    .default(Default::Bool(false)),
    Field::runtime(
        "services",
        TEXT_MAP,
        "25.15.0",
        "The services, as keys and values.",
    )
    .default(Default::EmptyMap)
    .prototyped(),
];
