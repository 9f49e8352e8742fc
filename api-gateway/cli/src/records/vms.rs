//! Fields of VMs, templates and snapshots, their consoles and crash dumps.

use super::field::{Field, Setter, Tag, computed, current_operations, mro, mrw, ro, rw, sro, srw};
use super::shown::Shown;
use crate::client::{Client, Object, texts};
use crate::failure::Failure;
use gateway_codec::WireValue;
use proto_types::Value;

const METRICS: (&str, &str) = ("metrics", "VM_metrics");
const GUEST: (&str, &str) = ("guest_metrics", "VM_guest_metrics");
const UNKNOWN_TIME: &str = "<unknown time>";

/// BIOS strings that a client may set.
const BIOS_KEYS: &[&str] = &[
    "bios-vendor",
    "bios-version",
    "system-manufacturer",
    "system-product-name",
    "system-version",
    "system-serial-number",
    "enclosure-asset-tag",
    "baseboard-manufacturer",
    "baseboard-product-name",
    "baseboard-version",
    "baseboard-serial-number",
    "baseboard-asset-tag",
    "baseboard-location-in-chassis",
];

const fn metric(field: Field) -> Field {
    field.of(METRICS.0, METRICS.1)
}

const fn guest(field: Field) -> Field {
    field.of(GUEST.0, GUEST.1)
}

/// VMs.
pub const VM: &[Field] = &[
    ro("uuid", "uuid"),
    rw("name-label", "name_label"),
    rw("name-description", "name_description"),
    rw("user-version", "user_version"),
    rw("is-a-template", "is_a_template"),
    rw("is-default-template", "is_default_template"),
    ro("is-a-snapshot", "is_a_snapshot"),
    ro("snapshot-of", "snapshot_of"),
    ro("snapshots", "snapshots"),
    ro("snapshot-time", "snapshot_time"),
    ro("transportable-snapshot-id", "transportable_snapshot_id").hidden(),
    ro("snapshot-info", "snapshot_info"),
    ro("parent", "parent"),
    ro("children", "children"),
    ro("is-control-domain", "is_control_domain"),
    ro("power-state", "power_state"),
    metric(ro("memory-actual", "memory_actual")),
    computed("memory-target", Tag::Ro, memory_target).expensive(),
    ro("memory-overhead", "memory_overhead"),
    rw("memory-static-max", "memory_static_max").set_by(Setter::Bytes),
    rw("memory-dynamic-max", "memory_dynamic_max").set_by(Setter::Bytes),
    rw("memory-dynamic-min", "memory_dynamic_min").set_by(Setter::Bytes),
    rw("memory-static-min", "memory_static_min").set_by(Setter::Bytes),
    rw("suspend-VDI-uuid", "suspend_VDI"),
    rw("suspend-SR-uuid", "suspend_SR"),
    mrw("VCPUs-params", "VCPUs_params").set_by(Setter::OnlyKeys(&["weight", "cap", "mask"])),
    rw("VCPUs-max", "VCPUs_max"),
    rw("VCPUs-at-startup", "VCPUs_at_startup"),
    rw("actions-after-shutdown", "actions_after_shutdown"),
    rw("actions-after-reboot", "actions_after_reboot"),
    rw("actions-after-crash", "actions_after_crash"),
    sro("console-uuids", "consoles"),
    metric(ro("hvm", "hvm")).or("false"),
    metric(ro("nomigrate", "nomigrate")).or("false").hidden(),
    metric(ro("nested-virt", "nested_virt")).or("false").hidden(),
    mrw("platform", "platform"),
    sro("allowed-operations", "allowed_operations"),
    current_operations("current-operations", Tag::Sro),
    mrw("blocked-operations", "blocked_operations"),
    computed("allowed-VBD-devices", Tag::Sro, allowed_vbd_devices).expensive(),
    computed("allowed-VIF-devices", Tag::Sro, allowed_vif_devices).expensive(),
    computed("possible-hosts", Tag::Ro, possible_hosts).expensive(),
    rw("domain-type", "domain_type"),
    metric(ro("current-domain-type", "current_domain_type")),
    rw("HVM-boot-policy", "HVM_boot_policy"),
    mrw("HVM-boot-params", "HVM_boot_params"),
    rw("HVM-shadow-multiplier", "HVM_shadow_multiplier"),
    mrw("NVRAM", "NVRAM").hidden(),
    rw("PV-kernel", "PV_kernel"),
    rw("PV-ramdisk", "PV_ramdisk"),
    rw("PV-args", "PV_args"),
    rw("PV-legacy-args", "PV_legacy_args"),
    rw("PV-bootloader", "PV_bootloader"),
    rw("PV-bootloader-args", "PV_bootloader_args"),
    ro("last-boot-CPU-flags", "last_boot_CPU_flags"),
    computed("last-boot-record", Tag::Ro, last_boot_record).expensive(),
    ro("resident-on", "resident_on"),
    rw("affinity", "affinity"),
    mrw("other-config", "other_config"),
    ro("dom-id", "domid"),
    ro("recommendations", "recommendations"),
    mrw("xenstore-data", "xenstore_data"),
    rw("ha-always-run", "ha_always_run").deprecated(),
    rw("ha-restart-priority", "ha_restart_priority"),
    ro("blobs", "blobs"),
    metric(ro("start-time", "start_time")).or(UNKNOWN_TIME),
    metric(ro("install-time", "install_time")).or(UNKNOWN_TIME),
    metric(ro("VCPUs-number", "VCPUs_number")),
    computed("VCPUs-utilisation", Tag::Mro, vcpus_utilisation).expensive(),
    guest(mro("os-version", "os_version")),
    guest(mro("PV-drivers-version", "PV_drivers_version")),
    guest(ro("PV-drivers-up-to-date", "PV_drivers_up_to_date")).deprecated(),
    guest(mro("memory", "memory")),
    guest(mro("disks", "disks")),
    sro("VBDs", "VBDs"),
    guest(mro("networks", "networks")),
    guest(ro("PV-drivers-detected", "PV_drivers_detected")),
    guest(mro("other", "other")),
    guest(ro("live", "live")),
    guest(ro("guest-metrics-last-updated", "last_updated")),
    guest(ro("can-use-hotplug-vbd", "can_use_hotplug_vbd")),
    guest(ro("can-use-hotplug-vif", "can_use_hotplug_vif")),
    computed("cooperative", Tag::Ro, cooperative)
        .expensive()
        .deprecated(),
    srw("tags", "tags").commas(),
    rw("appliance", "appliance"),
    rw("snapshot-schedule", "snapshot_schedule"),
    ro("is-vmss-snapshot", "is_vmss_snapshot"),
    rw("start-delay", "start_delay"),
    rw("shutdown-delay", "shutdown_delay"),
    rw("order", "order"),
    ro("version", "version"),
    ro("generation-id", "generation_id"),
    ro("hardware-platform-version", "hardware_platform_version"),
    rw("has-vendor-device", "has_vendor_device"),
    ro("requires-reboot", "requires_reboot"),
    ro("reference-label", "reference_label"),
    mro("bios-strings", "bios_strings").set_by(Setter::Whole(BIOS_KEYS)),
    ro("pending-guidances", "pending_guidances"),
    ro("vtpms", "VTPMs"),
    ro("pending-guidances-recommended", "pending_guidances_recommended"),
    ro("pending-guidances-full", "pending_guidances_full"),
    sro("groups", "groups"),
];

