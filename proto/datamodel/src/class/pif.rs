//! The class `PIF`.

use crate::model;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("PIF", "rio", "A network interface of a host: physical, a VLAN, a bond or a tunnel.")
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
    Field::fixed("device", Text, "rio", "Name the host knows it by, such as `eth0`."),
    Field::fixed("network", Ref("network"), "rio", "The network it is part of."),
    Field::fixed("host", Ref("host"), "rio", "The host it is on."),
    Field::fixed("MAC", Text, "rio", "MAC address."),
    Field::fixed("MTU", Int, "rio", "Largest packet in bytes."),
    Field::fixed("VLAN", Int, "rio", "VLAN tag; -1 for none."),
    Field::runtime("metrics", Ref("PIF_metrics"), "rio", "The object that holds the metrics."),
    Field::runtime("physical", Bool, "miami", "True for a piece of hardware.").default(Default::Bool(false)),
    Field::runtime("currently_attached", Bool, "miami", "True while it is up.").default(Default::Bool(true)),
    Field::runtime(
        "ip_configuration_mode",
        Enum(&IP_CONFIGURATION_MODE),
        "miami",
        "How it gets its IPv4 address.",
    )
    .default(Default::Text("None")),
    Field::runtime("IP", Text, "miami", "IPv4 address; empty if none.").default(Default::Text("")),
    Field::runtime("netmask", Text, "miami", "IPv4 netmask.").default(Default::Text("")),
    Field::runtime("gateway", Text, "miami", "IPv4 gateway.").default(Default::Text("")),
    Field::runtime("DNS", Text, "miami", "Name servers, separated by commas.").default(Default::Text("")),
    Field::runtime("bond_slave_of", Ref("Bond"), "miami", "The bond it is a member of.")
        .default(Default::Null),
    Field::runtime("bond_master_of", Set(&Ref("Bond")), "miami", "The bond it stands for.")
        .rows_of("Bond", "master"),
    Field::runtime("VLAN_master_of", Ref("VLAN"), "miami", "The VLAN it stands for.").default(Default::Null),
    Field::runtime("VLAN_slave_of", Set(&Ref("VLAN")), "miami", "VLANs whose traffic it carries.")
        .rows_of("VLAN", "tagged_PIF"),
    Field::runtime("management", Bool, "miami", "True if it carries the host's management.")
        .default(Default::Bool(false)),
    Field::settable("other_config", TEXT_MAP, "miami", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::runtime("disallow_unplug", Bool, "orlando", "True if it must stay up.")
        .default(Default::Bool(false)),
    Field::runtime("tunnel_access_PIF_of", Set(&Ref("tunnel")), "cowley", "The tunnel it stands for.")
        .rows_of("tunnel", "access_PIF"),
    Field::runtime(
        "tunnel_transport_PIF_of",
        Set(&Ref("tunnel")),
        "cowley",
        "Tunnels whose traffic it carries.",
    )
    .rows_of("tunnel", "transport_PIF"),
    Field::runtime(
        "ipv6_configuration_mode",
        Enum(&IPV6_CONFIGURATION_MODE),
        "tampa",
        "How it gets its IPv6 address.",
    )
    .default(Default::Text("None")),
    Field::runtime("IPv6", TEXTS, "tampa", "IPv6 addresses.").default(Default::EmptySet),
    Field::runtime("ipv6_gateway", Text, "tampa", "IPv6 gateway.").default(Default::Text("")),
    Field::runtime(
        "primary_address_type",
        Enum(&PRIMARY_ADDRESS_TYPE),
        "tampa",
        "Which kind of address the host goes by.",
    )
    .default(Default::Text("IPv4")),
    Field::fixed("managed", Bool, "vgpu-productisation", "True if the pool brings it up and down.")
        .default(Default::Bool(true)),
    Field::runtime("properties", TEXT_MAP, "creedence", "Further settings, such as `gro`.")
        .default(Default::EmptyMap),
    Field::runtime("capabilities", TEXTS, "dundee", "What the hardware can do.").default(Default::EmptySet),
    Field::runtime(
        "igmp_snooping_status",
        Enum(&PIF_IGMP_STATUS),
        "inverness",
        "Whether its bridge follows IGMP.",
    )
    .default(Default::Text("unknown")),
    Field::runtime(
        "sriov_physical_PIF_of",
        Set(&Ref("network_sriov")),
        "kolkata",
        "SR-IOV networks that use its hardware.",
    )
    .rows_of("network_sriov", "physical_PIF"),
    Field::runtime(
        "sriov_logical_PIF_of",
        Set(&Ref("network_sriov")),
        "kolkata",
        "The SR-IOV network it stands for.",
    )
    .rows_of("network_sriov", "logical_PIF"),
    Field::runtime("PCI", Ref("PCI"), "kolkata", "The PCI device behind it.").default(Default::Null),
    Field::internal("device_name", Text, "rio", "Name of the device, kept while it is away."),
];

