//! The class `PVS_proxy`.

use crate::model;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("PVS_proxy", "ely", "A cache between a VM and the servers that stream its disk.")
        .fields(FIELDS)
        .messages(MESSAGES);

/// `pvs_proxy_status`
pub const PVS_PROXY_STATUS: model::Enum = model::Enum::new(
    "pvs_proxy_status",
    &["stopped", "initialised", "caching", "incompatible_write_cache_mode", "incompatible_protocol_version"],
);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "ely", "Unique identifier of the object."),
    Field::fixed("site", Ref("PVS_site"), "ely", "The site: a PVS site.").default(Default::Null),
    Field::fixed("VIF", Ref("VIF"), "ely", "The VIF it belongs to.").default(Default::Null),
    Field::runtime("currently_attached", Bool, "ely", "True while attached.").default(Default::Bool(false)),
    Field::runtime("status", Enum(&PVS_PROXY_STATUS), "ely", "Present state.")
        .default(Default::Text("stopped")),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "ely", PoolOperator, "Creates a PVS proxy.")
        .params(&[Param::new("site", Ref("PVS_site")), Param::new("VIF", Ref("VIF"))])
        .result(Ref("PVS_proxy"))
        .or_async(),
    Message::new("destroy", "ely", PoolOperator, "Destroys the PVS proxy.")
        .params(&[Param::new("self", Ref("PVS_proxy"))])
        .or_async(),
];