/// Consoles.
pub const CONSOLE: &[Field] = &[
    ro("uuid", "uuid"),
    ro("vm-uuid", "VM"),
    ro("vm-name-label", "VM").label(),
    ro("protocol", "protocol"),
    ro("location", "location"),
    mrw("other-config", "other_config"),
];

/// Crash dumps.
pub const CRASHDUMP: &[Field] = &[
    ro("uuid", "uuid"),
    ro("vm-uuid", "VM"),
    ro("vm-name-label", "VM").label(),
    ro("vdi-uuid", "VDI"),
];

fn this(object: &Object) -> Value {
    Value::str(&object.reference)
}

fn memory_target(client: &Client, vm: &Object) -> Result<Shown, Failure> {
    let args = [this(vm), Value::str("memory_target")];
    Ok(Shown::text(match client.call("VM.query_data_source", &args) {
        Ok(WireValue::Double(bytes)) => format!("{bytes:.0}"),
        Err(failure) if failure.code() == Some("VM_BAD_POWER_STATE") => "0".to_owned(),
        Ok(_) | Err(_) => "<unknown>".to_owned(),
    }))
}

fn allowed_vbd_devices(client: &Client, vm: &Object) -> Result<Shown, Failure> {
    let devices = client.call("VM.get_allowed_VBD_devices", &[this(vm)]);
    Ok(Shown::Set(devices.map(|d| texts(&d)).unwrap_or_default()))
}

fn allowed_vif_devices(client: &Client, vm: &Object) -> Result<Shown, Failure> {
    let devices = client.call("VM.get_allowed_VIF_devices", &[this(vm)]);
    Ok(Shown::Set(devices.map(|d| texts(&d)).unwrap_or_default()))
}

fn possible_hosts(client: &Client, vm: &Object) -> Result<Shown, Failure> {
    let hosts = texts(&client.call("VM.get_possible_hosts", &[this(vm)])?);
    let uuids = hosts.iter().filter_map(|host| client.known_uuid("host", host));
    Ok(Shown::Set(uuids.collect()))
}

fn last_boot_record(_: &Client, vm: &Object) -> Result<Shown, Failure> {
    Ok(Shown::text(format!("'{}'", vm.text("last_booted_record"))))
}

fn vcpus_utilisation(client: &Client, vm: &Object) -> Result<Shown, Failure> {
    let number = client
        .known_record(METRICS.1, vm.text(METRICS.0))
        .and_then(|m| {
            m.member("VCPUs_number")
                .and_then(|n| n.as_str().map(str::to_owned))
        })
        .and_then(|n| n.parse::<u32>().ok())
        .unwrap_or(0);
    let mut used = Vec::new();
    for cpu in 0..number {
        let args = [this(vm), Value::str(format!("cpu{cpu}"))];
        match client.call("VM.query_data_source", &args) {
            Ok(WireValue::Double(part)) => used.push((cpu.to_string(), format!("{part:.3}"))),
            // A guest that does not run uses nothing that could be asked for.
            Ok(_) | Err(_) => return Ok(Shown::Map(Vec::new())),
        }
    }
    Ok(Shown::Map(used))
}

fn cooperative(client: &Client, vm: &Object) -> Result<Shown, Failure> {
    let answer = client.call("VM.get_cooperative", &[this(vm)]);
    Ok(Shown::text(
        (!matches!(answer, Ok(WireValue::Bool(false)))).to_string(),
    ))
}
