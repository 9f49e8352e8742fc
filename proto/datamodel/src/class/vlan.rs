//! The class `VLAN`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("VLAN", "miami", "A VLAN: a tagged network on an interface of a host.")
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("tagged_PIF", Ref("PIF"), "miami", "The interface that carries the tagged traffic.")
        .default(Default::Null),
    Field::runtime("untagged_PIF", Ref("PIF"), "miami", "The interface that stands for the VLAN.")
        .default(Default::Null),
    Field::fixed("tag", Int, "miami", "The tag, from 0 to 4094.").default(Default::Int(-1)),
    Field::settable("other_config", TEXT_MAP, "miami", "Further settings as keys and values.")
        .default(Default::EmptyMap),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "miami", PoolOperator, "Makes a VLAN on an interface.")
        .params(&[
            Param::new("tagged_PIF", Ref("PIF")),
            Param::new("tag", Int),
            Param::new("network", Ref("network")),
        ])
        .result(Ref("VLAN"))
        .or_async(),
    Message::new("destroy", "miami", PoolOperator, "Destroys the VLAN and its interface.")
        .params(&[Param::new("self", Ref("VLAN"))])
        .or_async(),
    Message::new("pool_introduce", "inverness", PoolOperator, "Makes the record, for the pool itself.")
        .params(&[
            Param::new("tagged_PIF", Ref("PIF")),
            Param::new("untagged_PIF", Ref("PIF")),
            Param::new("tag", Int),
            Param::new("other_config", TEXT_MAP),
        ])
        .result(Ref("VLAN"))
        .or_async()
        .hidden(),
];
