//! The class `tunnel`.

use crate::model;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("tunnel", "cowley", "A network tunnelled through another.").fields(FIELDS).messages(MESSAGES);

/// `tunnel_protocol`
pub const TUNNEL_PROTOCOL: model::Enum = model::Enum::new("tunnel_protocol", &["gre", "vxlan"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "cowley", "Unique identifier of the object."),
    Field::fixed("access_PIF", Ref("PIF"), "cowley", "The access PIF: a PIF.").default(Default::Null),
    Field::fixed("transport_PIF", Ref("PIF"), "cowley", "The transport PIF: a PIF.").default(Default::Null),
    Field::settable("status", TEXT_MAP, "cowley", "Present state.")
        .default(Default::Pairs(&[("active", "false")])),
    Field::settable("other_config", TEXT_MAP, "cowley", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::settable("protocol", Enum(&TUNNEL_PROTOCOL), "1.250.0", "The protocol.")
        .default(Default::Text("gre")),
    Field::internal("key", Int, "tarn-1", "Tells tunnelled networks apart; the same on all hosts."),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "cowley", PoolOperator, "Creates a tunnel.")
        .params(&[
            Param::new("transport_PIF", Ref("PIF")),
            Param::new("network", Ref("network")),
            Param::optional("protocol", Enum(&TUNNEL_PROTOCOL), Default::Text("gre")),
        ])
        .result(Ref("tunnel"))
        .errors(&["OPENVSWITCH_NOT_ACTIVE", "TRANSPORT_PIF_NOT_CONFIGURED", "IS_TUNNEL_ACCESS_PIF"])
        .or_async(),
    Message::new("destroy", "cowley", PoolOperator, "Destroys the tunnel.")
        .params(&[Param::new("self", Ref("tunnel"))])
        .or_async(),
];
