//! The class `data_source`.

use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("data_source", "orlando", "Something that can be measured.").record_only().fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::runtime("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::runtime("name_description", Text, "rio", "Free text about the object.").default(Default::Text("")),
    Field::runtime("enabled", Bool, "rio", "True while in use."),
    Field::runtime("standard", Bool, "rio", "True if standard."),
    Field::runtime("units", Text, "rio", "The units."),
    Field::runtime("min", Float, "rio", "The min."),
    Field::runtime("max", Float, "rio", "The max."),
    Field::runtime("value", Float, "rio", "The value."),
];
