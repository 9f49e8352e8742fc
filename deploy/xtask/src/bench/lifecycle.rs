//! `VM.start` against `virsh create` of the same XML, `VM.pool_migrate` against `virsh migrate` of the same guest.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};

use super::bed::{self, Bed};
use crate::pool::power;
use crate::pool::state::Hypervisor;
use crate::run;
use crate::xmlrpc::Value;

const ROUNDS: usize = 7;

/// Runs it.
pub fn run() -> Result<()> {
    let bed = Bed::up(Hypervisor::Qemu)?;
    let session = &bed.session;
    let template = session.by_name("VM", crate::pool::TEMPLATE)?;
    let vm = session.text(
        "VM.clone",
        [Value::from(template.as_str()), Value::from("measured")],
    )?;
    let this = || Value::from(vm.as_str());
    session.call("VM.provision", [this()])?;
    let uuid = session.text("VM.get_uuid", [this()])?;
    let mut hosts = Vec::new();
    for host in bed.testbed.hosts.iter().take(2) {
        hosts.push((
            host.name.clone(),
            session.by_name("host", &host.name)?,
            host.address.clone(),
        ));
    }
    let [(one, first, _), (two, second, address)] = hosts.as_slice() else {
        anyhow::bail!("two hosts are needed")
    };
    let on = |host: &str, words: &[&str]| -> Result<Command> {
        let words: Vec<String> = words.iter().map(|w| (*w).to_owned()).collect();
        power::inside(&bed.testbed, host, &words)
    };

    let start = || -> Result<f64> {
        let before = Instant::now();
        session.call(
            "VM.start_on",
            [
                this(),
                Value::from(first.as_str()),
                Value::Bool(false),
                Value::Bool(true),
            ],
        )?;
        Ok(before.elapsed().as_secs_f64())
    };
    start()?;
    // The very domain that Tarn made, with its volatile parts, for virsh to make again.
    let xml = run::output(&mut on(one, &["virsh", "dumpxml", "--migratable", &uuid])?)?;
    // Under another name and without the node's mark: the pool ends what it has not started.
    let other = format!("00000000{}", uuid.get(8..).unwrap_or_default());
    let xml = unmarked(&xml)
        .replace(&format!("<uuid>{uuid}"), &format!("<uuid>{other}"))
        .replace(&format!("{uuid}</name>"), &format!("{other}</name>"));
    let file = bed.testbed.shared_dir().join("measured.xml");
    std::fs::write(&file, xml).context("keep the domain's XML")?;
    let seen = format!("{}/measured.xml", crate::pool::SHARED);
    session.call("VM.hard_shutdown", [this()])?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(start()?);
        session.call("VM.hard_shutdown", [this()])?;
        let mut create = on(one, &["virsh", "create", &seen])?;
        let before = Instant::now();
        run::output(&mut create)?;
        theirs.push(before.elapsed().as_secs_f64());
        run::output(&mut on(one, &["virsh", "destroy", &other])?)?;
    }
    report("VM.start", "virsh create", ours, theirs);

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let (mut our_gaps, mut their_gaps) = (Vec::new(), Vec::new());
    let gap = |host: &str, domain: &str| -> Result<f64> {
        let told = run::output(&mut on(host, &["virsh", "domjobinfo", domain, "--completed"])?)?;
        downtime(&told)
    };
    start()?;
    for round in 0..ROUNDS {
        let (target, there) = if round % 2 == 0 {
            (second, two)
        } else {
            (first, one)
        };
        let before = Instant::now();
        session.call(
            "VM.pool_migrate",
            [this(), Value::from(target.as_str()), Value::map([])],
        )?;
        ours.push(before.elapsed().as_secs_f64());
        our_gaps.push(gap(there, &uuid)?);
    }
    session.call("VM.hard_shutdown", [this()])?;
    // virsh needs a way to the other libvirtd: its socket is seen from outside, so virsh runs there.
    let socket = |name: &str| {
        format!(
            "qemu+unix:///system?socket={}",
            bed.testbed
                .host_dir(name)
                .join("run/libvirt/libvirt-sock")
                .display()
        )
    };
    run::output(&mut on(one, &["virsh", "create", &seen])?)?;
    for round in 0..ROUNDS {
        let (from, to, at) = if round % 2 == 0 {
            (one, two, address.clone())
        } else {
            (
                two,
                one,
                bed.testbed.hosts.first().context("no host")?.address.clone(),
            )
        };
        let mut migrate = Command::new("virsh");
        migrate.args([
            "-c",
            &socket(from),
            "migrate",
            "--live",
            "--unsafe",
            &other,
            &socket(to),
        ]);
        migrate.args(["--migrateuri", &format!("tcp://{at}")]);
        let before = Instant::now();
        run::output(&mut migrate)?;
        theirs.push(before.elapsed().as_secs_f64());
        their_gaps.push(gap(to, &other)?);
    }
    report("VM.pool_migrate", "virsh migrate", ours, theirs);
    report(
        "downtime of VM.pool_migrate",
        "of virsh migrate",
        our_gaps,
        their_gaps,
    );
    Ok(())
}

/// Seconds for which a domain that has been moved stood still, from what `virsh domjobinfo` tells.
fn downtime(told: &str) -> Result<f64> {
    let line = told.lines().find_map(|line| line.strip_prefix("Total downtime:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    let milliseconds: f64 = number.context("no downtime is told")?.parse()?;
    Ok(milliseconds / 1000.0)
}

/// A description without the node's mark.
fn unmarked(xml: &str) -> String {
    match (xml.find("<metadata>"), xml.split_once("</metadata>")) {
        (Some(from), Some((_, rest))) => format!("{}{rest}", xml.get(..from).unwrap_or_default()),
        _ => xml.to_owned(),
    }
}

fn report(ours: &str, theirs: &str, us: Vec<f64>, them: Vec<f64>) {
    let (us, them) = (bed::median(us), bed::median(them));
    println!(
        "{ours} {us:.3} s, {theirs} {them:.3} s (medians of {ROUNDS}): {:.2} times",
        us / them
    );
}
