//! The class `role`.

use crate::model::TEXTS;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("role", "midnight-ride", "A set of permissions, or a single one.")
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("name_label", Text, "midnight-ride", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::fixed("name_description", Text, "midnight-ride", "Free text about the object.")
        .default(Default::Text("")),
    Field::fixed("subroles", Set(&Ref("role")), "midnight-ride", "The subroles, as a set of references.")
        .default(Default::EmptySet),
    Field::runtime("is_internal", Bool, "22.5.0", "True if it is internal.").default(Default::Bool(false)),
];

const MESSAGES: &[Message] = &[
    Message::new("get_by_permission", "midnight-ride", ReadOnly, "Answers by permission of the role.")
        .params(&[Param::new("permission", Ref("role"))])
        .result(Set(&Ref("role"))),
    Message::new(
        "get_by_permission_name_label",
        "midnight-ride",
        ReadOnly,
        "Answers by permission name label of the role.",
    )
    .params(&[Param::new("label", Text)])
    .result(Set(&Ref("role"))),
    Message::new("get_permissions", "midnight-ride", ReadOnly, "Answers permissions of the role.")
        .params(&[Param::new("self", Ref("role"))])
        .result(Set(&Ref("role"))),
    Message::new(
        "get_permissions_name_label",
        "midnight-ride",
        ReadOnly,
        "Answers permissions name label of the role.",
    )
    .params(&[Param::new("self", Ref("role"))])
    .result(TEXTS),
];
