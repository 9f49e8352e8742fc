//! The class `event`.

use crate::model;
use crate::model::TEXTS;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("event", "rio", "A change to an object, as told to clients that wait for one.")
        .record_only()
        .fields(FIELDS)
        .messages(MESSAGES);

/// `event_operation`
pub const EVENT_OPERATION: model::Enum = model::Enum::new("event_operation", &["add", "del", "mod"]);

const FIELDS: &[Field] = &[
    Field::runtime(
        "snapshot",
        AnyRecord,
        "boston",
        "The object after the change; absent when it was deleted.",
    ),
    Field::fixed("id", Int, "rio", "Number of the change; only `event.next` makes use of it."),
    Field::fixed("timestamp", Time, "rio", "When the change was made.").deprecated("boston"),
    Field::fixed("class", Text, "rio", "Class of the object, in lower case."),
    Field::fixed("operation", Enum(&EVENT_OPERATION), "rio", "Whether it was added, changed or deleted."),
    Field::fixed("ref", Text, "rio", "Reference of the object."),
    Field::fixed("obj_uuid", Text, "rio", "Uuid of the object.").deprecated("boston"),
];

const MESSAGES: &[Message] = &[
    Message::new(
        "from",
        "boston",
        ReadOnly,
        "Waits for changes later than a token and answers them with the next token.",
    )
    .params(&[Param::new("classes", TEXTS), Param::new("token", Text), Param::new("timeout", Float)])
    .result(EventBatch)
    .errors(&["EVENT_FROM_TOKEN_PARSE_FAILURE", "EVENT_SUBSCRIPTION_PARSE_FAILURE"]),
    Message::new(
        "inject",
        "tampa",
        ReadOnly,
        "Makes an object look changed, and answers a token from just before.",
    )
    .params(&[Param::new("class", Text), Param::new("ref", Text)])
    .result(Text),
    Message::new("get_current_id", "rio", ReadOnly, "Answers the number of the latest change.").result(Int),
    Message::new(
        "next",
        "rio",
        ReadOnly,
        "Waits for changes to the registered classes; `event.from` does it better.",
    )
    .result(Set(&Record("event")))
    .errors(&["SESSION_NOT_REGISTERED", "EVENTS_LOST", "EVENT_SUBSCRIPTION_PARSE_FAILURE"])
    .deprecated("boston"),
    Message::new("register", "rio", ReadOnly, "Registers the session for changes to classes; `*` means all.")
        .params(&[Param::new("classes", TEXTS)])
        .or_async()
        .deprecated("boston"),
    Message::new("unregister", "rio", ReadOnly, "Ends the session's registration for classes.")
        .params(&[Param::new("classes", TEXTS)])
        .or_async()
        .deprecated("boston"),
];
