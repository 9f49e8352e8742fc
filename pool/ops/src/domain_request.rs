//! A VM's rows as a host needs them to start it.

use std::collections::BTreeMap;

use node_commands::{
    BootRequest, DiskRequest, DomainRequest, FirmwareRequest, NicRequest, TpmRequest, VolumeRef,
};
use node_hypervisor::{
    BootDevice, CpuTuning, DiskErrorPolicy, DiskKind, EndAction, EndActions, NicModel, Platform,
};
use pool_domain::decide::vdi::device_number;
use pool_domain::decide::{uefi_mode, usb, vm_live, vtpm};
use pool_domain::{Database, Row, query, vm_rules};
use proto_types::generated::{network, sr, vbd, vdi, vif, vm};
use proto_types::{ApiError, Bytes, Ref};
use uuid::Uuid;

use crate::network::request::{bridge_request, nic_policy};

/// Key in the `other_config` of a VBD, or of an SR for all of its disks: `pause` or `report`.
const ON_DISK_ERROR: &str = "on_disk_error";

/// Builds the request to start a VM on a host.
///
/// # Errors
/// `HANDLE_INVALID` for a dangling disk, repository or network.
pub fn build(db: &Database, reference: Ref, on: Ref, start_id: Uuid) -> Result<DomainRequest, ApiError> {
    let row = query::find(db, vm::CLASS, reference)?;
    let uuid = parse(row, "VM")?;
    let memory = Bytes::from_i64(row.get(vm::MEMORY_STATIC_MAX).as_int());
    let mut request = DomainRequest::new(uuid, start_id, row.get(vm::NAME_LABEL).as_str(), memory);
    let target = Bytes::from_i64(row.get(vm::MEMORY_DYNAMIC_MAX).as_int());
    request.memory_target = if target.get() == 0 {
        memory
    } else {
        target.min(memory)
    };
    request.vcpus_max = small(row.get(vm::VCPUS_MAX).as_int());
    request.vcpus_at_startup = small(row.get(vm::VCPUS_AT_STARTUP).as_int()).min(request.vcpus_max);
    request.tuning = vm_live::tuning(row.get(vm::VCPUS_PARAMS)).map_or_else(
        |_| CpuTuning::default(),
        |t| CpuTuning {
            weight: t.weight,
            cap: t.cap,
            mask: t.mask,
        },
    );
    request.usb = usb::paths(db, row);
    request.tpm = vtpm::of(db, reference).map(|_| TpmRequest::default());
    let params = row.get(vm::HVM_BOOT_PARAMS);
    let platform = row.get(vm::PLATFORM);
    if params.get("firmware") == Some("uefi") {
        request.firmware = FirmwareRequest::Uefi {
            secure_boot: platform.get("secureboot") == Some("true"),
            enrolled_keys: !uefi_mode::is_setup(db, row),
            anew: uefi_mode::begins_anew(db, row),
        };
    }
    request.boot = boot(row, params.get("order"));
    let flag = |key: &str| !matches!(platform.get(key), Some("0" | "false"));
    request.platform = Platform {
        acpi: flag("acpi"),
        apic: flag("apic"),
        pae: flag("pae"),
        viridian: platform.get("viridian") == Some("true"),
        ..Platform::default()
    };
    request.guest_data = row
        .get(vm::XENSTORE_DATA)
        .as_map()
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.as_str().to_owned(), v.as_str().to_owned()))
        .filter(|(k, _)| k.starts_with("vm-data/") || k.starts_with("FIST/"))
        .collect();
    request.graphical_console = vm_rules::has_screen(row);
    request.bios_strings = row
        .get(vm::BIOS_STRINGS)
        .as_map()
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.as_str().to_owned(), v.as_str().to_owned()))
        .collect();
    request.end_actions = EndActions {
        // The leader starts a VM anew where its settings say so: one place decides what runs where.
        on_poweroff: EndAction::Destroy,
        on_reboot: match row.get(vm::ACTIONS_AFTER_REBOOT).as_str() {
            "destroy" => EndAction::Destroy,
            _ => EndAction::Restart,
        },
        on_crash: match row.get(vm::ACTIONS_AFTER_CRASH).as_str() {
            "preserve" => EndAction::Preserve,
            "restart" | "coredump_and_restart" | "rename_restart" => EndAction::Restart,
            _ => EndAction::Destroy,
        },
    };
    for drive in row.get(vm::VBDS).as_refs() {
        if let Some(disk) = db.of_class(vbd::CLASS, drive) {
            request.disks.extend(disk_request(db, disk)?);
        }
    }
    for nic in row.get(vm::VIFS).as_refs() {
        if let Some(nic) = db.of_class(vif::CLASS, nic) {
            request.nics.push(nic_request(db, nic, on)?);
        }
    }
    Ok(request)
}

