//! On which host a VM may run.

use std::sync::Arc;

use proto_types::generated::{host, host_metrics, network, pbd, pif, sr, vbd, vdi, vgpu, vif, vm, vusb};
use proto_types::{ApiError, Bytes, Ref, Value};

use crate::database::Database;
use crate::decide::usb;
use crate::row::Row;
use crate::{host_rules, vm_rules};

/// Memory a host keeps for itself and QEMU needs beside each guest's own.
pub const OVERHEAD_PER_VM: Bytes = Bytes::mib(32);

/// Says whether a host can run a VM, as `VM.assert_can_boot_here`.
///
/// # Errors
/// The first obstacle in the documented order: liveness, enabled, virtual hardware, storage, networks, devices,
/// memory, processors.
pub fn can_run(db: &Database, vm_row: &Row, host_row: &Row) -> Result<(), ApiError> {
    is_open(db, vm_row, host_row)?;
    can_host(db, vm_row, host_row)?;
    has_room(db, vm_row, host_row)
}

/// As [`can_run`], for a VM whose disks are looked at elsewhere: they may be on their way to other repositories.
///
/// # Errors
/// As [`can_run`], without those about storage.
pub fn can_take(db: &Database, vm_row: &Row, host_row: &Row) -> Result<(), ApiError> {
    is_open(db, vm_row, host_row)?;
    can_reach_networks(db, vm_row, host_row)?;
    requires_devices(db, vm_row, host_row)?;
    has_room(db, vm_row, host_row)
}

/// Whether a host takes guests at all.
fn is_open(db: &Database, vm_row: &Row, host_row: &Row) -> Result<(), ApiError> {
    let me = || [host_row.reference.to_string()];
    if !is_live(db, host_row) {
        return Err(ApiError::bare("HOST_NOT_LIVE"));
    }
    // A guest that lives on the host already is not asked to leave by it.
    let resident = vm_row.get(vm::RESIDENT_ON).as_ref() == host_row.reference;
    if resident && is_live_state(vm_row.get(vm::POWER_STATE)) {
        return Ok(());
    }
    if !host_row.get(host::ENABLED).as_bool() {
        return Err(ApiError::new("HOST_DISABLED", me()));
    }
    if host_rules::is_being_emptied(host_row) {
        return Err(ApiError::new("HOST_EVACUATE_IN_PROGRESS", me()));
    }
    Ok(())
}

/// Whether a host has the memory and the processors.
fn has_room(db: &Database, vm_row: &Row, host_row: &Row) -> Result<(), ApiError> {
    let needed = memory_needed(vm_row);
    let free = memory_free(db, host_row, Some(vm_row.reference));
    if needed > free {
        return Err(ApiError::new(
            "HOST_NOT_ENOUGH_FREE_MEMORY",
            [needed.get().to_string(), free.get().to_string()],
        ));
    }
    let (wanted, there) = (vm_row.get(vm::VCPUS_MAX).as_int(), processors(host_row));
    if there > 0 && wanted > there {
        return Err(ApiError::new(
            "HOST_NOT_ENOUGH_PCPUS",
            [wanted.to_string(), there.to_string()],
        ));
    }
    Ok(())
}

