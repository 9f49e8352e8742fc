//! The class `host_crashdump`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("host_crashdump", "rio", "A crash dump of a host.").fields(FIELDS).messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("host", Ref("host"), "rio", "The host this belongs to."),
    Field::runtime("timestamp", Time, "rio", "Time of timestamp."),
    Field::runtime("size", Int, "rio", "Size in bytes."),
    Field::settable("other_config", TEXT_MAP, "miami", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::internal("filename", Text, "rio", "The filename."),
];

const MESSAGES: &[Message] = &[
    Message::new("destroy", "rio", PoolOperator, "Destroys the host crashdump.")
        .params(&[Param::new("self", Ref("host_crashdump"))])
        .or_async(),
    Message::new("upload", "rio", PoolOperator, "Uploads the host crashdump.")
        .params(&[
            Param::new("self", Ref("host_crashdump")),
            Param::new("url", Text),
            Param::new("options", TEXT_MAP),
        ])
        .or_async(),
];
