//! Messages of the class `host`: published.

use super::super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new(
        "get_server_certificate",
        "george",
        ReadOnly,
        "Answers server certificate of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Text)
    .or_async(),
    Message::new(
        "get_server_localtime",
        "cowley",
        ReadOnly,
        "Answers server localtime of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Time),
    Message::new(
        "get_servertime",
        "orlando",
        ReadOnly,
        "Answers servertime of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Time),
    Message::new(
        "get_system_status_capabilities",
        "miami",
        ReadOnly,
        "Answers system status capabilities of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Text),
    Message::new(
        "get_vms_which_prevent_evacuation",
        "orlando",
        ReadOnly,
        "Answers VMs which prevent evacuation of the host.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .result(Map(&Ref("VM"), &TEXTS))
    .or_async(),
    Message::new(
        "has_extension",
        "ely",
        PoolAdmin,
        "Says whether the host has extension.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("name", Text)])
    .result(Bool)
    .or_async(),
    Message::new(
        "install_server_certificate",
        "stockholm",
        PoolAdmin,
        "Installs server certificate of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("certificate", Text),
        Param::new("private_key", Text),
        Param::optional("certificate_chain", Text, Default::Text("")),
    ])
    .or_async(),
    Message::new("license_add", "indigo", PoolOperator, "Licenses add of the host.")
        .params(&[Param::new("host", Ref("host")), Param::new("contents", Text)])
        .errors(&["LICENSE_PROCESSING_ERROR"])
        .or_async(),
    Message::new(
        "license_remove",
        "indigo",
        PoolOperator,
        "Licenses remove of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async(),
    Message::new("list_methods", "rio", ReadOnly, "Lists methods of the host.").result(TEXTS),
    Message::new(
        "local_management_reconfigure",
        "miami",
        PoolOperator,
        "Locals management reconfigure of the host.",
    )
    .params(&[Param::new("interface", Text)]),
    Message::new(
        "management_disable",
        "miami",
        PoolOperator,
        "Managements disable of the host.",
    ),
    Message::new(
        "management_reconfigure",
        "miami",
        PoolOperator,
        "Managements reconfigure of the host.",
    )
    .params(&[Param::new("pif", Ref("PIF"))])
    .or_async(),
    Message::new(
        "migrate_receive",
        "tampa",
        VmPowerAdmin,
        "Migrates receive of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("network", Ref("network")),
        Param::new("options", TEXT_MAP),
    ])
    .result(TEXT_MAP)
    .or_async(),
    Message::new("power_on", "orlando", PoolOperator, "Powers on of the host.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async(),
    Message::new(
        "query_data_source",
        "orlando",
        ReadOnly,
        "Queries data source of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("data_source", Text)])
    .result(Float),
    Message::new("reboot", "rio", PoolOperator, "Reboots the host.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async(),
    Message::new(
        "record_data_source",
        "orlando",
        PoolOperator,
        "Records data source of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("data_source", Text)]),
    Message::new(
        "refresh_server_certificate",
        "1.307.0",
        PoolAdmin,
        "Refreshes server certificate of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async(),
    Message::new(
        "reset_server_certificate",
        "1.290.0",
        PoolAdmin,
        "Resets server certificate of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async(),
    Message::new(
        "restart_agent",
        "rio",
        PoolOperator,
        "Restarts agent of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async(),
    Message::new(
        "retrieve_wlb_evacuate_recommendations",
        "george",
        ReadOnly,
        "Retrieves workload balancing evacuate recommendations of the host.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .result(Map(&Ref("VM"), &TEXTS))
    .or_async(),
    Message::new(
        "send_debug_keys",
        "rio",
        PoolAdmin,
        "Sends debug keys of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("keys", Text)])
    .or_async(),
    Message::new(
        "set_hostname_live",
        "miami",
        PoolOperator,
        "Sets hostname live of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("hostname", Text)])
    .errors(&["HOST_NAME_INVALID"]),
    Message::new(
        "set_iscsi_iqn",
        "kolkata",
        PoolOperator,
        "Sets iscsi iqn of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("value", Text)])
    .or_async(),
    Message::new(
        "set_multipathing",
        "kolkata",
        PoolOperator,
        "Sets multipathing of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("value", Bool)])
    .or_async(),
    Message::new(
        "set_power_on_mode",
        "cowley",
        PoolOperator,
        "Sets power on mode of the host.",
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
        "Sets sched gran of the host.",
    )
    .params(&[
        Param::new("self", Ref("host")),
        Param::new("value", Enum(&HOST_SCHED_GRAN)),
    ])
    .or_async(),
    Message::new(
        "set_ssl_legacy",
        "dundee",
        PoolOperator,
        "Sets SSL legacy of the host.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("value", Bool)])
    .or_async(),
    Message::new("shutdown", "rio", PoolOperator, "Shutdowns the host.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async(),
    Message::new(
        "shutdown_agent",
        "orlando",
        PoolOperator,
        "Shutdowns agent of the host.",
    ),
    Message::new("sync_data", "orlando", PoolAdmin, "Syncs data of the host.")
        .params(&[Param::new("host", Ref("host"))]),
    Message::new(
        "syslog_reconfigure",
        "miami",
        PoolOperator,
        "Syslogs reconfigure of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async(),
];
