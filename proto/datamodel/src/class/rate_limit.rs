//! The class `Rate_limit`.

use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("Rate_limit", "26.17.0", "How many calls may come in what time.")
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
    Field::runtime("callers", Set(&Ref("Caller")), "26.17.0", "The callers, as a set of references.")
        .rows_of("Caller", "rate_limit")
        .prototyped(),
    Field::fixed("burst_size", Float, "26.17.0", "The burst size.").default(Default::Float(0.0)).prototyped(),
    Field::fixed("fill_rate", Float, "26.17.0", "The fill rate.").default(Default::Float(0.0)).prototyped(),
];

const MESSAGES: &[Message] = &[
    Message::new("add_caller", "26.17.0", PoolAdmin, "Adds caller to the Rate limit.")
        .params(&[Param::new("self", Ref("Rate_limit")), Param::new("caller", Ref("Caller"))])
        .or_async()
        .prototyped(),
    Message::new("remove_caller", "26.17.0", PoolAdmin, "Removes caller from the Rate limit.")
        .params(&[Param::new("self", Ref("Rate_limit")), Param::new("caller", Ref("Caller"))])
        .or_async()
        .prototyped(),
    Message::new("set_burst_size", "26.17.0", PoolAdmin, "Sets burst size of the Rate limit.")
        .params(&[Param::new("self", Ref("Rate_limit")), Param::new("value", Float)])
        .or_async()
        .prototyped(),
    Message::new("set_fill_rate", "26.17.0", PoolAdmin, "Sets fill rate of the Rate limit.")
        .params(&[Param::new("self", Ref("Rate_limit")), Param::new("value", Float)])
        .or_async()
        .prototyped(),
];