const MESSAGES: &[Message] = &[
    Message::new("db_forget", "orlando", PoolOperator, "Removes the record.")
        .params(&[Param::new("self", Ref("PIF"))])
        .or_async(),
    Message::new("db_introduce", "orlando", PoolOperator, "Makes the record, for tools.")
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
            Param::optional("ipv6_configuration_mode", Enum(&IPV6_CONFIGURATION_MODE), Default::Text("None")),
            Param::optional("IPv6", TEXTS, Default::EmptySet),
            Param::optional("ipv6_gateway", Text, Default::Text("")),
            Param::optional("primary_address_type", Enum(&PRIMARY_ADDRESS_TYPE), Default::Text("IPv4")),
            Param::optional("managed", Bool, Default::Bool(true)),
            Param::optional("properties", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Ref("PIF"))
        .or_async(),
    Message::new("forget", "miami", PoolOperator, "Removes the record of hardware.")
        .params(&[Param::new("self", Ref("PIF"))])
        .errors(&["PIF_TUNNEL_STILL_EXISTS", "CLUSTERING_ENABLED"])
        .or_async(),
    Message::new("introduce", "miami", PoolOperator, "Makes the record of hardware that is there.")
        .params(&[
            Param::new("host", Ref("host")),
            Param::new("MAC", Text),
            Param::new("device", Text),
            Param::optional("managed", Bool, Default::Bool(true)),
        ])
        .result(Ref("PIF"))
        .or_async(),
    Message::new("plug", "miami", PoolOperator, "Brings it up.")
        .params(&[Param::new("self", Ref("PIF"))])
        .errors(&["TRANSPORT_PIF_NOT_CONFIGURED"])
        .or_async(),
    Message::new("reconfigure_ip", "miami", PoolOperator, "Changes how it gets its IPv4 address.")
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
    Message::new("reconfigure_ipv6", "tampa", PoolOperator, "Changes how it gets its IPv6 address.")
        .params(&[
            Param::new("self", Ref("PIF")),
            Param::new("mode", Enum(&IPV6_CONFIGURATION_MODE)),
            Param::new("IPv6", Text),
            Param::new("gateway", Text),
            Param::new("DNS", Text),
        ])
        .errors(&["CLUSTERING_ENABLED"])
        .or_async(),
    Message::new("scan", "miami", PoolOperator, "Looks for hardware, and makes and forgets records.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async(),
    Message::new("unplug", "miami", PoolOperator, "Takes it down.")
        .params(&[Param::new("self", Ref("PIF"))])
        .errors(&[
            "HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN",
            "VIF_IN_USE",
            "PIF_DOES_NOT_ALLOW_UNPLUG",
            "PIF_HAS_FCOE_SR_IN_USE",
        ])
        .or_async(),
    Message::new("set_disallow_unplug", "orlando", PoolOperator, "Says whether it must stay up.")
        .params(&[Param::new("self", Ref("PIF")), Param::new("value", Bool)])
        .errors(&["OTHER_OPERATION_IN_PROGRESS", "CLUSTERING_ENABLED"])
        .or_async(),
    Message::new(
        "set_primary_address_type",
        "tampa",
        PoolOperator,
        "Says which kind of address the host goes by.",
    )
    .params(&[
        Param::new("self", Ref("PIF")),
        Param::new("primary_address_type", Enum(&PRIMARY_ADDRESS_TYPE)),
    ])
    .or_async(),
    Message::new("set_property", "creedence", PoolOperator, "Changes a further setting.")
        .params(&[Param::new("self", Ref("PIF")), Param::new("name", Text), Param::new("value", Text)])
        .or_async(),
    Message::new(
        "create_VLAN",
        "rio",
        PoolOperator,
        "Makes a VLAN on a device of a host; see `VLAN.create`.",
    )
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
    Message::new(
        "destroy",
        "rio",
        PoolOperator,
        "Destroys a VLAN's or bond's interface; see their own destroy.",
    )
    .params(&[Param::new("self", Ref("PIF"))])
    .errors(&["PIF_IS_PHYSICAL"])
    .or_async()
    .deprecated("miami"),
    Message::new("pool_introduce", "rio", PoolOperator, "Makes the record, for the pool itself.")
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
            Param::optional("ipv6_configuration_mode", Enum(&IPV6_CONFIGURATION_MODE), Default::Text("None")),
            Param::optional("IPv6", TEXTS, Default::EmptySet),
            Param::optional("ipv6_gateway", Text, Default::Text("")),
            Param::optional("primary_address_type", Enum(&PRIMARY_ADDRESS_TYPE), Default::Text("IPv4")),
            Param::optional("managed", Bool, Default::Bool(true)),
            Param::optional("properties", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Ref("PIF"))
        .or_async()
        .hidden(),
];
