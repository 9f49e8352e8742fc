//! Messages of the class `VM`: published.

use super::super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new(
        "add_to_NVRAM",
        "naples",
        VmAdmin,
        "Adds a key to NVRAM of the VM.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("key", Text),
        Param::new("value", Text),
    ]),
    Message::new(
        "add_to_VCPUs_params_live",
        "rio",
        VmAdmin,
        "Adds a key to VCPUs params live of the VM.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("key", Text),
        Param::new("value", Text),
    ])
    .or_async(),
    Message::new(
        "add_to_blocked_operations",
        "orlando",
        VmAdmin,
        "Adds a key to blocked operations of the VM.",
    )
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
        "Adds a key to other config of the VM.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("key", Text),
        Param::new("value", Text),
    ])
    .key_roles(&[
        ("hvm_serial", PoolAdmin),
        ("pci", PoolAdmin),
        ("folder", VmOperator),
        ("XenCenter.CustomFields.*", VmOperator),
    ]),
    Message::new(
        "add_to_platform",
        "rio",
        VmAdmin,
        "Adds a key to platform of the VM.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("key", Text),
        Param::new("value", Text),
    ])
    .key_roles(&[("hvm_serial", PoolAdmin)]),
    Message::new("assert_agile", "orlando", ReadOnly, "Fails unless agile holds.")
        .params(&[Param::new("self", Ref("VM"))])
        .or_async(),
    Message::new(
        "assert_can_be_recovered",
        "boston",
        ReadOnly,
        "Fails unless can be recovered holds.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("session_to", Ref("session")),
    ])
    .errors(&["VM_IS_PART_OF_AN_APPLIANCE", "VM_REQUIRES_SR"])
    .or_async(),
    Message::new(
        "assert_can_boot_here",
        "rio",
        ReadOnly,
        "Fails unless can boot here holds.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("host", Ref("host"))])
    .errors(&[
        "HOST_NOT_ENOUGH_FREE_MEMORY",
        "HOST_NOT_ENOUGH_PCPUS",
        "NETWORK_SRIOV_INSUFFICIENT_CAPACITY",
        "HOST_NOT_LIVE",
        "HOST_DISABLED",
        "HOST_CANNOT_ATTACH_NETWORK",
        "VM_HVM_REQUIRED",
        "VM_REQUIRES_GPU",
        "VM_REQUIRES_IOMMU",
        "VM_REQUIRES_NETWORK",
        "VM_REQUIRES_SR",
        "VM_REQUIRES_VGPU",
        "VM_HOST_INCOMPATIBLE_VERSION",
        "VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION",
        "INVALID_VALUE",
        "MEMORY_CONSTRAINT_VIOLATION",
        "OPERATION_NOT_ALLOWED",
        "VALUE_NOT_SUPPORTED",
        "VM_INCOMPATIBLE_WITH_THIS_HOST",
    ])
    .or_async(),
    Message::new(
        "assert_can_migrate",
        "tampa",
        VmPowerAdmin,
        "Fails unless can migrate holds.",
    )
    .params(&[
        Param::new("vm", Ref("VM")),
        Param::new("dest", TEXT_MAP),
        Param::new("live", Bool),
        Param::new("vdi_map", Map(&Ref("VDI"), &Ref("SR"))),
        Param::new("vif_map", Map(&Ref("VIF"), &Ref("network"))),
        Param::new("options", TEXT_MAP),
        Param::optional(
            "vgpu_map",
            Map(&Ref("VGPU"), &Ref("GPU_group")),
            Default::EmptyMap,
        ),
    ])
    .errors(&["LICENCE_RESTRICTION"])
    .or_async(),
    Message::new(
        "assert_operation_valid",
        "rio",
        ReadOnly,
        "Fails unless operation valid holds.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("op", Enum(&VM_OPERATIONS)),
    ])
    .or_async(),
    Message::new("call_plugin", "cream", VmOperator, "Calls plugin of the VM.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("plugin", Text),
            Param::new("fn", Text),
            Param::new("args", TEXT_MAP),
        ])
        .result(Text)
        .or_async(),
    Message::new("checkpoint", "midnight-ride", VmPowerAdmin, "Checkpoints the VM.")
        .params(&[Param::new("vm", Ref("VM")), Param::new("new_name", Text)])
        .result(Ref("VM"))
        .errors(&[
            "VM_BAD_POWER_STATE",
            "SR_FULL",
            "OPERATION_NOT_ALLOWED",
            "VM_CHECKPOINT_SUSPEND_FAILED",
            "VM_CHECKPOINT_RESUME_FAILED",
        ])
        .or_async(),
    Message::new("clean_reboot", "rio", VmOperator, "Cleans reboot of the VM.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "VM_IS_TEMPLATE",
        ])
        .or_async(),
    Message::new("clean_shutdown", "rio", VmOperator, "Cleans shutdown of the VM.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "VM_IS_TEMPLATE",
        ])
        .or_async(),
    Message::new("clone", "rio", VmAdmin, "Clones the VM.")
        .params(&[Param::new("vm", Ref("VM")), Param::new("new_name", Text)])
        .result(Ref("VM"))
        .errors(&[
            "VM_BAD_POWER_STATE",
            "SR_FULL",
            "OPERATION_NOT_ALLOWED",
            "LICENCE_RESTRICTION",
        ])
        .or_async(),
    Message::new(
        "compute_memory_overhead",
        "midnight-ride",
        ReadOnly,
        "Computes memory overhead of the VM.",
    )
    .params(&[Param::new("vm", Ref("VM"))])
    .result(Int)
    .or_async(),
    Message::new("copy", "rio", VmAdmin, "Copies the VM.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("new_name", Text),
            Param::new("sr", Ref("SR")),
        ])
        .result(Ref("VM"))
        .errors(&[
            "VM_BAD_POWER_STATE",
            "SR_FULL",
            "OPERATION_NOT_ALLOWED",
            "LICENCE_RESTRICTION",
        ])
        .or_async(),
    Message::new(
        "copy_bios_strings",
        "midnight-ride",
        VmAdmin,
        "Copies bios strings of the VM.",
    )
    .params(&[Param::new("vm", Ref("VM")), Param::new("host", Ref("host"))])
    .or_async(),
    Message::new(
        "create_new_blob",
        "orlando",
        VmPowerAdmin,
        "Creates new blob of the VM.",
    )
    .params(&[
        Param::new("vm", Ref("VM")),
        Param::new("name", Text),
        Param::new("mime_type", Text),
        Param::optional("public", Bool, Default::Bool(false)),
    ])
    .result(Ref("blob"))
    .or_async(),
    Message::new(
        "forget_data_source_archives",
        "orlando",
        VmAdmin,
        "Forgets data source archives of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("data_source", Text)]),
    Message::new(
        "get_SRs_required_for_recovery",
        "creedence",
        ReadOnly,
        "Answers SRs required for recovery of the VM.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("session_to", Ref("session")),
    ])
    .result(Set(&Ref("SR")))
    .or_async(),
    Message::new(
        "get_allowed_VBD_devices",
        "rio",
        ReadOnly,
        "Answers allowed VBD devices of the VM.",
    )
    .params(&[Param::new("vm", Ref("VM"))])
    .result(TEXTS)
    .idle(),
    Message::new(
        "get_allowed_VIF_devices",
        "rio",
        ReadOnly,
        "Answers allowed VIF devices of the VM.",
    )
    .params(&[Param::new("vm", Ref("VM"))])
    .result(TEXTS)
    .idle(),
    Message::new(
        "get_data_sources",
        "orlando",
        ReadOnly,
        "Answers data sources of the VM.",
    )
    .params(&[Param::new("self", Ref("VM"))])
    .result(Set(&Record("data_source"))),
    Message::new(
        "get_possible_hosts",
        "rio",
        ReadOnly,
        "Answers possible hosts of the VM.",
    )
    .params(&[Param::new("vm", Ref("VM"))])
    .result(Set(&Ref("host")))
    .or_async(),
    Message::new("hard_reboot", "rio", VmOperator, "Hards reboot of the VM.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "VM_IS_TEMPLATE",
        ])
        .or_async(),
    Message::new("hard_shutdown", "rio", VmOperator, "Hards shutdown of the VM.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "VM_IS_TEMPLATE",
        ])
        .or_async(),
    Message::new("import", "dundee", PoolOperator, "Imports the VM.")
        .params(&[
            Param::new("url", Text),
            Param::new("sr", Ref("SR")),
            Param::new("full_restore", Bool),
            Param::new("force", Bool),
        ])
        .result(Set(&Ref("VM")))
        .or_async(),
    Message::new("import_convert", "tampa", VmAdmin, "Imports convert of the VM.")
        .params(&[
            Param::new("type", Text),
            Param::new("username", Text),
            Param::new("password", Text),
            Param::new("sr", Ref("SR")),
            Param::new("remote_config", TEXT_MAP),
        ])
        .or_async(),
    Message::new(
        "maximise_memory",
        "miami",
        ReadOnly,
        "Maximises memory of the VM.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("total", Int),
        Param::new("approximate", Bool),
    ])
    .result(Int)
    .or_async(),
    Message::new("migrate_send", "tampa", VmPowerAdmin, "Migrates send of the VM.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("dest", TEXT_MAP),
            Param::new("live", Bool),
            Param::new("vdi_map", Map(&Ref("VDI"), &Ref("SR"))),
            Param::new("vif_map", Map(&Ref("VIF"), &Ref("network"))),
            Param::new("options", TEXT_MAP),
            Param::optional(
                "vgpu_map",
                Map(&Ref("VGPU"), &Ref("GPU_group")),
                Default::EmptyMap,
            ),
            Param::optional("vdi_format_map", Map(&Ref("VDI"), &Text), Default::EmptyMap),
        ])
        .result(Ref("VM"))
        .errors(&["VM_BAD_POWER_STATE", "LICENCE_RESTRICTION"])
        .or_async(),
    Message::new("pause", "rio", VmOperator, "Pauses the VM.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "VM_IS_TEMPLATE",
        ])
        .or_async(),
    Message::new("pool_migrate", "rio", VmPowerAdmin, "Pools migrate of the VM.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("host", Ref("host")),
            Param::new("options", TEXT_MAP),
        ])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "VM_IS_TEMPLATE",
            "OPERATION_NOT_ALLOWED",
            "VM_BAD_POWER_STATE",
        ])
        .client_cert()
        .or_async(),
    Message::new(
        "power_state_reset",
        "rio",
        PoolOperator,
        "Powers state reset of the VM.",
    )
    .params(&[Param::new("vm", Ref("VM"))])
    .or_async(),
    Message::new("provision", "rio", VmAdmin, "Provisions the VM.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "SR_FULL",
            "OPERATION_NOT_ALLOWED",
            "LICENCE_RESTRICTION",
        ])
        .or_async(),
    Message::new(
        "query_data_source",
        "orlando",
        ReadOnly,
        "Queries data source of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("data_source", Text)])
    .result(Float),
    Message::new(
        "query_services",
        "tampa",
        PoolAdmin,
        "Queries services of the VM.",
    )
    .params(&[Param::new("self", Ref("VM"))])
    .result(TEXT_MAP)
    .or_async(),
    Message::new(
        "record_data_source",
        "orlando",
        VmAdmin,
        "Records data source of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("data_source", Text)]),
    Message::new("recover", "boston", ReadOnly, "Recovers the VM.")
        .params(&[
            Param::new("self", Ref("VM")),
            Param::new("session_to", Ref("session")),
            Param::new("force", Bool),
        ])
        .or_async(),
    Message::new(
        "remove_from_NVRAM",
        "naples",
        VmAdmin,
        "Removes a key from NVRAM of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("key", Text)]),
    Message::new(
        "remove_from_blocked_operations",
        "orlando",
        VmAdmin,
        "Removes a key from blocked operations of the VM.",
    )
    .params(&[
        Param::new("self", Ref("VM")),
        Param::new("key", Enum(&VM_OPERATIONS)),
    ])
    .or_async(),
    Message::new(
        "remove_from_other_config",
        "rio",
        VmAdmin,
        "Removes a key from other config of the VM.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("key", Text)])
    .key_roles(&[
        ("hvm_serial", PoolAdmin),
        ("pci", PoolAdmin),
        ("folder", VmOperator),
        ("XenCenter.CustomFields.*", VmOperator),
    ]),
];
