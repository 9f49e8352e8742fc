//! Messages of the class `host`: not yet promised, or of the past.

use super::super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new(
        "apply_recommended_guidances",
        "23.18.0",
        PoolOperator,
        "Applies recommended guidances of the host.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .or_async()
    .removed("23.25.0"),
    Message::new("disable_ssh", "25.13.0", PoolAdmin, "Disables ssh of the host.")
        .params(&[Param::new("self", Ref("host"))])
        .or_async()
        .prototyped(),
    Message::new(
        "emergency_clear_mandatory_guidance",
        "24.10.0",
        LocalRoot,
        "Emergencies clear mandatory guidance of the host.",
    )
    .prototyped(),
    Message::new("enable_ssh", "25.13.0", PoolAdmin, "Enables ssh of the host.")
        .params(&[Param::new("self", Ref("host"))])
        .or_async()
        .prototyped(),
    Message::new(
        "get_ntp_servers_status",
        "26.0.0",
        ReadOnly,
        "Answers ntp servers status of the host.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .result(TEXT_MAP)
    .or_async()
    .prototyped(),
    Message::new(
        "get_ntp_synchronized",
        "26.0.0",
        ReadOnly,
        "Answers ntp synchronized of the host.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .result(Bool)
    .or_async()
    .prototyped(),
    Message::new(
        "get_tracked_user_agents",
        "25.34.0",
        ReadOnly,
        "Answers tracked user agents of the host.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .result(TEXT_MAP)
    .or_async()
    .prototyped(),
    Message::new(
        "get_uncooperative_resident_VMs",
        "midnight-ride",
        ReadOnly,
        "Answers uncooperative resident VMs of the host.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .result(Set(&Ref("VM")))
    .or_async()
    .deprecated("tampa"),
    Message::new(
        "license_apply",
        "rio",
        PoolOperator,
        "Licenses apply of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("contents", Text)])
    .errors(&["LICENSE_PROCESSING_ERROR"])
    .or_async()
    .deprecated("clearwater")
    .removed("clearwater"),
    Message::new(
        "list_timezones",
        "26.0.0",
        ReadOnly,
        "Lists timezones of the host.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .result(TEXTS)
    .or_async()
    .prototyped(),
    Message::new(
        "refresh_pack_info",
        "midnight-ride",
        PoolOperator,
        "Refreshes pack info of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .deprecated("ely"),
    Message::new(
        "rescan_drivers",
        "25.2.0",
        PoolAdmin,
        "Rescans drivers of the host.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .or_async()
    .prototyped(),
    Message::new(
        "reset_cpu_features",
        "midnight-ride",
        PoolOperator,
        "Resets CPU features of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .deprecated("dundee")
    .removed("dundee"),
    Message::new(
        "set_console_idle_timeout",
        "25.21.0",
        PoolAdmin,
        "Sets console idle timeout of the host.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("value", Int)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_cpu_features",
        "midnight-ride",
        PoolOperator,
        "Sets CPU features of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("features", Text)])
    .deprecated("dundee")
    .removed("dundee"),
    Message::new(
        "set_https_only",
        "22.27.0",
        PoolOperator,
        "Sets https only of the host.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("value", Bool)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_max_cstate",
        "26.0.0",
        PoolOperator,
        "Sets max cstate of the host.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("value", Text)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_ntp_custom_servers",
        "26.0.0",
        PoolOperator,
        "Sets ntp custom servers of the host.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("value", TEXTS)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_ntp_mode",
        "26.0.0",
        PoolOperator,
        "Sets ntp mode of the host.",
    )
    .params(&[
        Param::new("self", Ref("host")),
        Param::new("value", Enum(&HOST_NTP_MODE)),
    ])
    .or_async()
    .prototyped(),
    Message::new(
        "set_numa_affinity_policy",
        "24.0.0",
        PoolAdmin,
        "Sets numa affinity policy of the host.",
    )
    .params(&[
        Param::new("self", Ref("host")),
        Param::new("value", Enum(&HOST_NUMA_AFFINITY_POLICY)),
    ])
    .or_async()
    .prototyped(),
    Message::new(
        "set_servertime",
        "26.0.0",
        PoolOperator,
        "Sets servertime of the host.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("value", Time)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_ssh_auto_mode",
        "25.27.0",
        PoolAdmin,
        "Sets ssh auto mode of the host.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("value", Bool)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_ssh_enabled_timeout",
        "25.21.0",
        PoolAdmin,
        "Sets ssh enabled timeout of the host.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("value", Int)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_timezone",
        "26.0.0",
        PoolOperator,
        "Sets timezone of the host.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("value", Text)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_uefi_certificates",
        "quebec",
        LocalRoot,
        "Sets uefi certificates of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("value", Text)])
    .or_async()
    .deprecated("22.16.0"),
];
