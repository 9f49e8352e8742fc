//! The class `network`.

use crate::model;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("network", "rio", "A virtual network that interfaces of VMs and hosts are part of.")
        .constructible()
        .writer(VmAdmin)
        .fields(FIELDS)
        .messages(MESSAGES);

/// `network_operations`
pub const NETWORK_OPERATIONS: model::Enum = model::Enum::new("network_operations", &["attaching"]);

/// `network_default_locking_mode`
pub const NETWORK_DEFAULT_LOCKING_MODE: model::Enum =
    model::Enum::new("network_default_locking_mode", &["unlocked", "disabled"]);

/// `network_purpose`
pub const NETWORK_PURPOSE: model::Enum = model::Enum::new("network_purpose", &["nbd", "insecure_nbd"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::settable("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text(""))
        .writer(PoolOperator),
    Field::settable("name_description", Text, "rio", "Free text about the object.")
        .default(Default::Text(""))
        .writer(PoolOperator),
    Field::runtime(
        "allowed_operations",
        Set(&Enum(&NETWORK_OPERATIONS)),
        "rio",
        "Operations that could begin now.",
    )
    .default(Default::EmptySet)
    .volatile(),
    Field::runtime(
        "current_operations",
        Map(&Text, &Enum(&NETWORK_OPERATIONS)),
        "rio",
        "Operations under way, by task.",
    )
    .default(Default::EmptyMap)
    .volatile(),
    Field::runtime("VIFs", Set(&Ref("VIF")), "rio", "Interfaces of VMs on it.").rows_of("VIF", "network"),
    Field::runtime("PIFs", Set(&Ref("PIF")), "rio", "Interfaces of hosts on it, at most one per host.")
        .rows_of("PIF", "network"),
    Field::settable("MTU", Int, "midnight-ride", "Largest packet in bytes.").default(Default::Int(1500)),
    Field::settable("other_config", TEXT_MAP, "rio", "Further settings as keys and values.")
        .writer(PoolOperator)
        .key_roles(&[
            ("folder", VmOperator),
            ("XenCenter.CustomFields.*", VmOperator),
            ("XenCenterCreateInProgress", VmOperator),
        ]),
    Field::fixed("bridge", Text, "rio", "Name of its bridge on each host.").default(Default::Text("")),
    Field::fixed(
        "managed",
        Bool,
        "falcon",
        "True if the bridge is made by the pool, false if it must be there.",
    )
    .default(Default::Bool(true)),
    Field::runtime("blobs", Map(&Text, &Ref("blob")), "orlando", "Attached blobs by name.")
        .default(Default::EmptyMap),
    Field::settable("tags", TEXTS, "orlando", "Words by which people group objects.")
        .default(Default::EmptySet)
        .writer(VmOperator),
    Field::runtime(
        "default_locking_mode",
        Enum(&NETWORK_DEFAULT_LOCKING_MODE),
        "tampa",
        "What an interface does that follows the network's mode.",
    )
    .default(Default::Text("unlocked")),
    Field::runtime(
        "assigned_ips",
        Map(&Ref("VIF"), &Text),
        "creedence",
        "Addresses given to interfaces on internal networks.",
    )
    .default(Default::EmptyMap),
    Field::runtime(
        "purpose",
        Set(&Enum(&NETWORK_PURPOSE)),
        "inverness",
        "What else it is used for, such as NBD.",
    )
    .default(Default::EmptySet),
];

const MESSAGES: &[Message] = &[
    Message::new("create_new_blob", "orlando", PoolOperator, "Attaches an empty blob to the network.")
        .params(&[
            Param::new("network", Ref("network")),
            Param::new("name", Text),
            Param::new("mime_type", Text),
            Param::optional("public", Bool, Default::Bool(false)),
        ])
        .result(Ref("blob"))
        .or_async(),
    Message::new("add_purpose", "inverness", PoolAdmin, "Adds a use.")
        .params(&[Param::new("self", Ref("network")), Param::new("value", Enum(&NETWORK_PURPOSE))])
        .errors(&["NETWORK_INCOMPATIBLE_PURPOSES"])
        .or_async(),
    Message::new("remove_purpose", "inverness", PoolAdmin, "Removes a use.")
        .params(&[Param::new("self", Ref("network")), Param::new("value", Enum(&NETWORK_PURPOSE))])
        .or_async(),
    Message::new(
        "set_default_locking_mode",
        "tampa",
        PoolOperator,
        "Says what an interface does that follows the network's mode.",
    )
    .params(&[
        Param::new("network", Ref("network")),
        Param::new("value", Enum(&NETWORK_DEFAULT_LOCKING_MODE)),
    ])
    .or_async(),
    Message::new("attach", "miami", PoolOperator, "Makes the bridge on a host.")
        .params(&[Param::new("network", Ref("network")), Param::new("host", Ref("host"))])
        .or_async()
        .hidden(),
    Message::new("pool_introduce", "rio", PoolOperator, "Makes the record, for the pool itself.")
        .params(&[
            Param::new("name_label", Text),
            Param::new("name_description", Text),
            Param::new("MTU", Int),
            Param::new("other_config", TEXT_MAP),
            Param::new("bridge", Text),
            Param::new("managed", Bool),
            Param::new("purpose", Set(&Enum(&NETWORK_PURPOSE))),
        ])
        .result(Ref("network"))
        .or_async()
        .hidden(),
    Message::new("attach_for_vm", "tampa", VmPowerAdmin, "Makes the bridges on a host that a VM needs.")
        .params(&[Param::new("host", Ref("host")), Param::new("vm", Ref("VM"))])
        .or_async()
        .hidden(),
    Message::new(
        "detach_for_vm",
        "tampa",
        VmPowerAdmin,
        "Takes the bridges on a host down that only a VM needed.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("vm", Ref("VM"))])
    .or_async()
    .hidden(),
];
