//! Messages of the class `pool`: published.

use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new(
        "enable_redo_log",
        "midnight-ride",
        PoolOperator,
        "Enables redo log of the pool.",
    )
    .params(&[Param::new("sr", Ref("SR"))])
    .or_async(),
    Message::new(
        "enable_tls_verification",
        "1.290.0",
        PoolAdmin,
        "Enables TLS verification of the pool.",
    ),
    Message::new(
        "external_auth_set_ldaps",
        "26.16.0",
        PoolAdmin,
        "Externals auth set ldaps of the pool.",
    )
    .params(&[
        Param::new("pool", Ref("pool")),
        Param::new("ldaps", Bool),
        Param::optional("force", Bool, Default::Bool(false)),
    ]),
    Message::new(
        "get_license_state",
        "clearwater",
        ReadOnly,
        "Answers license state of the pool.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .result(TEXT_MAP)
    .or_async(),
    Message::new(
        "ha_compute_hypothetical_max_host_failures_to_tolerate",
        "orlando",
        ReadOnly,
        "Has compute hypothetical max host failures to tolerate of the pool.",
    )
    .params(&[Param::new("configuration", Map(&Ref("VM"), &Text))])
    .result(Int),
    Message::new(
        "ha_compute_max_host_failures_to_tolerate",
        "orlando",
        PoolOperator,
        "Has compute max host failures to tolerate of the pool.",
    )
    .result(Int),
    Message::new(
        "ha_compute_vm_failover_plan",
        "orlando",
        PoolOperator,
        "Has compute VM failover plan of the pool.",
    )
    .params(&[
        Param::new("failed_hosts", Set(&Ref("host"))),
        Param::new("failed_vms", Set(&Ref("VM"))),
    ])
    .result(Map(&Ref("VM"), &TEXT_MAP)),
    Message::new(
        "ha_failover_plan_exists",
        "orlando",
        PoolOperator,
        "Has failover plan exists of the pool.",
    )
    .params(&[Param::new("n", Int)])
    .result(Bool),
    Message::new(
        "ha_prevent_restarts_for",
        "orlando-update-1",
        PoolOperator,
        "Has prevent restarts for of the pool.",
    )
    .params(&[Param::new("seconds", Int)]),
    Message::new(
        "has_extension",
        "dundee",
        PoolAdmin,
        "Says whether the pool has extension.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("name", Text)])
    .result(Bool)
    .or_async(),
    Message::new(
        "initialize_wlb",
        "george",
        PoolOperator,
        "Initializes workload balancing of the pool.",
    )
    .params(&[
        Param::new("wlb_url", Text),
        Param::new("wlb_username", Text),
        Param::new("wlb_password", Text),
        Param::new("xenserver_username", Text),
        Param::new("xenserver_password", Text),
    ])
    .or_async(),
    Message::new("join", "rio", PoolOperator, "Joins the pool.")
        .params(&[
            Param::new("master_address", Text),
            Param::new("master_username", Text),
            Param::new("master_password", Text),
        ])
        .errors(&["JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS"])
        .or_async(),
    Message::new("join_force", "rio", PoolOperator, "Joins force of the pool.")
        .params(&[
            Param::new("master_address", Text),
            Param::new("master_username", Text),
            Param::new("master_password", Text),
        ])
        .or_async(),
    Message::new(
        "management_reconfigure",
        "inverness",
        PoolOperator,
        "Managements reconfigure of the pool.",
    )
    .params(&[Param::new("network", Ref("network"))])
    .errors(&[
        "HA_IS_ENABLED",
        "PIF_NOT_PRESENT",
        "CANNOT_PLUG_BOND_SLAVE",
        "PIF_INCOMPATIBLE_PRIMARY_ADDRESS_TYPE",
        "PIF_HAS_NO_NETWORK_CONFIGURATION",
        "PIF_HAS_NO_V6_NETWORK_CONFIGURATION",
    ])
    .or_async(),
    Message::new(
        "recover_slaves",
        "rio",
        PoolOperator,
        "Recovers slaves of the pool.",
    )
    .result(Set(&Ref("host")))
    .or_async(),
    Message::new(
        "remove_from_guest_agent_config",
        "dundee",
        PoolAdmin,
        "Removes a key from guest agent config of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("key", Text)])
    .or_async(),
    Message::new(
        "remove_repository",
        "1.301.0",
        PoolOperator,
        "Removes repository from the pool.",
    )
    .params(&[
        Param::new("self", Ref("pool")),
        Param::new("value", Ref("Repository")),
    ])
    .client_cert()
    .or_async(),
    Message::new(
        "retrieve_wlb_configuration",
        "george",
        ReadOnly,
        "Retrieves workload balancing configuration of the pool.",
    )
    .result(TEXT_MAP)
    .or_async(),
    Message::new(
        "retrieve_wlb_recommendations",
        "george",
        ReadOnly,
        "Retrieves workload balancing recommendations of the pool.",
    )
    .result(Map(&Ref("VM"), &TEXTS))
    .or_async(),
    Message::new(
        "rotate_secret",
        "stockholm_psr",
        PoolAdmin,
        "Rotates secret of the pool.",
    )
    .errors(&[
        "INTERNAL_ERROR",
        "HOST_IS_SLAVE",
        "CANNOT_CONTACT_HOST",
        "HA_IS_ENABLED",
        "NOT_SUPPORTED_DURING_UPGRADE",
    ])
    .or_async(),
    Message::new(
        "send_test_post",
        "george",
        PoolAdmin,
        "Sends test post of the pool.",
    )
    .params(&[
        Param::new("host", Text),
        Param::new("port", Int),
        Param::new("body", Text),
    ])
    .result(Text)
    .or_async(),
    Message::new(
        "send_wlb_configuration",
        "george",
        PoolOperator,
        "Sends workload balancing configuration of the pool.",
    )
    .params(&[Param::new("config", TEXT_MAP)])
    .or_async(),
    Message::new(
        "set_ha_host_failures_to_tolerate",
        "orlando",
        PoolOperator,
        "Sets HA host failures to tolerate of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Int)])
    .or_async(),
    Message::new(
        "set_igmp_snooping_enabled",
        "inverness",
        PoolOperator,
        "Sets igmp snooping enabled of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Bool)])
    .or_async(),
    Message::new(
        "set_repositories",
        "1.301.0",
        PoolOperator,
        "Sets repositories of the pool.",
    )
    .params(&[
        Param::new("self", Ref("pool")),
        Param::new("value", Set(&Ref("Repository"))),
    ])
    .client_cert()
    .or_async(),
    Message::new(
        "sync_database",
        "rio",
        PoolOperator,
        "Syncs database of the pool.",
    )
    .or_async(),
    Message::new(
        "sync_updates",
        "1.329.0",
        PoolOperator,
        "Syncs updates of the pool.",
    )
    .params(&[
        Param::new("self", Ref("pool")),
        Param::new("force", Bool),
        Param::optional("token", Text, Default::Text("")),
        Param::optional("token_id", Text, Default::Text("")),
        Param::optional("username", Text, Default::Text("")),
        Param::optional("password", Text, Default::Text("")),
    ])
    .result(Text)
    .client_cert()
    .or_async(),
    Message::new(
        "test_archive_target",
        "cowley",
        PoolOperator,
        "Tests archive target of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("config", TEXT_MAP)])
    .result(Text),
];
