//! Fields of storage: repositories, disks, and what attaches them.

use super::field::{Field, NOT_IN_DATABASE, Tag, computed, current_operations, mro, mrw, ro, rw, sro, srw};
use super::networks::kib_rate;
use super::shown::Shown;
use crate::client::{Client, NULL, Object, text_of};
use crate::failure::Failure;
use proto_types::Value;

/// Storage repositories.
pub const SR: &[Field] = &[
    ro("uuid", "uuid"),
    rw("name-label", "name_label"),
    rw("name-description", "name_description"),
    computed("host", Tag::Ro, sr_host),
    sro("allowed-operations", "allowed_operations"),
    current_operations("current-operations", Tag::Sro),
    sro("VDIs", "VDIs"),
    sro("PBDs", "PBDs"),
    ro("virtual-allocation", "virtual_allocation"),
    ro("physical-utilisation", "physical_utilisation"),
    ro("physical-size", "physical_size"),
    ro("type", "type"),
    ro("content-type", "content_type"),
    rw("shared", "shared"),
    ro("introduced-by", "introduced_by"),
    ro("is-tools-sr", "is_tools_sr"),
    mrw("other-config", "other_config"),
    mro("sm-config", "sm_config"),
    ro("blobs", "blobs"),
    ro("local-cache-enabled", "local_cache_enabled"),
    srw("tags", "tags").commas(),
    ro("clustered", "clustered"),
];

/// Disks.
pub const VDI: &[Field] = &[
    ro("uuid", "uuid"),
    rw("name-label", "name_label"),
    rw("name-description", "name_description"),
    ro("is-a-snapshot", "is_a_snapshot"),
    ro("snapshot-of", "snapshot_of"),
    ro("snapshots", "snapshots"),
    ro("snapshot-time", "snapshot_time"),
    sro("allowed-operations", "allowed_operations"),
    current_operations("current-operations", Tag::Sro),
    ro("sr-uuid", "SR"),
    ro("sr-name-label", "SR").label(),
    sro("vbd-uuids", "VBDs"),
    sro("crashdump-uuids", "crash_dumps"),
    ro("virtual-size", "virtual_size"),
    ro("physical-utilisation", "physical_utilisation"),
    ro("location", "location"),
    ro("type", "type"),
    ro("sharable", "sharable"),
    ro("read-only", "read_only"),
    ro("storage-lock", "storage_lock"),
    ro("managed", "managed"),
    ro("parent", "parent").deprecated(),
    ro("missing", "missing"),
    ro("is-tools-iso", "is_tools_iso"),
    mrw("other-config", "other_config"),
    mro("xenstore-data", "xenstore_data"),
    mro("sm-config", "sm_config"),
    rw("on-boot", "on_boot"),
    rw("allow-caching", "allow_caching"),
    ro("metadata-latest", "metadata_latest"),
    computed("metadata-of-pool", Tag::Ro, metadata_of_pool),
    srw("tags", "tags").commas(),
    ro("cbt-enabled", "cbt_enabled"),
];

/// Disks as VMs see them.
pub const VBD: &[Field] = &[
    ro("uuid", "uuid"),
    ro("vm-uuid", "VM"),
    ro("vm-name-label", "VM").label(),
    ro("vdi-uuid", "VDI"),
    computed("vdi-name-label", Tag::Ro, vdi_name_label),
    sro("allowed-operations", "allowed_operations"),
    current_operations("current-operations", Tag::Sro),
    ro("empty", "empty"),
    ro("device", "device"),
    rw("userdevice", "userdevice"),
    rw("bootable", "bootable"),
    rw("mode", "mode"),
    rw("type", "type"),
    rw("unpluggable", "unpluggable"),
    ro("currently-attached", "currently_attached"),
    computed("attachable", Tag::Ro, attachable).expensive(),
    ro("storage-lock", "storage_lock"),
    ro("status-code", "status_code"),
    ro("status-detail", "status_detail"),
    rw("qos_algorithm_type", "qos_algorithm_type"),
    mrw("qos_algorithm_params", "qos_algorithm_params"),
    sro("qos_supported_algorithms", "qos_supported_algorithms"),
    mrw("other-config", "other_config"),
    computed("io_read_kbs", Tag::Ro, vbd_read).expensive(),
    computed("io_write_kbs", Tag::Ro, vbd_write).expensive(),
];

