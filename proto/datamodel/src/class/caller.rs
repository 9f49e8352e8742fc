//! The class `Caller`.

use crate::model::TEXTS;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("Caller", "26.17.0", "A client whose calls are limited.")
    .constructible()
    .writer(PoolAdmin)
    .prototyped()
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "26.17.0", "Unique identifier of the object.").prototyped(),
    Field::settable("name_label", Text, "26.17.0", "Name shown to people; need not be unique.")
        .default(Default::Text(""))
        .prototyped(),
    Field::settable("name_description", Text, "26.17.0", "Free text about the object.")
        .default(Default::Text(""))
        .prototyped(),
    Field::fixed("user_agent", Text, "26.17.0", "The user agent.").default(Default::Text("")).prototyped(),
    Field::fixed("client_ip", Text, "26.17.0", "The client IP.").default(Default::Text("")).prototyped(),
    Field::runtime("last_access", Time, "26.17.0", "Time of last access.")
        .default(Default::Epoch)
        .prototyped(),
    Field::runtime("groups", TEXTS, "26.17.0", "The set of groups.").default(Default::EmptySet).prototyped(),
    Field::runtime("rate_limit", Ref("Rate_limit"), "26.17.0", "The rate limit it belongs to.")
        .default(Default::Null)
        .prototyped(),
    Field::runtime("auto_registered", Bool, "26.17.0", "True if auto registered.")
        .default(Default::Bool(false))
        .prototyped(),
];

const MESSAGES: &[Message] = &[
    Message::new("add_group", "26.17.0", PoolOperator, "Adds group to the Caller.")
        .params(&[Param::new("self", Ref("Caller")), Param::new("group", Text)])
        .or_async()
        .prototyped(),
    Message::new("query_all_usage", "26.17.0", PoolOperator, "Queries all usage of the Caller.")
        .result(Set(&TEXTS))
        .or_async()
        .prototyped(),
    Message::new("query_call_count", "26.15.0", PoolOperator, "Queries call count of the Caller.")
        .params(&[Param::new("self", Ref("Caller"))])
        .result(Int)
        .or_async()
        .prototyped(),
    Message::new(
        "query_group_call_count",
        "26.15.0",
        PoolOperator,
        "Queries group call count of the Caller.",
    )
    .params(&[Param::new("group", Text)])
    .result(Int)
    .or_async()
    .prototyped(),
    Message::new(
        "query_group_token_usage",
        "26.15.0",
        PoolOperator,
        "Queries group token usage of the Caller.",
    )
    .params(&[Param::new("group", Text)])
    .result(Float)
    .or_async()
    .prototyped(),
    Message::new("query_token_usage", "26.15.0", PoolOperator, "Queries token usage of the Caller.")
        .params(&[Param::new("self", Ref("Caller"))])
        .result(Float)
        .or_async()
        .prototyped(),
    Message::new("remove_group", "26.17.0", PoolOperator, "Removes group from the Caller.")
        .params(&[Param::new("self", Ref("Caller")), Param::new("group", Text)])
        .or_async()
        .prototyped(),
];
