//! Memory, virtual CPUs and counters of live domains.

use std::time::Duration;

use node_hypervisor::{
    Bytes, ConsoleEndpoints, DiskStatistics, DomainStatistics, HypervisorError, MemoryStatistics,
    NicStatistics, Result,
};
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain as VirtDomain;
use virt_sys as sys;

use crate::bridge::find;
use crate::error::Fault;
use crate::ffi;
use crate::lifecycle::live;

pub(crate) fn set_memory_target(connect: &Connect, vm: Uuid, target: Bytes) -> Result<(), Fault> {
    let domain = find(connect, vm)?;
    let most = from_kib(domain.max_memory()?);
    let least = Bytes(Bytes::MIB);
    if target > most || target < least {
        return Err(HypervisorError::OutOfRange {
            vm,
            value: target,
            least,
            most,
        }
        .into());
    }
    domain.set_memory_flags(target.kib_ceil(), sys::VIR_DOMAIN_MEM_LIVE)?;
    Ok(())
}

pub(crate) fn set_vcpus(connect: &Connect, vm: Uuid, count: u32) -> Result<(), Fault> {
    let domain = find(connect, vm)?;
    let most = domain.vcpus_flags(sys::VIR_DOMAIN_VCPU_LIVE | sys::VIR_DOMAIN_VCPU_MAXIMUM)?;
    if count == 0 || count > most {
        return Err(HypervisorError::BadSpec {
            reason: format!("{count} of {most} virtual CPUs"),
        }
        .into());
    }
    if domain.vcpus_flags(sys::VIR_DOMAIN_VCPU_LIVE)? != count {
        domain.set_vcpus_flags(count, sys::VIR_DOMAIN_VCPU_LIVE)?;
    }
    Ok(())
}

pub(crate) fn consoles(connect: &Connect, vm: Uuid) -> Result<ConsoleEndpoints, Fault> {
    Ok(live(&find(connect, vm)?)?.consoles())
}

pub(crate) fn statistics(connect: &Connect, vm: Uuid) -> Result<DomainStatistics, Fault> {
    let domain = find(connect, vm)?;
    let seen = domain.info()?;
    let live = live(&domain)?;
    let disks = live
        .disks()
        .into_iter()
        .filter(|disk| disk.source.is_some())
        // One that was taken away since the XML was read has no counters any more.
        .filter_map(|disk| {
            let counters = domain.block_stats(&disk.target).ok()?;
            Some(DiskStatistics {
                index: disk.index,
                read: Bytes(counted(counters.rd_bytes)),
                written: Bytes(counted(counters.wr_bytes)),
                read_requests: counted(counters.rd_req),
                write_requests: counted(counters.wr_req),
                read_time: Duration::ZERO,
                write_time: Duration::ZERO,
            })
        })
        .collect();
    let nics = live
        .nics()
        .into_iter()
        .filter_map(|nic| {
            let counters = domain.interface_stats(nic.tap.as_deref()?).ok()?;
            // libvirt has turned them round already: "rx" is what the guest received.
            Some(NicStatistics {
                index: nic.index,
                received: Bytes(counted(counters.rx_bytes)),
                sent: Bytes(counted(counters.tx_bytes)),
                received_packets: counted(counters.rx_packets),
                sent_packets: counted(counters.tx_packets),
                receive_errors: counted(counters.rx_errs),
                send_errors: counted(counters.tx_errs),
            })
        })
        .collect();
    Ok(DomainStatistics {
        cpu_time: Duration::from_nanos(seen.cpu_time),
        vcpu_times: ffi::vcpu_times(&domain, seen.nr_virt_cpu).unwrap_or_default(),
        memory: memory(&domain, from_kib(seen.memory), from_kib(seen.max_mem)),
        disks,
        nics,
    })
}

/// libvirt says -1 for what it does not know.
fn counted(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn from_kib(kib: u64) -> Bytes {
    Bytes(kib.saturating_mul(Bytes::KIB))
}

fn memory(domain: &VirtDomain, actual: Bytes, maximum: Bytes) -> MemoryStatistics {
    let mut memory = MemoryStatistics {
        actual,
        maximum,
        ..MemoryStatistics::default()
    };
    for entry in domain.memory_stats(0).unwrap_or_default() {
        let value = from_kib(entry.val);
        match entry.tag {
            sys::VIR_DOMAIN_MEMORY_STAT_AVAILABLE => memory.guest_total = Some(value),
            sys::VIR_DOMAIN_MEMORY_STAT_UNUSED => memory.guest_free = Some(value),
            sys::VIR_DOMAIN_MEMORY_STAT_RSS => memory.resident = Some(value),
            _ => {}
        }
    }
    memory
}
