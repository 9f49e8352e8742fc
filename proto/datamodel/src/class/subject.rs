//! The class `subject`.

use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("subject", "george", "A user or group of the directory that may use the pool.")
        .constructible()
        .writer(PoolAdmin)
        .fields(FIELDS)
        .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("subject_identifier", Text, "george", "The subject identifier.").default(Default::Text("")),
    Field::fixed("other_config", TEXT_MAP, "george", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::runtime("roles", Set(&Ref("role")), "midnight-ride", "The roles, as a set of references.")
        .default(Default::Refs(&["OpaqueRef:0165f154-ba3e-034e-6b27-5d271af109ba"])),
];

const MESSAGES: &[Message] = &[
    Message::new("add_to_roles", "midnight-ride", PoolAdmin, "Adds a key to roles of the subject.")
        .params(&[Param::new("self", Ref("subject")), Param::new("role", Ref("role"))]),
    Message::new("remove_from_roles", "midnight-ride", PoolAdmin, "Removes a key from roles of the subject.")
        .params(&[Param::new("self", Ref("subject")), Param::new("role", Ref("role"))]),
    Message::new(
        "get_permissions_name_label",
        "midnight-ride",
        ReadOnly,
        "Answers permissions name label of the subject.",
    )
    .params(&[Param::new("self", Ref("subject"))])
    .result(TEXTS),
];
