//! The class `DR_task`.

use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("DR_task", "boston", "A recovery from replicated storage.").fields(FIELDS).messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime("introduced_SRs", Set(&Ref("SR")), "rio", "The introduced SRs, as a set of references.")
        .rows_of("SR", "introduced_by"),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "boston", PoolOperator, "Creates a DR task.")
        .params(&[
            Param::new("type", Text),
            Param::new("device_config", TEXT_MAP),
            Param::new("whitelist", TEXTS),
        ])
        .result(Ref("DR_task"))
        .or_async(),
    Message::new("destroy", "boston", PoolOperator, "Destroys the DR task.")
        .params(&[Param::new("self", Ref("DR_task"))])
        .or_async(),
];
