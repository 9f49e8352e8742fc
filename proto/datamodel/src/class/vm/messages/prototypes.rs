//! Messages of the class `VM`: not yet promised, or of the past.

use super::super::enums::*;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new(
        "call_host_plugin",
        "25.22.0",
        VmOperator,
        "Calls host plugin of the VM.",
    )
    .params(&[
        Param::new("vm", Ref("VM")),
        Param::new("plugin", Text),
        Param::new("fn", Text),
        Param::new("args", TEXT_MAP),
    ])
    .result(Text)
    .or_async()
    .prototyped(),
    Message::new(
        "get_boot_record",
        "rio",
        ReadOnly,
        "Answers boot record of the VM.",
    )
    .params(&[Param::new("self", Ref("VM"))])
    .result(Record("VM"))
    .deprecated("inverness"),
    Message::new(
        "get_cooperative",
        "midnight-ride",
        ReadOnly,
        "Answers cooperative of the VM.",
    )
    .params(&[Param::new("self", Ref("VM"))])
    .result(Bool)
    .or_async()
    .deprecated("tampa"),
    Message::new(
        "get_secureboot_readiness",
        "24.17.0",
        PoolAdmin,
        "Answers secureboot readiness of the VM.",
    )
    .params(&[Param::new("self", Ref("VM"))])
    .result(Enum(&VM_SECUREBOOT_READINESS))
    .or_async()
    .prototyped(),
    Message::new(
        "restart_device_models",
        "23.30.0",
        VmPowerAdmin,
        "Restarts device models of the VM.",
    )
    .params(&[Param::new("self", Ref("VM"))])
    .errors(&[
        "VM_BAD_POWER_STATE",
        "OTHER_OPERATION_IN_PROGRESS",
        "VM_IS_TEMPLATE",
        "OPERATION_NOT_ALLOWED",
        "VM_BAD_POWER_STATE",
    ])
    .client_cert()
    .or_async()
    .prototyped(),
    Message::new(
        "set_HVM_boot_policy",
        "rio",
        VmAdmin,
        "Sets HVM boot policy of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Text)])
    .deprecated("kolkata"),
    Message::new("set_groups", "24.19.1", VmAdmin, "Sets groups of the VM.")
        .params(&[
            Param::new("self", Ref("VM")),
            Param::new("value", Set(&Ref("VM_group"))),
        ])
        .errors(&["OPERATION_NOT_ALLOWED"])
        .or_async()
        .prototyped(),
    Message::new(
        "set_ha_always_run",
        "orlando",
        PoolOperator,
        "Sets HA always run of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Bool)])
    .deprecated("boston"),
    Message::new(
        "set_memory_target_live",
        "rio",
        VmPowerAdmin,
        "Sets memory target live of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("target", Int)])
    .or_async()
    .deprecated("midnight-ride"),
    Message::new(
        "set_protection_policy",
        "cowley",
        PoolOperator,
        "Sets protection policy of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Ref("VMPP"))])
    .deprecated("clearwater")
    .removed("clearwater"),
    Message::new("set_uefi_mode", "24.17.0", PoolAdmin, "Sets uefi mode of the VM.")
        .params(&[
            Param::new("self", Ref("VM")),
            Param::new("mode", Enum(&VM_UEFI_MODE)),
        ])
        .result(Text)
        .or_async()
        .prototyped(),
    Message::new(
        "snapshot_with_quiesce",
        "orlando",
        VmPowerAdmin,
        "Snapshots with quiesce of the VM.",
    )
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
    Message::new("sysprep", "25.24.0", VmAdmin, "Syspreps the VM.")
        .params(&[
            Param::new("self", Ref("VM")),
            Param::new("unattend", Text),
            Param::new("timeout", Float),
        ])
        .or_async()
        .prototyped(),
    Message::new(
        "update_secureboot_certificates_on_boot",
        "26.14.0",
        VmAdmin,
        "Updates secureboot certificates on boot of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("mark", Bool)])
    .or_async()
    .prototyped(),
    Message::new(
        "wait_memory_target_live",
        "orlando",
        ReadOnly,
        "Waits memory target live of the VM.",
    )
    .params(&[Param::new("self", Ref("VM"))])
    .or_async()
    .deprecated("midnight-ride"),
];
