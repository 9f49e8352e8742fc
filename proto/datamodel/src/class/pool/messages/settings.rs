//! Messages of the class `pool`: settings that take more than a generic setter.

use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new(
        "add_repository",
        "1.301.0",
        PoolOperator,
        "Adds a repository to those that updates come from.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Ref("Repository"))])
    .client_cert()
    .or_async(),
    Message::new("add_to_guest_agent_config", "dundee", PoolAdmin, "Adds a setting that guests may read.")
        .params(&[Param::new("self", Ref("pool")), Param::new("key", Text), Param::new("value", Text)])
        .or_async(),
    Message::new(
        "remove_from_guest_agent_config",
        "dundee",
        PoolAdmin,
        "Removes a setting that guests may read.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("key", Text)])
    .or_async(),
    Message::new(
        "remove_repository",
        "1.301.0",
        PoolOperator,
        "Removes a repository from those that updates come from.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Ref("Repository"))])
    .client_cert()
    .or_async(),
    Message::new(
        "set_ha_host_failures_to_tolerate",
        "orlando",
        PoolOperator,
        "Sets how many hosts may fail at once.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Int)])
    .or_async(),
    Message::new("set_igmp_snooping_enabled", "inverness", PoolOperator, "Says whether bridges follow IGMP.")
        .params(&[Param::new("self", Ref("pool")), Param::new("value", Bool)])
        .or_async(),
    Message::new(
        "set_repositories",
        "1.301.0",
        PoolOperator,
        "Sets the repositories that updates come from.",
    )
    .params(&[Param::new("self", Ref("pool")), Param::new("value", Set(&Ref("Repository")))])
    .client_cert()
    .or_async(),
];
