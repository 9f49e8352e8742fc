//! Messages of the class `host`: what it does.

use super::super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("apply_edition", "midnight-ride", PoolOperator, "Applies an edition to the host.").params(
        &[
            Param::new("host", Ref("host")),
            Param::new("edition", Text),
            Param::optional("force", Bool, Default::Bool(false)),
        ],
    ),
    Message::new(
        "apply_updates",
        "1.301.0",
        PoolOperator,
        "Applies the updates last fetched, and lists what is left to do.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("hash", Text)])
    .result(Set(&TEXTS))
    .client_cert()
    .or_async(),
    Message::new(
        "backup_rrds",
        "orlando",
        PoolAdmin,
        "Copies the host's metrics to the master after some seconds.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("delay", Float)]),
    Message::new("bugreport_upload", "rio", PoolOperator, "Uploads a bug report.")
        .params(&[Param::new("host", Ref("host")), Param::new("url", Text), Param::new("options", TEXT_MAP)])
        .or_async(),
    Message::new("call_extension", "ely", PoolAdmin, "Calls an extension of the API on the host.")
        .params(&[Param::new("host", Ref("host")), Param::new("call", Text)])
        .result(Text),
    Message::new(
        "call_plugin",
        "orlando",
        PoolAdmin,
        "Runs a function of a plug-in on the host, and answers what it printed.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("plugin", Text),
        Param::new("fn", Text),
        Param::new("args", TEXT_MAP),
    ])
    .result(Text)
    .or_async(),
    Message::new("create_new_blob", "orlando", PoolOperator, "Attaches an empty blob to the host.")
        .params(&[
            Param::new("host", Ref("host")),
            Param::new("name", Text),
            Param::new("mime_type", Text),
            Param::optional("public", Bool, Default::Bool(false)),
        ])
        .result(Ref("blob"))
        .or_async(),
    Message::new(
        "declare_dead",
        "clearwater",
        PoolOperator,
        "States that the host is certainly down, so that its VMs count as halted.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async(),
    Message::new(
        "destroy",
        "rio",
        PoolOperator,
        "Forgets a host that is down for good, with its local storage.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .or_async(),
    Message::new("disable", "rio", PoolOperator, "No longer lets VMs start here; those that run go on.")
        .params(&[Param::new("host", Ref("host")), Param::optional("auto_enable", Bool, Default::Bool(true))])
        .client_cert()
        .or_async(),
    Message::new(
        "disable_display",
        "cream",
        PoolOperator,
        "Leaves the host's screen to guests after the next reboot.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Enum(&HOST_DISPLAY))
    .or_async(),
    Message::new(
        "disable_external_auth",
        "george",
        PoolAdmin,
        "Turns external authentication off on the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::optional("config", TEXT_MAP, Default::EmptyMap),
        Param::optional("force", Bool, Default::Bool(false)),
    ]),
    Message::new(
        "disable_local_storage_caching",
        "cowley",
        PoolOperator,
        "Turns caching on local storage off.",
    )
    .params(&[Param::new("host", Ref("host"))]),
    Message::new("dmesg", "rio", PoolOperator, "Answers the hypervisor's messages.")
        .params(&[Param::new("host", Ref("host"))])
        .result(Text)
        .or_async(),
    Message::new("dmesg_clear", "rio", PoolOperator, "Answers the hypervisor's messages and clears them.")
        .params(&[Param::new("host", Ref("host"))])
        .result(Text)
        .or_async(),
    Message::new(
        "emergency_disable_tls_verification",
        "1.290.0",
        LocalRoot,
        "No longer checks other hosts' certificates, on this host alone.",
    ),
    Message::new(
        "emergency_ha_disable",
        "orlando",
        PoolOperator,
        "Turns high availability off on this host alone.",
    )
    .params(&[Param::optional("soft", Bool, Default::Bool(false))]),
    Message::new(
        "emergency_reenable_tls_verification",
        "1.298.0",
        LocalRoot,
        "Checks other hosts' certificates again.",
    ),
    Message::new(
        "emergency_reset_server_certificate",
        "stockholm",
        LocalRoot,
        "Gives this host a fresh self-signed certificate.",
    ),
    Message::new("enable", "rio", PoolOperator, "Lets VMs start here.")
        .params(&[Param::new("host", Ref("host"))])
        .client_cert()
        .or_async(),
    Message::new("enable_display", "cream", PoolOperator, "Uses the host's screen after the next reboot.")
        .params(&[Param::new("host", Ref("host"))])
        .result(Enum(&HOST_DISPLAY))
        .or_async(),
    Message::new(
        "enable_external_auth",
        "george",
        PoolAdmin,
        "Turns external authentication on on the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("config", TEXT_MAP),
        Param::new("service_name", Text),
        Param::new("auth_type", Text),
    ]),
    Message::new(
        "enable_local_storage_caching",
        "cowley",
        PoolOperator,
        "Turns caching on local storage on.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("sr", Ref("SR"))]),
    Message::new("evacuate", "miami", PoolOperator, "Moves every VM to other hosts, live.")
        .params(&[
            Param::new("host", Ref("host")),
            Param::optional("network", Ref("network"), Default::Null),
            Param::optional("evacuate_batch_size", Int, Default::Int(0)),
        ])
        .client_cert()
        .or_async(),
    Message::new(
        "external_auth_set_ldaps",
        "26.16.0",
        PoolAdmin,
        "Says whether the directory is asked over TLS.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("ldaps", Bool),
        Param::optional("force", Bool, Default::Bool(false)),
    ]),
    Message::new(
        "forget_data_source_archives",
        "orlando",
        PoolOperator,
        "Forgets what was recorded of a data source.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("data_source", Text)]),
    Message::new(
        "install_server_certificate",
        "stockholm",
        PoolAdmin,
        "Installs a certificate for the host's API.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("certificate", Text),
        Param::new("private_key", Text),
        Param::optional("certificate_chain", Text, Default::Text("")),
    ])
    .or_async(),
    Message::new("license_add", "indigo", PoolOperator, "Adds a licence.")
        .params(&[Param::new("host", Ref("host")), Param::new("contents", Text)])
        .errors(&["LICENSE_PROCESSING_ERROR"])
        .or_async(),
    Message::new("license_remove", "indigo", PoolOperator, "Removes the licence.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async(),
    Message::new(
        "local_management_reconfigure",
        "miami",
        PoolOperator,
        "Moves management to another interface, on this host, without the master.",
    )
    .params(&[Param::new("interface", Text)]),
    Message::new("management_disable", "miami", PoolOperator, "Turns the management network off."),
    Message::new("management_reconfigure", "miami", PoolOperator, "Moves management to another PIF.")
        .params(&[Param::new("pif", Ref("PIF"))])
        .or_async(),
    Message::new(
        "migrate_receive",
        "tampa",
        VmPowerAdmin,
        "Makes ready to receive a VM, and answers what the sender must know.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("network", Ref("network")),
        Param::new("options", TEXT_MAP),
    ])
    .result(TEXT_MAP)
    .or_async(),
    Message::new("power_on", "orlando", PoolOperator, "Powers the host on from afar.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async(),
    Message::new("reboot", "rio", PoolOperator, "Reboots the host, which must be disabled and without VMs.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async(),
    Message::new("record_data_source", "orlando", PoolOperator, "Begins to record a data source.")
        .params(&[Param::new("host", Ref("host")), Param::new("data_source", Text)]),
    Message::new(
        "refresh_server_certificate",
        "1.307.0",
        PoolAdmin,
        "Gives the host a fresh certificate for peers.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async(),
    Message::new(
        "reset_server_certificate",
        "1.290.0",
        PoolAdmin,
        "Gives the host a fresh self-signed certificate.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async(),
    Message::new("restart_agent", "rio", PoolOperator, "Restarts the service that answers this.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async(),
    Message::new("send_debug_keys", "rio", PoolAdmin, "Sends debug keys to the hypervisor.")
        .params(&[Param::new("host", Ref("host")), Param::new("keys", Text)])
        .or_async(),
    Message::new(
        "shutdown",
        "rio",
        PoolOperator,
        "Powers the host off, which must be disabled and without VMs.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async(),
    Message::new("shutdown_agent", "orlando", PoolOperator, "Stops the service that answers this."),
    Message::new("sync_data", "orlando", PoolAdmin, "Writes what is not yet on disk.")
        .params(&[Param::new("host", Ref("host"))]),
    Message::new("syslog_reconfigure", "miami", PoolOperator, "Takes up changed settings of logging.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async(),
];
