//! The class `crashdump`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("crashdump", "rio", "A crash dump of a VM.")
    .deprecated("inverness")
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("VM", Ref("VM"), "rio", "The VM this belongs to."),
    Field::fixed("VDI", Ref("VDI"), "rio", "The VDI it belongs to."),
    Field::settable("other_config", TEXT_MAP, "miami", "Further settings as keys and values.")
        .default(Default::EmptyMap),
];

const MESSAGES: &[Message] = &[Message::new("destroy", "rio", PoolOperator, "Destroys the crashdump.")
    .params(&[Param::new("self", Ref("crashdump"))])
    .or_async()];
