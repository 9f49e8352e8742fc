//! Enums of the class `VDI`.

use crate::model;

/// `vdi_operations`
pub const VDI_OPERATIONS: model::Enum = model::Enum::new(
    "vdi_operations",
    &[
        "clone",
        "copy",
        "resize",
        "resize_online",
        "snapshot",
        "mirror",
        "destroy",
        "forget",
        "update",
        "force_unlock",
        "generate_config",
        "enable_cbt",
        "disable_cbt",
        "data_destroy",
        "list_changed_blocks",
        "set_on_boot",
        "blocked",
        "revert_to",
        "revert_from",
    ],
);

/// `vdi_type`
pub const VDI_TYPE: model::Enum = model::Enum::new(
    "vdi_type",
    &[
        "system",
        "user",
        "ephemeral",
        "suspend",
        "crashdump",
        "ha_statefile",
        "metadata",
        "redo_log",
        "rrd",
        "pvs_cache",
        "cbt_metadata",
    ],
);

/// `on_boot`
pub const ON_BOOT: model::Enum = model::Enum::new("on_boot", &["reset", "persist"]);
