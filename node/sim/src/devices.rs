//! Plugging and unplugging on simulated domains.

use node_hypervisor::{
    Bytes, DiskIndex, DiskKind, DiskSource, DiskSpec, DiskStatistics, DomainEventKind, DomainStatistics,
    HypervisorError, MemoryStatistics, NicIndex, NicSpec, NicStatistics, Result,
};
use uuid::Uuid;

use crate::domain::SimDomain;
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

/// Counters; only the processor's are not zero.
pub(crate) fn statistics(domain: &SimDomain) -> DomainStatistics {
    let spec = &domain.carried.spec;
    let vcpus = usize::try_from(domain.carried.vcpus).unwrap_or(0);
    DomainStatistics {
        cpu_time: domain.count() / 10,
        vcpu_times: vec![domain.count() / 10 / domain.carried.vcpus.max(1); vcpus],
        memory: MemoryStatistics {
            actual: domain.carried.memory_target,
            maximum: spec.memory.maximum,
            guest_total: Some(domain.carried.memory_target),
            guest_free: Some(Bytes(domain.carried.memory_target.0 / 2)),
            resident: Some(domain.carried.memory_target),
        },
        disks: spec
            .disks
            .iter()
            .filter(|d| d.source != DiskSource::Empty)
            .map(|d| DiskStatistics {
                index: d.index,
                read: Bytes(0),
                written: Bytes(0),
                read_requests: 0,
                write_requests: 0,
            })
            .collect(),
        nics: spec
            .nics
            .iter()
            .map(|n| NicStatistics {
                index: n.index,
                received: Bytes(0),
                sent: Bytes(0),
                received_packets: 0,
                sent_packets: 0,
            })
            .collect(),
    }
}
