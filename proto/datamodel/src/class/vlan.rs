//! The class `VLAN`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("VLAN", "miami", "A VLAN of the pool.")
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("tagged_PIF", Ref("PIF"), "miami", "The tagged PIF: a PIF.").default(Default::Null),
    Field::runtime("untagged_PIF", Ref("PIF"), "miami", "The untagged PIF: a PIF.").default(Default::Null),
    Field::fixed("tag", Int, "miami", "The tag, a number.").default(Default::Int(-1)),
    Field::settable(
        "other_config",
        TEXT_MAP,
        "miami",
        "Further settings as keys and values.",
    )
    .default(Default::EmptyMap),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "miami", PoolOperator, "Creates a VLAN.")
        .params(&[
            Param::new("tagged_PIF", Ref("PIF")),
            Param::new("tag", Int),
            Param::new("network", Ref("network")),
        ])
        .result(Ref("VLAN"))
        .or_async(),
    Message::new("destroy", "miami", PoolOperator, "Destroys the VLAN.")
        .params(&[Param::new("self", Ref("VLAN"))])
        .or_async(),
    Message::new(
        "pool_introduce",
        "inverness",
        PoolOperator,
        "Pools introduce of the VLAN.",
    )
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
