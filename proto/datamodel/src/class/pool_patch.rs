//! The class `pool_patch`.

use crate::model;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("pool_patch", "miami", "A patch in the old form.")
    .deprecated("ely")
    .fields(FIELDS)
    .messages(MESSAGES);

/// `after_apply_guidance`
pub const AFTER_APPLY_GUIDANCE: model::Enum =
    model::Enum::new("after_apply_guidance", &["restartHVM", "restartPV", "restartHost", "restartXAPI"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::fixed("name_description", Text, "rio", "Free text about the object.").default(Default::Text("")),
    Field::fixed("version", Text, "miami", "Version.").default(Default::Text("")),
    Field::runtime("size", Int, "miami", "Size in bytes.").default(Default::Int(0)),
    Field::runtime("pool_applied", Bool, "miami", "True if pool applied.").default(Default::Bool(false)),
    Field::runtime(
        "host_patches",
        Set(&Ref("host_patch")),
        "miami",
        "The host patches, as a set of references.",
    )
    .rows_of("host_patch", "pool_patch"),
    Field::runtime(
        "after_apply_guidance",
        Set(&Enum(&AFTER_APPLY_GUIDANCE)),
        "miami",
        "The set of after apply guidance.",
    )
    .default(Default::EmptySet),
    Field::fixed("pool_update", Ref("pool_update"), "ely", "The pool update it belongs to.")
        .default(Default::Null),
    Field::settable("other_config", TEXT_MAP, "miami", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::internal("filename", Text, "miami", "The filename."),
];

const MESSAGES: &[Message] = &[
    Message::new("apply", "miami", PoolOperator, "Applies the pool patch.")
        .params(&[Param::new("self", Ref("pool_patch")), Param::new("host", Ref("host"))])
        .result(Text)
        .or_async()
        .deprecated("ely"),
    Message::new("clean", "miami", PoolOperator, "Cleans the pool patch.")
        .params(&[Param::new("self", Ref("pool_patch"))])
        .or_async()
        .deprecated("ely"),
    Message::new("clean_on_host", "tampa", PoolOperator, "Cleans on host of the pool patch.")
        .params(&[Param::new("self", Ref("pool_patch")), Param::new("host", Ref("host"))])
        .or_async()
        .deprecated("ely"),
    Message::new("destroy", "miami", PoolOperator, "Destroys the pool patch.")
        .params(&[Param::new("self", Ref("pool_patch"))])
        .or_async()
        .deprecated("ely"),
    Message::new("pool_apply", "miami", PoolOperator, "Pools apply of the pool patch.")
        .params(&[Param::new("self", Ref("pool_patch"))])
        .or_async()
        .deprecated("ely"),
    Message::new("pool_clean", "tampa", PoolOperator, "Pools clean of the pool patch.")
        .params(&[Param::new("self", Ref("pool_patch"))])
        .or_async()
        .deprecated("ely"),
    Message::new("precheck", "miami", PoolOperator, "Prechecks the pool patch.")
        .params(&[Param::new("self", Ref("pool_patch")), Param::new("host", Ref("host"))])
        .result(Text)
        .or_async()
        .deprecated("ely"),
];
