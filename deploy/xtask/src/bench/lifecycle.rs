//! `VM.start` against `virsh create` of the same XML, `VM.pool_migrate` against `virsh migrate` of the same guest.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::bed::{self, Bed};
use crate::pool::power;
use crate::pool::state::Hypervisor;
use crate::run;
use crate::xmlrpc::Value;

const ROUNDS: usize = 7;
/// How often both sides take turns in moving a guest, and the moves of a turn: there and back.
const TURNS: usize = 3;
const MOVES: usize = 4;
/// Until then the guest has booted and counts.
const BOOTED: Duration = Duration::from_secs(10);

/// One of the two hosts.
struct Host {
    name: String,
    reference: String,
    address: String,
}

/// From one to the other.
struct Way<'a> {
    from: &'a Host,
    to: &'a Host,
}

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
        hosts.push(Host {
            name: host.name.clone(),
            reference: session.by_name("host", &host.name)?,
            address: host.address.clone(),
        });
    }
    let [first, second] = hosts.as_slice() else {
        anyhow::bail!("two hosts are needed")
    };
    let (there, back) = (
        Way {
            from: first,
            to: second,
        },
        Way {
            from: second,
            to: first,
        },
    );
    let ways = [there, back];
    let one = first.name.as_str();
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
                Value::from(first.reference.as_str()),
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
    let metrics = session.text("VM.get_metrics", [this()])?;
    // virsh needs a way to the other libvirtd: its socket is seen from outside, so virsh runs there.
    let socket = |name: &str| {
        let path = bed.testbed.host_dir(name).join("run/libvirt/libvirt-sock");
        format!("qemu+unix:///system?socket={}", path.display())
    };
    for _ in 0..TURNS {
        start()?;
        std::thread::sleep(BOOTED);
        for way in ways.iter().cycle().take(MOVES) {
            let before = Instant::now();
            session.call(
                "VM.pool_migrate",
                [this(), Value::from(way.to.reference.as_str()), Value::map([])],
            )?;
            ours.push(before.elapsed().as_secs_f64());
            let told = session.call("VM_metrics.get_other_config", [Value::from(metrics.as_str())])?;
            let gap: f64 = told.field("tarn_migration_downtime_ms")?.text()?.parse()?;
            our_gaps.push(gap / 1000.0);
        }
        session.call("VM.hard_shutdown", [this()])?;
        run::output(&mut on(one, &["virsh", "create", &seen])?)?;
        std::thread::sleep(BOOTED);
        for way in ways.iter().cycle().take(MOVES) {
            let mut migrate = Command::new("virsh");
            migrate.args([
                "-c",
                &socket(&way.from.name),
                "migrate",
                "--live",
                "--unsafe",
                &other,
            ]);
            migrate.arg(socket(&way.to.name));
            migrate.args(["--migrateuri", &format!("tcp://{}", way.to.address)]);
            let before = Instant::now();
            run::output(&mut migrate)?;
            theirs.push(before.elapsed().as_secs_f64());
            let words = ["virsh", "domjobinfo", &other, "--completed"];
            their_gaps.push(downtime(&run::output(&mut on(&way.to.name, &words)?)?)?);
        }
        run::output(&mut on(one, &["virsh", "destroy", &other])?)?;
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
    let count = us.len();
    let (us, them) = (bed::median(us), bed::median(them));
    println!(
        "{ours} {us:.3} s, {theirs} {them:.3} s (medians of {count}): {:.2} times",
        us / them
    );
}
