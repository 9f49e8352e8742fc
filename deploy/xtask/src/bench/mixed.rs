//! Sixty-four clients that read, list and write for five minutes: no error, and no more memory after the first minute.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::bed::{self, Bed};
use super::idle;
use crate::pool::state::Hypervisor;

/// Where each write carries its number.
const NUMBER: &str = "NUMBERNUMBER";
const MINUTES: usize = 5;

/// Runs it.
pub fn run() -> Result<()> {
    let load = bed::example("gateway-server", "https_load")?;
    let bed = Bed::up(Hypervisor::Sim)?;
    let vms = bed.vms(200, "used")?;
    let session = bed.reference();
    let first = vms.first().context("no VM")?.as_str();
    let mut requests = vec![
        bed::call("VM.get_record", &[session, first]),
        bed::call("VM.get_all", &[session]),
        bed::call("host.get_all_records", &[session]),
        bed::call("VM.get_all_records", &[session]),
        bed::call("VM.get_by_name_label", &[session, "used 1"]),
    ];
    for vm in vms.iter().take(3) {
        requests.push(bed::call("VM.set_name_description", &[session, vm, NUMBER]));
    }
    let nodes = idle::nodes(&bed)?;
    println!("minute   calls/s   p50 ms   p99 ms   RSS of each node, MiB");
    let mut after_first = Vec::new();
    for minute in 1..=MINUTES {
        let mut command = Command::new(&load);
        command.args(["--target", &bed.api()?, "--connections", "64", "--seconds", "59"]);
        // Every body has a place for a number, so that the writes are writes: it goes into a comment of the readers'.
        command.args(["--expect", "Success", "--number-at", NUMBER]);
        for (number, body) in requests.iter().enumerate() {
            let file = bed.dir().join(format!("mixed-{number}.xml"));
            let body = match body.contains(NUMBER) {
                true => body.clone(),
                false => body.replace("</methodName>", &format!("</methodName><!-- {NUMBER} -->")),
            };
            fs::write(&file, body).context("write a request")?;
            command.arg("--request").arg(file);
        }
        let report = bed::load(&mut command)?;
        let resident: Vec<f64> = nodes
            .iter()
            .map(|pid| idle::resident(pid))
            .collect::<Result<_>>()?;
        let shown: Vec<String> = resident.iter().map(|r| format!("{r:.0}")).collect();
        println!(
            "{minute:>6}   {:>7.0}   {:>6.2}   {:>6.2}   {}",
            report.rate,
            report.p50,
            report.p99,
            shown.join(" ")
        );
        if minute == 1 {
            after_first = resident;
        } else if minute == MINUTES {
            let growth: Vec<String> = resident
                .iter()
                .zip(&after_first)
                .map(|(last, first)| format!("{:+.0}", last - first))
                .collect();
            println!("MiB since the first minute: {}", growth.join(" "));
        }
    }
    Ok(())
}
