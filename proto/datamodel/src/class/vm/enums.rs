//! Enums of the class `VM`.

use crate::model;

/// `vm_power_state`
pub const VM_POWER_STATE: model::Enum =
    model::Enum::new("vm_power_state", &["Halted", "Paused", "Running", "Suspended"]);

/// `update_guidances`
pub const UPDATE_GUIDANCES: model::Enum = model::Enum::new(
    "update_guidances",
    &[
        "reboot_host",
        "reboot_host_on_livepatch_failure",
        "reboot_host_on_kernel_livepatch_failure",
        "reboot_host_on_xen_livepatch_failure",
        "restart_toolstack",
        "restart_device_model",
        "restart_vm",
    ],
);

/// `vm_secureboot_certificates_state`
pub const VM_SECUREBOOT_CERTIFICATES_STATE: model::Enum =
    model::Enum::new("vm_secureboot_certificates_state", &["ok", "update_available", "update_on_boot"]);

/// `on_softreboot_behavior`
pub const ON_SOFTREBOOT_BEHAVIOR: model::Enum =
    model::Enum::new("on_softreboot_behavior", &["soft_reboot", "destroy", "restart", "preserve"]);

/// `on_normal_exit`
pub const ON_NORMAL_EXIT: model::Enum = model::Enum::new("on_normal_exit", &["destroy", "restart"]);

/// `on_crash_behaviour`
pub const ON_CRASH_BEHAVIOUR: model::Enum = model::Enum::new(
    "on_crash_behaviour",
    &["destroy", "coredump_and_destroy", "restart", "coredump_and_restart", "preserve", "rename_restart"],
);

/// `domain_type`
pub const DOMAIN_TYPE: model::Enum =
    model::Enum::new("domain_type", &["hvm", "pv", "pv_in_pvh", "pvh", "unspecified"]);

/// `vm_uefi_mode`
pub const VM_UEFI_MODE: model::Enum = model::Enum::new("vm_uefi_mode", &["setup", "user"]);

/// `vm_secureboot_readiness`
pub const VM_SECUREBOOT_READINESS: model::Enum = model::Enum::new(
    "vm_secureboot_readiness",
    &["not_supported", "disabled", "first_boot", "ready", "ready_no_dbx", "setup_mode", "certs_incomplete"],
);

/// `vm_operations`
pub const VM_OPERATIONS: model::Enum = model::Enum::new(
    "vm_operations",
    &[
        "snapshot",
        "clone",
        "copy",
        "create_template",
        "revert",
        "checkpoint",
        "snapshot_with_quiesce",
        "provision",
        "start",
        "start_on",
        "pause",
        "unpause",
        "clean_shutdown",
        "clean_reboot",
        "hard_shutdown",
        "power_state_reset",
        "hard_reboot",
        "suspend",
        "csvm",
        "resume",
        "resume_on",
        "pool_migrate",
        "migrate_send",
        "get_boot_record",
        "send_sysrq",
        "send_trigger",
        "query_services",
        "shutdown",
        "call_plugin",
        "changing_memory_live",
        "awaiting_memory_live",
        "changing_dynamic_range",
        "changing_static_range",
        "changing_memory_limits",
        "changing_shadow_memory",
        "changing_shadow_memory_live",
        "changing_VCPUs",
        "changing_VCPUs_live",
        "changing_NVRAM",
        "assert_operation_valid",
        "data_source_op",
        "update_allowed_operations",
        "make_into_template",
        "import",
        "export",
        "metadata_export",
        "reverting",
        "destroy",
        "create_vtpm",
        "sysprep",
    ],
);

/// `update_status`
pub const UPDATE_STATUS: model::Enum = model::Enum::new("update_status", &["yes", "no", "unspecified"]);
