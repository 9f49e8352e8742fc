//! Edition and licence: everything is free and nothing ends. Clients look for what they know and go on.

use proto_types::Value;

/// The one edition there is.
pub const EDITION: &str = "free";

/// Features that clients look for before they offer something; all are free.
const RESTRICTIONS: &[&str] = &[
    "connection",
    "pooling",
    "qos",
    "historical_performance",
    "pool_attached_storage",
    "vlan",
    "netapp",
    "equalogic",
    "marathon",
    "email_alerting",
    "ha",
    "rbac",
    "dmc",
    "checkpoint",
    "storagelink",
    "export_resource_data",
    "intellicache",
    "gpu",
    "dr",
    "vss",
    "storage_xen_motion",
    "hotfix_apply",
    "read_caching",
    "cifs",
    "health_check",
    "set_vcpus_number",
    "live_patching",
    "ssl_legacy_switch",
    "igmp_snooping",
    "corosync",
    "cbt",
    "nested_virt",
    "pool_size",
];

/// Licence parameters: nothing is restricted, nothing expires.
pub fn parameters() -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = RESTRICTIONS
        .iter()
        .map(|name| (format!("restrict_{name}"), "false".to_owned()))
        .collect();
    all.extend(
        [
            ("sku_type", "free"),
            ("version", ""),
            ("serialnumber", ""),
            ("expiry", "20991231T23:59:59Z"),
        ]
        .map(|(k, v)| (k.to_owned(), v.to_owned())),
    );
    all
}

/// Restrictions as the pool row has them.
pub fn restrictions() -> Value {
    Value::string_map(
        RESTRICTIONS
            .iter()
            .map(|name| (format!("restrict_{name}"), "false")),
    )
}
