//! The class `VM_guest_metrics`.

use crate::model;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("VM_guest_metrics", "rio", "What the agent inside a guest tells.")
    .writer(VmAdmin)
    .fields(FIELDS);

/// `tristate_type`
pub const TRISTATE_TYPE: model::Enum = model::Enum::new("tristate_type", &["yes", "no", "unspecified"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime("os_version", TEXT_MAP, "rio", "Name and version of the operating system."),
    Field::runtime("netbios_name", TEXT_MAP, "24.28.0", "Name of the machine and its domain in NetBIOS.")
        .default(Default::EmptyMap)
        .prototyped(),
    Field::runtime("PV_drivers_version", TEXT_MAP, "rio", "Version of the agent and drivers."),
    Field::runtime(
        "PV_drivers_up_to_date",
        Bool,
        "rio",
        "True if there is an agent; its age no longer matters.",
    )
    .deprecated("dundee"),
    Field::runtime("memory", TEXT_MAP, "rio", "Memory as the guest sees it; now a metric.")
        .default(Default::EmptyMap)
        .deprecated("george")
        .removed("george"),
    Field::runtime("disks", TEXT_MAP, "rio", "Disks as the guest sees them; now a metric.")
        .default(Default::EmptyMap)
        .deprecated("orlando")
        .removed("orlando"),
    Field::runtime("networks", TEXT_MAP, "rio", "Addresses by interface, such as `0/ip`."),
    Field::runtime("other", TEXT_MAP, "rio", "What else the agent tells, such as features."),
    Field::runtime("last_updated", Time, "rio", "When this was last measured."),
    Field::settable("other_config", TEXT_MAP, "orlando", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::runtime("live", Bool, "orlando", "True while the agent is heard.").default(Default::Bool(false)),
    Field::runtime(
        "can_use_hotplug_vbd",
        Enum(&TRISTATE_TYPE),
        "dundee",
        "Whether the guest takes disks while it runs.",
    )
    .default(Default::Text("unspecified")),
    Field::runtime(
        "can_use_hotplug_vif",
        Enum(&TRISTATE_TYPE),
        "dundee",
        "Whether the guest takes network interfaces while it runs.",
    )
    .default(Default::Text("unspecified")),
    Field::runtime("PV_drivers_detected", Bool, "dundee", "True if drivers were seen at work.")
        .default(Default::Bool(false)),
    Field::runtime("services", TEXT_MAP, "25.15.0", "Services the guest tells of.")
        .default(Default::EmptyMap)
        .prototyped(),
];
