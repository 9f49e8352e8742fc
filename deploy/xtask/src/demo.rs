//! `cargo xtask demo`: the tour. Brings three hosts up and shows what a pool of them does.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::pool::serial;
use crate::pool::state::{Hypervisor, Testbed};
use crate::pool::{self, up};
use crate::steps::{Steps, seconds};
use crate::xmlrpc::{Session, Value};
use crate::{building, guest, install, paths, rocksdb, run};

/// What the demo takes.
#[derive(Args)]
pub struct Demo {
    /// Take the pool down at the end instead of leaving it to look around in.
    #[arg(long)]
    down: bool,
    /// What the hosts run VMs on; qemu where root and libvirt are there.
    #[arg(long, value_enum)]
    hypervisor: Option<Hypervisor>,
}

/// Runs the tour on a pool of its own in target/pool.
pub fn run(args: &Demo) -> Result<()> {
    building::ensure_has_node()?;
    let mut steps = Steps::new(true);
    println!("Tarn: a XenAPI pool of three hosts on this machine\n\nGetting ready");
    let real = args.hypervisor != Some(Hypervisor::Sim) && pool::root_is_here();
    let packages = if real {
        [install::BUILD, install::TESTBED].concat()
    } else {
        install::BUILD.to_vec()
    };
    steps.run("install what is missing", || install::packages(&packages))?;
    rocksdb::ensure_built()?;
    if real {
        steps.run("build the test guest", || guest::ensure_built().map(drop))?;
    } else {
        steps.say("without root there are no real hosts: the VMs of this tour are simulated");
    }
    let hypervisor = if real { Hypervisor::Qemu } else { Hypervisor::Sim };

    println!("\nThe pool");
    let dir = pool::default_dir()?;
    pool::take_down(&dir)?;
    up::up(
        &dir,
        &up::Up {
            hypervisor: Some(hypervisor),
            ..up::Up::three_hosts()
        },
    )?;

    println!("\nThe official Python client does the guide's chapter 3");
    match install::python_client() {
        Ok(python) => steps.run("chapter 3", || chapter(&python, &dir))?,
        Err(error) => steps.say(&format!("left out: {error:#}")),
    }
    tour(&dir, &mut steps)?;

    println!("\nDone in {}.", seconds(steps.elapsed()));
    if args.down {
        return pool::take_down(&dir);
    }
    look_around(&dir);
    Ok(())
}

fn chapter(python: &Path, dir: &Path) -> Result<()> {
    println!();
    let file = dir.join("pool.json");
    let text = std::fs::read(&file).context("read pool.json")?;
    let parsed: serde_json::Value = serde_json::from_slice(&text).context("read pool.json")?;
    let script = paths::repo()?.join("deploy/dev-cluster/chapter3.py");
    let mut command = Command::new(python);
    command.arg(script).arg(&file);
    command.env("SSL_CERT_FILE", parsed["ca"].as_str().unwrap_or_default());
    run::visibly(&mut command)
}

/// One VM of the tour.
struct Guest {
    reference: String,
    uuid: String,
    mac: String,
}

/// What the API's own client cannot show: guests, cables and power.
struct Tour<'a> {
    dir: &'a Path,
    testbed: Testbed,
}

