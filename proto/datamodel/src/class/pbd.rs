//! The class `PBD`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("PBD", "rio", "A host's connection to a storage repository.")
    .constructible()
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("host", Ref("host"), "rio", "The host."),
    Field::fixed("SR", Ref("SR"), "rio", "The repository."),
    Field::fixed("device_config", TEXT_MAP, "rio", "How the host reaches it: the driver's own keys."),
    Field::runtime("currently_attached", Bool, "rio", "True while the host is connected."),
    Field::settable("other_config", TEXT_MAP, "miami", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::internal(
        "wanted",
        Bool,
        "tarn-1",
        "True if the host is to be connected whenever its node runs: until someone disconnects it.",
    ),
];

const MESSAGES: &[Message] = &[
    Message::new("plug", "rio", PoolOperator, "Connects the host to the repository.")
        .params(&[Param::new("self", Ref("PBD"))])
        .errors(&["SR_UNKNOWN_DRIVER"])
        .or_async(),
    Message::new("unplug", "rio", PoolOperator, "Disconnects the host from the repository.")
        .params(&[Param::new("self", Ref("PBD"))])
        .or_async(),
    Message::new(
        "set_device_config",
        "miami",
        PoolOperator,
        "Sets how the host reaches it, while it is not connected.",
    )
    .params(&[Param::new("self", Ref("PBD")), Param::new("value", TEXT_MAP)])
    .or_async(),
];
