//! The class `GPU_group`.

use crate::model;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("GPU_group", "boston", "Like graphics processors, of which a VM gets any.")
        .fields(FIELDS)
        .messages(MESSAGES);

/// `allocation_algorithm`
pub const ALLOCATION_ALGORITHM: model::Enum =
    model::Enum::new("allocation_algorithm", &["breadth_first", "depth_first"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "boston", "Unique identifier of the object."),
    Field::settable("name_label", Text, "boston", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::settable("name_description", Text, "boston", "Free text about the object.")
        .default(Default::Text("")),
    Field::runtime("PGPUs", Set(&Ref("PGPU")), "boston", "The PGPUs, as a set of references.")
        .rows_of("PGPU", "GPU_group"),
    Field::runtime("VGPUs", Set(&Ref("VGPU")), "boston", "The VGPUs, as a set of references.")
        .rows_of("VGPU", "GPU_group"),
    Field::runtime("GPU_types", TEXTS, "boston", "The set of GPU types.").default(Default::EmptySet),
    Field::settable("other_config", TEXT_MAP, "boston", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::settable(
        "allocation_algorithm",
        Enum(&ALLOCATION_ALGORITHM),
        "vgpu-tech-preview",
        "The allocation algorithm.",
    )
    .default(Default::Text("depth_first")),
    Field::runtime(
        "supported_VGPU_types",
        Set(&Ref("VGPU_type")),
        "vgpu-productisation",
        "The supported VGPU types, as a set of references.",
    )
    .paired_with("VGPU_type", "supported_on_GPU_groups"),
    Field::runtime(
        "enabled_VGPU_types",
        Set(&Ref("VGPU_type")),
        "vgpu-productisation",
        "The enabled VGPU types, as a set of references.",
    )
    .paired_with("VGPU_type", "enabled_on_GPU_groups"),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "boston", PoolOperator, "Creates a GPU group.")
        .params(&[
            Param::optional("name_label", Text, Default::Text("")),
            Param::optional("name_description", Text, Default::Text("")),
            Param::optional("other_config", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Ref("GPU_group"))
        .or_async(),
    Message::new("destroy", "boston", PoolOperator, "Destroys the GPU group.")
        .params(&[Param::new("self", Ref("GPU_group"))])
        .or_async(),
    Message::new(
        "get_remaining_capacity",
        "vgpu-tech-preview",
        ReadOnly,
        "Answers remaining capacity of the GPU group.",
    )
    .params(&[Param::new("self", Ref("GPU_group")), Param::new("vgpu_type", Ref("VGPU_type"))])
    .result(Int)
    .or_async(),
    Message::new(
        "update_enabled_VGPU_types",
        "vgpu-productisation",
        PoolOperator,
        "Updates enabled VGPU types of the GPU group.",
    )
    .params(&[Param::new("self", Ref("GPU_group"))])
    .or_async()
    .hidden(),
    Message::new(
        "update_supported_VGPU_types",
        "vgpu-productisation",
        PoolOperator,
        "Updates supported VGPU types of the GPU group.",
    )
    .params(&[Param::new("self", Ref("GPU_group"))])
    .or_async()
    .hidden(),
];
