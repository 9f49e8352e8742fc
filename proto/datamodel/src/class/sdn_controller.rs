//! The class `SDN_controller`.

use crate::model;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("SDN_controller", "falcon", "A controller of virtual switches.")
    .fields(FIELDS)
    .messages(MESSAGES);

/// `sdn_controller_protocol`
pub const SDN_CONTROLLER_PROTOCOL: model::Enum =
    model::Enum::new("sdn_controller_protocol", &["ssl", "pssl"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "falcon", "Unique identifier of the object."),
    Field::fixed("protocol", Enum(&SDN_CONTROLLER_PROTOCOL), "falcon", "The protocol.")
        .default(Default::Text("ssl")),
    Field::fixed("address", Text, "falcon", "The address.").default(Default::Text("")),
    Field::fixed("port", Int, "falcon", "The port, a number.").default(Default::Int(0)),
];

const MESSAGES: &[Message] = &[
    Message::new(
        "forget",
        "falcon",
        PoolOperator,
        "Removes the SDN controller from the database, leaving what it stands for.",
    )
    .params(&[Param::new("self", Ref("SDN_controller"))])
    .or_async(),
    Message::new("introduce", "falcon", PoolOperator, "Makes an existing SDN controller known to the pool.")
        .params(&[
            Param::optional("protocol", Enum(&SDN_CONTROLLER_PROTOCOL), Default::Text("ssl")),
            Param::optional("address", Text, Default::Text("")),
            Param::optional("port", Int, Default::Int(0)),
        ])
        .result(Ref("SDN_controller"))
        .or_async(),
];
