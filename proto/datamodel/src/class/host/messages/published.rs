//! Messages of the class `host`: published.

use super::super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new(
        "apply_edition",
        "midnight-ride",
        PoolOperator,
        "Applies edition of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("edition", Text),
        Param::optional("force", Bool, Default::Bool(false)),
    ]),
    Message::new(
        "apply_updates",
        "1.301.0",
        PoolOperator,
        "Applies updates of the host.",
    )
    .params(&[Param::new("self", Ref("host")), Param::new("hash", Text)])
    .result(Set(&TEXTS))
    .client_cert()
    .or_async(),
    Message::new(
        "assert_can_evacuate",
        "miami",
        PoolOperator,
        "Fails unless can evacuate holds.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async(),
    Message::new("backup_rrds", "orlando", PoolAdmin, "Backups rrds of the host.")
        .params(&[Param::new("host", Ref("host")), Param::new("delay", Float)]),
    Message::new(
        "bugreport_upload",
        "rio",
        PoolOperator,
        "Bugreports upload of the host.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("url", Text),
        Param::new("options", TEXT_MAP),
    ])
    .or_async(),
    Message::new("call_extension", "ely", PoolAdmin, "Calls extension of the host.")
        .params(&[Param::new("host", Ref("host")), Param::new("call", Text)])
        .result(Text),
    Message::new("call_plugin", "orlando", PoolAdmin, "Calls plugin of the host.")
        .params(&[
            Param::new("host", Ref("host")),
            Param::new("plugin", Text),
            Param::new("fn", Text),
            Param::new("args", TEXT_MAP),
        ])
        .result(Text)
        .or_async(),
    Message::new(
        "compute_free_memory",
        "orlando",
        ReadOnly,
        "Computes free memory of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Int)
    .or_async(),
    Message::new(
        "compute_memory_overhead",
        "midnight-ride",
        ReadOnly,
        "Computes memory overhead of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Int)
    .or_async(),
    Message::new(
        "create_new_blob",
        "orlando",
        PoolOperator,
        "Creates new blob of the host.",
    )
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
        "Declares dead of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .or_async(),
    Message::new("destroy", "rio", PoolOperator, "Destroys the host.")
        .params(&[Param::new("self", Ref("host"))])
        .or_async(),
    Message::new("disable", "rio", PoolOperator, "Disables the host.")
        .params(&[
            Param::new("host", Ref("host")),
            Param::optional("auto_enable", Bool, Default::Bool(true)),
        ])
        .client_cert()
        .or_async(),
    Message::new(
        "disable_display",
        "cream",
        PoolOperator,
        "Disables display of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Enum(&HOST_DISPLAY))
    .or_async(),
    Message::new(
        "disable_external_auth",
        "george",
        PoolAdmin,
        "Disables external auth of the host.",
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
        "Disables local storage caching of the host.",
    )
    .params(&[Param::new("host", Ref("host"))]),
    Message::new("dmesg", "rio", PoolOperator, "Dmesgs the host.")
        .params(&[Param::new("host", Ref("host"))])
        .result(Text)
        .or_async(),
    Message::new("dmesg_clear", "rio", PoolOperator, "Dmesgs clear of the host.")
        .params(&[Param::new("host", Ref("host"))])
        .result(Text)
        .or_async(),
    Message::new(
        "emergency_disable_tls_verification",
        "1.290.0",
        LocalRoot,
        "Emergencies disable TLS verification of the host.",
    ),
    Message::new(
        "emergency_ha_disable",
        "orlando",
        PoolOperator,
        "Emergencies HA disable of the host.",
    )
    .params(&[Param::optional("soft", Bool, Default::Bool(false))]),
    Message::new(
        "emergency_reenable_tls_verification",
        "1.298.0",
        LocalRoot,
        "Emergencies reenable TLS verification of the host.",
    ),
    Message::new(
        "emergency_reset_server_certificate",
        "stockholm",
        LocalRoot,
        "Emergencies reset server certificate of the host.",
    ),
    Message::new("enable", "rio", PoolOperator, "Enables the host.")
        .params(&[Param::new("host", Ref("host"))])
        .client_cert()
        .or_async(),
    Message::new(
        "enable_display",
        "cream",
        PoolOperator,
        "Enables display of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Enum(&HOST_DISPLAY))
    .or_async(),
    Message::new(
        "enable_external_auth",
        "george",
        PoolAdmin,
        "Enables external auth of the host.",
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
        "Enables local storage caching of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("sr", Ref("SR"))]),
    Message::new("evacuate", "miami", PoolOperator, "Evacuates the host.")
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
        "Externals auth set ldaps of the host.",
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
        "Forgets data source archives of the host.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("data_source", Text)]),
    Message::new(
        "get_data_sources",
        "orlando",
        ReadOnly,
        "Answers data sources of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Set(&Record("data_source"))),
    Message::new("get_log", "rio", ReadOnly, "Answers log of the host.")
        .params(&[Param::new("host", Ref("host"))])
        .result(Text)
        .or_async(),
    Message::new(
        "get_management_interface",
        "tampa",
        PoolOperator,
        "Answers management interface of the host.",
    )
    .params(&[Param::new("host", Ref("host"))])
    .result(Ref("PIF"))
    .or_async(),
    Message::new(
        "get_sched_gran",
        "1.271.0",
        LocalRoot,
        "Answers sched gran of the host.",
    )
    .params(&[Param::new("self", Ref("host"))])
    .result(Enum(&HOST_SCHED_GRAN))
    .or_async(),
];
