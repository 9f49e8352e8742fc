//! Messages of the class `host`: between the hosts of a pool, and hidden ones.

use super::super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new(
        "prepare_for_poweroff",
        "kolkata",
        LocalRoot,
        "Prepares for poweroff of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .hidden(),
    Message::new("create", "rio", PoolOperator, "Creates a host.")
        .params(&[
            Param::new("uuid", Text),
            Param::new("name_label", Text),
            Param::new("name_description", Text),
            Param::new("hostname", Text),
            Param::new("address", Text),
            Param::optional("external_auth_type", Text, Default::Text("")),
            Param::optional("external_auth_service_name", Text, Default::Text("")),
            Param::optional("external_auth_configuration", TEXT_MAP, Default::EmptyMap),
            Param::optional("license_params", TEXT_MAP, Default::EmptyMap),
            Param::optional("edition", Text, Default::Text("")),
            Param::optional(
                "license_server",
                TEXT_MAP,
                Default::Pairs(&[("address", "localhost"), ("port", "27000")]),
            ),
            Param::optional("local_cache_sr", Ref("SR"), Default::Null),
            Param::optional("chipset_info", TEXT_MAP, Default::EmptyMap),
            Param::optional("ssl_legacy", Bool, Default::Bool(true)),
            Param::optional("last_software_update", Time, Default::Epoch),
            Param::optional("last_update_hash", Text, Default::Text("")),
            Param::optional("ssh_enabled", Bool, Default::Bool(true)),
            Param::optional("ssh_enabled_timeout", Int, Default::Int(0)),
            Param::optional("ssh_expiry", Time, Default::Epoch),
            Param::optional("console_idle_timeout", Int, Default::Int(0)),
            Param::optional("ssh_auto_mode", Bool, Default::Bool(false)),
            Param::optional("secure_boot", Bool, Default::Bool(false)),
            Param::optional("software_version", TEXT_MAP, Default::EmptyMap),
            Param::optional("https_only", Bool, Default::Bool(false)),
            Param::optional("max_cstate", Text, Default::Text("")),
            Param::optional("ntp_mode", Enum(&HOST_NTP_MODE), Default::Text("Factory")),
            Param::optional("ntp_custom_servers", TEXTS, Default::EmptySet),
            Param::optional("timezone", Text, Default::Text("UTC")),
            Param::optional(
                "numa_affinity_policy",
                Enum(&HOST_NUMA_AFFINITY_POLICY),
                Default::Text("default_policy"),
            ),
            Param::optional(
                "latest_synced_updates_applied",
                Enum(&LATEST_SYNCED_UPDATES_APPLIED_STATE),
                Default::Text("unknown"),
            ),
            Param::optional(
                "pending_guidances_full",
                Set(&Enum(&crate::class::vm::UPDATE_GUIDANCES)),
                Default::EmptySet,
            ),
            Param::optional(
                "pending_guidances_recommended",
                Set(&Enum(&crate::class::vm::UPDATE_GUIDANCES)),
                Default::EmptySet,
            ),
        ])
        .result(Ref("host"))
        .or_async()
        .hidden(),
    Message::new(
        "set_license_params",
        "orlando",
        LocalRoot,
        "Sets license params of the host.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("value", TEXT_MAP)])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "ha_disarm_fencing",
        "orlando",
        LocalRoot,
        "Has disarm fencing of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "preconfigure_ha",
        "miami",
        LocalRoot,
        "Preconfigures HA of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("statefiles", Set(&Ref("VDI"))),
        Param::new("metadata_vdi", Ref("VDI")),
        Param::new("generation", Text),
    ])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "ha_join_liveset",
        "orlando",
        LocalRoot,
        "Has join liveset of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "ha_disable_failover_decisions",
        "orlando",
        LocalRoot,
        "Has disable failover decisions of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "ha_wait_for_shutdown_via_statefile",
        "orlando",
        LocalRoot,
        "Has wait for shutdown via statefile of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "ha_stop_daemon",
        "orlando",
        LocalRoot,
        "Has stop daemon of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "ha_release_resources",
        "orlando",
        LocalRoot,
        "Has release resources of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "ha_xapi_healthcheck",
        "orlando",
        PoolAdmin,
        "Has xapi healthcheck of the host.",
    )
    .result(Bool)
    .hidden(),
    Message::new(
        "local_assert_healthy",
        "miami",
        LocalRoot,
        "Locals assert healthy of the host.",
    )
    .pool_only()
    .hidden(),
    Message::new("request_backup", "rio", LocalRoot, "Requests backup of the host.")
        .params(&[
            Param::new("host", Ref("host")),
            Param::new("generation", Int),
            Param::new("force", Bool),
        ])
        .pool_only()
        .hidden(),
    Message::new(
        "request_config_file_sync",
        "rio",
        LocalRoot,
        "Requests config file sync of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("hash", Text)])
    .pool_only()
    .hidden(),
    Message::new(
        "propose_new_master",
        "miami",
        LocalRoot,
        "Proposes new master of the host.",
    )
    .params(&[Param::new("address", Text), Param::new("manual", Bool)])
    .pool_only()
    .hidden(),
    Message::new(
        "commit_new_master",
        "miami",
        LocalRoot,
        "Commits new master of the host.",
    )
    .params(&[Param::new("address", Text)])
    .pool_only()
    .hidden(),
    Message::new(
        "abort_new_master",
        "miami",
        LocalRoot,
        "Aborts new master of the host.",
    )
    .params(&[Param::new("address", Text)])
    .pool_only()
    .hidden(),
    Message::new(
        "get_uncooperative_domains",
        "midnight-ride",
        LocalRoot,
        "Answers uncooperative domains of the host.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .result(TEXTS)
    .or_async()
    .pool_only()
    .hidden()
    .deprecated("tampa"),
    Message::new(
        "signal_networking_change",
        "miami",
        LocalRoot,
        "Signals networking change of the host.",
    )
    .pool_only()
    .hidden(),
    Message::new("notify", "miami", LocalRoot, "Notifies the host.")
        .params(&[Param::new("ty", Text), Param::new("params", Text)])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new(
        "get_diagnostic_timing_stats",
        "miami",
        ReadOnly,
        "Answers diagnostic timing stats of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::optional("counts", Bool, Default::Bool(false)),
    ])
    .result(TEXT_MAP)
    .hidden(),
    Message::new(
        "is_in_emergency_mode",
        "miami",
        ReadOnly,
        "Says whether the host is in emergency mode.",
    )
    .result(Bool)
    .hidden(),
    Message::new(
        "tickle_heartbeat",
        "orlando",
        LocalRoot,
        "Tickles heartbeat of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("stuff", TEXT_MAP)])
    .result(TEXT_MAP)
    .pool_only()
    .hidden(),
    Message::new(
        "enable_binary_storage",
        "orlando",
        LocalRoot,
        "Enables binary storage of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "disable_binary_storage",
        "orlando",
        LocalRoot,
        "Disables binary storage of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "install_ca_certificate",
        "1.290.0",
        LocalRoot,
        "Installs CA certificate of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("name", Text),
        Param::new("cert", Text),
    ])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "uninstall_ca_certificate",
        "1.290.0",
        LocalRoot,
        "Uninstalls CA certificate of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("name", Text),
        Param::optional("force", Bool, Default::Bool(false)),
    ])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "certificate_list",
        "george",
        LocalRoot,
        "Certificates list of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(TEXTS)
    .or_async()
    .pool_only()
    .hidden()
    .deprecated("1.290.0"),
];