fn tour(dir: &Path, steps: &mut Steps) -> Result<()> {
    let testbed = Testbed::load(dir)?;
    let real = testbed.hypervisor == Hypervisor::Qemu;
    let tour = Tour { dir, testbed };

    println!("\nTwo guests on two hosts");
    let one = steps.run("install and start demo-1 on h1", || tour.install("demo-1", "h1"))?;
    let two = steps.run("install and start demo-2 on h2", || tour.install("demo-2", "h2"))?;
    if real {
        steps.run("both are up", || {
            tour.says(&one, "TARN-UP", Duration::from_secs(90))?;
            tour.says(&two, "TARN-UP", Duration::from_secs(90))
        })?;
        let peer = address(&two.mac)?;
        steps.run(&format!("demo-1 reaches demo-2 at {peer} across hosts"), || {
            tour.says_from(&one, &peer, "TARN-PEERS", Duration::from_secs(60))
        })?;
        steps.run("plug a disk into the running demo-1 and out again", || {
            tour.hot_plug(&one)
        })?;
    }

    println!("\nLive migration round the pool");
    for to in ["h2", "h3", "h1"] {
        steps.run(&format!("demo-1 to {to}"), || tour.migrate(&one, to))?;
    }
    if real {
        let kept = steps.run("the guest's counter", || tour.count_goes_on(&one))?;
        steps.say(&format!("{} counts, one boot, no gap", kept.last));
    }

    println!("\nThe master loses its power");
    let master = tour.master("h1")?;
    let survivor = tour.other_than(&master)?;
    let guest = if master == "h1" { &two } else { &one };
    steps.run(
        &format!("pool kill {master}, then the first change on its successor"),
        || tour.kill_and_write(&master, &survivor, guest),
    )?;
    steps.say(&format!("the new master is {}", tour.master(&survivor)?));
    if real {
        let before = tour.count_goes_on(guest)?.last;
        steps.run("the other guest never noticed", || {
            up::wait_for(Duration::from_secs(20), "the counter to go on", || {
                Ok(tour.count_goes_on(guest)?.last > before)
            })
        })?;
    }
    steps.run(
        &format!("switch {master} on again: it comes back as a slave"),
        || pool::switch_on(dir, &master),
    )
}

