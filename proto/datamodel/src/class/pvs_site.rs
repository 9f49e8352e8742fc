//! The class `PVS_site`.

use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("PVS_site", "ely", "Servers that stream disks to machines.").fields(FIELDS).messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "ely", "Unique identifier of the object."),
    Field::settable("name_label", Text, "ely", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::settable("name_description", Text, "ely", "Free text about the object.")
        .default(Default::Text("")),
    Field::fixed("PVS_uuid", Text, "ely", "The PVS uuid.").default(Default::Text("")),
    Field::runtime(
        "cache_storage",
        Set(&Ref("PVS_cache_storage")),
        "ely",
        "The cache storage, as a set of references.",
    )
    .default(Default::EmptySet)
    .rows_of("PVS_cache_storage", "site"),
    Field::runtime("servers", Set(&Ref("PVS_server")), "ely", "The servers, as a set of references.")
        .rows_of("PVS_server", "site"),
    Field::runtime("proxies", Set(&Ref("PVS_proxy")), "ely", "The proxies, as a set of references.")
        .rows_of("PVS_proxy", "site"),
];

const MESSAGES: &[Message] = &[
    Message::new(
        "forget",
        "ely",
        PoolOperator,
        "Removes the PVS site from the database, leaving what it stands for.",
    )
    .params(&[Param::new("self", Ref("PVS_site"))])
    .errors(&["PVS_SITE_CONTAINS_RUNNING_PROXIES", "PVS_SITE_CONTAINS_SERVERS"])
    .or_async(),
    Message::new("introduce", "ely", PoolOperator, "Makes an existing PVS site known to the pool.")
        .params(&[
            Param::new("name_label", Text),
            Param::new("name_description", Text),
            Param::new("PVS_uuid", Text),
        ])
        .result(Ref("PVS_site"))
        .or_async(),
    Message::new("set_PVS_uuid", "ely", PoolOperator, "Sets PVS uuid of the PVS site.")
        .params(&[Param::new("self", Ref("PVS_site")), Param::new("value", Text)])
        .or_async(),
];
