//! Messages of the class `pool`: published.

use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new(
        "add_repository",
        "1.301.0",
        PoolOperator,
        "Adds repository to the pool.",
    )
    .params(&[
        Param::new("self", Ref("pool")),
        Param::new("value", Ref("Repository")),
    ])
    .client_cert()
    .or_async(),
    Message::new(
        "add_to_guest_agent_config",
        "dundee",
        PoolAdmin,
        "Adds a key to guest agent config of the pool.",
    )
    .params(&[
        Param::new("self", Ref("pool")),
        Param::new("key", Text),
        Param::new("value", Text),
    ])
    .or_async(),
    Message::new(
        "apply_edition",
        "clearwater",
        PoolOperator,
        "Applies edition of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("edition", Text)])
    .or_async(),
    Message::new(
        "certificate_sync",
        "george",
        PoolOperator,
        "Certificates sync of the pool.",
    )
    .or_async(),
    Message::new(
        "check_update_readiness",
        "1.304.0",
        PoolOperator,
        "Checks update readiness of the pool.",
    )
    .params(&[
        Param::new("self", Ref("pool")),
        Param::new("requires_reboot", Bool),
    ])
    .result(Set(&TEXTS))
    .client_cert()
    .or_async(),
    Message::new(
        "configure_repository_proxy",
        "21.3.0",
        PoolOperator,
        "Configures repository proxy of the pool.",
    )
    .params(&[
        Param::new("self", Ref("pool")),
        Param::new("url", Text),
        Param::new("username", Text),
        Param::new("password", Text),
    ])
    .client_cert()
    .or_async(),
    Message::new("create_VLAN", "rio", PoolOperator, "Creates VLAN of the pool.")
        .params(&[
            Param::new("device", Text),
            Param::new("network", Ref("network")),
            Param::new("VLAN", Int),
        ])
        .result(Set(&Ref("PIF")))
        .errors(&["VLAN_TAG_INVALID"])
        .or_async(),
    Message::new(
        "create_VLAN_from_PIF",
        "rio",
        PoolOperator,
        "Creates VLAN from PIF of the pool.",
    )
    .params(&[
        Param::new("pif", Ref("PIF")),
        Param::new("network", Ref("network")),
        Param::new("VLAN", Int),
    ])
    .result(Set(&Ref("PIF")))
    .errors(&["VLAN_TAG_INVALID"])
    .or_async(),
    Message::new(
        "create_new_blob",
        "orlando",
        PoolOperator,
        "Creates new blob of the pool.",
    )
    .params(&[
        Param::new("pool", Ref("pool")),
        Param::new("name", Text),
        Param::new("mime_type", Text),
        Param::optional("public", Bool, Default::Bool(false)),
    ])
    .result(Ref("blob"))
    .or_async(),
    Message::new("crl_install", "george", PoolOperator, "Crls install of the pool.")
        .params(&[Param::new("name", Text), Param::new("cert", Text)])
        .or_async(),
    Message::new("crl_list", "george", PoolOperator, "Crls list of the pool.")
        .result(TEXTS)
        .or_async(),
    Message::new(
        "crl_uninstall",
        "george",
        PoolOperator,
        "Crls uninstall of the pool.",
    )
    .params(&[Param::new("name", Text)])
    .or_async(),
    Message::new(
        "deconfigure_wlb",
        "george",
        PoolOperator,
        "Deconfigures workload balancing of the pool.",
    )
    .or_async(),
    Message::new(
        "designate_new_master",
        "miami",
        PoolOperator,
        "Designates new master of the pool.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async(),
    Message::new(
        "detect_nonhomogeneous_external_auth",
        "george",
        PoolOperator,
        "Detects nonhomogeneous external auth of the pool.",
    )
    .params(&[Param::new("pool", Ref("pool"))]),
    Message::new(
        "disable_client_certificate_auth",
        "1.318.0",
        PoolOperator,
        "Disables client certificate auth of the pool.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .client_cert()
    .or_async(),
    Message::new(
        "disable_external_auth",
        "george",
        PoolAdmin,
        "Disables external auth of the pool.",
    )
    .params(&[
        Param::new("pool", Ref("pool")),
        Param::optional("config", TEXT_MAP, Default::EmptyMap),
    ]),
    Message::new("disable_ha", "miami", PoolOperator, "Disables HA of the pool.")
        .client_cert()
        .or_async(),
    Message::new(
        "disable_local_storage_caching",
        "cowley",
        PoolOperator,
        "Disables local storage caching of the pool.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .or_async(),
    Message::new(
        "disable_redo_log",
        "midnight-ride",
        PoolOperator,
        "Disables redo log of the pool.",
    )
    .or_async(),
    Message::new(
        "disable_repository_proxy",
        "21.4.0",
        PoolOperator,
        "Disables repository proxy of the pool.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .client_cert()
    .or_async(),
    Message::new("eject", "rio", PoolOperator, "Ejects the pool.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async(),
    Message::new(
        "emergency_reset_master",
        "rio",
        PoolOperator,
        "Emergencies reset master of the pool.",
    )
    .params(&[Param::new("master_address", Text)]),
    Message::new(
        "emergency_transition_to_master",
        "rio",
        PoolOperator,
        "Emergencies transition to master of the pool.",
    ),
    Message::new(
        "enable_client_certificate_auth",
        "1.318.0",
        PoolOperator,
        "Enables client certificate auth of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("name", Text)])
    .client_cert()
    .or_async(),
    Message::new(
        "enable_external_auth",
        "george",
        PoolAdmin,
        "Enables external auth of the pool.",
    )
    .params(&[
        Param::new("pool", Ref("pool")),
        Param::new("config", TEXT_MAP),
        Param::new("service_name", Text),
        Param::new("auth_type", Text),
    ]),
    Message::new("enable_ha", "miami", PoolOperator, "Enables HA of the pool.")
        .params(&[
            Param::new("heartbeat_srs", Set(&Ref("SR"))),
            Param::new("configuration", TEXT_MAP),
        ])
        .client_cert()
        .or_async(),
    Message::new(
        "enable_local_storage_caching",
        "cowley",
        PoolOperator,
        "Enables local storage caching of the pool.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .or_async(),
];
