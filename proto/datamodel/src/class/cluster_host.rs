//! The class `Cluster_host`.

use crate::model;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("Cluster_host", "lima", "A host's part in a cluster.").fields(FIELDS).messages(MESSAGES);

/// `cluster_host_operation`
pub const CLUSTER_HOST_OPERATION: model::Enum =
    model::Enum::new("cluster_host_operation", &["enable", "disable", "destroy"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "lima", "Unique identifier of the object."),
    Field::fixed("cluster", Ref("Cluster"), "lima", "The cluster it belongs to.").default(Default::Null),
    Field::fixed("host", Ref("host"), "lima", "The host this belongs to.").default(Default::Null),
    Field::runtime("enabled", Bool, "lima", "True while in use.").default(Default::Bool(false)),
    Field::fixed("PIF", Ref("PIF"), "lima", "The PIF it belongs to.").default(Default::Null),
    Field::runtime("joined", Bool, "lima", "True if joined.").default(Default::Bool(true)),
    Field::runtime("live", Bool, "24.3.0", "True if live.").default(Default::Bool(false)).prototyped(),
    Field::runtime("last_update_live", Time, "24.3.0", "Time of last update live.")
        .default(Default::Epoch)
        .prototyped(),
    Field::runtime(
        "allowed_operations",
        Set(&Enum(&CLUSTER_HOST_OPERATION)),
        "rio",
        "Operations that could begin now.",
    )
    .default(Default::EmptySet)
    .volatile(),
    Field::runtime(
        "current_operations",
        Map(&Text, &Enum(&CLUSTER_HOST_OPERATION)),
        "rio",
        "Operations under way, by task.",
    )
    .default(Default::EmptyMap)
    .volatile(),
    Field::fixed("other_config", TEXT_MAP, "lima", "Further settings as keys and values.")
        .default(Default::EmptyMap),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "lima", PoolOperator, "Creates a Cluster host.")
        .params(&[
            Param::new("cluster", Ref("Cluster")),
            Param::new("host", Ref("host")),
            Param::new("pif", Ref("PIF")),
        ])
        .result(Ref("Cluster_host"))
        .errors(&["PIF_NOT_ATTACHED_TO_HOST", "NO_CLUSTER_HOSTS_REACHABLE"])
        .or_async(),
    Message::new("destroy", "lima", PoolOperator, "Destroys the Cluster host.")
        .params(&[Param::new("self", Ref("Cluster_host"))])
        .errors(&["CLUSTER_STACK_IN_USE", "CLUSTERING_DISABLED", "CLUSTER_HOST_IS_LAST"])
        .or_async(),
    Message::new("disable", "lima", PoolOperator, "Disables the Cluster host.")
        .params(&[Param::new("self", Ref("Cluster_host"))])
        .errors(&["CLUSTER_STACK_IN_USE"])
        .or_async(),
    Message::new("enable", "lima", PoolOperator, "Enables the Cluster host.")
        .params(&[Param::new("self", Ref("Cluster_host"))])
        .errors(&["PIF_ALLOWS_UNPLUG", "REQUIRED_PIF_IS_UNPLUGGED"])
        .or_async(),
    Message::new("force_destroy", "lima", PoolOperator, "Forces destroy of the Cluster host.")
        .params(&[Param::new("self", Ref("Cluster_host"))])
        .errors(&["CLUSTER_STACK_IN_USE"])
        .or_async(),
    Message::new(
        "forget",
        "lima",
        LocalRoot,
        "Removes the Cluster host from the database, leaving what it stands for.",
    )
    .params(&[Param::new("self", Ref("Cluster_host"))])
    .or_async()
    .hidden(),
];
