//! How virtual CPUs share the host's processors.

use std::path::Path;

use node_hypervisor::{CpuTuning, HypervisorError};
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::{SchedBandwidth, SchedulerInfo};
use virt_sys as sys;

use crate::bridge::find;
use crate::error::Fault;

/// The usual weight of a domain under Xen.
const USUAL_WEIGHT: u64 = 256;
/// Time over which a cap is kept, in microseconds.
const PERIOD: u64 = 100_000;
/// Shortest time that libvirt takes for a quota.
const LEAST_QUOTA: i64 = 1_000;

pub(crate) fn set(connect: &Connect, vm: Uuid, tuning: &CpuTuning) -> Result<(), Fault> {
    let domain = find(connect, vm)?;
    let count = domain.vcpus_flags(sys::VIR_DOMAIN_VCPU_LIVE)?.max(1);
    let scheduler = parameters(tuning, count, is_unified());
    if scheduler.cpu_shares.is_some() || scheduler.vcpu_bw.quota.is_some() {
        domain.set_scheduler_parameters(&scheduler)?;
    }
    let processors = connect.node_info()?.cpus;
    let map = bitmap(&tuning.mask, processors)?;
    for number in 0..count {
        domain.pin_vcpu(number, &map)?;
    }
    Ok(())
}

/// Shares are counted otherwise where the host has the unified hierarchy of control groups.
/// Source: the kernel's cgroup-v1/cpuacct (1024 is usual) and cgroup-v2 (`cpu.weight`, 100 is usual).
fn is_unified() -> bool {
    Path::new("/sys/fs/cgroup/cgroup.controllers").exists()
}

fn parameters(tuning: &CpuTuning, count: u32, unified: bool) -> SchedulerInfo {
    let (usual, least, most) = if unified {
        (100, 1, 10_000)
    } else {
        (1024, 2, 262_144)
    };
    let shares = tuning
        .weight
        .map(|weight| (u64::from(weight).saturating_mul(usual) / USUAL_WEIGHT).clamp(least, most));
    let quota = tuning.cap.map(|cap| match cap {
        0 => -1,
        cap => (i64::from(cap).saturating_mul(1_000) / i64::from(count.max(1))).max(LEAST_QUOTA),
    });
    SchedulerInfo {
        cpu_shares: shares,
        vcpu_bw: SchedBandwidth {
            period: quota.map(|_| PERIOD),
            quota,
        },
        ..SchedulerInfo::default()
    }
}

/// One bit per processor, the first in the lowest place.
fn bitmap(mask: &[u32], processors: u32) -> Result<Vec<u8>, HypervisorError> {
    if let Some(cpu) = mask.iter().find(|cpu| **cpu >= processors) {
        return Err(HypervisorError::BadSpec {
            reason: format!("the host has no processor {cpu}"),
        });
    }
    let mut map = vec![0u8; usize::try_from(processors.div_ceil(8)).unwrap_or(0)];
    for cpu in 0..processors {
        let place = usize::try_from(cpu / 8).ok().and_then(|at| map.get_mut(at));
        if let Some(byte) = place
            && (mask.is_empty() || mask.contains(&cpu))
        {
            *byte |= 1 << (cpu % 8);
        }
    }
    Ok(map)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn weights_and_caps_become_shares_and_quotas() {
        let tuning = CpuTuning {
            weight: Some(512),
            cap: Some(50),
            mask: Vec::new(),
        };
        let old = parameters(&tuning, 2, false);
        assert_eq!(
            (old.cpu_shares, old.vcpu_bw.period, old.vcpu_bw.quota),
            (Some(2048), Some(PERIOD), Some(25_000))
        );
        assert_eq!(parameters(&tuning, 2, true).cpu_shares, Some(200));
        let free = CpuTuning {
            cap: Some(0),
            ..CpuTuning::default()
        };
        let free = parameters(&free, 1, true);
        assert_eq!((free.cpu_shares, free.vcpu_bw.quota), (None, Some(-1)));
        assert_eq!(parameters(&CpuTuning::default(), 1, true).vcpu_bw.quota, None);
    }

    #[test]
    fn a_mask_is_one_bit_per_processor() {
        assert_eq!(bitmap(&[0, 9], 10).unwrap(), [0b1, 0b10]);
        assert_eq!(bitmap(&[], 10).unwrap(), [0xff, 0b11]);
        assert!(bitmap(&[10], 10).is_err());
    }
}
