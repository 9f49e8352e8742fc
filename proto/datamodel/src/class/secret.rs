//! The class `secret`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("secret", "midnight-ride", "A password that other objects refer to by uuid.")
        .no_events()
        .constructible()
        .reader(PoolOperator)
        .fields(FIELDS)
        .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object.").reader(PoolOperator),
    Field::settable("value", Text, "rio", "The value.").reader(PoolOperator),
    Field::settable("other_config", TEXT_MAP, "rio", "Further settings as keys and values.")
        .default(Default::EmptyMap),
];

const MESSAGES: &[Message] = &[Message::new(
    "introduce",
    "midnight-ride",
    PoolOperator,
    "Makes an existing secret known to the pool.",
)
.params(&[
    Param::new("uuid", Text),
    Param::new("value", Text),
    Param::optional("other_config", TEXT_MAP, Default::EmptyMap),
])
.result(Ref("secret"))
.hidden()
.secret()];
