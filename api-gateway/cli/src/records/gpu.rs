//! Fields of graphics cards and USB devices.

use super::field::{Field, Setter, Tag, computed, current_operations, mrw, ro, rw, sro, srw};
use super::shown::Shown;
use crate::client::{Client, Object, texts};
use crate::failure::Failure;
use gateway_codec::WireValue;
use proto_types::Value;

const fn pci(field: Field) -> Field {
    field.of("PCI", "PCI")
}

/// Graphics cards.
pub const PGPU: &[Field] = &[
    ro("uuid", "uuid"),
    pci(ro("vendor-name", "vendor_name")),
    pci(ro("device-name", "device_name")),
    ro("dom0-access", "dom0_access"),
    ro("is-system-display-device", "is_system_display_device"),
    rw("gpu-group-uuid", "GPU_group"),
    ro("gpu-group-name-label", "GPU_group").label(),
    ro("host-uuid", "host"),
    ro("host-name-label", "host").label(),
    pci(ro("pci-id", "pci_id")),
    computed("dependencies", Tag::Sro, dependencies),
    mrw("other-config", "other_config"),
    ro("supported-VGPU-types", "supported_VGPU_types"),
    srw("enabled-VGPU-types", "enabled_VGPU_types").set_by(Setter::AddRemove(
        "PGPU.add_enabled_VGPU_types",
        "PGPU.remove_enabled_VGPU_types",
    )),
    ro("resident-VGPUs", "resident_VGPUs"),
];

/// Groups of them.
pub const GPU_GROUP: &[Field] = &[
    ro("uuid", "uuid"),
    rw("name-label", "name_label"),
    rw("name-description", "name_description"),
    sro("VGPU-uuids", "VGPUs"),
    sro("PGPU-uuids", "PGPUs"),
    mrw("other-config", "other_config"),
    ro("enabled-VGPU-types", "enabled_VGPU_types"),
    ro("supported-VGPU-types", "supported_VGPU_types"),
    rw("allocation-algorithm", "allocation_algorithm"),
];

/// Parts of them in VMs.
pub const VGPU: &[Field] = &[
    ro("uuid", "uuid"),
    ro("vm-uuid", "VM"),
    ro("vm-name-label", "VM").label(),
    ro("device", "device"),
    ro("gpu-group-uuid", "GPU_group"),
    ro("gpu-group-name-label", "GPU_group").label(),
    ro("currently-attached", "currently_attached"),
    mrw("other-config", "other_config"),
    ro("type-uuid", "type"),
    ro("type-model-name", "model_name").of("type", "VGPU_type"),
    ro("resident-on", "resident_on"),
    computed("compatibility-metadata", Tag::Ro, compatibility),
    rw("extra_args", "extra_args"),
    pci(ro("pci", "pci_id")),
];

/// Types of such parts.
pub const VGPU_TYPE: &[Field] = &[
    ro("uuid", "uuid"),
    ro("vendor-name", "vendor_name"),
    ro("model-name", "model_name"),
    ro("framebuffer-size", "framebuffer_size"),
    ro("max-heads", "max_heads"),
    computed("max-resolution", Tag::Ro, resolution),
    ro("supported-on-PGPUs", "supported_on_PGPUs"),
    ro("enabled-on-PGPUs", "enabled_on_PGPUs"),
    ro("supported-on-GPU-groups", "supported_on_GPU_groups"),
    ro("enabled-on-GPU-groups", "enabled_on_GPU_groups"),
    ro("VGPU-uuids", "VGPUs"),
    ro("experimental", "experimental"),
    ro("compatible-types-in-vm", "compatible_types_in_vm"),
];

/// USB devices of hosts.
pub const PUSB: &[Field] = &[
    ro("uuid", "uuid"),
    ro("usb-group-uuid", "USB_group"),
    ro("host-uuid", "host"),
    ro("host-name-label", "host").label(),
    ro("path", "path"),
    ro("vendor-id", "vendor_id"),
    ro("vendor-desc", "vendor_desc"),
    ro("product-id", "product_id"),
    ro("product-desc", "product_desc"),
    ro("serial", "serial"),
    ro("version", "version"),
    ro("description", "description"),
    ro("speed", "speed"),
    rw("passthrough-enabled", "passthrough_enabled"),
];

/// Groups of them.
pub const USB_GROUP: &[Field] = &[
    ro("uuid", "uuid"),
    rw("name-label", "name_label"),
    rw("name-description", "name_description"),
    sro("VUSB-uuids", "VUSBs"),
    sro("PUSB-uuids", "PUSBs"),
    mrw("other-config", "other_config"),
];

/// USB devices in VMs.
pub const VUSB: &[Field] = &[
    ro("uuid", "uuid"),
    ro("vm-uuid", "VM"),
    ro("vm-name-label", "VM").label(),
    ro("usb-group-uuid", "USB_group"),
    ro("usb-group-name-label", "USB_group").label(),
    mrw("other-config", "other_config"),
    ro("currently-attached", "currently_attached"),
    sro("allowed-operations", "allowed_operations"),
    current_operations("current-operations", Tag::Sro),
];

fn dependencies(client: &Client, pgpu: &Object) -> Result<Shown, Failure> {
    let Some(card) = client.known_record("PCI", pgpu.text("PCI")) else {
        return Ok(Shown::Set(Vec::new()));
    };
    let others = card.member("dependencies").map(texts).unwrap_or_default();
    let mut ids = Vec::new();
    for other in others {
        ids.push(client.text("PCI.get_pci_id", &[Value::str(other)])?);
    }
    Ok(Shown::Set(ids))
}

fn compatibility(_: &Client, vgpu: &Object) -> Result<Shown, Failure> {
    let sizes = vgpu.map("compatibility_metadata").into_iter();
    Ok(Shown::Set(
        sizes
            .map(|(key, value)| format!("{key}:({} bytes)", value.len()))
            .collect(),
    ))
}

fn resolution(_: &Client, ty: &Object) -> Result<Shown, Failure> {
    let side = |field| {
        ty.record
            .member(field)
            .and_then(WireValue::as_str)
            .unwrap_or("0")
            .to_owned()
    };
    Ok(Shown::text(format!(
        "{}x{}",
        side("max_resolution_x"),
        side("max_resolution_y")
    )))
}
