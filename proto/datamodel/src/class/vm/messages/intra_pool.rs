//! Messages of the class `VM`: between the hosts of a pool, and hidden ones.

use super::super::enums::*;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("csvm", "rio", VmAdmin, "Makes a custom template of it; long out of use.")
        .params(&[Param::new("vm", Ref("VM"))])
        .result(Ref("VM"))
        .or_async()
        .hidden()
        .deprecated("miami"),
    Message::new("set_is_default_template", "falcon", PoolAdmin, "Says whether it is a default template.")
        .params(&[Param::new("vm", Ref("VM")), Param::new("value", Bool)])
        .or_async()
        .hidden(),
    Message::new("hard_reboot_internal", "orlando", LocalRoot, "Reboots it at once, for the pool itself.")
        .params(&[Param::new("vm", Ref("VM"))])
        .or_async()
        .pool_only()
        .hidden()
        .deprecated("midnight-ride"),
    Message::new(
        "pool_migrate_complete",
        "tampa",
        VmPowerAdmin,
        "Takes the VM over after it arrived on a host.",
    )
    .params(&[Param::new("vm", Ref("VM")), Param::new("host", Ref("host"))])
    .client_cert()
    .or_async()
    .hidden(),
    Message::new(
        "assert_can_migrate_sender",
        "inverness",
        VmPowerAdmin,
        "Fails unless the sending side can move it.",
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
    Message::new("atomic_set_resident_on", "rio", LocalRoot, "States where it runs, at once.")
        .params(&[Param::new("vm", Ref("VM")), Param::new("host", Ref("host"))])
        .or_async()
        .pool_only()
        .hidden(),
    Message::new("s3_suspend", "midnight-ride", VmOperator, "Puts the guest to sleep in memory.")
        .params(&[Param::new("vm", Ref("VM"))])
        .or_async()
        .hidden(),
    Message::new("s3_resume", "midnight-ride", VmOperator, "Wakes the guest from sleep in memory.")
        .params(&[Param::new("vm", Ref("VM"))])
        .or_async()
        .hidden(),
    Message::new(
        "update_snapshot_metadata",
        "george",
        PoolOperator,
        "Links a snapshot to what it was taken of.",
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
        "Keeps the UEFI variables that the firmware wrote.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("value", Text),
        Param::optional("update", Enum(&UPDATE_STATUS), Default::Text("unspecified")),
    ])
    .hidden(),
];
