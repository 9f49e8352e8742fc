//! Messages of the class `host`: not yet promised.

use super::super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("disable_ssh", "25.13.0", PoolAdmin, "Turns SSH off.")
        .params(&[Param::new("self", Ref("host"))])
        .or_async()
        .prototyped(),
    Message::new(
        "emergency_clear_mandatory_guidance",
        "24.10.0",
        LocalRoot,
        "Takes the mandatory guidance after an update as done.",
    )
    .prototyped(),
    Message::new("enable_ssh", "25.13.0", PoolAdmin, "Turns SSH on.")
        .params(&[Param::new("self", Ref("host"))])
        .or_async()
        .prototyped(),
    Message::new("get_ntp_servers_status", "26.0.0", ReadOnly, "Lists time servers and how they are doing.")
        .params(&[Param::new("self", Ref("host"))])
        .result(TEXT_MAP)
        .or_async()
        .prototyped(),
    Message::new("get_ntp_synchronized", "26.0.0", ReadOnly, "Says whether the clock follows a time server.")
        .params(&[Param::new("self", Ref("host"))])
        .result(Bool)
        .or_async()
        .prototyped(),
    Message::new(
        "get_tracked_user_agents",
        "25.34.0",
        ReadOnly,
        "Lists clients lately seen, by name and version.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .result(TEXT_MAP)
    .or_async()
    .prototyped(),
    Message::new("list_timezones", "26.0.0", ReadOnly, "Lists the time zones.")
        .params(&[Param::new("self", Ref("host"))])
        .result(TEXTS)
        .or_async()
        .prototyped(),
    Message::new("rescan_drivers", "25.2.0", PoolAdmin, "Looks for drivers anew.")
        .params(&[Param::new("self", Ref("host"))])
        .or_async()
        .prototyped(),
    Message::new(
        "set_console_idle_timeout",
        "25.21.0",
        PoolAdmin,
        "Sets after how many idle seconds the host's console closes.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("value", Int)])
    .or_async()
    .prototyped(),
    Message::new("set_https_only", "22.27.0", PoolOperator, "Says whether plain HTTP is refused.")
        .params(&[Param::new("self", Ref("host")), Param::new("value", Bool)])
        .or_async()
        .prototyped(),
    Message::new("set_max_cstate", "26.0.0", PoolOperator, "Sets the deepest idle state.")
        .params(&[Param::new("self", Ref("host")), Param::new("value", Text)])
        .or_async()
        .prototyped(),
    Message::new("set_ntp_custom_servers", "26.0.0", PoolOperator, "Names time servers by hand.")
        .params(&[Param::new("self", Ref("host")), Param::new("value", TEXTS)])
        .or_async()
        .prototyped(),
    Message::new("set_ntp_mode", "26.0.0", PoolOperator, "Says where time servers come from.")
        .params(&[Param::new("self", Ref("host")), Param::new("value", Enum(&HOST_NTP_MODE))])
        .or_async()
        .prototyped(),
    Message::new("set_numa_affinity_policy", "24.0.0", PoolAdmin, "Says how VMs are kept on NUMA nodes.")
        .params(&[Param::new("self", Ref("host")), Param::new("value", Enum(&HOST_NUMA_AFFINITY_POLICY))])
        .or_async()
        .prototyped(),
    Message::new("set_servertime", "26.0.0", PoolOperator, "Sets the host's clock, if no time server does.")
        .params(&[Param::new("self", Ref("host")), Param::new("value", Time)])
        .or_async()
        .prototyped(),
    Message::new(
        "set_ssh_auto_mode",
        "25.27.0",
        PoolAdmin,
        "Says whether SSH is turned on by itself when the service is down.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("value", Bool)])
    .or_async()
    .prototyped(),
    Message::new("set_ssh_enabled_timeout", "25.21.0", PoolAdmin, "Sets for how many seconds SSH stays on.")
        .params(&[Param::new("self", Ref("host")), Param::new("value", Int)])
        .or_async()
        .prototyped(),
    Message::new("set_timezone", "26.0.0", PoolOperator, "Sets the time zone.")
        .params(&[Param::new("self", Ref("host")), Param::new("value", Text)])
        .or_async()
        .prototyped(),
];
