//! From the loss of the master's power to the first write on its successor.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::bed::{self, Bed};
use crate::pool;
use crate::pool::state::Hypervisor;
use crate::xmlrpc::{Session, Value};

const ROUNDS: usize = 20;

/// Runs it.
pub fn run() -> Result<()> {
    let bed = Bed::up(Hypervisor::Sim)?;
    let vm = bed.vm("failover")?;
    let names: Vec<String> = bed.testbed.hosts.iter().map(|h| h.name.clone()).collect();
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let address = agreed(&bed, &names)?;
        let master = bed
            .testbed
            .hosts
            .iter()
            .find(|h| h.address == address)
            .context("the master is no host of ours")?;
        let others: Vec<_> = bed
            .testbed
            .hosts
            .iter()
            .filter(|h| h.name != master.name)
            .collect();
        // Switching off takes the host's network away too, which may last longer than an election.
        let began = Instant::now();
        pool::switch_off(bed.dir(), &master.name)?;
        // The slave's socket passes the call on to the leader: what any client that follows HOST_IS_SLAVE sees.
        let wrote = loop {
            let first = others.first().context("no other host")?;
            let socket = bed.testbed.host_dir(&first.name).join("var-xapi/xapi");
            let answer = Session::login(&socket).and_then(|s| {
                s.call(
                    "VM.set_name_label",
                    [
                        Value::from(vm.as_str()),
                        Value::from(format!("round {round}").as_str()),
                    ],
                )
            });
            if answer.is_ok() {
                break began.elapsed();
            }
            if began.elapsed() > Duration::from_secs(60) {
                bail!("no master after a minute");
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        times.push(wrote.as_secs_f64());
        print!("{:.2} ", wrote.as_secs_f64());
        pool::switch_on(bed.dir(), &master.name)?;
    }
    println!("\nmedian of {ROUNDS}: {:.2} s", bed::median(times));
    Ok(())
}

/// The address of the master that all hosts name: one that has just come back may not have heard of it yet.
fn agreed(bed: &Bed, names: &[String]) -> Result<String> {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let told: Result<Vec<String>> = names
            .iter()
            .map(|name| pool::master_address(&bed.testbed, name))
            .collect();
        match told.as_deref() {
            Ok([first, rest @ ..]) if rest.iter().all(|other| other == first) => return Ok(first.clone()),
            _ if Instant::now() > deadline => bail!("the hosts name no master that they agree on: {told:?}"),
            _ => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}
