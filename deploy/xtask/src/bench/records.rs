//! `VM.get_all_records` of ten thousand VMs through HTTPS: how long one call takes, and how much memory the master takes for it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::bed::{self, Bed};
use super::idle;
use crate::pool::state::Hypervisor;
use crate::run;

const VMS: usize = 10_000;

/// Runs it.
pub fn run() -> Result<()> {
    let load = bed::example("gateway-server", "https_load")?;
    let bed = Bed::up(Hypervisor::Sim)?;
    bed.vms(VMS, "listed")?;
    let request = bed.dir().join("records.xml");
    fs::write(&request, bed::call("VM.get_all_records", &[bed.reference()])).context("write a request")?;
    let master = bed.master()?;
    let ask = |connections: &str, seconds: &str| -> Result<serde_json::Value> {
        let mut command = Command::new(&load);
        command.args(["--target", &bed.api()?, "--expect", "Success", "--warmup", "0"]);
        command.args(["--connections", connections, "--seconds", seconds]);
        command.arg("--request").arg(&request);
        let text = run::output(&mut command)?;
        serde_json::from_str(text.lines().last().unwrap_or_default()).context("read the report")
    };
    println!("calls      p50 ms   p99 ms   reply MiB   RSS before   peak   growth / reply");
    // The first call writes every record; later ones copy what is kept with the rows.
    for (name, connections, seconds) in [
        ("first", "1", "0.1"),
        ("one by one", "1", "10"),
        ("four at once", "4", "10"),
    ] {
        let before = idle::resident(&master)?;
        idle::forget_peak(&master)?;
        let report = ask(connections, seconds)?;
        let number = |key: &str| {
            report
                .get(key)
                .and_then(serde_json::Value::as_f64)
                .unwrap_or(f64::NAN)
        };
        anyhow::ensure!(number("errors") == 0.0, "the load saw errors: {report}");
        let reply = number("bytes") / number("requests") / f64::from(1 << 20);
        let peak = idle::peak(&master)?;
        println!(
            "{name:<12} {:>5.0}   {:>6.0}      {reply:>6.1}       {before:>6.0}  {peak:>5.0}            {:>5.2}",
            number("p50_ms"),
            number("p99_ms"),
            (peak - before) / reply,
        );
    }
    Ok(())
}
