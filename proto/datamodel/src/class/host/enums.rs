//! Enums of the class `host`.

use crate::model;

/// `host_allowed_operations`
pub const HOST_ALLOWED_OPERATIONS: model::Enum = model::Enum::new(
    "host_allowed_operations",
    &[
        "provision",
        "evacuate",
        "shutdown",
        "reboot",
        "power_on",
        "vm_start",
        "vm_resume",
        "vm_migrate",
        "apply_updates",
        "enable",
    ],
);

/// `latest_synced_updates_applied_state`
pub const LATEST_SYNCED_UPDATES_APPLIED_STATE: model::Enum =
    model::Enum::new("latest_synced_updates_applied_state", &["yes", "no", "unknown"]);

/// `host_display`
pub const HOST_DISPLAY: model::Enum =
    model::Enum::new("host_display", &["enabled", "disable_on_reboot", "disabled", "enable_on_reboot"]);

/// `host_sched_gran`
pub const HOST_SCHED_GRAN: model::Enum = model::Enum::new("host_sched_gran", &["core", "cpu", "socket"]);

/// `host_numa_affinity_policy`
pub const HOST_NUMA_AFFINITY_POLICY: model::Enum =
    model::Enum::new("host_numa_affinity_policy", &["any", "best_effort", "default_policy"]);

/// `host_ntp_mode`
pub const HOST_NTP_MODE: model::Enum =
    model::Enum::new("host_ntp_mode", &["DHCP", "Custom", "Factory", "Disabled"]);
