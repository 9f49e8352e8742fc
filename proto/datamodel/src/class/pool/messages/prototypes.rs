//! Messages of the class `pool`: not yet promised, or of the past.

use super::super::enums::*;
use crate::model::TEXTS;
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new(
        "certificate_install",
        "george",
        PoolOperator,
        "Certificates install of the pool.",
    )
    .params(&[Param::new("name", Text), Param::new("cert", Text)])
    .or_async()
    .deprecated("1.290.0"),
    Message::new(
        "certificate_list",
        "george",
        PoolOperator,
        "Certificates list of the pool.",
    )
    .result(TEXTS)
    .or_async()
    .deprecated("1.290.0"),
    Message::new(
        "certificate_uninstall",
        "george",
        PoolOperator,
        "Certificates uninstall of the pool.",
    )
    .params(&[Param::new("name", Text)])
    .or_async()
    .deprecated("1.290.0"),
    Message::new(
        "configure_update_sync",
        "23.18.0",
        PoolOperator,
        "Configures update sync of the pool.",
    )
    .params(&[
        Param::new("self", Ref("pool")),
        Param::new("update_sync_frequency", Enum(&UPDATE_SYNC_FREQUENCY)),
        Param::new("update_sync_day", Int),
    ])
    .or_async()
    .prototyped(),
    Message::new("disable_ssh", "25.13.0", PoolAdmin, "Disables ssh of the pool.")
        .params(&[Param::new("self", Ref("pool"))])
        .or_async()
        .prototyped(),
    Message::new(
        "disable_ssl_legacy",
        "dundee",
        PoolOperator,
        "Disables SSL legacy of the pool.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .or_async()
    .deprecated("stockholm"),
    Message::new("enable_ssh", "25.13.0", PoolAdmin, "Enables ssh of the pool.")
        .params(&[Param::new("self", Ref("pool"))])
        .or_async()
        .prototyped(),
    Message::new(
        "enable_ssl_legacy",
        "dundee",
        PoolOperator,
        "Enables SSL legacy of the pool.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .or_async()
    .deprecated("dundee")
    .removed("stockholm"),
    Message::new(
        "get_guest_secureboot_readiness",
        "24.17.0",
        PoolOperator,
        "Answers guest secureboot readiness of the pool.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .result(Enum(&POOL_GUEST_SECUREBOOT_READINESS))
    .prototyped(),
    Message::new(
        "install_ca_certificate",
        "1.290.0",
        PoolOperator,
        "Installs CA certificate of the pool.",
    )
    .params(&[Param::new("name", Text), Param::new("cert", Text)])
    .client_cert()
    .or_async()
    .deprecated("26.13.0"),
    Message::new(
        "install_trusted_certificate",
        "26.13.0",
        PoolOperator,
        "Installs trusted certificate of the pool.",
    )
    .params(&[
        Param::new("self", Ref("pool")),
        Param::new("ca", Bool),
        Param::new("cert", Text),
        Param::new("purpose", Set(&Enum(&CERTIFICATE_PURPOSE))),
    ])
    .client_cert()
    .or_async()
    .prototyped(),
    Message::new(
        "reset_telemetry_uuid",
        "23.9.0",
        PoolAdmin,
        "Resets telemetry uuid of the pool.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .or_async()
    .prototyped(),
    Message::new(
        "set_console_idle_timeout",
        "25.21.0",
        PoolAdmin,
        "Sets console idle timeout of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Int)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_custom_uefi_certificates",
        "24.0.0",
        PoolAdmin,
        "Sets custom uefi certificates of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Text)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_ext_auth_cache_enabled",
        "24.31.0",
        PoolOperator,
        "Sets ext auth cache enabled of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Bool)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_ext_auth_cache_expiry",
        "24.31.0",
        PoolOperator,
        "Sets ext auth cache expiry of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Int)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_ext_auth_cache_size",
        "24.31.0",
        PoolOperator,
        "Sets ext auth cache size of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Int)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_ext_auth_max_threads",
        "23.27.0",
        PoolOperator,
        "Sets ext auth max threads of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Int)])
    .prototyped(),
    Message::new(
        "set_https_only",
        "22.27.0",
        PoolOperator,
        "Sets https only of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Bool)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_local_auth_max_threads",
        "23.27.0",
        PoolOperator,
        "Sets local auth max threads of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Int)])
    .prototyped(),
    Message::new(
        "set_ssh_auto_mode",
        "25.27.0",
        PoolAdmin,
        "Sets ssh auto mode of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Bool)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_ssh_enabled_timeout",
        "25.21.0",
        PoolAdmin,
        "Sets ssh enabled timeout of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Int)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_telemetry_next_collection",
        "23.9.0",
        PoolAdmin,
        "Sets telemetry next collection of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Time)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_uefi_certificates",
        "22.16.0",
        PoolAdmin,
        "Sets uefi certificates of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Text)])
    .or_async()
    .deprecated("24.0.0"),
    Message::new(
        "set_update_sync_enabled",
        "23.18.0",
        PoolOperator,
        "Sets update sync enabled of the pool.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Bool)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_vswitch_controller",
        "midnight-ride",
        PoolOperator,
        "Sets vswitch controller of the pool.",
    )
    .params(&[Param::new("address", Text)])
    .or_async()
    .deprecated("falcon"),
    Message::new(
        "sync_trusted_certificates_from",
        "26.16.0",
        PoolOperator,
        "Syncs trusted certificates from of the pool.",
    )
    .params(&[
        Param::new("self", Ref("pool")),
        Param::new("remote_pool", Text),
        Param::new("remote_session", Ref("session")),
        Param::new("remote_certificate", Text),
        Param::new("ca", Bool),
    ])
    .result(Set(&Ref("Certificate")))
    .client_cert()
    .or_async()
    .prototyped(),
    Message::new(
        "uninstall_ca_certificate",
        "1.290.0",
        PoolOperator,
        "Uninstalls CA certificate of the pool.",
    )
    .params(&[
        Param::new("name", Text),
        Param::optional("force", Bool, Default::Bool(false)),
    ])
    .client_cert()
    .or_async()
    .deprecated("26.13.0"),
    Message::new(
        "uninstall_trusted_certificate",
        "26.13.0",
        PoolOperator,
        "Uninstalls trusted certificate of the pool.",
    )
    .params(&[
        Param::new("self", Ref("pool")),
        Param::new("certificate", Ref("Certificate")),
    ])
    .client_cert()
    .or_async()
    .prototyped(),
];
