//! Two hundred clients that wait in `event.from`, and a hundred writes a second: how long from a write to whom it concerns; and
//! what it costs to hear of much, or of little among much.

use std::fs;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use super::bed::{self, Bed};
use crate::pool::state::Hypervisor;
use crate::run;
use crate::xmlrpc::Value;

const CLIENTS: usize = 200;
const VMS: usize = 10_000;

/// Runs it.
pub fn run() -> Result<()> {
    let load = bed::example("gateway-server", "event_load")?;
    let bed = Bed::up(Hypervisor::Sim)?;
    let vms = bed.vms(CLIENTS, "waited for")?;
    let file = bed.dir().join("vms.txt");
    fs::write(&file, vms.join("\n")).context("write the VMs")?;
    println!("each waits for   writes/s   told/s   p50 ms   p99 ms   max ms   a write's own p50   p99");
    for (name, all, writes) in [("a VM of its own", false, "100"), ("every VM", true, "10")] {
        let mut command = Command::new(&load);
        command.args(["--target", &bed.api()?, "--session", bed.reference()]);
        command.args(["--clients", &CLIENTS.to_string(), "--writes", writes]);
        command.arg("--vms").arg(&file);
        if all {
            command.arg("--all");
        }
        let text = run::output(&mut command)?;
        let report: serde_json::Value =
            serde_json::from_str(text.lines().last().unwrap_or_default()).context("read the report")?;
        let number = |key: &str| {
            report
                .get(key)
                .and_then(serde_json::Value::as_f64)
                .unwrap_or(f64::NAN)
        };
        println!(
            "{name:<16}   {writes:>6}   {:>6.0}   {:>6.1}   {:>6.1}   {:>6.1}   {:>17.1}   {:>3.1}",
            number("per_second"),
            number("p50_ms"),
            number("p99_ms"),
            number("max_ms"),
            number("write_p50_ms"),
            number("write_p99_ms"),
        );
    }
    let few = costs(&bed, &vms, "among 200 VMs")?;
    bed.vms(VMS - CLIENTS, "not waited for")?;
    let among_many = costs(&bed, &vms, "among 10,000 VMs")?;
    println!(
        "the same changes among fifty times the VMs take {:.2} times as long",
        among_many / few
    );
    let all = bed.all_vms()?;
    costs(&bed, &all, "all of 10,000 VMs")?;
    Ok(())
}

/// Has a client hear of one change of each of these VMs, and returns the milliseconds of the call.
fn costs(bed: &Bed, vms: &[String], what: &str) -> Result<f64> {
    let session = &bed.session;
    let ask = |token: &str| {
        let classes = Value::List(vec!["VM".into()]);
        session.call("event.from", [classes, token.into(), Value::Double(0.0)])
    };
    let token = ask("")?.field("token")?.text()?.to_owned();
    bed.rename(vms, what)?;
    let mut times = Vec::new();
    let mut told = 0;
    for _ in 0..5 {
        let before = Instant::now();
        told = ask(&token)?.field("events")?.list()?.len();
        times.push(before.elapsed().as_secs_f64() * 1000.0);
    }
    anyhow::ensure!(told == vms.len(), "{told} events of {} changes", vms.len());
    let middle = bed::median(times);
    println!(
        "{told} changes {what}: {middle:.1} ms, {:.3} ms each",
        middle / to_f64(told)
    );
    Ok(middle)
}

fn to_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::NAN, f64::from)
}
