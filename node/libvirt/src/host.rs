//! What the host is, from `/proc` and libvirt.

use std::collections::BTreeSet;

use node_hypervisor::{Accelerator, Bytes, HostFacts};
use virt::connect::Connect;

use crate::error::Fault;

/// Reads everything anew. Blocks for a moment.
pub(crate) fn facts(connect: &Connect, accelerator: Accelerator) -> Result<HostFacts, Fault> {
    let cpu = CpuText::read(&file("/proc/cpuinfo"));
    let memory = file("/proc/meminfo");
    let kilobytes = |key: &str| {
        let line = memory
            .lines()
            .find_map(|l| l.strip_prefix(key)?.strip_prefix(':'));
        line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok())
    };
    let total = kilobytes("MemTotal").unwrap_or_else(|| connect.node_info().map_or(0, |n| n.memory));
    let free = match kilobytes("MemAvailable") {
        Some(free) => free.saturating_mul(1024),
        None => connect.free_memory()?,
    };
    let total = Bytes(total.saturating_mul(1024));
    Ok(HostFacts {
        hostname: file("/proc/sys/kernel/hostname").trim().to_owned(),
        cpus: cpu.count.max(1),
        sockets: u32::try_from(cpu.sockets.len()).unwrap_or(1).max(1),
        cpu_vendor: cpu.vendor,
        cpu_model_name: cpu.model_name,
        cpu_mhz: cpu.mhz,
        cpu_family: cpu.family,
        cpu_model: cpu.model,
        cpu_stepping: cpu.stepping,
        cpu_flags: cpu.flags,
        memory_total: total,
        memory_free: Bytes(free).min(total),
        hypervisor: connect.driver_type()?,
        hypervisor_version: version(connect.hyp_version()?),
        driver_version: version(connect.lib_version()?),
        accelerator,
        kernel: file("/proc/sys/kernel/osrelease").trim().to_owned(),
    })
}

fn file(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// libvirt writes 7.2.22 as 7002022.
fn version(number: u32) -> String {
    format!(
        "{}.{}.{}",
        number / 1_000_000,
        number / 1000 % 1000,
        number % 1000
    )
}

#[derive(Default)]
struct CpuText {
    count: u32,
    sockets: BTreeSet<String>,
    vendor: String,
    model_name: String,
    mhz: u32,
    family: String,
    model: String,
    stepping: String,
    flags: Vec<String>,
}

impl CpuText {
    fn read(text: &str) -> CpuText {
        let mut cpu = CpuText::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match key.trim() {
                "processor" => cpu.count = cpu.count.saturating_add(1),
                "physical id" => {
                    cpu.sockets.insert(value.to_owned());
                }
                "vendor_id" => value.clone_into(&mut cpu.vendor),
                "model name" => value.clone_into(&mut cpu.model_name),
                "cpu MHz" => {
                    cpu.mhz = value.split('.').next().and_then(|v| v.parse().ok()).unwrap_or(0);
                }
                "cpu family" => value.clone_into(&mut cpu.family),
                "model" => value.clone_into(&mut cpu.model),
                "stepping" => value.clone_into(&mut cpu.stepping),
                "flags" if cpu.flags.is_empty() => {
                    cpu.flags = value.split_whitespace().map(String::from).collect();
                }
                _ => {}
            }
        }
        cpu
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn processors_and_sockets_are_counted() {
        let one = "processor : 0\nvendor_id : V\nmodel : 1\nmodel name : M\ncpu MHz : 2200.5\nphysical id : 0\nflags : fpu de\n";
        let cpu = CpuText::read(&format!("{one}\n{one}"));
        assert_eq!((cpu.count, cpu.sockets.len(), cpu.mhz), (2, 1, 2200));
        assert_eq!((cpu.model.as_str(), cpu.model_name.as_str()), ("1", "M"));
        assert_eq!(cpu.flags, ["fpu", "de"]);
        assert_eq!(version(7_002_022), "7.2.22");
    }
}
