//! Messages of the class `pool`: questions that change nothing.

use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("crl_list", "george", PoolOperator, "Lists the certificate revocation lists.")
        .result(TEXTS)
        .or_async(),
    Message::new(
        "detect_nonhomogeneous_external_auth",
        "george",
        PoolOperator,
        "Fails if hosts differ in external authentication.",
    )
    .params(&[Param::new("pool", Ref("pool"))]),
    Message::new(
        "get_license_state",
        "clearwater",
        ReadOnly,
        "Answers edition and expiry of the pool's licence.",
    )
    .params(&[Param::new("self", Ref("pool"))])
    .result(TEXT_MAP)
    .or_async(),
    Message::new(
        "ha_compute_hypothetical_max_host_failures_to_tolerate",
        "orlando",
        ReadOnly,
        "Answers how many failures could be borne with these priorities.",
    )
    .params(&[Param::new("configuration", Map(&Ref("VM"), &Text))])
    .result(Int),
    Message::new(
        "ha_compute_max_host_failures_to_tolerate",
        "orlando",
        PoolOperator,
        "Answers how many failures can be borne.",
    )
    .result(Int),
    Message::new(
        "ha_compute_vm_failover_plan",
        "orlando",
        PoolOperator,
        "Answers where each VM would go if these hosts failed.",
    )
    .params(&[Param::new("failed_hosts", Set(&Ref("host"))), Param::new("failed_vms", Set(&Ref("VM")))])
    .result(Map(&Ref("VM"), &TEXT_MAP)),
    Message::new(
        "ha_failover_plan_exists",
        "orlando",
        PoolOperator,
        "Says whether this many failures can be borne.",
    )
    .params(&[Param::new("n", Int)])
    .result(Bool),
    Message::new("has_extension", "dundee", PoolAdmin, "Says whether every host has an extension.")
        .params(&[Param::new("self", Ref("pool")), Param::new("name", Text)])
        .result(Bool)
        .or_async(),
    Message::new(
        "retrieve_wlb_configuration",
        "george",
        ReadOnly,
        "Answers the settings of workload balancing.",
    )
    .result(TEXT_MAP)
    .or_async(),
    Message::new(
        "retrieve_wlb_recommendations",
        "george",
        ReadOnly,
        "Answers which VMs workload balancing would move.",
    )
    .result(Map(&Ref("VM"), &TEXTS))
    .or_async(),
];
