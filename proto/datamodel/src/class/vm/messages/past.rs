//! Messages of the class `VM`: advised against, or taken away.

use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("get_boot_record", "rio", ReadOnly, "Answers the record it was started with.")
        .params(&[Param::new("self", Ref("VM"))])
        .result(Record("VM"))
        .deprecated("inverness"),
    Message::new("get_cooperative", "midnight-ride", ReadOnly, "Said whether it gives memory back.")
        .params(&[Param::new("self", Ref("VM"))])
        .result(Bool)
        .or_async()
        .deprecated("tampa"),
    Message::new("set_HVM_boot_policy", "rio", VmAdmin, "Says how firmware finds what to boot.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Text)])
        .deprecated("kolkata"),
    Message::new("set_ha_always_run", "orlando", PoolOperator, "Said whether it is kept running.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Bool)])
        .deprecated("boston"),
    Message::new("set_memory_target_live", "rio", VmPowerAdmin, "Set what the balloon aims at.")
        .params(&[Param::new("self", Ref("VM")), Param::new("target", Int)])
        .or_async()
        .deprecated("midnight-ride"),
    Message::new("set_protection_policy", "cowley", PoolOperator, "Set a policy of protection.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Ref("VMPP"))])
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new("snapshot_with_quiesce", "orlando", VmPowerAdmin, "Took a snapshot with the guest's help.")
        .params(&[Param::new("vm", Ref("VM")), Param::new("new_name", Text)])
        .result(Ref("VM"))
        .errors(&[
            "VM_BAD_POWER_STATE",
            "SR_FULL",
            "OPERATION_NOT_ALLOWED",
            "VM_SNAPSHOT_WITH_QUIESCE_FAILED",
            "VM_SNAPSHOT_WITH_QUIESCE_TIMEOUT",
            "VM_SNAPSHOT_WITH_QUIESCE_PLUGIN_DEOS_NOT_RESPOND",
            "VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED",
        ])
        .or_async()
        .deprecated("quebec")
        .removed("quebec"),
    Message::new(
        "wait_memory_target_live",
        "orlando",
        ReadOnly,
        "Waited until the balloon is where it should be.",
    )
    .params(&[Param::new("self", Ref("VM"))])
    .or_async()
    .deprecated("midnight-ride"),
];
