//! Messages of the class `pool`: what it does.

use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("apply_edition", "clearwater", PoolOperator, "Applies an edition to every host.")
        .params(&[Param::new("self", Ref("pool")), Param::new("edition", Text)])
        .or_async(),
    Message::new(
        "certificate_sync",
        "george",
        PoolOperator,
        "Brings certificates and revocation lists of every host in line with the master's.",
    )
    .or_async(),
    Message::new(
        "check_update_readiness",
        "1.304.0",
        PoolOperator,
        "Lists the reasons why the pool cannot be updated now.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("requires_reboot", Bool)])
    .result(Set(&TEXTS))
    .client_cert()
    .or_async(),
    Message::new(
        "configure_repository_proxy",
        "21.3.0",
        PoolOperator,
        "Sets the proxy on the way to the repositories.",
    )
    .params(&[
        Param::new("self", Ref("pool")),
        Param::new("url", Text),
        Param::new("username", Text),
        Param::new("password", Text),
    ])
    .client_cert()
    .or_async(),
    Message::new(
        "create_VLAN",
        "rio",
        PoolOperator,
        "Makes a VLAN on a device of every host; see `create_VLAN_from_PIF`.",
    )
    .params(&[Param::new("device", Text), Param::new("network", Ref("network")), Param::new("VLAN", Int)])
    .result(Set(&Ref("PIF")))
    .errors(&["VLAN_TAG_INVALID"])
    .or_async(),
    Message::new(
        "create_VLAN_from_PIF",
        "rio",
        PoolOperator,
        "Makes a VLAN on each host's PIF of the same device.",
    )
    .params(&[Param::new("pif", Ref("PIF")), Param::new("network", Ref("network")), Param::new("VLAN", Int)])
    .result(Set(&Ref("PIF")))
    .errors(&["VLAN_TAG_INVALID"])
    .or_async(),
    Message::new("create_new_blob", "orlando", PoolOperator, "Attaches an empty blob to the pool.")
        .params(&[
            Param::new("pool", Ref("pool")),
            Param::new("name", Text),
            Param::new("mime_type", Text),
            Param::optional("public", Bool, Default::Bool(false)),
        ])
        .result(Ref("blob"))
        .or_async(),
    Message::new(
        "crl_install",
        "george",
        PoolOperator,
        "Installs a certificate revocation list on every host.",
    )
    .params(&[Param::new("name", Text), Param::new("cert", Text)])
    .or_async(),
    Message::new(
        "crl_uninstall",
        "george",
        PoolOperator,
        "Removes a certificate revocation list from every host.",
    )
    .params(&[Param::new("name", Text)])
    .or_async(),
    Message::new("deconfigure_wlb", "george", PoolOperator, "Forgets the workload balancing server.")
        .or_async(),
    Message::new(
        "designate_new_master",
        "miami",
        PoolOperator,
        "Makes another host the master, in an orderly way.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async(),
    Message::new(
        "disable_client_certificate_auth",
        "1.318.0",
        PoolOperator,
        "No longer lets clients prove themselves by certificate.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .client_cert()
    .or_async(),
    Message::new(
        "disable_external_auth",
        "george",
        PoolAdmin,
        "Turns external authentication off on every host.",
    )
    .params(&[Param::new("pool", Ref("pool")), Param::optional("config", TEXT_MAP, Default::EmptyMap)]),
    Message::new("disable_ha", "miami", PoolOperator, "Turns high availability off.")
        .client_cert()
        .or_async(),
    Message::new(
        "disable_local_storage_caching",
        "cowley",
        PoolOperator,
        "Turns caching on local storage off on every host.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .or_async(),
    Message::new(
        "disable_redo_log",
        "midnight-ride",
        PoolOperator,
        "Stops writing changes to shared storage.",
    )
    .or_async(),
    Message::new(
        "disable_repository_proxy",
        "21.4.0",
        PoolOperator,
        "Goes to the repositories without proxy.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .client_cert()
    .or_async(),
    Message::new(
        "eject",
        "rio",
        PoolOperator,
        "Takes a host out of the pool and makes it a pool of its own.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async(),
    Message::new(
        "emergency_reset_master",
        "rio",
        PoolOperator,
        "Points this host at another master when the old one is lost.",
    )
    .params(&[Param::new("master_address", Text)]),
    Message::new(
        "emergency_transition_to_master",
        "rio",
        PoolOperator,
        "Makes this host the master when the old one is lost.",
    ),
    Message::new(
        "enable_client_certificate_auth",
        "1.318.0",
        PoolOperator,
        "Lets clients prove themselves by certificate.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("name", Text)])
    .client_cert()
    .or_async(),
    Message::new(
        "enable_external_auth",
        "george",
        PoolAdmin,
        "Turns external authentication on on every host.",
    )
    .params(&[
        Param::new("pool", Ref("pool")),
        Param::new("config", TEXT_MAP),
        Param::new("service_name", Text),
        Param::new("auth_type", Text),
    ]),
    Message::new("enable_ha", "miami", PoolOperator, "Turns high availability on.")
        .params(&[Param::new("heartbeat_srs", Set(&Ref("SR"))), Param::new("configuration", TEXT_MAP)])
        .client_cert()
        .or_async(),
    Message::new(
        "enable_local_storage_caching",
        "cowley",
        PoolOperator,
        "Turns caching on local storage on on every host.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .or_async(),
    Message::new(
        "enable_redo_log",
        "midnight-ride",
        PoolOperator,
        "Starts to write changes to shared storage too.",
    )
    .params(&[Param::new("sr", Ref("SR"))])
    .or_async(),
    Message::new(
        "enable_tls_verification",
        "1.290.0",
        PoolAdmin,
        "Makes hosts check each other's certificates, for good.",
    ),
    Message::new(
        "external_auth_set_ldaps",
        "26.16.0",
        PoolAdmin,
        "Says whether the directory is asked over TLS.",
    )
    .params(&[
        Param::new("pool", Ref("pool")),
        Param::new("ldaps", Bool),
        Param::optional("force", Bool, Default::Bool(false)),
    ]),
    Message::new(
        "ha_prevent_restarts_for",
        "orlando-update-1",
        PoolOperator,
        "Holds restarts back for some seconds.",
    )
    .params(&[Param::new("seconds", Int)]),
    Message::new(
        "initialize_wlb",
        "george",
        PoolOperator,
        "Connects the pool to a workload balancing server.",
    )
    .params(&[
        Param::new("wlb_url", Text),
        Param::new("wlb_username", Text),
        Param::new("wlb_password", Text),
        Param::new("xenserver_username", Text),
        Param::new("xenserver_password", Text),
    ])
    .or_async(),
    Message::new(
        "join",
        "rio",
        PoolOperator,
        "Makes this host, a pool of its own, a member of another pool.",
    )
    .params(&[
        Param::new("master_address", Text),
        Param::new("master_username", Text),
        Param::new("master_password", Text),
    ])
    .errors(&["JOINING_HOST_CANNOT_CONTAIN_SHARED_SRS"])
    .or_async(),
    Message::new(
        "join_force",
        "rio",
        PoolOperator,
        "As join, past the checks that protect from unlike hosts.",
    )
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
        "Moves every host's management to another network.",
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
        "Tells hosts that lost the master where it is, and lists them.",
    )
    .result(Set(&Ref("host")))
    .or_async(),
    Message::new("rotate_secret", "stockholm_psr", PoolAdmin, "Gives the pool a new secret.")
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
        "Sends a body to a host by POST and answers the reply, for tests.",
    )
    .params(&[Param::new("host", Text), Param::new("port", Int), Param::new("body", Text)])
    .result(Text)
    .or_async(),
    Message::new(
        "send_wlb_configuration",
        "george",
        PoolOperator,
        "Changes the settings of workload balancing.",
    )
    .params(&[Param::new("config", TEXT_MAP)])
    .or_async(),
    Message::new("sync_database", "rio", PoolOperator, "Makes sure that every host has the latest database.")
        .or_async(),
    Message::new("sync_updates", "1.329.0", PoolOperator, "Fetches updates from the repositories.")
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
    Message::new("test_archive_target", "cowley", PoolOperator, "Tried out a place for archived VMs.")
        .params(&[Param::new("self", Ref("pool")), Param::new("config", TEXT_MAP)])
        .result(Text),
];
