//! A node at rest: resident memory and share of a core, of every node over a minute.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::bed::Bed;
use crate::pool::state::Hypervisor;
use crate::run;

const SECONDS: u64 = 60;

/// Runs it.
pub fn run() -> Result<()> {
    let bed = Bed::up(Hypervisor::Sim)?;
    // The first minute still has work from coming up.
    std::thread::sleep(Duration::from_secs(15));
    let pids = nodes(&bed)?;
    let before: Vec<f64> = pids.iter().map(|p| ticks(p)).collect::<Result<_>>()?;
    std::thread::sleep(Duration::from_secs(SECONDS));
    println!("pid       RSS MiB   % of a core");
    for (pid, before) in pids.iter().zip(before) {
        #[allow(clippy::cast_precision_loss, reason = "a share")]
        let share = (ticks(pid)? - before) / (SECONDS as f64);
        println!("{pid:>8}  {:>7.1}   {share:>6.2}", resident(pid)?);
    }
    Ok(())
}

/// Process ids of this pool's nodes.
pub fn nodes(bed: &Bed) -> Result<Vec<String>> {
    let program = bed.dir().join("bin/tarn").display().to_string();
    let text = run::output(&mut run::command("pgrep", ["-f", &format!("^{program} node")]))?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// Processor time used, in hundredths of a second.
fn ticks(pid: &str) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("read a node's times")?;
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    Ok(field(11) + field(12))
}

/// Resident memory in MiB.
pub fn resident(pid: &str) -> Result<f64> {
    of_status(pid, "VmRSS:")
}

/// The most that was resident since the start, or since the peak was forgotten, in MiB.
pub fn peak(pid: &str) -> Result<f64> {
    of_status(pid, "VmHWM:")
}

/// Has the kernel count the peak anew.
pub fn forget_peak(pid: &str) -> Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").context("forget a node's peak")
}

fn of_status(pid: &str, name: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("read a node's memory")?;
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix(name))
        .unwrap_or_default();
    Ok(line
        .trim()
        .trim_end_matches(" kB")
        .parse::<f64>()
        .unwrap_or(f64::NAN)
        / 1024.0)
}
