//! The class `Feature`.

use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("Feature", "falcon", "A feature on trial.").fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "falcon", "Unique identifier of the object."),
    Field::fixed("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::fixed("name_description", Text, "rio", "Free text about the object.").default(Default::Text("")),
    Field::runtime("enabled", Bool, "falcon", "True while in use.").default(Default::Bool(false)),
    Field::fixed("experimental", Bool, "falcon", "True if experimental.").default(Default::Bool(false)),
    Field::fixed("version", Text, "falcon", "Version.").default(Default::Text("1.0")),
    Field::runtime("host", Ref("host"), "falcon", "The host this belongs to."),
];
