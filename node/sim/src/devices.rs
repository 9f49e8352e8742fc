//! Plugging and unplugging on simulated domains.

use node_hypervisor::{
    DiskIndex, DiskKind, DiskSource, DiskSpec, DomainEventKind, HypervisorError, NicIndex, NicSpec, Result,
};
use uuid::Uuid;

use crate::faults::Fault;
use crate::host::Shared;

pub(crate) fn attach_disk(shared: &Shared, vm: Uuid, disk: &DiskSpec) -> Result<()> {
    let mut state = shared.state();
    let disks = &mut state.find(vm)?.carried.spec.disks;
    match disks.iter().find(|d| d.index == disk.index) {
        Some(there) if there.source == disk.source => Ok(()),
        Some(_) => Err(HypervisorError::DeviceExists {
            vm,
            device: disk.index.to_string(),
        }),
        None => {
            disks.push(disk.clone());
            Ok(())
        }
    }
}

pub(crate) fn detach_disk(shared: &Shared, vm: Uuid, disk: DiskIndex, fault: Option<&Fault>) -> Result<()> {
    let mut state = shared.state();
    let disks = &mut state.find(vm)?.carried.spec.disks;
    let Some(place) = disks.iter().position(|d| d.index == disk) else {
        return Ok(());
    };
    if fault == Some(&Fault::GuestRefuses) {
        return Err(HypervisorError::DetachRefused {
            vm,
            device: disk.to_string(),
        });
    }
    disks.remove(place);
    shared.tell(vm, DomainEventKind::DiskRemoved(disk));
    Ok(())
}

pub(crate) fn change_media(shared: &Shared, vm: Uuid, drive: DiskIndex, source: &DiskSource) -> Result<()> {
    let mut state = shared.state();
    let disks = &mut state.find(vm)?.carried.spec.disks;
    match disks
        .iter_mut()
        .find(|d| d.index == drive && d.kind == DiskKind::Cdrom)
    {
        Some(found) => {
            found.source = source.clone();
            Ok(())
        }
        None => Err(HypervisorError::NoSuchDevice {
            vm,
            device: drive.to_string(),
        }),
    }
}

/// Gives disks new sources; all are there, or none changes.
pub(crate) fn switch_disks(shared: &Shared, vm: Uuid, wanted: &[(DiskIndex, DiskSource)]) -> Result<()> {
    let mut state = shared.state();
    let disks = &mut state.find(vm)?.carried.spec.disks;
    for (index, _) in wanted {
        has_disk(disks, vm, *index)?;
    }
    for (index, source) in wanted {
        if let Some(disk) = disks.iter_mut().find(|d| d.index == *index) {
            disk.source = source.clone();
        }
    }
    Ok(())
}

/// Refuses what a disk that is not there would be asked for.
pub(crate) fn has_disk(disks: &[DiskSpec], vm: Uuid, index: DiskIndex) -> Result<()> {
    if disks.iter().any(|d| d.index == index) {
        return Ok(());
    }
    Err(HypervisorError::NoSuchDevice {
        vm,
        device: index.to_string(),
    })
}

pub(crate) fn attach_nic(shared: &Shared, vm: Uuid, nic: &NicSpec) -> Result<()> {
    let mut state = shared.state();
    let nics = &mut state.find(vm)?.carried.spec.nics;
    match nics.iter().find(|n| n.index == nic.index) {
        Some(there) if there.mac == nic.mac => Ok(()),
        Some(_) => Err(HypervisorError::DeviceExists {
            vm,
            device: nic.index.to_string(),
        }),
        None => {
            nics.push(nic.clone());
            Ok(())
        }
    }
}

pub(crate) fn move_nic(shared: &Shared, vm: Uuid, nic: NicIndex, bridge: &str) -> Result<()> {
    let mut state = shared.state();
    let nics = &mut state.find(vm)?.carried.spec.nics;
    match nics.iter_mut().find(|n| n.index == nic) {
        Some(there) => {
            bridge.clone_into(&mut there.bridge);
            Ok(())
        }
        None => Err(HypervisorError::NoSuchDevice {
            vm,
            device: nic.to_string(),
        }),
    }
}

pub(crate) fn detach_nic(shared: &Shared, vm: Uuid, nic: NicIndex, fault: Option<&Fault>) -> Result<()> {
    let mut state = shared.state();
    let nics = &mut state.find(vm)?.carried.spec.nics;
    let Some(place) = nics.iter().position(|n| n.index == nic) else {
        return Ok(());
    };
    if fault == Some(&Fault::GuestRefuses) {
        return Err(HypervisorError::DetachRefused {
            vm,
            device: nic.to_string(),
        });
    }
    nics.remove(place);
    shared.tell(vm, DomainEventKind::NicRemoved(nic));
    Ok(())
}
