//! Fields of pools, clusters, certificates, repositories and updates.

use super::field::{Field, Setter, Tag, computed, current_operations, mro, mrw, ro, rw, sro, srw};
use super::shown::Shown;
use crate::client::{Client, Object, pairs, text_of, texts};
use crate::failure::Failure;
use proto_types::Value;

/// Pools.
pub const POOL: &[Field] = &[
    ro("uuid", "uuid"),
    rw("name-label", "name_label"),
    rw("name-description", "name_description"),
    ro("master", "master"),
    rw("default-SR", "default_SR"),
    rw("crash-dump-SR", "crash_dump_SR"),
    rw("suspend-image-SR", "suspend_image_SR"),
    computed("supported-sr-types", Tag::Ro, supported_sr_types).expensive(),
    mrw("other-config", "other_config"),
    sro("allowed-operations", "allowed_operations"),
    current_operations("current-operations", Tag::Sro),
    ro("ha-enabled", "ha_enabled"),
    ro("ha-configuration", "ha_configuration"),
    ro("ha-statefiles", "ha_statefiles").refs_of("VDI"),
    rw("ha-host-failures-to-tolerate", "ha_host_failures_to_tolerate"),
    ro("ha-plan-exists-for", "ha_plan_exists_for"),
    rw("ha-allow-overcommit", "ha_allow_overcommit"),
    ro("ha-overcommitted", "ha_overcommitted"),
    ro("blobs", "blobs"),
    ro("wlb-url", "wlb_url"),
    ro("wlb-username", "wlb_username"),
    rw("wlb-enabled", "wlb_enabled"),
    rw("wlb-verify-cert", "wlb_verify_cert"),
    rw("igmp-snooping-enabled", "igmp_snooping_enabled"),
    mrw("gui-config", "gui_config"),
    mrw("health-check-config", "health_check_config"),
    computed("vswitch-controller", Tag::Ro, vswitch_controller).hidden(),
    ro("restrictions", "restrictions"),
    srw("tags", "tags").commas(),
    computed("license-state", Tag::Ro, license_state),
    ro("ha-cluster-stack", "ha_cluster_stack"),
    mrw("guest-agent-config", "guest_agent_config"),
    mro("cpu_info", "cpu_info"),
    rw("policy-no-vendor-device", "policy_no_vendor_device"),
    rw("live-patching-disabled", "live_patching_disabled"),
    rw("uefi-certificates", "uefi_certificates").hidden(),
    ro("tls-verification-enabled", "tls_verification_enabled"),
    ro(
        "client-certificate-auth-enabled",
        "client_certificate_auth_enabled",
    ),
    ro("client-certificate-auth-name", "client_certificate_auth_name"),
    srw("repositories", "repositories")
        .set_by(Setter::AddRemove("pool.add_repository", "pool.remove_repository")),
    ro("repository-proxy-url", "repository_proxy_url"),
    ro("repository-proxy-username", "repository_proxy_username"),
    rw("migration-compression", "migration_compression"),
    ro("last-update-sync", "last_update_sync"),
    ro("update-sync-frequency", "update_sync_frequency"),
    ro("update-sync-day", "update_sync_day"),
    ro("update-sync-enabled", "update_sync_enabled"),
];

/// Patches, as they were called before they became updates.
pub const PATCH: &[Field] = &[
    ro("uuid", "uuid"),
    ro("name-label", "name_label"),
    ro("name-description", "name_description"),
    ro("size", "size"),
    computed("hosts", Tag::Sro, patched_hosts).commas(),
    sro("after-apply-guidance", "after_apply_guidance").commas(),
    ro("update", "pool_update"),
];

/// Updates.
pub const UPDATE: &[Field] = &[
    ro("uuid", "uuid"),
    ro("name-label", "name_label"),
    ro("name-description", "name_description"),
    ro("version", "version"),
    ro("installation-size", "installation_size"),
    sro("hosts", "hosts").commas(),
    sro("after-apply-guidance", "after_apply_guidance").commas(),
    ro("enforce-homogeneity", "enforce_homogeneity"),
];

/// Clusters.
pub const CLUSTER: &[Field] = &[
    ro("uuid", "uuid"),
    sro("cluster-hosts", "cluster_hosts"),
    ro("cluster-token", "cluster_token"),
    ro("cluster-stack", "cluster_stack"),
    ro("token-timeout", "token_timeout"),
    ro("token-timeout-coefficient", "token_timeout_coefficient"),
    sro("pending-forget", "pending_forget").hidden(),
    sro("allowed-operations", "allowed_operations"),
    current_operations("current-operations", Tag::Sro),
    ro("pool-auto-join", "pool_auto_join"),
    mro("cluster-config", "cluster_config"),
    mrw("other-config", "other_config"),
];

/// Hosts in clusters.
pub const CLUSTER_HOST: &[Field] = &[
    ro("uuid", "uuid"),
    ro("cluster", "cluster"),
    ro("PIF", "PIF"),
    ro("host", "host"),
    ro("enabled", "enabled"),
    ro("joined", "joined"),
    sro("allowed-operations", "allowed_operations"),
    current_operations("current-operations", Tag::Sro),
    mro("other-config", "other_config"),
];

/// Certificates.
pub const CERTIFICATE: &[Field] = &[
    ro("uuid", "uuid"),
    ro("type", "type"),
    ro("name", "name"),
    ro("host", "host"),
    ro("not-before", "not_before"),
    ro("not-after", "not_after"),
    ro("fingerprint", "fingerprint"),
];

/// Repositories of updates.
pub const REPOSITORY: &[Field] = &[
    ro("uuid", "uuid"),
    rw("name-label", "name_label"),
    rw("name-description", "name_description"),
    ro("binary-url", "binary_url"),
    ro("source-url", "source_url"),
    ro("update", "update"),
    ro("hash", "hash"),
    ro("up-to-date", "up_to_date").deprecated(),
    rw("gpgkey-path", "gpgkey_path"),
    ro("origin", "origin"),
];

fn supported_sr_types(client: &Client, _: &Object) -> Result<Shown, Failure> {
    client
        .call("SR.get_supported_types", &[])
        .map(|types| Shown::Set(texts(&types)))
}

fn vswitch_controller(_: &Client, pool: &Object) -> Result<Shown, Failure> {
    let address = pool.text("vswitch_controller");
    Ok(Shown::text(if address.is_empty() {
        "<not set>"
    } else {
        address
    }))
}

fn license_state(client: &Client, pool: &Object) -> Result<Shown, Failure> {
    match client.call("pool.get_license_state", &[Value::str(&pool.reference)]) {
        Ok(state) => Ok(Shown::Map(pairs(&state))),
        Err(failure) if failure.code() == Some("NOT_IMPLEMENTED") => Ok(Shown::Map(Vec::new())),
        Err(other) => Err(other),
    }
}

fn patched_hosts(client: &Client, patch: &Object) -> Result<Shown, Failure> {
    let mut uuids = Vec::new();
    for on_host in patch.texts("host_patches") {
        let host = client.field("host_patch", &on_host, "host")?;
        uuids.push(client.uuid("host", &text_of(&host))?);
    }
    Ok(Shown::Set(uuids))
}
