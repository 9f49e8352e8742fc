//! The class `PIF`.

use crate::model;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("PIF", "rio", "A PIF of the pool.")
    .fields(FIELDS)
    .messages(MESSAGES);

/// `pif_igmp_status`
pub const PIF_IGMP_STATUS: model::Enum =
    model::Enum::new("pif_igmp_status", &["enabled", "disabled", "unknown"]);

/// `ip_configuration_mode`
pub const IP_CONFIGURATION_MODE: model::Enum =
    model::Enum::new("ip_configuration_mode", &["None", "DHCP", "Static"]);

/// `ipv6_configuration_mode`
pub const IPV6_CONFIGURATION_MODE: model::Enum =
    model::Enum::new("ipv6_configuration_mode", &["None", "DHCP", "Static", "Autoconf"]);

/// `primary_address_type`
pub const PRIMARY_ADDRESS_TYPE: model::Enum = model::Enum::new("primary_address_type", &["IPv4", "IPv6"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("device", Text, "rio", "Name of the device."),
    Field::fixed("network", Ref("network"), "rio", "The network this belongs to."),
    Field::fixed("host", Ref("host"), "rio", "The host this belongs to."),
    Field::fixed("MAC", Text, "rio", "The MAC."),
    Field::fixed("MTU", Int, "rio", "The MTU, a number."),
    Field::fixed("VLAN", Int, "rio", "The VLAN, a number."),
    Field::runtime(
        "metrics",
        Ref("PIF_metrics"),
        "rio",
        "The object that holds the metrics.",
    ),
    Field::runtime("physical", Bool, "miami", "True if physical.").default(Default::Bool(false)),
    Field::runtime("currently_attached", Bool, "miami", "True while attached.").default(Default::Bool(true)),
    Field::runtime(
        "ip_configuration_mode",
        Enum(&IP_CONFIGURATION_MODE),
        "miami",
        "The IP configuration mode.",
    )
    .default(Default::Text("None")),
    Field::runtime("IP", Text, "miami", "The IP.").default(Default::Text("")),
    Field::runtime("netmask", Text, "miami", "The netmask.").default(Default::Text("")),
    Field::runtime("gateway", Text, "miami", "The gateway.").default(Default::Text("")),
    Field::runtime("DNS", Text, "miami", "The DNS.").default(Default::Text("")),
    Field::runtime(
        "bond_slave_of",
        Ref("Bond"),
        "miami",
        "The bond slave of: a Bond.",
    )
    .default(Default::Null),
    Field::runtime(
        "bond_master_of",
        Set(&Ref("Bond")),
        "miami",
        "The bond master of, as a set of references.",
    )
    .rows_of("Bond", "master"),
    Field::runtime(
        "VLAN_master_of",
        Ref("VLAN"),
        "miami",
        "The VLAN master of: a VLAN.",
    )
    .default(Default::Null),
    Field::runtime(
        "VLAN_slave_of",
        Set(&Ref("VLAN")),
        "miami",
        "The VLAN slave of, as a set of references.",
    )
    .rows_of("VLAN", "tagged_PIF"),
    Field::runtime("management", Bool, "miami", "True if management.").default(Default::Bool(false)),
    Field::settable(
        "other_config",
        TEXT_MAP,
        "miami",
        "Further settings as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime("disallow_unplug", Bool, "orlando", "True if disallow unplug.")
        .default(Default::Bool(false)),
    Field::runtime(
        "tunnel_access_PIF_of",
        Set(&Ref("tunnel")),
        "cowley",
        "The tunnel access PIF of, as a set of references.",
    )
    .rows_of("tunnel", "access_PIF"),
    Field::runtime(
        "tunnel_transport_PIF_of",
        Set(&Ref("tunnel")),
        "cowley",
        "The tunnel transport PIF of, as a set of references.",
    )
    .rows_of("tunnel", "transport_PIF"),
    Field::runtime(
        "ipv6_configuration_mode",
        Enum(&IPV6_CONFIGURATION_MODE),
        "tampa",
        "The ipv6 configuration mode.",
    )
    .default(Default::Text("None")),
    Field::runtime("IPv6", TEXTS, "tampa", "The set of IPv6.").default(Default::EmptySet),
    Field::runtime("ipv6_gateway", Text, "tampa", "The ipv6 gateway.").default(Default::Text("")),
    Field::runtime(
        "primary_address_type",
        Enum(&PRIMARY_ADDRESS_TYPE),
        "tampa",
        "The primary address type.",
    )
    .default(Default::Text("IPv4")),
    Field::fixed("managed", Bool, "vgpu-productisation", "True if managed.").default(Default::Bool(true)),
    Field::runtime(
        "properties",
        TEXT_MAP,
        "creedence",
        "The properties, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime("capabilities", TEXTS, "dundee", "What this can do.").default(Default::EmptySet),
    Field::runtime(
        "igmp_snooping_status",
        Enum(&PIF_IGMP_STATUS),
        "inverness",
        "The igmp snooping status.",
    )
    .default(Default::Text("unknown")),
    Field::runtime(
        "sriov_physical_PIF_of",
        Set(&Ref("network_sriov")),
        "kolkata",
        "The sriov physical PIF of, as a set of references.",
    )
    .rows_of("network_sriov", "physical_PIF"),
    Field::runtime(
        "sriov_logical_PIF_of",
        Set(&Ref("network_sriov")),
        "kolkata",
        "The sriov logical PIF of, as a set of references.",
    )
    .rows_of("network_sriov", "logical_PIF"),
    Field::runtime("PCI", Ref("PCI"), "kolkata", "The PCI it belongs to.").default(Default::Null),
    Field::internal("device_name", Text, "rio", "The device name."),
];

const MESSAGES: &[Message] = &[
    Message::new("db_forget", "orlando", PoolOperator, "Dbs forget of the PIF.")
        .params(&[Param::new("self", Ref("PIF"))])
        .or_async(),
    Message::new(
        "db_introduce",
        "orlando",
        PoolOperator,
        "Dbs introduce of the PIF.",
    )
    .params(&[
        Param::new("device", Text),
        Param::new("network", Ref("network")),
        Param::new("host", Ref("host")),
        Param::new("MAC", Text),
        Param::new("MTU", Int),
        Param::new("VLAN", Int),
        Param::new("physical", Bool),
        Param::new("ip_configuration_mode", Enum(&IP_CONFIGURATION_MODE)),
        Param::new("IP", Text),
        Param::new("netmask", Text),
        Param::new("gateway", Text),
        Param::new("DNS", Text),
        Param::new("bond_slave_of", Ref("Bond")),
        Param::new("VLAN_master_of", Ref("VLAN")),
        Param::new("management", Bool),
        Param::new("other_config", TEXT_MAP),
        Param::optional("disallow_unplug", Bool, Default::Bool(false)),
        Param::optional(
            "ipv6_configuration_mode",
            Enum(&IPV6_CONFIGURATION_MODE),
            Default::Text("None"),
        ),
        Param::optional("IPv6", TEXTS, Default::EmptySet),
        Param::optional("ipv6_gateway", Text, Default::Text("")),
        Param::optional(
            "primary_address_type",
            Enum(&PRIMARY_ADDRESS_TYPE),
            Default::Text("IPv4"),
        ),
        Param::optional("managed", Bool, Default::Bool(true)),
        Param::optional("properties", TEXT_MAP, Default::EmptyMap),
    ])
    .result(Ref("PIF"))
    .or_async(),
    Message::new(
        "forget",
        "miami",
        PoolOperator,
        "Removes the PIF from the database, leaving what it stands for.",
    )
    .params(&[Param::new("self", Ref("PIF"))])
    .errors(&["PIF_TUNNEL_STILL_EXISTS", "CLUSTERING_ENABLED"])
    .or_async(),
    Message::new(
        "introduce",
        "miami",
        PoolOperator,
        "Makes an existing PIF known to the pool.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("MAC", Text),
        Param::new("device", Text),
        Param::optional("managed", Bool, Default::Bool(true)),
    ])
    .result(Ref("PIF"))
    .or_async(),
    Message::new("plug", "miami", PoolOperator, "Plugs the PIF.")
        .params(&[Param::new("self", Ref("PIF"))])
        .errors(&["TRANSPORT_PIF_NOT_CONFIGURED"])
        .or_async(),
    Message::new(
        "reconfigure_ip",
        "miami",
        PoolOperator,
        "Reconfigures IP of the PIF.",
    )
    .params(&[
        Param::new("self", Ref("PIF")),
        Param::new("mode", Enum(&IP_CONFIGURATION_MODE)),
        Param::new("IP", Text),
        Param::new("netmask", Text),
        Param::new("gateway", Text),
        Param::new("DNS", Text),
    ])
    .errors(&["CLUSTERING_ENABLED"])
    .or_async(),
    Message::new(
        "reconfigure_ipv6",
        "tampa",
        PoolOperator,
        "Reconfigures ipv6 of the PIF.",
    )
    .params(&[
        Param::new("self", Ref("PIF")),
        Param::new("mode", Enum(&IPV6_CONFIGURATION_MODE)),
        Param::new("IPv6", Text),
        Param::new("gateway", Text),
        Param::new("DNS", Text),
    ])
    .errors(&["CLUSTERING_ENABLED"])
    .or_async(),
    Message::new("scan", "miami", PoolOperator, "Scans the PIF.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async(),
    Message::new(
        "set_disallow_unplug",
        "orlando",
        PoolOperator,
        "Sets disallow unplug of the PIF.",
    )
    .params(&[Param::new("self", Ref("PIF")), Param::new("value", Bool)])
    .errors(&["OTHER_OPERATION_IN_PROGRESS", "CLUSTERING_ENABLED"])
    .or_async(),
    Message::new(
        "set_primary_address_type",
        "tampa",
        PoolOperator,
        "Sets primary address type of the PIF.",
    )
    .params(&[
        Param::new("self", Ref("PIF")),
        Param::new("primary_address_type", Enum(&PRIMARY_ADDRESS_TYPE)),
    ])
    .or_async(),
    Message::new(
        "set_property",
        "creedence",
        PoolOperator,
        "Sets property of the PIF.",
    )
    .params(&[
        Param::new("self", Ref("PIF")),
        Param::new("name", Text),
        Param::new("value", Text),
    ])
    .or_async(),
    Message::new("unplug", "miami", PoolOperator, "Unplugs the PIF.")
        .params(&[Param::new("self", Ref("PIF"))])
        .errors(&[
            "HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN",
            "VIF_IN_USE",
            "PIF_DOES_NOT_ALLOW_UNPLUG",
            "PIF_HAS_FCOE_SR_IN_USE",
        ])
        .or_async(),
    Message::new(
        "pool_introduce",
        "rio",
        PoolOperator,
        "Pools introduce of the PIF.",
    )
    .params(&[
        Param::new("device", Text),
        Param::new("network", Ref("network")),
        Param::new("host", Ref("host")),
        Param::new("MAC", Text),
        Param::new("MTU", Int),
        Param::new("VLAN", Int),
        Param::new("physical", Bool),
        Param::new("ip_configuration_mode", Enum(&IP_CONFIGURATION_MODE)),
        Param::new("IP", Text),
        Param::new("netmask", Text),
        Param::new("gateway", Text),
        Param::new("DNS", Text),
        Param::new("bond_slave_of", Ref("Bond")),
        Param::new("VLAN_master_of", Ref("VLAN")),
        Param::new("management", Bool),
        Param::new("other_config", TEXT_MAP),
        Param::optional("disallow_unplug", Bool, Default::Bool(false)),
        Param::optional(
            "ipv6_configuration_mode",
            Enum(&IPV6_CONFIGURATION_MODE),
            Default::Text("None"),
        ),
        Param::optional("IPv6", TEXTS, Default::EmptySet),
        Param::optional("ipv6_gateway", Text, Default::Text("")),
        Param::optional(
            "primary_address_type",
            Enum(&PRIMARY_ADDRESS_TYPE),
            Default::Text("IPv4"),
        ),
        Param::optional("managed", Bool, Default::Bool(true)),
        Param::optional("properties", TEXT_MAP, Default::EmptyMap),
    ])
    .result(Ref("PIF"))
    .or_async()
    .hidden(),
    Message::new("create_VLAN", "rio", PoolOperator, "Creates VLAN of the PIF.")
        .params(&[
            Param::new("device", Text),
            Param::new("network", Ref("network")),
            Param::new("host", Ref("host")),
            Param::new("VLAN", Int),
        ])
        .result(Ref("PIF"))
        .errors(&["VLAN_TAG_INVALID"])
        .or_async()
        .deprecated("miami"),
    Message::new("destroy", "rio", PoolOperator, "Destroys the PIF.")
        .params(&[Param::new("self", Ref("PIF"))])
        .errors(&["PIF_IS_PHYSICAL"])
        .or_async()
        .deprecated("miami"),
];
