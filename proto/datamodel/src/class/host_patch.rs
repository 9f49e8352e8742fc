//! The class `host_patch`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("host_patch", "rio", "A patch on one host, in the old form.")
    .deprecated("ely")
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::fixed("name_description", Text, "rio", "Free text about the object.").default(Default::Text("")),
    Field::fixed("version", Text, "rio", "Version."),
    Field::fixed("host", Ref("host"), "rio", "The host this belongs to."),
    Field::runtime("applied", Bool, "rio", "True if applied."),
    Field::runtime("timestamp_applied", Time, "rio", "Time of timestamp applied."),
    Field::runtime("size", Int, "rio", "Size in bytes."),
    Field::fixed("pool_patch", Ref("pool_patch"), "miami", "The pool patch it belongs to.")
        .default(Default::Null),
    Field::settable("other_config", TEXT_MAP, "miami", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::internal("filename", Text, "rio", "The filename."),
];

const MESSAGES: &[Message] = &[
    Message::new("apply", "rio", PoolOperator, "Applies the host patch.")
        .params(&[Param::new("self", Ref("host_patch"))])
        .result(Text)
        .or_async()
        .deprecated("miami"),
    Message::new("destroy", "rio", PoolOperator, "Destroys the host patch.")
        .params(&[Param::new("self", Ref("host_patch"))])
        .or_async()
        .deprecated("miami"),
];
