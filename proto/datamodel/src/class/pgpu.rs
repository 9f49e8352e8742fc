//! The class `PGPU`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("PGPU", "boston", "A physical graphics processor of a host.")
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "boston", "Unique identifier of the object."),
    Field::fixed("PCI", Ref("PCI"), "boston", "The PCI it belongs to.").default(Default::Null),
    Field::fixed("GPU_group", Ref("GPU_group"), "boston", "The GPU group it belongs to.")
        .default(Default::Null),
    Field::runtime("host", Ref("host"), "boston", "The host this belongs to.").default(Default::Null),
    Field::settable("other_config", TEXT_MAP, "boston", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::runtime(
        "supported_VGPU_types",
        Set(&Ref("VGPU_type")),
        "vgpu-tech-preview",
        "The supported VGPU types, as a set of references.",
    )
    .paired_with("VGPU_type", "supported_on_PGPUs"),
    Field::runtime(
        "enabled_VGPU_types",
        Set(&Ref("VGPU_type")),
        "vgpu-tech-preview",
        "The enabled VGPU types, as a set of references.",
    )
    .paired_with("VGPU_type", "enabled_on_PGPUs"),
    Field::runtime(
        "resident_VGPUs",
        Set(&Ref("VGPU")),
        "vgpu-tech-preview",
        "The resident VGPUs, as a set of references.",
    )
    .rows_of("VGPU", "resident_on"),
    Field::runtime(
        "supported_VGPU_max_capacities",
        Map(&Ref("VGPU_type"), &Int),
        "vgpu-productisation",
        "The supported VGPU max capacities, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime("dom0_access", Enum(&crate::class::pci::PCI_DOM0_ACCESS), "cream", "The dom0 access.")
        .default(Default::Text("enabled"))
        .deprecated("24.14.0"),
    Field::runtime("is_system_display_device", Bool, "cream", "True if it is system display device.")
        .default(Default::Bool(false)),
    Field::runtime(
        "compatibility_metadata",
        TEXT_MAP,
        "inverness",
        "The compatibility metadata, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::internal("size", Int, "boston", "Size in bytes."),
];

const MESSAGES: &[Message] = &[
    Message::new(
        "add_enabled_VGPU_types",
        "vgpu-tech-preview",
        PoolOperator,
        "Adds enabled VGPU types to the PGPU.",
    )
    .params(&[Param::new("self", Ref("PGPU")), Param::new("value", Ref("VGPU_type"))])
    .or_async(),
    Message::new(
        "remove_enabled_VGPU_types",
        "vgpu-tech-preview",
        PoolOperator,
        "Removes enabled VGPU types from the PGPU.",
    )
    .params(&[Param::new("self", Ref("PGPU")), Param::new("value", Ref("VGPU_type"))])
    .or_async(),
    Message::new("set_GPU_group", "vgpu-tech-preview", PoolOperator, "Sets GPU group of the PGPU.")
        .params(&[Param::new("self", Ref("PGPU")), Param::new("value", Ref("GPU_group"))])
        .or_async(),
    Message::new(
        "set_enabled_VGPU_types",
        "vgpu-tech-preview",
        PoolOperator,
        "Sets enabled VGPU types of the PGPU.",
    )
    .params(&[Param::new("self", Ref("PGPU")), Param::new("value", Set(&Ref("VGPU_type")))])
    .or_async(),
    Message::new(
        "get_remaining_capacity",
        "vgpu-tech-preview",
        ReadOnly,
        "Answers remaining capacity of the PGPU.",
    )
    .params(&[Param::new("self", Ref("PGPU")), Param::new("vgpu_type", Ref("VGPU_type"))])
    .result(Int)
    .or_async(),
    Message::new("disable_dom0_access", "cream", PoolOperator, "Disables dom0 access of the PGPU.")
        .params(&[Param::new("self", Ref("PGPU"))])
        .result(Enum(&crate::class::pci::PCI_DOM0_ACCESS))
        .or_async()
        .deprecated("24.14.0"),
    Message::new("enable_dom0_access", "cream", PoolOperator, "Enables dom0 access of the PGPU.")
        .params(&[Param::new("self", Ref("PGPU"))])
        .result(Enum(&crate::class::pci::PCI_DOM0_ACCESS))
        .or_async()
        .deprecated("24.14.0"),
];
