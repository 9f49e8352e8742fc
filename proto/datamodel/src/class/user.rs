//! The class `user`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("user", "rio", "A local user.")
    .no_get_all()
    .no_events()
    .constructible()
    .writer(PoolAdmin)
    .deprecated("george")
    .fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("short_name", Text, "rio", "The short name."),
    Field::settable("fullname", Text, "rio", "The fullname."),
    Field::settable("other_config", TEXT_MAP, "orlando", "Further settings as keys and values.")
        .default(Default::EmptyMap),
];
