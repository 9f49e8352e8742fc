//! The class `Observer`.

use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("Observer", "23.14.0", "Where traces of calls are sent.")
    .constructible()
    .writer(PoolAdmin)
    .prototyped()
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "23.14.0", "Unique identifier of the object.").prototyped(),
    Field::settable("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::settable("name_description", Text, "rio", "Free text about the object.")
        .default(Default::Text("")),
    Field::fixed("hosts", Set(&Ref("host")), "23.14.0", "The hosts, as a set of references.")
        .default(Default::EmptySet)
        .prototyped(),
    Field::fixed("attributes", TEXT_MAP, "23.14.0", "The attributes, as keys and values.")
        .default(Default::EmptyMap)
        .prototyped(),
    Field::fixed("endpoints", TEXTS, "23.14.0", "The set of endpoints.")
        .default(Default::EmptySet)
        .prototyped(),
    Field::fixed("components", TEXTS, "23.14.0", "The set of components.")
        .default(Default::EmptySet)
        .prototyped(),
    Field::fixed("enabled", Bool, "23.14.0", "True while in use.").default(Default::Bool(false)).prototyped(),
];

const MESSAGES: &[Message] = &[
    Message::new("set_attributes", "23.14.0", PoolAdmin, "Sets attributes of the Observer.")
        .params(&[Param::new("self", Ref("Observer")), Param::new("value", TEXT_MAP)])
        .or_async()
        .prototyped(),
    Message::new("set_components", "23.14.0", PoolAdmin, "Sets components of the Observer.")
        .params(&[Param::new("self", Ref("Observer")), Param::new("value", TEXTS)])
        .or_async()
        .prototyped(),
    Message::new("set_enabled", "23.14.0", PoolAdmin, "Sets enabled of the Observer.")
        .params(&[Param::new("self", Ref("Observer")), Param::new("value", Bool)])
        .or_async()
        .prototyped(),
    Message::new("set_endpoints", "23.14.0", PoolAdmin, "Sets endpoints of the Observer.")
        .params(&[Param::new("self", Ref("Observer")), Param::new("value", TEXTS)])
        .or_async()
        .prototyped(),
    Message::new("set_hosts", "23.14.0", PoolAdmin, "Sets hosts of the Observer.")
        .params(&[Param::new("self", Ref("Observer")), Param::new("value", Set(&Ref("host")))])
        .or_async()
        .prototyped(),
    Message::new("register", "unlisted", PoolAdmin, "Registers the Observer.")
        .params(&[Param::new("self", Ref("Observer")), Param::new("host", Ref("host"))])
        .or_async()
        .hidden(),
    Message::new("unregister", "unlisted", PoolAdmin, "Unregisters the Observer.")
        .params(&[Param::new("self", Ref("Observer")), Param::new("host", Ref("host"))])
        .or_async()
        .hidden(),
];
