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
        "Does what must be done before power goes off.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .hidden(),
    Message::new("create", "rio", PoolOperator, "Makes the record of a host that joins.")
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
    Message::new("set_license_params", "orlando", LocalRoot, "Sets the contents of the licence.")
        .params(&[Param::new("self", Ref("host")), Param::new("value", TEXT_MAP)])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new("ha_disarm_fencing", "orlando", LocalRoot, "Takes care that the host is no longer fenced.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new("preconfigure_ha", "miami", LocalRoot, "Makes ready for high availability.")
        .params(&[
            Param::new("host", Ref("host")),
            Param::new("statefiles", Set(&Ref("VDI"))),
            Param::new("metadata_vdi", Ref("VDI")),
            Param::new("generation", Text),
        ])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new("ha_join_liveset", "orlando", LocalRoot, "Joins the hosts that hear each other.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new("ha_disable_failover_decisions", "orlando", LocalRoot, "No longer decides on failovers.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new(
        "ha_wait_for_shutdown_via_statefile",
        "orlando",
        LocalRoot,
        "Waits until high availability is off by the state file.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new("ha_stop_daemon", "orlando", LocalRoot, "Stops the daemon of high availability.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new("ha_release_resources", "orlando", LocalRoot, "Lets go of the disks of high availability.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new("ha_xapi_healthcheck", "orlando", PoolAdmin, "Says whether the service answers.")
        .result(Bool)
        .hidden(),
    Message::new("local_assert_healthy", "miami", LocalRoot, "Fails unless this host is in order.")
        .pool_only()
        .hidden(),
    Message::new("request_backup", "rio", LocalRoot, "Copies the database to the host.")
        .params(&[Param::new("host", Ref("host")), Param::new("generation", Int), Param::new("force", Bool)])
        .pool_only()
        .hidden(),
    Message::new(
        "request_config_file_sync",
        "rio",
        LocalRoot,
        "Copies configuration files to the host if they differ.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("hash", Text)])
    .pool_only()
    .hidden(),
    Message::new("propose_new_master", "miami", LocalRoot, "Proposes another master, first of two phases.")
        .params(&[Param::new("address", Text), Param::new("manual", Bool)])
        .pool_only()
        .hidden(),
    Message::new("commit_new_master", "miami", LocalRoot, "Makes the proposed master the master.")
        .params(&[Param::new("address", Text)])
        .pool_only()
        .hidden(),
    Message::new("abort_new_master", "miami", LocalRoot, "Gives the proposed master up.")
        .params(&[Param::new("address", Text)])
        .pool_only()
        .hidden(),
    Message::new(
        "get_uncooperative_domains",
        "midnight-ride",
        LocalRoot,
        "Listed domains that do not give memory back.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .result(TEXTS)
    .or_async()
    .pool_only()
    .hidden()
    .deprecated("tampa"),
    Message::new("signal_networking_change", "miami", LocalRoot, "Says that addresses changed.")
        .pool_only()
        .hidden(),
    Message::new("notify", "miami", LocalRoot, "Tells the host of something.")
        .params(&[Param::new("ty", Text), Param::new("params", Text)])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new("get_diagnostic_timing_stats", "miami", ReadOnly, "Answers how long calls took.")
        .params(&[Param::new("host", Ref("host")), Param::optional("counts", Bool, Default::Bool(false))])
        .result(TEXT_MAP)
        .hidden(),
    Message::new("is_in_emergency_mode", "miami", ReadOnly, "Says whether the host is without master.")
        .result(Bool)
        .hidden(),
    Message::new(
        "tickle_heartbeat",
        "orlando",
        LocalRoot,
        "Tells the master that the host lives, and what it has to say.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("stuff", TEXT_MAP)])
    .result(TEXT_MAP)
    .pool_only()
    .hidden(),
    Message::new(
        "enable_binary_storage",
        "orlando",
        LocalRoot,
        "Allows blobs and metrics to be kept on disk.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "disable_binary_storage",
        "orlando",
        LocalRoot,
        "No longer allows blobs and metrics on disk.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "install_ca_certificate",
        "1.290.0",
        LocalRoot,
        "Installs a certificate authority that the host trusts.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("name", Text), Param::new("cert", Text)])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "uninstall_ca_certificate",
        "1.290.0",
        LocalRoot,
        "Removes a certificate authority that the host trusts.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("name", Text),
        Param::optional("force", Bool, Default::Bool(false)),
    ])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new("certificate_list", "george", LocalRoot, "Lists the certificates the host trusts.")
        .params(&[Param::new("host", Ref("host"))])
        .result(TEXTS)
        .or_async()
        .pool_only()
        .hidden()
        .deprecated("1.290.0"),
];
