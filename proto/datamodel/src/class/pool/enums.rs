//! Enums of the class `pool`.

use crate::model;

/// `pool_allowed_operations`
pub const POOL_ALLOWED_OPERATIONS: model::Enum = model::Enum::new(
    "pool_allowed_operations",
    &[
        "ha_enable",
        "ha_disable",
        "cluster_create",
        "designate_new_master",
        "configure_repositories",
        "sync_updates",
        "sync_bundle",
        "get_updates",
        "apply_updates",
        "tls_verification_enable",
        "cert_refresh",
        "exchange_certificates_on_join",
        "exchange_ca_certificates_on_join",
        "copy_primary_host_certs",
        "eject",
        "exchange_crls_on_join",
    ],
);

/// `telemetry_frequency`
pub const TELEMETRY_FREQUENCY: model::Enum =
    model::Enum::new("telemetry_frequency", &["daily", "weekly", "monthly"]);

/// `update_sync_frequency`
pub const UPDATE_SYNC_FREQUENCY: model::Enum =
    model::Enum::new("update_sync_frequency", &["daily", "weekly"]);

/// `pool_guest_secureboot_readiness`
pub const POOL_GUEST_SECUREBOOT_READINESS: model::Enum =
    model::Enum::new("pool_guest_secureboot_readiness", &["ready", "ready_no_dbx", "not_ready"]);

/// `certificate_purpose`
pub const CERTIFICATE_PURPOSE: model::Enum = model::Enum::new("certificate_purpose", &["licensing", "ldaps"]);

/// `hello_return`
pub const HELLO_RETURN: model::Enum =
    model::Enum::new("hello_return", &["ok", "unknown_host", "cannot_talk_back"]);
