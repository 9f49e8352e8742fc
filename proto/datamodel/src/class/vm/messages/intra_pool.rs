//! Messages of the class `VM`: between the hosts of a pool, and hidden ones.

use super::super::enums::*;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("csvm", "rio", VmAdmin, "Csvms the VM.")
        .params(&[Param::new("vm", Ref("VM"))])
        .result(Ref("VM"))
        .or_async()
        .hidden()
        .deprecated("miami"),
    Message::new(
        "set_is_default_template",
        "falcon",
        PoolAdmin,
        "Sets is default template of the VM.",
    )
    .params(&[Param::new("vm", Ref("VM")), Param::new("value", Bool)])
    .or_async()
    .hidden(),
    Message::new(
        "hard_reboot_internal",
        "orlando",
        LocalRoot,
        "Hards reboot internal of the VM.",
    )
    .params(&[Param::new("vm", Ref("VM"))])
    .or_async()
    .pool_only()
    .hidden()
    .deprecated("midnight-ride"),
    Message::new(
        "pool_migrate_complete",
        "tampa",
        VmPowerAdmin,
        "Pools migrate complete of the VM.",
    )
    .params(&[Param::new("vm", Ref("VM")), Param::new("host", Ref("host"))])
    .client_cert()
    .or_async()
    .hidden(),
    Message::new(
        "assert_can_migrate_sender",
        "inverness",
        VmPowerAdmin,
        "Fails unless can migrate sender holds.",
    )
    .params(&[
        Param::new("vm", Ref("VM")),
        Param::new("dest", TEXT_MAP),
        Param::new("live", Bool),
        Param::new("vdi_map", Map(&Ref("VDI"), &Ref("SR"))),
        Param::new("vif_map", Map(&Ref("VIF"), &Ref("network"))),
        Param::new("vgpu_map", Map(&Ref("VGPU"), &Ref("GPU_group"))),
        Param::new("options", TEXT_MAP),
    ])
    .or_async()
    .hidden(),
    Message::new(
        "atomic_set_resident_on",
        "rio",
        LocalRoot,
        "Atomics set resident on of the VM.",
    )
    .params(&[Param::new("vm", Ref("VM")), Param::new("host", Ref("host"))])
    .or_async()
    .pool_only()
    .hidden(),
    Message::new(
        "s3_suspend",
        "midnight-ride",
        VmOperator,
        "S3s suspend of the VM.",
    )
    .params(&[Param::new("vm", Ref("VM"))])
    .or_async()
    .hidden(),
    Message::new("s3_resume", "midnight-ride", VmOperator, "S3s resume of the VM.")
        .params(&[Param::new("vm", Ref("VM"))])
        .or_async()
        .hidden(),
    Message::new(
        "update_snapshot_metadata",
        "george",
        PoolOperator,
        "Updates snapshot metadata of the VM.",
    )
    .params(&[
        Param::new("vm", Ref("VM")),
        Param::new("snapshot_of", Ref("VM")),
        Param::new("snapshot_time", Time),
        Param::new("transportable_snapshot_id", Text),
    ])
    .or_async()
    .hidden()
    .deprecated("midnight-ride"),
    Message::new(
        "set_NVRAM_EFI_variables",
        "naples",
        LocalRoot,
        "Sets NVRAM EFI variables of the VM.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("value", Text),
        Param::optional("update", Enum(&UPDATE_STATUS), Default::Text("unspecified")),
    ])
    .hidden(),
];
