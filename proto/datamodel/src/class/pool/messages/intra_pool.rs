//! Messages of the class `pool`: between the hosts of a pool, and hidden ones.

use super::super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("initial_auth", "rio", PoolOperator, "Initials auth of the pool.")
        .result(Text)
        .or_async()
        .hidden(),
    Message::new(
        "exchange_certificates_on_join",
        "1.298.0",
        PoolOperator,
        "Exchanges certificates on join of the pool.",
    )
    .params(&[Param::new("uuid", Text), Param::new("certificate", Text)])
    .result(TEXT_MAP)
    .or_async()
    .hidden(),
    Message::new(
        "exchange_ca_certificates_on_join",
        "1.320.0",
        PoolOperator,
        "Exchanges CA certificates on join of the pool.",
    )
    .params(&[
        Param::new("import", TEXT_MAP),
        Param::new("export", Set(&Ref("Certificate"))),
    ])
    .result(TEXT_MAP)
    .or_async()
    .hidden(),
    Message::new("hello", "rio", PoolOperator, "Helloes the pool.")
        .params(&[Param::new("host_uuid", Text), Param::new("host_address", Text)])
        .result(Enum(&HELLO_RETURN))
        .or_async()
        .hidden(),
    Message::new("is_slave", "rio", PoolAdmin, "Says whether the pool is slave.")
        .params(&[Param::new("host", Ref("host"))])
        .result(Bool)
        .hidden(),
    Message::new(
        "ha_schedule_plan_recomputation",
        "orlando",
        LocalRoot,
        "Has schedule plan recomputation of the pool.",
    )
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "enable_binary_storage",
        "orlando",
        PoolOperator,
        "Enables binary storage of the pool.",
    )
    .or_async()
    .hidden(),
    Message::new(
        "disable_binary_storage",
        "orlando",
        PoolOperator,
        "Disables binary storage of the pool.",
    )
    .or_async()
    .hidden(),
    Message::new(
        "audit_log_append",
        "midnight-ride",
        PoolAdmin,
        "Audits log append of the pool.",
    )
    .params(&[Param::new("line", Text)])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "exchange_trusted_certificates_on_join",
        "unlisted",
        PoolOperator,
        "Exchanges trusted certificates on join of the pool.",
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
        "Exchanges crls on join of the pool.",
    )
    .params(&[
        Param::new("self", Ref("pool")),
        Param::new("import", TEXT_MAP),
        Param::new("export", TEXTS),
    ])
    .result(TEXT_MAP)
    .client_cert()
    .or_async()
    .hidden(),
];
