//! Messages of the class `pool`: advised against, or taken away.

use crate::model::TEXTS;
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new(
        "certificate_install",
        "george",
        PoolOperator,
        "Installs a trusted certificate on every host; see `install_ca_certificate`.",
    )
    .params(&[Param::new("name", Text), Param::new("cert", Text)])
    .or_async()
    .deprecated("1.290.0"),
    Message::new("certificate_list", "george", PoolOperator, "Lists the trusted certificates.")
        .result(TEXTS)
        .or_async()
        .deprecated("1.290.0"),
    Message::new(
        "certificate_uninstall",
        "george",
        PoolOperator,
        "Removes a trusted certificate from every host; see `uninstall_ca_certificate`.",
    )
    .params(&[Param::new("name", Text)])
    .or_async()
    .deprecated("1.290.0"),
    Message::new(
        "disable_ssl_legacy",
        "dundee",
        PoolOperator,
        "Turns outdated versions of TLS off; they always are.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .or_async()
    .deprecated("stockholm"),
    Message::new("enable_ssl_legacy", "dundee", PoolOperator, "Turned outdated versions of TLS on.")
        .params(&[Param::new("self", Ref("pool"))])
        .or_async()
        .deprecated("dundee")
        .removed("stockholm"),
    Message::new(
        "install_ca_certificate",
        "1.290.0",
        PoolOperator,
        "Installs a certificate authority that every host trusts.",
    )
    .params(&[Param::new("name", Text), Param::new("cert", Text)])
    .client_cert()
    .or_async()
    .deprecated("26.13.0"),
    Message::new(
        "set_uefi_certificates",
        "22.16.0",
        PoolAdmin,
        "Sets the Secure Boot certificates that VMs get.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Text)])
    .or_async()
    .deprecated("24.0.0"),
    Message::new(
        "set_vswitch_controller",
        "midnight-ride",
        PoolOperator,
        "Sets the controller of the virtual switches.",
    )
    .params(&[Param::new("address", Text)])
    .or_async()
    .deprecated("falcon"),
    Message::new(
        "uninstall_ca_certificate",
        "1.290.0",
        PoolOperator,
        "Removes a certificate authority that hosts trust.",
    )
    .params(&[Param::new("name", Text), Param::optional("force", Bool, Default::Bool(false))])
    .client_cert()
    .or_async()
    .deprecated("26.13.0"),
];
