//! `pool.json`, which tells clients and tests how to reach the pool, and `pool status`.

use std::fs;

use anyhow::{Context, Result};
use serde::Serialize;

use super::content::Content;
use super::host_files;
use super::node_cli;
use super::process::Process;
use super::serial;
use super::state::Testbed;
use crate::xmlrpc::Session;

#[derive(Serialize)]
struct PoolFile<'a> {
    username: &'a str,
    password: &'a str,
    ca: String,
    hypervisor: &'a str,
    hosts: Vec<HostEntry>,
    shared_sr: &'a str,
    network: &'a str,
    template: &'a str,
}

#[derive(Serialize)]
struct HostEntry {
    name: String,
    uuid: String,
    address: String,
    https: String,
    socket: String,
    libvirt: Option<String>,
    pid: Option<i32>,
}

/// Writes pool.json.
pub fn write(testbed: &Testbed, password: &str, content: &Content) -> Result<()> {
    let first = testbed.hosts.first().context("no host")?;
    let session = Session::login(&testbed.socket(&first.name))?;
    let records = session.call("host.get_all_records", [])?;
    let mut hosts = Vec::new();
    for host in &testbed.hosts {
        let uuid = records
            .entries()?
            .values()
            .find(|record| {
                record
                    .field("address")
                    .is_ok_and(|a| a == &host.address.as_str().into())
            })
            .with_context(|| format!("no host with address {}", host.address))?
            .field("uuid")?
            .text()?
            .to_owned();
        hosts.push(HostEntry {
            uuid,
            name: host.name.clone(),
            address: host.address.clone(),
            https: testbed.https(host),
            socket: testbed.socket(&host.name).display().to_string(),
            libvirt: testbed.libvirt(&host.name),
            pid: host.process.map(|process| process.pid),
        });
    }
    let ca = node_cli::authority_files(testbed, first)
        .into_iter()
        .find(|path| path.is_file())
        .with_context(|| format!("{} shows no pool certificate authority", first.name))?;
    let file = PoolFile {
        username: "root",
        password,
        ca: ca.display().to_string(),
        hypervisor: testbed.hypervisor.name(),
        hosts,
        shared_sr: &content.shared_sr,
        network: &content.network,
        template: &content.template,
    };
    host_files::write_secret(
        &testbed.dir().join("pool.json"),
        &serde_json::to_string_pretty(&file)?,
    )
}

/// Brings the process ids in pool.json up to date after a host was switched on or off.
pub fn refresh(testbed: &Testbed) -> Result<()> {
    let path = testbed.dir().join("pool.json");
    if !path.exists() {
        return Ok(());
    }
    let text = fs::read(&path).context("read pool.json")?;
    let mut file: serde_json::Value = serde_json::from_slice(&text).context("read pool.json")?;
    for entry in file["hosts"].as_array_mut().into_iter().flatten() {
        let host = testbed
            .hosts
            .iter()
            .find(|host| entry["name"] == host.name.as_str());
        entry["pid"] = host
            .and_then(|host| host.process)
            .map(|process| process.pid)
            .into();
    }
    host_files::write_secret(&path, &serde_json::to_string_pretty(&file)?)
}

/// Prints each host: on or off, cut or not, and what its own node says its role is.
pub fn status(testbed: &Testbed) -> Result<()> {
    println!(
        "pool in {} ({} hosts, {})",
        testbed.dir().display(),
        testbed.hosts.len(),
        testbed.hypervisor.name()
    );
    let master = testbed
        .hosts
        .iter()
        .find_map(|host| master_seen_by(testbed, &host.name).ok())
        .unwrap_or_default();
    for host in &testbed.hosts {
        let on = host.process.is_some_and(Process::alive);
        let role = match (on, host.address == master) {
            (false, _) => "-",
            (true, _) if Session::login(&testbed.socket(&host.name)).is_err() => "no API",
            (true, true) => "master",
            (true, false) => "slave",
        };
        println!(
            "{:4} {:16} {:4} {:4} {:7} {}",
            host.name,
            host.address,
            if on { "on" } else { "off" },
            if host.cut { "cut" } else { "" },
            role,
            host.process
                .map_or(String::new(), |process| format!("pid {}", process.pid)),
        );
    }
    if let Ok(session) = testbed
        .hosts
        .iter()
        .find_map(|host| Session::login(&testbed.socket(&host.name)).ok())
        .context("nobody answers")
    {
        let vms = session.call("VM.get_all_records", [])?;
        for record in vms.entries()?.values() {
            let plain = ["is_a_template", "is_control_domain", "is_a_snapshot"];
            if plain
                .iter()
                .all(|field| record.field(field).is_ok_and(|value| value == &false.into()))
            {
                println!(
                    "VM   {} {}",
                    record.field("power_state")?.text()?,
                    record.field("name_label")?.text()?
                );
            }
        }
    }
    Ok(())
}

/// Address of the host that `name`'s node takes for the master.
pub fn master_seen_by(testbed: &Testbed, name: &str) -> Result<String> {
    let session = Session::login(&testbed.socket(name))?;
    let pools = session.call("pool.get_all", [])?;
    let pool = pools.list()?.first().context("no pool row")?.clone();
    let master = session.text("pool.get_master", [pool])?;
    session.text("host.get_address", [master.into()])
}

/// Prints the last lines a guest said, host by host.
pub fn serial(testbed: &Testbed, vm: &str, count: usize) -> Result<()> {
    let uuid = if vm.len() == 36 && vm.matches('-').count() == 4 {
        vm.to_owned()
    } else {
        let sockets = testbed.hosts.iter().map(|host| testbed.socket(&host.name));
        let session = sockets
            .into_iter()
            .find_map(|socket| Session::login(&socket).ok());
        let session = session.context("no host answers")?;
        let vm = session.by_name("VM", vm)?;
        session.text("VM.get_uuid", [vm.into()])?
    };
    for (host, path) in serial::logs(testbed, &uuid) {
        println!("--- {host}: {}", path.display());
        let text = fs::read(&path).context("read the serial log")?;
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(count)) {
            println!("{line}");
        }
    }
    Ok(())
}
