//! The class `Bond`.

use crate::model;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("Bond", "miami", "A Bond of the pool.")
    .fields(FIELDS)
    .messages(MESSAGES);

/// `bond_mode`
pub const BOND_MODE: model::Enum = model::Enum::new("bond_mode", &["balance-slb", "active-backup", "lacp"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("master", Ref("PIF"), "miami", "The master: a PIF.").default(Default::Null),
    Field::runtime(
        "slaves",
        Set(&Ref("PIF")),
        "miami",
        "The slaves, as a set of references.",
    )
    .rows_of("PIF", "bond_slave_of"),
    Field::settable(
        "other_config",
        TEXT_MAP,
        "miami",
        "Further settings as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime("primary_slave", Ref("PIF"), "boston", "The primary slave: a PIF.").default(Default::Null),
    Field::runtime("mode", Enum(&BOND_MODE), "boston", "The mode.").default(Default::Text("balance-slb")),
    Field::runtime(
        "properties",
        TEXT_MAP,
        "tampa",
        "The properties, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime("links_up", Int, "tampa", "The links up, a number.").default(Default::Int(0)),
    Field::runtime(
        "auto_update_mac",
        Bool,
        "quebec",
        "True if auto update MAC address.",
    )
    .default(Default::Bool(true)),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "miami", PoolOperator, "Creates a Bond.")
        .params(&[
            Param::new("network", Ref("network")),
            Param::new("members", Set(&Ref("PIF"))),
            Param::new("MAC", Text),
            Param::optional("mode", Enum(&BOND_MODE), Default::Text("balance-slb")),
            Param::optional("properties", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Ref("Bond"))
        .or_async(),
    Message::new("destroy", "miami", PoolOperator, "Destroys the Bond.")
        .params(&[Param::new("self", Ref("Bond"))])
        .or_async(),
    Message::new("set_mode", "boston", PoolOperator, "Sets mode of the Bond.")
        .params(&[
            Param::new("self", Ref("Bond")),
            Param::new("value", Enum(&BOND_MODE)),
        ])
        .or_async(),
    Message::new(
        "set_property",
        "tampa",
        PoolOperator,
        "Sets property of the Bond.",
    )
    .params(&[
        Param::new("self", Ref("Bond")),
        Param::new("name", Text),
        Param::new("value", Text),
    ])
    .or_async(),
];
