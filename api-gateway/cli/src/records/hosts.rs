//! Fields of hosts, their processors and crash dumps.

use super::field::{Field, Tag, computed, current_operations, mro, mrw, ro, rw, sro, srw};
use super::shown::Shown;
use crate::client::{Client, Object, text_of};
use crate::failure::Failure;
use gateway_codec::WireValue;
use proto_types::Value;

const fn metric(field: Field) -> Field {
    field.of("metrics", "host_metrics")
}

/// Hosts.
pub const HOST: &[Field] = &[
    ro("uuid", "uuid"),
    rw("name-label", "name_label"),
    rw("name-description", "name_description"),
    sro("allowed-operations", "allowed_operations"),
    current_operations("current-operations", Tag::Sro),
    ro("enabled", "enabled"),
    ro("display", "display"),
    ro("API-version-major", "API_version_major"),
    ro("API-version-minor", "API_version_minor"),
    ro("API-version-vendor", "API_version_vendor"),
    mro(
        "API-version-vendor-implementation",
        "API_version_vendor_implementation",
    ),
    mrw("logging", "logging"),
    rw("suspend-image-sr-uuid", "suspend_image_sr"),
    rw("crash-dump-sr-uuid", "crash_dump_sr"),
    mro("software-version", "software_version"),
    sro("capabilities", "capabilities"),
    mrw("other-config", "other_config"),
    mro("cpu_info", "cpu_info"),
    mro("chipset-info", "chipset_info"),
    ro("hostname", "hostname"),
    ro("address", "address"),
    sro("supported-bootloaders", "supported_bootloaders"),
    ro("blobs", "blobs"),
    ro("memory-overhead", "memory_overhead"),
    metric(ro("memory-total", "memory_total")),
    metric(ro("memory-free", "memory_free")),
    computed("memory-free-computed", Tag::Ro, free_memory).expensive(),
    metric(ro("host-metrics-live", "live")),
    computed("patches", Tag::Sro, patches).commas().deprecated(),
    sro("updates", "updates").commas(),
    ro("ha-statefiles", "ha_statefiles").refs_of("VDI"),
    ro("ha-network-peers", "ha_network_peers"),
    ro("external-auth-type", "external_auth_type"),
    ro("external-auth-service-name", "external_auth_service_name"),
    mro("external-auth-configuration", "external_auth_configuration"),
    ro("edition", "edition"),
    mro("license-server", "license_server"),
    ro("power-on-mode", "power_on_mode"),
    mro("power-on-config", "power_on_config"),
    ro("local-cache-sr", "local_cache_sr"),
    srw("tags", "tags").commas(),
    rw("ssl-legacy", "ssl_legacy"),
    mrw("guest_VCPUs_params", "guest_VCPUs_params"),
    sro(
        "virtual-hardware-platform-versions",
        "virtual_hardware_platform_versions",
    ),
    ro("control-domain-uuid", "control_domain"),
    sro("resident-vms", "resident_VMs"),
    sro("updates-requiring-reboot", "updates_requiring_reboot"),
    sro("features", "features"),
    rw("iscsi_iqn", "iscsi_iqn"),
    rw("multipathing", "multipathing"),
    rw("uefi-certificates", "uefi_certificates").hidden(),
    ro("pending-guidances", "pending_guidances"),
    ro("tls-verification-enabled", "tls_verification_enabled"),
    ro("last-software-update", "last_software_update"),
    rw("https-only", "https_only"),
    ro("pending-guidances-recommended", "pending_guidances_recommended"),
    ro("pending-guidances-full", "pending_guidances_full"),
    ro("last-update-hash", "last_update_hash"),
];

/// Processors.
pub const HOST_CPU: &[Field] = &[
    ro("uuid", "uuid"),
    ro("host-uuid", "host"),
    ro("number", "number"),
    ro("vendor", "vendor"),
    ro("speed", "speed"),
    ro("model", "model"),
    ro("family", "family"),
    ro("modelname", "modelname"),
    ro("stepping", "stepping"),
    ro("flags", "flags"),
    computed("utilisation", Tag::Ro, utilisation).expensive(),
];

/// Crash dumps of hosts.
pub const HOST_CRASHDUMP: &[Field] = &[
    ro("uuid", "uuid"),
    ro("host-uuid", "host"),
    ro("timestamp", "timestamp"),
    ro("size", "size"),
];

fn free_memory(client: &Client, host: &Object) -> Result<Shown, Failure> {
    client
        .text("host.compute_free_memory", &[Value::str(&host.reference)])
        .map(Shown::Text)
}

fn patches(client: &Client, host: &Object) -> Result<Shown, Failure> {
    let mut uuids = Vec::new();
    for patch in host.texts("patches") {
        let of_pool = client.field("host_patch", &patch, "pool_patch")?;
        uuids.push(client.uuid("pool_patch", &text_of(&of_pool))?);
    }
    Ok(Shown::Set(uuids))
}

fn utilisation(client: &Client, cpu: &Object) -> Result<Shown, Failure> {
    let source = format!("cpu{}", cpu.text("number"));
    let args = [Value::str(cpu.text("host")), Value::str(source)];
    Ok(Shown::text(match client.call("host.query_data_source", &args) {
        Ok(WireValue::Double(part)) => format!("{part:.3}"),
        Ok(_) | Err(_) => "<unknown>".to_owned(),
    }))
}