fn boot(row: &Row, order: Option<&str>) -> BootRequest {
    let kernel = row.get(vm::PV_KERNEL).as_str();
    if !kernel.is_empty() {
        let ramdisk = row.get(vm::PV_RAMDISK).as_str();
        return BootRequest::Kernel {
            kernel: kernel.into(),
            ramdisk: (!ramdisk.is_empty()).then(|| ramdisk.into()),
            args: row.get(vm::PV_ARGS).as_str().to_owned(),
        };
    }
    let devices: Vec<BootDevice> = order
        .unwrap_or("cd")
        .chars()
        .filter_map(|c| match c {
            'c' => Some(BootDevice::Disk),
            'd' => Some(BootDevice::Cdrom),
            'n' => Some(BootDevice::Network),
            _ => None,
        })
        .collect();
    if devices.is_empty() {
        BootRequest::default()
    } else {
        BootRequest::Devices(devices)
    }
}

/// A drive as a host needs it; nothing for a disk drive without a disk.
///
/// # Errors
/// `HANDLE_INVALID`, `INVALID_DEVICE`.
pub fn disk_request(db: &Database, disk: &Row) -> Result<Option<DiskRequest>, ApiError> {
    let device = disk.get(vbd::USERDEVICE).as_str();
    let userdevice = device_number(device).ok_or_else(|| ApiError::new("INVALID_DEVICE", [device]))?;
    let image = disk.get(vbd::VDI).as_ref();
    let volume = if image.is_null() || disk.get(vbd::EMPTY).as_bool() {
        None
    } else {
        Some(volume_of(db, image)?)
    };
    let cd = disk.get(vbd::TYPE).as_str() == "CD";
    if volume.is_none() && !cd {
        return Ok(None);
    }
    let shareable = db
        .of_class(vdi::CLASS, image)
        .is_some_and(|v| v.get(vdi::SHARABLE).as_bool());
    let reset = db
        .of_class(vdi::CLASS, image)
        .is_some_and(|v| v.get(vdi::ON_BOOT).as_str() == "reset");
    let read_only = cd || disk.get(vbd::MODE).as_str() != "RW";
    Ok(Some(DiskRequest {
        userdevice,
        kind: if cd { DiskKind::Cdrom } else { DiskKind::Disk },
        volume,
        read_only,
        shareable: shareable || cd,
        reset: reset && !read_only,
        on_error: on_error(db, disk, image),
    }))
}

/// What is to happen when a disk cannot be read or written: what the drive says, else what the repository says.
fn on_error(db: &Database, disk: &Row, image: Ref) -> DiskErrorPolicy {
    let storage = db
        .of_class(vdi::CLASS, image)
        .and_then(|row| db.of_class(sr::CLASS, row.get(vdi::SR).as_ref()));
    let said = [
        Some(disk.get(vbd::OTHER_CONFIG)),
        storage.map(|row| row.get(sr::OTHER_CONFIG)),
    ];
    let mut said = said
        .into_iter()
        .flatten()
        .filter_map(|map| map.get(ON_DISK_ERROR));
    match said.next() {
        Some("pause") => DiskErrorPolicy::Pause,
        Some("report") => DiskErrorPolicy::Report,
        Some(_) | None => DiskErrorPolicy::Automatic,
    }
}

/// Where an image lies.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn volume_of(db: &Database, image: Ref) -> Result<VolumeRef, ApiError> {
    let row = query::find(db, vdi::CLASS, image)?;
    let storage = query::find(db, sr::CLASS, row.get(vdi::SR).as_ref())?;
    Ok(VolumeRef::new(
        parse(storage, "SR")?,
        row.get(vdi::LOCATION).as_str(),
    ))
}

/// An interface as a host needs it.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn nic_request(db: &Database, nic: &Row, on: Ref) -> Result<NicRequest, ApiError> {
    let net = query::find(db, network::CLASS, nic.get(vif::NETWORK).as_ref())?;
    let mtu = u32::try_from(nic.get(vif::MTU).as_int()).ok().filter(|m| *m > 0);
    Ok(NicRequest {
        device: nic.get(vif::DEVICE).as_str().parse().unwrap_or(0),
        mac: nic.get(vif::MAC).as_str().to_owned(),
        bridge: bridge_request(db, net, on),
        mtu,
        model: NicModel::default(),
        policy: nic_policy(db, nic),
    })
}

fn parse(row: &Row, class: &'static str) -> Result<Uuid, ApiError> {
    Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid(class, row.reference))
}

fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(1).clamp(1, 1024)
}

/// A repository as a host needs it to plug it.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn sr_spec(
    db: &Database,
    storage: Ref,
    config: BTreeMap<String, String>,
) -> Result<node_commands::SrSpec, ApiError> {
    let row = query::find(db, sr::CLASS, storage)?;
    let sm_config = row
        .get(sr::SM_CONFIG)
        .as_map()
        .into_iter()
        .flatten()
        .map(|(k, v)| (k.as_str().to_owned(), v.as_str().to_owned()))
        .collect();
    Ok(node_commands::SrSpec {
        uuid: parse(row, "SR")?,
        kind: row.get(sr::TYPE).as_str().to_owned(),
        device_config: config,
        sm_config,
        physical_size: Bytes(0),
    })
}

#[cfg(test)]
mod test;