/// Logical processors of a host; 0 if it does not say.
fn processors(host_row: &Row) -> i64 {
    host_row
        .get(host::CPU_INFO)
        .get("cpu_count")
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

/// Says whether a host has all a VM needs but memory and processors: its virtual hardware, disks, networks, and
/// devices of the host itself.
///
/// # Errors
/// `VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION`, those of [`can_reach`], `VM_HAS_VGPU` and the like
/// for devices that no host of this kind can give to a guest.
pub fn can_host(db: &Database, vm_row: &Row, host_row: &Row) -> Result<(), ApiError> {
    let wanted = vm_row.get(vm::HARDWARE_PLATFORM_VERSION);
    let known = host_row.get(host::VIRTUAL_HARDWARE_PLATFORM_VERSIONS).as_set();
    if !known.is_empty() && !known.contains(wanted) {
        let versions: Vec<String> = known.iter().map(|v| v.as_int().to_string()).collect();
        return Err(ApiError::new(
            "VM_HOST_INCOMPATIBLE_VIRTUAL_HARDWARE_PLATFORM_VERSION",
            [
                host_row.reference.to_string(),
                format!("[ {} ]", versions.join("; ")),
                vm_row.reference.to_string(),
                wanted.as_int().to_string(),
            ],
        ));
    }
    can_reach(db, vm_row, host_row)?;
    requires_devices(db, vm_row, host_row)
}

/// Graphics processors and USB devices that a VM asks for: no host has one of the former to give.
fn requires_devices(db: &Database, vm_row: &Row, host_row: &Row) -> Result<(), ApiError> {
    let me = || vm_row.reference.to_string();
    if let Some(gpu) = vm_row
        .get(vm::VGPUS)
        .as_refs()
        .into_iter()
        .find_map(|r| db.of_class(vgpu::CLASS, r))
    {
        let group = gpu.get(vgpu::GPU_GROUP).as_ref();
        return Err(ApiError::new("VM_REQUIRES_GPU", [me(), group.to_string()]));
    }
    for reference in vm_row.get(vm::VUSBS).as_refs() {
        let Some(wish) = db.of_class(vusb::CLASS, reference) else {
            continue;
        };
        if usb::device_for(db, wish, host_row.reference).is_none() {
            let group = wish.get(vusb::USB_GROUP).as_ref();
            return Err(ApiError::new("VM_REQUIRES_VUSB", [me(), group.to_string()]));
        }
    }
    Ok(())
}

/// Says whether a host sees a VM's disks and networks.
///
/// # Errors
/// `VM_REQUIRES_SR [vm, sr]`, `VM_REQUIRES_NETWORK [vm, network]`.
pub fn can_reach(db: &Database, vm_row: &Row, host_row: &Row) -> Result<(), ApiError> {
    for storage in storages(db, vm_row) {
        if !has_plugged(db, storage, host_row.reference) {
            return Err(ApiError::new(
                "VM_REQUIRES_SR",
                [vm_row.reference.to_string(), storage.to_string()],
            ));
        }
    }
    can_reach_networks(db, vm_row, host_row)
}

/// Says whether a host sees a VM's networks.
///
/// # Errors
/// `VM_REQUIRES_NETWORK [vm, network]`.
pub fn can_reach_networks(db: &Database, vm_row: &Row, host_row: &Row) -> Result<(), ApiError> {
    for reference in vm_row.get(vm::VIFS).as_refs() {
        let Some(nic) = db.of_class(vif::CLASS, reference) else {
            continue;
        };
        let net = nic.get(vif::NETWORK).as_ref();
        if !network_reaches(db, net, host_row.reference) {
            return Err(ApiError::new(
                "VM_REQUIRES_NETWORK",
                [vm_row.reference.to_string(), net.to_string()],
            ));
        }
    }
    Ok(())
}

/// The SRs that hold a VM's disks.
pub fn storages(db: &Database, vm_row: &Row) -> Vec<Ref> {
    let mut found: Vec<Ref> = Vec::new();
    let disks = vm_row
        .get(vm::VBDS)
        .as_refs()
        .into_iter()
        .filter_map(|r| db.of_class(vbd::CLASS, r));
    let images = disks
        .map(|v| v.get(vbd::VDI).as_ref())
        .chain([vm_row.get(vm::SUSPEND_VDI).as_ref()]);
    for image in images {
        if let Some(row) = db.of_class(vdi::CLASS, image) {
            let storage = row.get(vdi::SR).as_ref();
            if !found.contains(&storage) {
                found.push(storage);
            }
        }
    }
    found
}

/// Says whether a host has an SR plugged.
pub fn has_plugged(db: &Database, storage: Ref, on: Ref) -> bool {
    db.of_class(sr::CLASS, storage).is_some_and(|s| {
        s.get(sr::PBDS).as_refs().iter().any(|r| {
            db.of_class(pbd::CLASS, *r)
                .is_some_and(|p| p.get(pbd::HOST).as_ref() == on && p.get(pbd::CURRENTLY_ATTACHED).as_bool())
        })
    })
}

/// A network is visible on a host that has a PIF on it; one with no PIF anywhere is internal to the host on
/// which it is used.
pub fn network_reaches(db: &Database, net: Ref, on: Ref) -> bool {
    let Some(row) = db.of_class(network::CLASS, net) else {
        return false;
    };
    let pifs = row.get(network::PIFS).as_refs();
    if pifs.is_empty() || row.get(network::OTHER_CONFIG).get("assume_network_is_shared") == Some("true") {
        let used_elsewhere = row.get(network::VIFS).as_refs().iter().any(|r| {
            let Some(nic) = db.of_class(vif::CLASS, *r) else {
                return false;
            };
            nic.get(vif::CURRENTLY_ATTACHED).as_bool()
                && db
                    .of_class(vm::CLASS, nic.get(vif::VM).as_ref())
                    .is_some_and(|v| {
                        !v.get(vm::RESIDENT_ON).as_ref().is_null() && v.get(vm::RESIDENT_ON).as_ref() != on
                    })
        });
        return !used_elsewhere
            || row.get(network::OTHER_CONFIG).get("assume_network_is_shared") == Some("true");
    }
    pifs.iter().any(|r| {
        db.of_class(pif::CLASS, *r)
            .is_some_and(|p| p.get(pif::HOST).as_ref() == on)
    })
}

/// Says whether a host answers.
pub fn is_live(db: &Database, host_row: &Row) -> bool {
    db.of_class(host_metrics::CLASS, host_row.get(host::METRICS).as_ref())
        .is_some_and(|m| m.get(host_metrics::LIVE).as_bool())
}

/// Memory a VM takes of a host beside its own.
pub fn overhead(_vm_row: &Row) -> Bytes {
    OVERHEAD_PER_VM
}

/// The most memory a VM can have if it may take `total` in all, in whole MiB.
pub fn largest_memory(vm_row: &Row, total: Bytes) -> Bytes {
    let left = total.get().saturating_sub(overhead(vm_row).get());
    Bytes(left.saturating_sub(left.checked_rem(Bytes::MIB).unwrap_or(0)))
}

/// What a VM takes of a host's memory.
pub fn memory_needed(vm_row: &Row) -> Bytes {
    let guest = Bytes::from_i64(vm_row.get(vm::MEMORY_STATIC_MAX).as_int());
    Bytes(guest.get().saturating_add(overhead(vm_row).get()))
}

/// Memory of a host not promised to any VM that runs there or is about to, `except` left out.
pub fn memory_free(db: &Database, host_row: &Row, except: Option<Ref>) -> Bytes {
    let total = db
        .of_class(host_metrics::CLASS, host_row.get(host::METRICS).as_ref())
        .map_or(0, |m| {
            Bytes::from_i64(m.get(host_metrics::MEMORY_TOTAL).as_int()).get()
        });
    let own = Bytes::from_i64(host_row.get(host::MEMORY_OVERHEAD).as_int()).get();
    let taken: u64 = db
        .rows(vm::CLASS)
        .filter(|v| Some(v.reference) != except && !v.get(vm::IS_CONTROL_DOMAIN).as_bool())
        .filter(|v| {
            v.get(vm::RESIDENT_ON).as_ref() == host_row.reference
                || v.get(vm::SCHEDULED_TO_BE_RESIDENT_ON).as_ref() == host_row.reference
        })
        .map(|v| memory_needed(v).get())
        .fold(0, u64::saturating_add);
    Bytes(total.saturating_sub(own).saturating_sub(taken))
}

/// Every host that could run a VM now.
pub fn possible_hosts(db: &Database, vm_row: &Row) -> Vec<Ref> {
    db.rows(host::CLASS)
        .filter(|h| can_run(db, vm_row, h).is_ok())
        .map(|h| h.reference)
        .collect()
}

/// Chooses the host for a VM: its affinity when that can take it, else the one with most free memory.
///
/// # Errors
/// `NO_HOSTS_AVAILABLE`, or the single host's own reason when the pool has only one.
pub fn choose(db: &Database, vm_row: &Row) -> Result<Ref, ApiError> {
    let affinity = vm_row.get(vm::AFFINITY).as_ref();
    let fitting: Vec<&Arc<Row>> = db
        .rows(host::CLASS)
        .filter(|h| can_run(db, vm_row, h).is_ok())
        .collect();
    if let Some(wanted) = fitting.iter().find(|h| h.reference == affinity) {
        return Ok(wanted.reference);
    }
    if let Some(best) = fitting
        .iter()
        .max_by_key(|h| (memory_free(db, h, None), std::cmp::Reverse(h.reference)))
    {
        return Ok(best.reference);
    }
    Err(ApiError::bare("NO_HOSTS_AVAILABLE"))
}

/// Says whether a power state counts as live.
pub fn is_live_state(state: &Value) -> bool {
    matches!(state.as_str(), vm_rules::RUNNING | vm_rules::PAUSED)
}

/// Says whether a VM could live on every host of the pool, as high availability needs it.
///
/// # Errors
/// `HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED [sr]`, `HA_CONSTRAINT_VIOLATION_NETWORK_NOT_SHARED [network]`,
/// `VM_HAS_VGPU [vm]`, `VM_HAS_VUSBS [vm]`.
pub fn check_agile(db: &Database, vm_row: &Row) -> Result<(), ApiError> {
    for storage in storages(db, vm_row) {
        let shared = db
            .of_class(sr::CLASS, storage)
            .is_some_and(|s| s.get(sr::SHARED).as_bool());
        if !shared {
            return Err(ApiError::new(
                "HA_CONSTRAINT_VIOLATION_SR_NOT_SHARED",
                [storage.to_string()],
            ));
        }
    }
    for reference in vm_row.get(vm::VIFS).as_refs() {
        let Some(nic) = db.of_class(vif::CLASS, reference) else {
            continue;
        };
        let net = nic.get(vif::NETWORK).as_ref();
        if !is_on_every_host(db, net) {
            return Err(ApiError::new(
                "HA_CONSTRAINT_VIOLATION_NETWORK_NOT_SHARED",
                [net.to_string()],
            ));
        }
    }
    let me = || [vm_row.reference.to_string()];
    if !vm_row.get(vm::VGPUS).as_set().is_empty() {
        return Err(ApiError::new("VM_HAS_VGPU", me()));
    }
    if !vm_row.get(vm::VUSBS).as_set().is_empty() {
        return Err(ApiError::new("VM_HAS_VUSBS", me()));
    }
    Ok(())
}

fn is_on_every_host(db: &Database, net: Ref) -> bool {
    let Some(row) = db.of_class(network::CLASS, net) else {
        return false;
    };
    if row.get(network::OTHER_CONFIG).get("assume_network_is_shared") == Some("true") {
        return true;
    }
    let cards = row.get(network::PIFS).as_refs();
    db.rows(host::CLASS).all(|h| {
        cards.iter().any(|r| {
            db.of_class(pif::CLASS, *r)
                .is_some_and(|p| p.get(pif::HOST).as_ref() == h.reference)
        })
    })
}
