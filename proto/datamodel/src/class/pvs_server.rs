//! The class `PVS_server`.

use crate::model::TEXTS;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("PVS_server", "ely", "A server that streams disks.").fields(FIELDS).messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "ely", "Unique identifier of the object."),
    Field::fixed("addresses", TEXTS, "ely", "The set of addresses.").default(Default::EmptySet),
    Field::fixed("first_port", Int, "ely", "The first port, a number.").default(Default::Int(0)),
    Field::fixed("last_port", Int, "ely", "The last port, a number.").default(Default::Int(0)),
    Field::fixed("site", Ref("PVS_site"), "ely", "The site: a PVS site.").default(Default::Null),
];

const MESSAGES: &[Message] = &[
    Message::new(
        "forget",
        "ely",
        PoolOperator,
        "Removes the PVS server from the database, leaving what it stands for.",
    )
    .params(&[Param::new("self", Ref("PVS_server"))])
    .or_async(),
    Message::new("introduce", "ely", PoolOperator, "Makes an existing PVS server known to the pool.")
        .params(&[
            Param::new("addresses", TEXTS),
            Param::new("first_port", Int),
            Param::new("last_port", Int),
            Param::new("site", Ref("PVS_site")),
        ])
        .result(Ref("PVS_server"))
        .or_async(),
];
