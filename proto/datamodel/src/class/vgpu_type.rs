//! The class `VGPU_type`.

use crate::model;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("VGPU_type", "vgpu-tech-preview", "A kind of virtual graphics processor.").fields(FIELDS);

/// `vgpu_type_implementation`
pub const VGPU_TYPE_IMPLEMENTATION: model::Enum = model::Enum::new(
    "vgpu_type_implementation",
    &["passthrough", "nvidia", "nvidia_sriov", "gvt_g", "mxgpu"],
);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "vgpu-tech-preview", "Unique identifier of the object."),
    Field::fixed("vendor_name", Text, "vgpu-tech-preview", "The vendor name.").default(Default::Text("")),
    Field::fixed("model_name", Text, "vgpu-tech-preview", "The model name.").default(Default::Text("")),
    Field::fixed("framebuffer_size", Int, "vgpu-tech-preview", "The framebuffer size, a number.")
        .default(Default::Int(0)),
    Field::fixed("max_heads", Int, "vgpu-tech-preview", "The max heads, a number.").default(Default::Int(0)),
    Field::fixed("max_resolution_x", Int, "vgpu-productisation", "The max resolution x, a number.")
        .default(Default::Int(0)),
    Field::fixed("max_resolution_y", Int, "vgpu-productisation", "The max resolution y, a number.")
        .default(Default::Int(0)),
    Field::runtime(
        "supported_on_PGPUs",
        Set(&Ref("PGPU")),
        "vgpu-tech-preview",
        "The supported on PGPUs, as a set of references.",
    )
    .rows_of("PGPU", "supported_VGPU_types"),
    Field::runtime(
        "enabled_on_PGPUs",
        Set(&Ref("PGPU")),
        "vgpu-tech-preview",
        "The enabled on PGPUs, as a set of references.",
    )
    .rows_of("PGPU", "enabled_VGPU_types"),
    Field::runtime("VGPUs", Set(&Ref("VGPU")), "vgpu-tech-preview", "The VGPUs, as a set of references.")
        .rows_of("VGPU", "type"),
    Field::runtime(
        "supported_on_GPU_groups",
        Set(&Ref("GPU_group")),
        "vgpu-productisation",
        "The supported on GPU groups, as a set of references.",
    )
    .rows_of("GPU_group", "supported_VGPU_types"),
    Field::runtime(
        "enabled_on_GPU_groups",
        Set(&Ref("GPU_group")),
        "vgpu-productisation",
        "The enabled on GPU groups, as a set of references.",
    )
    .rows_of("GPU_group", "enabled_VGPU_types"),
    Field::fixed("implementation", Enum(&VGPU_TYPE_IMPLEMENTATION), "dundee", "The implementation.")
        .default(Default::Text("passthrough")),
    Field::fixed("identifier", Text, "dundee", "The identifier.").default(Default::Text("")),
    Field::fixed("experimental", Bool, "dundee", "True if experimental.").default(Default::Bool(false)),
    Field::runtime(
        "compatible_types_in_vm",
        Set(&Ref("VGPU_type")),
        "quebec",
        "The compatible types in VM, as a set of references.",
    )
    .default(Default::EmptySet),
    Field::internal("size", Int, "vgpu-tech-preview", "Size in bytes."),
    Field::internal(
        "internal_config",
        TEXT_MAP,
        "vgpu-tech-preview",
        "The internal config, as keys and values.",
    ),
    Field::internal(
        "compatible_types_on_pgpu",
        Set(&Ref("VGPU_type")),
        "vgpu-tech-preview",
        "The compatible types on pgpu, as a set of references.",
    ),
];
