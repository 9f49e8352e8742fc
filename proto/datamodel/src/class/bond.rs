//! The class `Bond`.

use crate::model;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("Bond", "miami", "Several network interfaces of a host that act as one.")
    .fields(FIELDS)
    .messages(MESSAGES);

/// `bond_mode`
pub const BOND_MODE: model::Enum = model::Enum::new("bond_mode", &["balance-slb", "active-backup", "lacp"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("master", Ref("PIF"), "miami", "The interface that stands for the bond.")
        .default(Default::Null),
    Field::runtime("slaves", Set(&Ref("PIF")), "miami", "The interfaces that are its members.")
        .rows_of("PIF", "bond_slave_of"),
    Field::settable("other_config", TEXT_MAP, "miami", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::runtime(
        "primary_slave",
        Ref("PIF"),
        "boston",
        "The member whose MAC address and IP settings it took over.",
    )
    .default(Default::Null),
    Field::runtime("mode", Enum(&BOND_MODE), "boston", "How traffic is spread.")
        .default(Default::Text("balance-slb")),
    Field::runtime("properties", TEXT_MAP, "tampa", "Settings of the mode, such as the hash.")
        .default(Default::EmptyMap),
    Field::runtime("links_up", Int, "tampa", "Number of members with a link.").default(Default::Int(0)),
    Field::runtime("auto_update_mac", Bool, "quebec", "True if the MAC address follows the primary member.")
        .default(Default::Bool(true)),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "miami", PoolOperator, "Makes a bond of several interfaces.")
        .params(&[
            Param::new("network", Ref("network")),
            Param::new("members", Set(&Ref("PIF"))),
            Param::new("MAC", Text),
            Param::optional("mode", Enum(&BOND_MODE), Default::Text("balance-slb")),
            Param::optional("properties", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Ref("Bond"))
        .or_async(),
    Message::new("destroy", "miami", PoolOperator, "Takes the bond apart.")
        .params(&[Param::new("self", Ref("Bond"))])
        .or_async(),
    Message::new("set_mode", "boston", PoolOperator, "Changes how traffic is spread.")
        .params(&[Param::new("self", Ref("Bond")), Param::new("value", Enum(&BOND_MODE))])
        .or_async(),
    Message::new("set_property", "tampa", PoolOperator, "Changes a setting of the mode.")
        .params(&[Param::new("self", Ref("Bond")), Param::new("name", Text), Param::new("value", Text)])
        .or_async(),
];