impl Tour<'_> {
    fn session(&self, host: &str) -> Result<Session> {
        Session::login(&self.testbed.socket(host))
    }

    fn host_reference(&self, session: &Session, name: &str) -> Result<String> {
        let address = self.testbed.host(name)?.address.as_str();
        let records = session.call("host.get_all_records", [])?;
        let (reference, _) = records
            .entries()?
            .iter()
            .find(|(_, record)| record.field("address").is_ok_and(|a| a == &address.into()))
            .with_context(|| format!("the pool has no {name}"))?;
        Ok(reference.clone())
    }

    fn install(&self, name: &str, on: &str) -> Result<Guest> {
        let session = self.session("h1")?;
        let template = session.by_name("VM", pool::TEMPLATE)?;
        let vm = session.text("VM.clone", [template.into(), name.into()])?;
        session.call("VM.provision", [vm.as_str().into()])?;
        let host = self.host_reference(&session, on)?;
        session.call(
            "VM.start_on",
            [vm.as_str().into(), host.into(), false.into(), true.into()],
        )?;
        let vifs = session.call("VM.get_VIFs", [vm.as_str().into()])?;
        let vif = vifs.list()?.first().context("the guest has no NIC")?.clone();
        Ok(Guest {
            uuid: session.text("VM.get_uuid", [vm.as_str().into()])?,
            mac: session.text("VIF.get_MAC", [vif])?,
            reference: vm,
        })
    }

    fn migrate(&self, guest: &Guest, to: &str) -> Result<()> {
        let session = self.session("h1")?;
        let host = self.host_reference(&session, to)?;
        let options = Value::map([("live", "true".into())]);
        session.call(
            "VM.pool_migrate",
            [guest.reference.as_str().into(), host.as_str().into(), options],
        )?;
        let there = session.text("VM.get_resident_on", [guest.reference.as_str().into()])?;
        ensure!(there == host, "the VM is not on {to}");
        Ok(())
    }

    fn hot_plug(&self, guest: &Guest) -> Result<()> {
        let session = self.session("h1")?;
        let pools = session.call("pool.get_all", [])?;
        let pool = pools.list()?.first().context("no pool row")?.clone();
        let sr = session.text("pool.get_default_SR", [pool])?;
        let empty = || Value::Map(Default::default());
        let vdi = session.text(
            "VDI.create",
            [Value::map([
                ("name_label", "hot plugged".into()),
                ("name_description", "".into()),
                ("SR", sr.into()),
                ("virtual_size", (16_u64 << 20).to_string().into()),
                ("type", "user".into()),
                ("sharable", false.into()),
                ("read_only", false.into()),
                ("other_config", empty()),
            ])],
        )?;
        let vbd = session.text(
            "VBD.create",
            [Value::map([
                ("VM", guest.reference.as_str().into()),
                ("VDI", vdi.as_str().into()),
                ("userdevice", "1".into()),
                ("bootable", false.into()),
                ("mode", "RW".into()),
                ("type", "Disk".into()),
                ("unpluggable", true.into()),
                ("empty", false.into()),
                ("other_config", empty()),
                ("qos_algorithm_type", "".into()),
                ("qos_algorithm_params", empty()),
            ])],
        )?;
        session.call("VBD.plug", [vbd.as_str().into()])?;
        self.says(guest, "TARN-DISKS vda vdb", Duration::from_secs(20))?;
        session.call("VBD.unplug", [vbd.as_str().into()])?;
        up::wait_for(Duration::from_secs(20), "the disk to go from the guest", || {
            let lines = serial::lines(&self.testbed, &guest.uuid);
            let last = lines.iter().rev().find(|line| line.starts_with("TARN-DISKS"));
            Ok(last.is_some_and(|line| !line.contains("vdb")))
        })?;
        session.call("VBD.destroy", [vbd.into()])?;
        session.call("VDI.destroy", [vdi.into()]).map(drop)
    }

    fn says(&self, guest: &Guest, what: &str, patience: Duration) -> Result<()> {
        self.says_from(guest, "", what, patience)
    }

    /// Waits for a line that starts with `what` and holds `word`.
    fn says_from(&self, guest: &Guest, word: &str, what: &str, patience: Duration) -> Result<()> {
        up::wait_for(patience, &format!("the guest to say {what} {word}"), || {
            let lines = serial::lines(&self.testbed, &guest.uuid);
            Ok(lines
                .iter()
                .any(|line| line.starts_with(what) && line.contains(word)))
        })
    }

    fn count_goes_on(&self, guest: &Guest) -> Result<serial::Continuity> {
        let kept = serial::continuity(&serial::lines(&self.testbed, &guest.uuid));
        ensure!(kept.boots == 1, "the guest booted {} times", kept.boots);
        ensure!(kept.gaps.is_empty(), "the guest's counter lost {:?}", kept.gaps);
        Ok(kept)
    }

    /// Name of the host that `seen_by` takes for the master.
    fn master(&self, seen_by: &str) -> Result<String> {
        let address = pool::master_address(&self.testbed, seen_by)?;
        let found = self.testbed.hosts.iter().find(|host| host.address == address);
        Ok(found.context("the master is none of our hosts")?.name.clone())
    }

    fn other_than(&self, name: &str) -> Result<String> {
        let found = self.testbed.hosts.iter().find(|host| host.name != name);
        Ok(found.context("no other host")?.name.clone())
    }

    fn kill_and_write(&self, master: &str, survivor: &str, guest: &Guest) -> Result<()> {
        pool::switch_off(self.dir, master)?;
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let written = self.session(survivor).and_then(|session| {
                let text = Value::from("written after the master died");
                session.call("VM.set_name_description", [guest.reference.as_str().into(), text])
            });
            match written {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => bail!("no new master: {error:#}"),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

/// The address that the test guest gives itself.
fn address(mac: &str) -> Result<String> {
    let bytes: Vec<u8> = mac
        .split(':')
        .map(|part| u8::from_str_radix(part, 16))
        .collect::<Result<_, _>>()
        .with_context(|| format!("read MAC {mac}"))?;
    match bytes.as_slice() {
        [_, _, _, _, five, six] => Ok(format!("10.88.{five}.{six}")),
        _ => bail!("{mac} is no MAC"),
    }
}

fn look_around(dir: &Path) {
    println!(
        "\nThe pool stays up. Look around:\n\
         \x20 cargo xtask pool status\n\
         \x20 cargo xtask pool serial demo-1       what the guest says\n\
         \x20 cargo xtask pool exec h1 virsh list  inside a host\n\
         \x20 cargo xtask pool kill|start|cut|heal h2\n\
         \x20 {}   addresses, user, password and CA for any XenAPI client\n\
         \x20 cargo xtask pool down                removes all of it",
        dir.join("pool.json").display()
    );
}

#[cfg(test)]
mod test {
    use super::address;

    #[test]
    fn a_guests_address_ends_like_its_mac() {
        assert_eq!(address("52:54:00:00:01:0a").unwrap(), "10.88.1.10");
        assert!(address("52:54:00").is_err());
    }
}
