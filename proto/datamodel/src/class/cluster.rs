//! The class `Cluster`.

use crate::model;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("Cluster", "lima", "Hosts that share a cluster stack.").fields(FIELDS).messages(MESSAGES);

/// `cluster_operation`
pub const CLUSTER_OPERATION: model::Enum =
    model::Enum::new("cluster_operation", &["add", "remove", "enable", "disable", "destroy"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "lima", "Unique identifier of the object."),
    Field::runtime(
        "cluster_hosts",
        Set(&Ref("Cluster_host")),
        "lima",
        "The cluster hosts, as a set of references.",
    )
    .rows_of("Cluster_host", "cluster"),
    Field::runtime("pending_forget", TEXTS, "lima", "The set of pending forget.").default(Default::EmptySet),
    Field::fixed("cluster_token", Text, "lima", "The cluster token.").default(Default::Text("")),
    Field::fixed("cluster_stack", Text, "lima", "The cluster stack.").default(Default::Text("corosync")),
    Field::fixed("cluster_stack_version", Int, "24.15.0", "The cluster stack version, a number.")
        .default(Default::Int(2))
        .prototyped(),
    Field::runtime("is_quorate", Bool, "24.3.0", "True if it is quorate.")
        .default(Default::Bool(false))
        .prototyped(),
    Field::runtime("quorum", Int, "24.3.0", "The quorum, a number.").default(Default::Int(0)).prototyped(),
    Field::runtime("live_hosts", Int, "24.3.0", "The live hosts, a number.")
        .default(Default::Int(0))
        .prototyped(),
    Field::runtime("expected_hosts", Int, "25.17.0", "The expected hosts, a number.")
        .default(Default::Int(0))
        .prototyped(),
    Field::runtime(
        "allowed_operations",
        Set(&Enum(&CLUSTER_OPERATION)),
        "rio",
        "Operations that could begin now.",
    )
    .default(Default::EmptySet)
    .volatile(),
    Field::runtime(
        "current_operations",
        Map(&Text, &Enum(&CLUSTER_OPERATION)),
        "rio",
        "Operations under way, by task.",
    )
    .default(Default::EmptyMap)
    .volatile(),
    Field::fixed("pool_auto_join", Bool, "lima", "True if pool auto join.").default(Default::Bool(true)),
    Field::fixed("token_timeout", Float, "lima", "The token timeout.").default(Default::Float(20.0)),
    Field::fixed("token_timeout_coefficient", Float, "lima", "The token timeout coefficient.")
        .default(Default::Float(1.0)),
    Field::fixed("cluster_config", TEXT_MAP, "lima", "The cluster config, as keys and values.")
        .default(Default::EmptyMap),
    Field::settable("other_config", TEXT_MAP, "lima", "Further settings as keys and values.")
        .default(Default::EmptyMap),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "lima", PoolOperator, "Creates a Cluster.")
        .params(&[
            Param::new("PIF", Ref("PIF")),
            Param::new("cluster_stack", Text),
            Param::new("pool_auto_join", Bool),
            Param::optional("token_timeout", Float, Default::Float(20.0)),
            Param::optional("token_timeout_coefficient", Float, Default::Float(1.0)),
        ])
        .result(Ref("Cluster"))
        .errors(&["INVALID_CLUSTER_STACK", "INVALID_VALUE", "PIF_ALLOWS_UNPLUG", "REQUIRED_PIF_IS_UNPLUGGED"])
        .or_async(),
    Message::new("destroy", "lima", PoolOperator, "Destroys the Cluster.")
        .params(&[Param::new("self", Ref("Cluster"))])
        .errors(&["CLUSTER_DOES_NOT_HAVE_ONE_NODE", "CLUSTER_STACK_IN_USE"])
        .or_async(),
    Message::new("pool_create", "lima", PoolOperator, "Pools create of the Cluster.")
        .params(&[
            Param::new("network", Ref("network")),
            Param::new("cluster_stack", Text),
            Param::optional("token_timeout", Float, Default::Float(20.0)),
            Param::optional("token_timeout_coefficient", Float, Default::Float(1.0)),
        ])
        .result(Ref("Cluster"))
        .or_async(),
    Message::new("pool_destroy", "lima", PoolOperator, "Pools destroy of the Cluster.")
        .params(&[Param::new("self", Ref("Cluster"))])
        .errors(&["CLUSTER_STACK_IN_USE", "CLUSTERING_DISABLED", "CLUSTER_HOST_IS_LAST"])
        .or_async(),
    Message::new("pool_force_destroy", "lima", PoolOperator, "Pools force destroy of the Cluster.")
        .params(&[Param::new("self", Ref("Cluster"))])
        .errors(&["CLUSTER_FORCE_DESTROY_FAILED"])
        .or_async(),
    Message::new("pool_resync", "lima", PoolOperator, "Pools resync of the Cluster.")
        .params(&[Param::new("self", Ref("Cluster"))])
        .or_async(),
    Message::new("get_network", "lima", ReadOnly, "Answers network of the Cluster.")
        .params(&[Param::new("self", Ref("Cluster"))])
        .result(Ref("network"))
        .or_async(),
    Message::new("cstack_sync", "lima", PoolOperator, "Cstacks sync of the Cluster.")
        .params(&[Param::new("self", Ref("Cluster"))])
        .or_async()
        .pool_only()
        .hidden(),
];