/// Repositories as hosts see them.
pub const PBD: &[Field] = &[
    ro("uuid", "uuid"),
    ro("host", "host").deprecated(),
    ro("host-uuid", "host"),
    ro("host-name-label", "host").label(),
    ro("sr-uuid", "SR"),
    ro("sr-name-label", "SR").label(),
    mro("device-config", "device_config"),
    ro("currently-attached", "currently_attached"),
    mrw("other-config", "other_config"),
];

/// Drivers of storage.
pub const SM: &[Field] = &[
    ro("uuid", "uuid"),
    ro("name-label", "name_label"),
    ro("name-description", "name_description"),
    ro("type", "type"),
    ro("vendor", "vendor"),
    ro("copyright", "copyright"),
    ro("required-api-version", "required_api_version"),
    ro("capabilities", "capabilities").deprecated(),
    mro("features", "features"),
    ro("configuration", "configuration"),
    ro("driver-filename", "driver_filename"),
    ro("required-cluster-stack", "required_cluster_stack").commas(),
];

fn sr_host(client: &Client, sr: &Object) -> Result<Shown, Failure> {
    let pbds = sr.texts("PBDs");
    let name = match pbds.as_slice() {
        [pbd] => {
            let record = client.known_record("PBD", pbd);
            let host = record.as_ref().and_then(|p| p.member("host")).map(text_of);
            host.and_then(|host| client.known_label("host", &host))
        }
        [] => None,
        _ => Some("<shared>".to_owned()),
    };
    Ok(Shown::Text(name.unwrap_or_else(|| NOT_IN_DATABASE.to_owned())))
}

fn metadata_of_pool(client: &Client, vdi: &Object) -> Result<Shown, Failure> {
    let pool = vdi.text("metadata_of_pool");
    if pool == NULL || pool.is_empty() {
        return Ok(Shown::text(NOT_IN_DATABASE));
    }
    if let Some(uuid) = client.known_uuid("pool", pool) {
        return Ok(Shown::Text(uuid));
    }
    let uuid = client.text("VDI.read_database_pool_uuid", &[Value::str(&vdi.reference)])?;
    Ok(Shown::text(if uuid.is_empty() { NOT_IN_DATABASE } else { &uuid }))
}

fn vdi_name_label(client: &Client, vbd: &Object) -> Result<Shown, Failure> {
    if vbd.truth("empty") {
        return Ok(Shown::text("<EMPTY>"));
    }
    let label = client.known_label("VDI", vbd.text("VDI"));
    Ok(Shown::Text(label.unwrap_or_else(|| NOT_IN_DATABASE.to_owned())))
}

fn attachable(client: &Client, vbd: &Object) -> Result<Shown, Failure> {
    let answer = client.call("VBD.assert_attachable", &[Value::str(&vbd.reference)]);
    Ok(Shown::text(match answer {
        Ok(_) => "true".to_owned(),
        Err(Failure::Api(error)) => {
            format!(
                "false (error: Server_error({}, [ {} ]))",
                error.code,
                error.params.join("; ")
            )
        }
        Err(other) => return Err(other),
    }))
}

fn vbd_read(client: &Client, vbd: &Object) -> Result<Shown, Failure> {
    let source = format!("vbd_{}_read", vbd.text("device"));
    Ok(kib_rate(client, "VM.query_data_source", vbd.text("VM"), source))
}

fn vbd_write(client: &Client, vbd: &Object) -> Result<Shown, Failure> {
    let source = format!("vbd_{}_write", vbd.text("device"));
    Ok(kib_rate(client, "VM.query_data_source", vbd.text("VM"), source))
}
