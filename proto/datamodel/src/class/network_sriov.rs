//! The class `network_sriov`.

use crate::model;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("network_sriov", "kolkata", "A network of virtual functions of a host's interface.")
        .fields(FIELDS)
        .messages(MESSAGES);

/// `sriov_configuration_mode`
pub const SRIOV_CONFIGURATION_MODE: model::Enum =
    model::Enum::new("sriov_configuration_mode", &["sysfs", "modprobe", "manual", "unknown"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("physical_PIF", Ref("PIF"), "kolkata", "The physical PIF: a PIF.").default(Default::Null),
    Field::fixed("logical_PIF", Ref("PIF"), "kolkata", "The logical PIF: a PIF.").default(Default::Null),
    Field::runtime("requires_reboot", Bool, "kolkata", "True if requires reboot.")
        .default(Default::Bool(false)),
    Field::runtime(
        "configuration_mode",
        Enum(&SRIOV_CONFIGURATION_MODE),
        "kolkata",
        "The configuration mode.",
    )
    .default(Default::Text("unknown")),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "kolkata", PoolOperator, "Creates a network sriov.")
        .params(&[Param::new("pif", Ref("PIF")), Param::new("network", Ref("network"))])
        .result(Ref("network_sriov"))
        .or_async(),
    Message::new("destroy", "kolkata", PoolOperator, "Destroys the network sriov.")
        .params(&[Param::new("self", Ref("network_sriov"))])
        .or_async(),
    Message::new(
        "get_remaining_capacity",
        "kolkata",
        ReadOnly,
        "Answers remaining capacity of the network sriov.",
    )
    .params(&[Param::new("self", Ref("network_sriov"))])
    .result(Int)
    .or_async(),
];
