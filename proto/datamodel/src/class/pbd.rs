//! The class `PBD`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("PBD", "rio", "A PBD of the pool.")
    .constructible()
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("host", Ref("host"), "rio", "The host this belongs to."),
    Field::fixed("SR", Ref("SR"), "rio", "The storage repository this belongs to."),
    Field::fixed(
        "device_config",
        TEXT_MAP,
        "rio",
        "The device config, as keys and values.",
    ),
    Field::runtime("currently_attached", Bool, "rio", "True while attached."),
    Field::settable(
        "other_config",
        TEXT_MAP,
        "miami",
        "Further settings as keys and values.",
    )
    .default(Default::EmptyMap),
];

const MESSAGES: &[Message] = &[
    Message::new("plug", "rio", PoolOperator, "Plugs the PBD.")
        .params(&[Param::new("self", Ref("PBD"))])
        .errors(&["SR_UNKNOWN_DRIVER"])
        .or_async(),
    Message::new(
        "set_device_config",
        "miami",
        PoolOperator,
        "Sets device config of the PBD.",
    )
    .params(&[Param::new("self", Ref("PBD")), Param::new("value", TEXT_MAP)])
    .or_async(),
    Message::new("unplug", "rio", PoolOperator, "Unplugs the PBD.")
        .params(&[Param::new("self", Ref("PBD"))])
        .or_async(),
];
