//! The class `event`.

use crate::model;
use crate::model::TEXTS;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("event", "rio", "An event of the pool.")
    .record_only()
    .fields(FIELDS)
    .messages(MESSAGES);

/// `event_operation`
pub const EVENT_OPERATION: model::Enum = model::Enum::new("event_operation", &["add", "del", "mod"]);

const FIELDS: &[Field] = &[
    Field::runtime("snapshot", AnyRecord, "boston", "The snapshot."),
    Field::fixed("id", Int, "rio", "The id, a number."),
    Field::fixed("timestamp", Time, "rio", "Time of timestamp.").deprecated("boston"),
    Field::fixed("class", Text, "rio", "The class."),
    Field::fixed("operation", Enum(&EVENT_OPERATION), "rio", "The operation."),
    Field::fixed("ref", Text, "rio", "The ref."),
    Field::fixed("obj_uuid", Text, "rio", "The obj uuid.").deprecated("boston"),
];

const MESSAGES: &[Message] = &[
    Message::new("from", "boston", ReadOnly, "Froms the event.")
        .params(&[
            Param::new("classes", TEXTS),
            Param::new("token", Text),
            Param::new("timeout", Float),
        ])
        .result(EventBatch)
        .errors(&[
            "EVENT_FROM_TOKEN_PARSE_FAILURE",
            "EVENT_SUBSCRIPTION_PARSE_FAILURE",
        ]),
    Message::new(
        "get_current_id",
        "rio",
        ReadOnly,
        "Answers current id of the event.",
    )
    .result(Int),
    Message::new("inject", "tampa", ReadOnly, "Injects the event.")
        .params(&[Param::new("class", Text), Param::new("ref", Text)])
        .result(Text),
    Message::new("next", "rio", ReadOnly, "Nexts the event.")
        .result(Set(&Record("event")))
        .errors(&[
            "SESSION_NOT_REGISTERED",
            "EVENTS_LOST",
            "EVENT_SUBSCRIPTION_PARSE_FAILURE",
        ])
        .deprecated("boston"),
    Message::new("register", "rio", ReadOnly, "Registers the event.")
        .params(&[Param::new("classes", TEXTS)])
        .or_async()
        .deprecated("boston"),
    Message::new("unregister", "rio", ReadOnly, "Unregisters the event.")
        .params(&[Param::new("classes", TEXTS)])
        .or_async()
        .deprecated("boston"),
];
