//! Messages of the class `VM`: settings that take more than a generic setter.

use super::super::enums::*;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("add_to_NVRAM", "naples", VmAdmin, "Adds a variable of the firmware.").params(&[
        Param::new("self", Ref("VM")),
        Param::new("key", Text),
        Param::new("value", Text),
    ]),
    Message::new(
        "add_to_VCPUs_params_live",
        "rio",
        VmAdmin,
        "Adds a setting of the processors while it runs.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("key", Text), Param::new("value", Text)])
    .or_async(),
    Message::new("add_to_blocked_operations", "orlando", VmAdmin, "Forbids an operation.")
        .params(&[
            Param::new("self", Ref("VM")),
            Param::new("key", Enum(&VM_OPERATIONS)),
            Param::new("value", Text),
        ])
        .or_async(),
    Message::new(
        "add_to_other_config",
        "rio",
        VmAdmin,
        "Adds a key to the further settings; some keys take another role.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("key", Text), Param::new("value", Text)])
    .key_roles(&[
        ("hvm_serial", PoolAdmin),
        ("pci", PoolAdmin),
        ("folder", VmOperator),
        ("XenCenter.CustomFields.*", VmOperator),
    ]),
    Message::new("add_to_platform", "rio", VmAdmin, "Adds a setting of the virtual hardware.")
        .params(&[Param::new("self", Ref("VM")), Param::new("key", Text), Param::new("value", Text)])
        .key_roles(&[("hvm_serial", PoolAdmin)]),
    Message::new("remove_from_NVRAM", "naples", VmAdmin, "Removes a variable of the firmware.")
        .params(&[Param::new("self", Ref("VM")), Param::new("key", Text)]),
    Message::new("remove_from_blocked_operations", "orlando", VmAdmin, "Allows an operation again.")
        .params(&[Param::new("self", Ref("VM")), Param::new("key", Enum(&VM_OPERATIONS))])
        .or_async(),
    Message::new(
        "remove_from_other_config",
        "rio",
        VmAdmin,
        "Removes a key from the further settings; some keys take another role.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("key", Text)])
    .key_roles(&[
        ("hvm_serial", PoolAdmin),
        ("pci", PoolAdmin),
        ("folder", VmOperator),
        ("XenCenter.CustomFields.*", VmOperator),
    ]),
    Message::new("remove_from_platform", "rio", VmAdmin, "Removes a setting of the virtual hardware.")
        .params(&[Param::new("self", Ref("VM")), Param::new("key", Text)])
        .key_roles(&[("hvm_serial", PoolAdmin)]),
    Message::new(
        "set_HVM_shadow_multiplier",
        "midnight-ride",
        VmPowerAdmin,
        "Sets the factor on shadow memory.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Float)]),
    Message::new("set_NVRAM", "naples", VmAdmin, "Sets the variables of the firmware.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", TEXT_MAP)]),
    Message::new(
        "set_VCPUs_at_startup",
        "midnight-ride",
        VmAdmin,
        "Sets the number of processors it starts with.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)]),
    Message::new("set_VCPUs_max", "midnight-ride", VmAdmin, "Sets the number of processors it can have.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)]),
    Message::new("set_VCPUs_number_live", "rio", VmAdmin, "Sets the number of processors while it runs.")
        .params(&[Param::new("self", Ref("VM")), Param::new("nvcpu", Int)])
        .errors(&["OPERATION_NOT_ALLOWED", "LICENCE_RESTRICTION"])
        .or_async(),
    Message::new("set_actions_after_crash", "rio", VmAdmin, "Says what becomes of it when it crashes.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Enum(&ON_CRASH_BEHAVIOUR))])
        .or_async(),
    Message::new("set_appliance", "boston", PoolOperator, "Puts it into an appliance.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Ref("VM_appliance"))])
        .or_async(),
    Message::new("set_bios_strings", "inverness", VmAdmin, "Sets the firmware strings.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", TEXT_MAP)])
        .errors(&["VM_BIOS_STRINGS_ALREADY_SET", "INVALID_VALUE"])
        .or_async(),
    Message::new("set_blocked_operations", "orlando", VmAdmin, "Sets the operations that are forbidden.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Map(&Enum(&VM_OPERATIONS), &Text))])
        .or_async(),
    Message::new("set_domain_type", "kolkata", VmAdmin, "Says how it is virtualised.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Enum(&DOMAIN_TYPE))]),
    Message::new("set_ha_restart_priority", "orlando", PoolOperator, "Says whether and how it is protected.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Text)]),
    Message::new(
        "set_has_vendor_device",
        "dundee",
        VmAdmin,
        "Says whether it has the device that brings Windows drivers.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Bool)])
    .or_async(),
    Message::new("set_memory", "ely", VmPowerAdmin, "Sets all memory limits to one number.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)])
        .or_async(),
    Message::new(
        "set_memory_dynamic_max",
        "midnight-ride",
        VmPowerAdmin,
        "Sets what the balloon goes up to.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)]),
    Message::new(
        "set_memory_dynamic_min",
        "midnight-ride",
        VmPowerAdmin,
        "Sets what the balloon goes down to.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)]),
    Message::new(
        "set_memory_dynamic_range",
        "midnight-ride",
        VmPowerAdmin,
        "Sets both ends of the balloon's range.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("min", Int), Param::new("max", Int)])
    .or_async(),
    Message::new("set_memory_limits", "midnight-ride", VmPowerAdmin, "Sets all four memory limits at once.")
        .params(&[
            Param::new("self", Ref("VM")),
            Param::new("static_min", Int),
            Param::new("static_max", Int),
            Param::new("dynamic_min", Int),
            Param::new("dynamic_max", Int),
        ])
        .or_async(),
    Message::new("set_memory_static_max", "orlando", VmPowerAdmin, "Sets the most memory it can have.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)])
        .errors(&["HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN"]),
    Message::new(
        "set_memory_static_min",
        "midnight-ride",
        VmPowerAdmin,
        "Sets the memory below which it cannot run.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)]),
    Message::new(
        "set_memory_static_range",
        "midnight-ride",
        VmPowerAdmin,
        "Sets least and most memory at once.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("min", Int), Param::new("max", Int)])
    .or_async(),
    Message::new("set_order", "boston", PoolOperator, "Sets its place in the appliance's order.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)])
        .or_async(),
    Message::new("set_other_config", "rio", VmAdmin, "Sets the further settings.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", TEXT_MAP)]),
    Message::new("set_platform", "rio", VmAdmin, "Sets the settings of the virtual hardware.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", TEXT_MAP)]),
    Message::new(
        "set_shadow_multiplier_live",
        "rio",
        VmPowerAdmin,
        "Sets the factor on shadow memory while it runs.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("multiplier", Float)])
    .or_async(),
    Message::new(
        "set_shutdown_delay",
        "boston",
        PoolOperator,
        "Sets the wait after it when the appliance stops.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)])
    .or_async(),
    Message::new("set_snapshot_schedule", "falcon", PoolOperator, "Sets the schedule of snapshots.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Ref("VMSS"))]),
    Message::new(
        "set_start_delay",
        "boston",
        PoolOperator,
        "Sets the wait after it when the appliance starts.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Int)])
    .or_async(),
    Message::new(
        "set_suspend_VDI",
        "boston",
        PoolOperator,
        "Replaces the disk that holds its memory by an identical one.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("value", Ref("VDI"))])
    .or_async(),
];
