//! Reads against a bare HTTPS server that answers the same bytes from the same host: 64 connections.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::bed::{self, Bed};
use crate::pool::power;
use crate::pool::state::Hypervisor;

const ROUNDS: usize = 5;

/// Runs it.
pub fn run() -> Result<()> {
    let load = bed::example("gateway-server", "https_load")?;
    let bare = bed::example("gateway-server", "bare_https")?;
    let bed = Bed::up(Hypervisor::Sim)?;
    let vm = bed.vm("read")?;
    let request = bed.dir().join("read.xml");
    fs::write(&request, bed::call("VM.get_record", &[bed.reference(), &vm])).context("write a request")?;
    // The answer as it comes, for the bare server to repeat.
    let answer = bed.dir().join("answer.xml");
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--insecure", "--data-binary"])
        .arg(format!("@{}", request.display()));
    curl.arg("--output")
        .arg(&answer)
        .arg(format!("https://{}/", bed.api()?));
    crate::run::output(&mut curl)?;
    // On the master's host: what is asked comes to both by the same way.
    let master = bed.testbed.hosts.first().context("no host")?;
    let words = [
        bare.display().to_string(),
        "--listen".to_owned(),
        format!("{}:0", master.address),
        "--body".to_owned(),
        answer.display().to_string(),
    ];
    let mut server = power::inside(&bed.testbed, &master.name, &words)?
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("start the bare server")?;
    let mut line = String::new();
    BufReader::new(server.stdout.take().context("read its address")?).read_line(&mut line)?;
    let address: serde_json::Value = serde_json::from_str(&line).context("read its address")?;
    let address = address
        .get("https")
        .and_then(serde_json::Value::as_str)
        .context("read its address")?
        .to_owned();
    println!("tarn/s    p99 ms   bare/s    p99 ms   ratio");
    let mut ratios = Vec::new();
    let mut measure = || -> Result<()> {
        for _ in 0..ROUNDS {
            let mut reports = Vec::new();
            for target in [bed.api()?, address.clone()] {
                let mut command = Command::new(&load);
                command.args([
                    "--target",
                    &target,
                    "--connections",
                    "64",
                    "--seconds",
                    "5",
                    "--expect",
                    "Success",
                ]);
                command.arg("--request").arg(&request);
                reports.push(bed::load(&mut command)?);
            }
            if let [us, them] = reports.as_slice() {
                ratios.push(us.rate / them.rate);
                println!(
                    "{:>7.0}  {:>7.2}  {:>7.0}  {:>7.2}  {:>5.2}",
                    us.rate,
                    us.p99,
                    them.rate,
                    them.p99,
                    us.rate / them.rate
                );
            }
        }
        Ok(())
    };
    let measured = measure();
    let _ = server.kill();
    let _ = server.wait();
    measured?;
    println!("median ratio {:.2}", bed::median(ratios));
    Ok(())
}
