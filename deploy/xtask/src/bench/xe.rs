//! `xe vm-list` on a host of a pool with 500 VMs.

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result};

use super::bed::Bed;
use crate::pool::power;
use crate::pool::state::Hypervisor;
use crate::xmlrpc::Value;

const VMS: usize = 500;
const ROUNDS: usize = 30;

/// Runs it.
pub fn run() -> Result<()> {
    let bed = Bed::up(Hypervisor::Sim)?;
    for vm in bed.vms(VMS, "shown")? {
        bed.session.call("VM.provision", [Value::from(vm)])?;
    }
    println!("on       printed   p50 ms   p90 ms");
    // The master answers at once, another host passes the call on.
    for host in bed.testbed.hosts.iter().take(2) {
        let (mut times, mut lines) = (Vec::new(), 0);
        // A shell within the host measures, so that entering the host does not count.
        let script = format!(
            "for i in $(seq {ROUNDS}); do a=$(date +%s%N); xe vm-list > /tmp/xe-bench.txt; b=$(date +%s%N); \
             echo $((b - a)); done; grep -c uuid /tmp/xe-bench.txt; rm -f /tmp/xe-bench.txt"
        );
        let words = ["bash".to_owned(), "-c".to_owned(), script];
        let mut command = power::inside(&bed.testbed, &host.name, &words)?;
        let began = Instant::now();
        let output = command.stderr(Stdio::inherit()).output().context("run xe")?;
        anyhow::ensure!(output.status.success(), "xe failed");
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            match line.parse::<f64>() {
                Ok(nanos) if nanos > 100_000.0 => times.push(nanos / 1e6),
                _ => lines = line.parse().unwrap_or(0),
            }
        }
        anyhow::ensure!(lines >= VMS && times.len() == ROUNDS, "{lines} VMs in {began:?}");
        times.sort_by(f64::total_cmp);
        let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(f64::NAN);
        println!("{:<8} {lines:>7}   {:>6.1}   {:>6.1}", host.name, at(50), at(90));
    }
    Ok(())
}
