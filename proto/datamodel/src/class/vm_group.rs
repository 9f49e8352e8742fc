//! The class `VM_group`.

use crate::model;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("VM_group", "24.19.1", "VMs that are placed together or apart.")
    .constructible()
    .writer(VmAdmin)
    .prototyped()
    .fields(FIELDS);

/// `placement_policy`
pub const PLACEMENT_POLICY: model::Enum = model::Enum::new("placement_policy", &["anti_affinity", "normal"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::settable("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::settable("name_description", Text, "rio", "Free text about the object.")
        .default(Default::Text("")),
    Field::fixed("placement", Enum(&PLACEMENT_POLICY), "24.19.1", "The placement.")
        .default(Default::Text("normal"))
        .prototyped(),
    Field::runtime("VMs", Set(&Ref("VM")), "24.19.1", "The VMs, as a set of references.")
        .rows_of("VM", "groups")
        .prototyped(),
];
