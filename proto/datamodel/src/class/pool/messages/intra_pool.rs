//! Messages of the class `pool`: between the hosts of a pool, and hidden ones.

use super::super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("initial_auth", "rio", PoolOperator, "Answers the pool's secret to a host that joins.")
        .result(Text)
        .or_async()
        .hidden(),
    Message::new(
        "exchange_certificates_on_join",
        "1.298.0",
        PoolOperator,
        "Swaps host certificates with a host that joins.",
    )
    .params(&[Param::new("uuid", Text), Param::new("certificate", Text)])
    .result(TEXT_MAP)
    .or_async()
    .hidden(),
    Message::new(
        "exchange_ca_certificates_on_join",
        "1.320.0",
        PoolOperator,
        "Swaps certificate authorities with a host that joins.",
    )
    .params(&[Param::new("import", TEXT_MAP), Param::new("export", Set(&Ref("Certificate")))])
    .result(TEXT_MAP)
    .or_async()
    .hidden(),
    Message::new("hello", "rio", PoolOperator, "Says that a host is up, and whether the master knows it.")
        .params(&[Param::new("host_uuid", Text), Param::new("host_address", Text)])
        .result(Enum(&HELLO_RETURN))
        .or_async()
        .hidden(),
    Message::new("is_slave", "rio", PoolAdmin, "Says whether the host is not the master.")
        .params(&[Param::new("host", Ref("host"))])
        .result(Bool)
        .hidden(),
    Message::new(
        "ha_schedule_plan_recomputation",
        "orlando",
        LocalRoot,
        "Has the failover plan computed anew soon.",
    )
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "enable_binary_storage",
        "orlando",
        PoolOperator,
        "Allows blobs and metrics to be kept on disk.",
    )
    .or_async()
    .hidden(),
    Message::new(
        "disable_binary_storage",
        "orlando",
        PoolOperator,
        "No longer allows blobs and metrics on disk.",
    )
    .or_async()
    .hidden(),
    Message::new("audit_log_append", "midnight-ride", PoolAdmin, "Appends a line to the audit log.")
        .params(&[Param::new("line", Text)])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new(
        "exchange_trusted_certificates_on_join",
        "unlisted",
        PoolOperator,
        "Swaps trusted certificates with a host that joins.",
    )
    .params(&[
        Param::new("self", Ref("pool")),
        Param::new("ca", Bool),
        Param::new("import", Map(&Text, &TEXTS)),
        Param::new("export", Set(&Ref("Certificate"))),
    ])
    .result(Map(&Text, &TEXTS))
    .client_cert()
    .or_async()
    .hidden(),
    Message::new(
        "exchange_crls_on_join",
        "unlisted",
        PoolOperator,
        "Swaps certificate revocation lists with a host that joins.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("import", TEXT_MAP), Param::new("export", TEXTS)])
    .result(TEXT_MAP)
    .client_cert()
    .or_async()
    .hidden(),
];
