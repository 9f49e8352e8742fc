//! Messages of the class `host`: settings that take more than a generic setter.

use super::super::enums::*;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("set_hostname_live", "miami", PoolOperator, "Changes the host's name at once.")
        .params(&[Param::new("host", Ref("host")), Param::new("hostname", Text)])
        .errors(&["HOST_NAME_INVALID"]),
    Message::new("set_iscsi_iqn", "kolkata", PoolOperator, "Sets the name as iSCSI initiator.")
        .params(&[Param::new("host", Ref("host")), Param::new("value", Text)])
        .or_async(),
    Message::new(
        "set_multipathing",
        "kolkata",
        PoolOperator,
        "Says whether storage is reached over several paths.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("value", Bool)])
    .or_async(),
    Message::new(
        "set_power_on_mode",
        "cowley",
        PoolOperator,
        "Says how the host can be powered on from afar.",
    )
    .params(&[
        Param::new("self", Ref("host")),
        Param::new("power_on_mode", Text),
        Param::new("power_on_config", TEXT_MAP),
    ])
    .or_async(),
    Message::new(
        "set_sched_gran",
        "1.271.0",
        LocalRoot,
        "Says what the scheduler hands out, from the next reboot.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("value", Enum(&HOST_SCHED_GRAN))])
    .or_async(),
    Message::new("set_ssl_legacy", "dundee", PoolOperator, "Accepted outdated versions of TLS.")
        .params(&[Param::new("self", Ref("host")), Param::new("value", Bool)])
        .or_async(),
];
