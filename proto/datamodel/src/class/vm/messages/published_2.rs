//! Messages of the class `VM`: published.

use super::super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new(
        "remove_from_platform",
        "rio",
        VmAdmin,
        "Removes a key from platform of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("key", Text)])
    .key_roles(&[("hvm_serial", PoolAdmin)]),
    Message::new("resume", "rio", VmOperator, "Resumes the VM.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("start_paused", Bool),
            Param::new("force", Bool),
        ])
        .errors(&["VM_BAD_POWER_STATE", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"])
        .or_async(),
    Message::new("resume_on", "rio", VmPowerAdmin, "Resumes on of the VM.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("host", Ref("host")),
            Param::new("start_paused", Bool),
            Param::new("force", Bool),
        ])
        .errors(&["VM_BAD_POWER_STATE", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"])
        .client_cert()
        .or_async(),
    Message::new(
        "retrieve_wlb_recommendations",
        "george",
        ReadOnly,
        "Retrieves workload balancing recommendations of the VM.",
    )
    .params(&[Param::new("vm", Ref("VM"))])
    .result(Map(&Ref("host"), &TEXTS))
    .or_async(),
    Message::new("revert", "midnight-ride", VmPowerAdmin, "Reverts the VM.")
        .params(&[Param::new("snapshot", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OPERATION_NOT_ALLOWED",
            "SR_FULL",
            "VM_REVERT_FAILED",
        ])
        .or_async(),
    Message::new("send_sysrq", "rio", PoolAdmin, "Sends sysrq of the VM.")
        .params(&[Param::new("vm", Ref("VM")), Param::new("key", Text)])
        .errors(&["VM_BAD_POWER_STATE"])
        .or_async(),
    Message::new("send_trigger", "rio", PoolAdmin, "Sends trigger of the VM.")
        .params(&[Param::new("vm", Ref("VM")), Param::new("trigger", Text)])
        .errors(&["VM_BAD_POWER_STATE"])
        .or_async(),
    Message::new(
        "set_HVM_shadow_multiplier",
        "midnight-ride",
        VmPowerAdmin,
        "Sets HVM shadow multiplier of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Float)]),
    Message::new("set_NVRAM", "naples", VmAdmin, "Sets NVRAM of the VM.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", TEXT_MAP)]),
    Message::new(
        "set_VCPUs_at_startup",
        "midnight-ride",
        VmAdmin,
        "Sets VCPUs at startup of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)]),
    Message::new(
        "set_VCPUs_max",
        "midnight-ride",
        VmAdmin,
        "Sets VCPUs max of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)]),
    Message::new(
        "set_VCPUs_number_live",
        "rio",
        VmAdmin,
        "Sets VCPUs number live of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("nvcpu", Int)])
    .errors(&["OPERATION_NOT_ALLOWED", "LICENCE_RESTRICTION"])
    .or_async(),
    Message::new(
        "set_actions_after_crash",
        "rio",
        VmAdmin,
        "Sets actions after crash of the VM.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("value", Enum(&ON_CRASH_BEHAVIOUR)),
    ])
    .or_async(),
    Message::new(
        "set_appliance",
        "boston",
        PoolOperator,
        "Sets appliance of the VM.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("value", Ref("VM_appliance")),
    ])
    .or_async(),
    Message::new(
        "set_bios_strings",
        "inverness",
        VmAdmin,
        "Sets bios strings of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", TEXT_MAP)])
    .errors(&["VM_BIOS_STRINGS_ALREADY_SET", "INVALID_VALUE"])
    .or_async(),
    Message::new(
        "set_blocked_operations",
        "orlando",
        VmAdmin,
        "Sets blocked operations of the VM.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("value", Map(&Enum(&VM_OPERATIONS), &Text)),
    ])
    .or_async(),
    Message::new(
        "set_domain_type",
        "kolkata",
        VmAdmin,
        "Sets domain type of the VM.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("value", Enum(&DOMAIN_TYPE)),
    ]),
    Message::new(
        "set_ha_restart_priority",
        "orlando",
        PoolOperator,
        "Sets HA restart priority of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Text)]),
    Message::new(
        "set_has_vendor_device",
        "dundee",
        VmAdmin,
        "Sets has vendor device of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Bool)])
    .or_async(),
    Message::new("set_memory", "ely", VmPowerAdmin, "Sets memory of the VM.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)])
        .or_async(),
    Message::new(
        "set_memory_dynamic_max",
        "midnight-ride",
        VmPowerAdmin,
        "Sets memory dynamic max of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)]),
    Message::new(
        "set_memory_dynamic_min",
        "midnight-ride",
        VmPowerAdmin,
        "Sets memory dynamic min of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)]),
    Message::new(
        "set_memory_dynamic_range",
        "midnight-ride",
        VmPowerAdmin,
        "Sets memory dynamic range of the VM.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("min", Int),
        Param::new("max", Int),
    ])
    .or_async(),
    Message::new(
        "set_memory_limits",
        "midnight-ride",
        VmPowerAdmin,
        "Sets memory limits of the VM.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("static_min", Int),
        Param::new("static_max", Int),
        Param::new("dynamic_min", Int),
        Param::new("dynamic_max", Int),
    ])
    .or_async(),
    Message::new(
        "set_memory_static_max",
        "orlando",
        VmPowerAdmin,
        "Sets memory static max of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)])
    .errors(&["HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN"]),
    Message::new(
        "set_memory_static_min",
        "midnight-ride",
        VmPowerAdmin,
        "Sets memory static min of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)]),
    Message::new(
        "set_memory_static_range",
        "midnight-ride",
        VmPowerAdmin,
        "Sets memory static range of the VM.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("min", Int),
        Param::new("max", Int),
    ])
    .or_async(),
    Message::new("set_order", "boston", PoolOperator, "Sets order of the VM.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)])
        .or_async(),
    Message::new("set_other_config", "rio", VmAdmin, "Sets other config of the VM.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", TEXT_MAP)]),
    Message::new("set_platform", "rio", VmAdmin, "Sets platform of the VM.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", TEXT_MAP)]),
    Message::new(
        "set_shadow_multiplier_live",
        "rio",
        VmPowerAdmin,
        "Sets shadow multiplier live of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("multiplier", Float)])
    .or_async(),
    Message::new(
        "set_shutdown_delay",
        "boston",
        PoolOperator,
        "Sets shutdown delay of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)])
    .or_async(),
    Message::new(
        "set_snapshot_schedule",
        "falcon",
        PoolOperator,
        "Sets snapshot schedule of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Ref("VMSS"))]),
    Message::new(
        "set_start_delay",
        "boston",
        PoolOperator,
        "Sets start delay of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)])
    .or_async(),
    Message::new(
        "set_suspend_VDI",
        "boston",
        PoolOperator,
        "Sets suspend VDI of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Ref("VDI"))])
    .or_async(),
    Message::new("shutdown", "clearwater", ClientCert, "Shutdowns the VM.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "VM_IS_TEMPLATE",
        ])
        .or_async(),
    Message::new("snapshot", "orlando", VmPowerAdmin, "Snapshots the VM.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("new_name", Text),
            Param::optional("ignore_vdis", Set(&Ref("VDI")), Default::EmptySet),
        ])
        .result(Ref("VM"))
        .errors(&["VM_BAD_POWER_STATE", "SR_FULL", "OPERATION_NOT_ALLOWED"])
        .or_async(),
    Message::new("start", "rio", VmOperator, "Starts the VM.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("start_paused", Bool),
            Param::new("force", Bool),
        ])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "VM_HVM_REQUIRED",
            "VM_IS_TEMPLATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "BOOTLOADER_FAILED",
            "UNKNOWN_BOOTLOADER",
            "NO_HOSTS_AVAILABLE",
            "LICENCE_RESTRICTION",
        ])
        .or_async(),
    Message::new("start_on", "rio", VmPowerAdmin, "Starts on of the VM.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("host", Ref("host")),
            Param::new("start_paused", Bool),
            Param::new("force", Bool),
        ])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "VM_IS_TEMPLATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "BOOTLOADER_FAILED",
            "UNKNOWN_BOOTLOADER",
        ])
        .client_cert()
        .or_async(),
    Message::new("suspend", "rio", ClientCert, "Suspends the VM.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "VM_IS_TEMPLATE",
        ])
        .or_async(),
    Message::new("unpause", "rio", VmOperator, "Unpauses the VM.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&["VM_BAD_POWER_STATE", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"])
        .or_async(),
    Message::new(
        "update_allowed_operations",
        "rio",
        PoolAdmin,
        "Updates allowed operations of the VM.",
    )
    .params(&[Param::new("self", Ref("VM"))])
    .or_async(),
];
