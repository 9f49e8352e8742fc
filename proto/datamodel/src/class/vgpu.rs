//! The class `VGPU`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("VGPU", "boston", "A virtual graphics processor of a VM.").fields(FIELDS).messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "boston", "Unique identifier of the object."),
    Field::runtime("VM", Ref("VM"), "boston", "The VM this belongs to."),
    Field::runtime("GPU_group", Ref("GPU_group"), "boston", "The GPU group it belongs to."),
    Field::runtime("device", Text, "boston", "Name of the device.").default(Default::Text("0")),
    Field::runtime("currently_attached", Bool, "boston", "True while attached.")
        .default(Default::Bool(false)),
    Field::settable("other_config", TEXT_MAP, "boston", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::runtime("type", Ref("VGPU_type"), "vgpu-tech-preview", "Kind of the object.")
        .default(Default::Null),
    Field::runtime("resident_on", Ref("PGPU"), "vgpu-tech-preview", "The resident on: a PGPU.")
        .default(Default::Null),
    Field::runtime(
        "scheduled_to_be_resident_on",
        Ref("PGPU"),
        "dundee",
        "The scheduled to be resident on: a PGPU.",
    )
    .default(Default::Null),
    Field::runtime(
        "compatibility_metadata",
        TEXT_MAP,
        "inverness",
        "The compatibility metadata, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::settable("extra_args", Text, "quebec", "The extra args.").default(Default::Text("")),
    Field::runtime("PCI", Ref("PCI"), "quebec", "The PCI it belongs to.").default(Default::Null),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "boston", PoolOperator, "Creates a VGPU.")
        .params(&[
            Param::new("VM", Ref("VM")),
            Param::new("GPU_group", Ref("GPU_group")),
            Param::optional("device", Text, Default::Text("0")),
            Param::optional("other_config", TEXT_MAP, Default::EmptyMap),
            Param::optional("type", Ref("VGPU_type"), Default::Null),
        ])
        .result(Ref("VGPU"))
        .or_async(),
    Message::new("destroy", "boston", PoolOperator, "Destroys the VGPU.")
        .params(&[Param::new("self", Ref("VGPU"))])
        .or_async(),
    Message::new("atomic_set_resident_on", "dundee", LocalRoot, "Atomics set resident on of the VGPU.")
        .params(&[Param::new("self", Ref("VGPU")), Param::new("value", Ref("PGPU"))])
        .or_async()
        .pool_only()
        .hidden(),
];
