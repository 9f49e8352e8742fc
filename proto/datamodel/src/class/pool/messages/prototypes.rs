//! Messages of the class `pool`: not yet promised.

use super::super::enums::*;
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new(
        "configure_update_sync",
        "23.18.0",
        PoolOperator,
        "Sets how often and on which day updates are fetched.",
    )
    .params(&[
        Param::new("self", Ref("pool")),
        Param::new("update_sync_frequency", Enum(&UPDATE_SYNC_FREQUENCY)),
        Param::new("update_sync_day", Int),
    ])
    .or_async()
    .prototyped(),
    Message::new("disable_ssh", "25.13.0", PoolAdmin, "Turns SSH off on every host.")
        .params(&[Param::new("self", Ref("pool"))])
        .or_async()
        .prototyped(),
    Message::new("enable_ssh", "25.13.0", PoolAdmin, "Turns SSH on on every host.")
        .params(&[Param::new("self", Ref("pool"))])
        .or_async()
        .prototyped(),
    Message::new(
        "get_guest_secureboot_readiness",
        "24.17.0",
        PoolOperator,
        "Says whether VMs can use Secure Boot in this pool.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .result(Enum(&POOL_GUEST_SECUREBOOT_READINESS))
    .prototyped(),
    Message::new(
        "install_trusted_certificate",
        "26.13.0",
        PoolOperator,
        "Installs a certificate that every host trusts for a purpose.",
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
    Message::new("reset_telemetry_uuid", "23.9.0", PoolAdmin, "Gives telemetry a new identifier.")
        .params(&[Param::new("self", Ref("pool"))])
        .or_async()
        .prototyped(),
    Message::new(
        "set_console_idle_timeout",
        "25.21.0",
        PoolAdmin,
        "Sets after how many idle seconds consoles of hosts close.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Int)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_custom_uefi_certificates",
        "24.0.0",
        PoolAdmin,
        "Sets the Secure Boot certificates that replace the default ones.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Text)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_ext_auth_cache_enabled",
        "24.31.0",
        PoolOperator,
        "Says whether logins of subjects are remembered.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Bool)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_ext_auth_cache_expiry",
        "24.31.0",
        PoolOperator,
        "Sets for how many seconds a login is remembered.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Int)])
    .or_async()
    .prototyped(),
    Message::new("set_ext_auth_cache_size", "24.31.0", PoolOperator, "Sets how many logins are remembered.")
        .params(&[Param::new("self", Ref("pool")), Param::new("value", Int)])
        .or_async()
        .prototyped(),
    Message::new(
        "set_ext_auth_max_threads",
        "23.27.0",
        PoolOperator,
        "Sets how many logins of subjects may be checked at once.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Int)])
    .prototyped(),
    Message::new("set_https_only", "22.27.0", PoolOperator, "Says whether hosts refuse plain HTTP.")
        .params(&[Param::new("self", Ref("pool")), Param::new("value", Bool)])
        .or_async()
        .prototyped(),
    Message::new(
        "set_local_auth_max_threads",
        "23.27.0",
        PoolOperator,
        "Sets how many logins of local users may be checked at once.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Int)])
    .prototyped(),
    Message::new(
        "set_ssh_auto_mode",
        "25.27.0",
        PoolAdmin,
        "Says whether SSH is turned on by itself when a host's service is down.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Bool)])
    .or_async()
    .prototyped(),
    Message::new("set_ssh_enabled_timeout", "25.21.0", PoolAdmin, "Sets for how many seconds SSH stays on.")
        .params(&[Param::new("self", Ref("pool")), Param::new("value", Int)])
        .or_async()
        .prototyped(),
    Message::new(
        "set_telemetry_next_collection",
        "23.9.0",
        PoolAdmin,
        "Sets the earliest time of the next collection.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Time)])
    .or_async()
    .prototyped(),
    Message::new(
        "set_update_sync_enabled",
        "23.18.0",
        PoolOperator,
        "Says whether updates are fetched by themselves.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Bool)])
    .or_async()
    .prototyped(),
    Message::new(
        "sync_trusted_certificates_from",
        "26.16.0",
        PoolOperator,
        "Copies trusted certificates from another pool.",
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
        "uninstall_trusted_certificate",
        "26.13.0",
        PoolOperator,
        "Removes a certificate that hosts trust for a purpose.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("certificate", Ref("Certificate"))])
    .client_cert()
    .or_async()
    .prototyped(),
];
