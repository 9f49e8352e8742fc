//! Switches hosts on and off, and runs commands inside them.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::process::Process;
use super::state::{HostBed, Hypervisor, Testbed};
use super::{host_files, network, node_cli};

/// Switches a host on. Its node starts by itself once the host is in a pool.
pub fn on(testbed: &mut Testbed, name: &str) -> Result<()> {
    let index = testbed.index(name)?;
    let host = testbed.host(name)?.clone();
    ensure!(!host.process.is_some_and(Process::alive), "{name} is already on");
    host_files::clear_run(testbed, &host)?;
    // A reboot also forgets bridges and addresses that the last life had set up.
    network::remove_host(testbed, &host)?;
    network::add_host(testbed, &host)?;
    let process = if host.netns.is_some() {
        Some(boot(testbed, &host)?)
    } else if ready_mark(testbed, &host).exists() {
        Some(start_plain(testbed, &host)?)
    } else {
        None
    };
    if let Some(entry) = testbed.hosts.get_mut(index) {
        entry.process = process;
        entry.cut = false;
    }
    testbed.save()
}

/// Starts the first process of a host's namespaces.
fn boot(testbed: &Testbed, host: &HostBed) -> Result<Process> {
    let netns = host.netns.as_deref().context("host without a namespace")?;
    let log = log_file(testbed, host, "init.log")?;
    let mut command = Command::new("ip");
    command
        .args(["netns", "exec", netns])
        .args([
            "unshare",
            "--mount",
            "--uts",
            "--pid",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ])
        .arg(std::env::current_exe().context("find this program")?)
        .arg("host-init")
        .arg("--dir")
        .arg(testbed.dir())
        .args(["--host", &host.name])
        .arg("--binary")
        .arg(&testbed.binary);
    if testbed.hypervisor == Hypervisor::Qemu {
        command.arg("--libvirt");
    }
    if testbed.accelerator == "kvm" {
        command.arg("--kvm");
    }
    if testbed.own_system {
        command.arg("--own-system");
    }
    let outer = command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .context("start the host")?;
    // `ip` and `unshare` replace themselves, so the child's child is the namespace's process 1.
    Process::child_of(outer.id().cast_signed(), Duration::from_secs(10))
}

/// Without root a host is just its node.
fn start_plain(testbed: &Testbed, host: &HostBed) -> Result<Process> {
    let log = log_file(testbed, host, "node.log")?;
    let words = node_cli::node(&testbed.binary, &node_cli::config_path(testbed, host));
    let (program, args) = words.split_first().context("empty node command")?;
    let child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .context("start the node")?;
    Process::of(child.id().cast_signed())
}

fn log_file(testbed: &Testbed, host: &HostBed, name: &str) -> Result<fs::File> {
    let path = testbed.host_dir(&host.name).join("log").join(name);
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("open {}", path.display()))
}

/// A power failure: everything on the host dies at once.
pub fn off(testbed: &mut Testbed, name: &str) -> Result<()> {
    let index = testbed.index(name)?;
    if let Some(process) = testbed.host(name)?.process {
        process.kill()?;
    }
    // A namespace without processes still answers for its host; a host without power does not.
    let host = testbed.host(name)?;
    if host.netns.is_some() {
        network::plug(testbed, host, network::Cable::Pulled)?;
    }
    if let Some(entry) = testbed.hosts.get_mut(index) {
        entry.process = None;
    }
    testbed.save()
}

/// The mark that a host has been made part of a pool.
fn ready_mark(testbed: &Testbed, host: &HostBed) -> std::path::PathBuf {
    testbed.host_dir(&host.name).join("etc-tarn/.ready")
}

/// Lets the host's node start, now and at each later start of the host.
pub fn let_node_start(testbed: &mut Testbed, name: &str) -> Result<()> {
    let host = testbed.host(name)?.clone();
    fs::write(ready_mark(testbed, &host), "").context("mark the host ready")?;
    if host.netns.is_none() {
        let process = start_plain(testbed, &host)?;
        let index = testbed.index(name)?;
        if let Some(entry) = testbed.hosts.get_mut(index) {
            entry.process = Some(process);
        }
        testbed.save()?;
    }
    Ok(())
}

/// Where a host finds programs: the testbed's own first, so that `xe` is that of the pool.
fn path_with_programs(testbed: &Testbed) -> std::ffi::OsString {
    let own = testbed.binary.parent().map(std::path::Path::to_owned);
    let known = std::env::var_os("PATH").unwrap_or_default();
    let all = own.into_iter().chain(std::env::split_paths(&known));
    std::env::join_paths(all).unwrap_or_else(|_| known.clone())
}

/// A command that runs inside a host.
pub fn inside(testbed: &Testbed, name: &str, words: &[String]) -> Result<Command> {
    let host = testbed.host(name)?;
    let (program, args) = words.split_first().context("no command given")?;
    let Some(_) = &host.netns else {
        let mut command = Command::new(program);
        command.args(args);
        return Ok(command);
    };
    let process = host.process.filter(|process| process.alive());
    let process = process.with_context(|| format!("{name} is off"))?;
    let mut command = Command::new("nsenter");
    command
        .args(["-t", &process.pid.to_string(), "-m", "-u", "-n", "-p", "--"])
        .arg(program)
        .args(args)
        .env("PATH", path_with_programs(testbed));
    Ok(command)
}
