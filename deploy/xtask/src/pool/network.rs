//! The testbed's cables: a bridge as switch, and for each host a network namespace with two
//! NICs (veth pairs) plugged into it.
//!
//! `eth0` carries the host's address; `eth1` has none and is there for guests. Names and subnet
//! hold the testbed's number: bridge `tarn5`, namespaces `tarn5-h1` …, 10.77.5.0/24.

use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::state::{HostBed, Testbed};
use crate::run::{command, output, succeeds};

const NICS: [&str; 2] = ["eth0", "eth1"];

/// Makes a bridge with the first free number and returns it.
pub fn add_switch(testbed: &mut Testbed) -> Result<()> {
    let taken = output(&mut command("ip", ["-4", "-o", "addr", "show"]))?;
    for number in 1..250 {
        let bridge = format!("tarn{number}");
        if taken.contains(&format!(" 10.77.{number}.")) {
            continue;
        }
        // Creation decides the race between two testbeds that come up together.
        if !succeeds(&mut command("ip", ["link", "add", &bridge, "type", "bridge"])) {
            if !exists(&bridge) {
                bail!("this kernel or user may not make bridges (root is needed)");
            }
            continue;
        }
        testbed.number = number;
        testbed.bridge = Some(bridge.clone());
        testbed.save()?;
        // A bridge that filters through iptables would drop guests' frames where a firewall runs.
        let address = format!("10.77.{number}.254/24");
        output(&mut command("ip", ["addr", "add", &address, "dev", &bridge]))?;
        output(&mut command("ip", ["link", "set", &bridge, "up"]))?;
        return Ok(());
    }
    bail!("all 250 testbed numbers of this machine are taken")
}

/// Without root: takes the first number whose loopback addresses nobody listens on.
pub fn choose_loopback(testbed: &mut Testbed) -> Result<()> {
    let port = testbed.ports().2;
    for number in 1..250 {
        if TcpListener::bind((Ipv4Addr::new(127, 77, number, 1), port)).is_ok() {
            testbed.number = number;
            return Ok(());
        }
    }
    bail!("all 250 testbed numbers of this machine are taken")
}

/// Makes a host's namespace and NICs, all plugged in.
pub fn add_host(testbed: &Testbed, host: &HostBed) -> Result<()> {
    let (Some(bridge), Some(netns)) = (&testbed.bridge, &host.netns) else {
        return Ok(());
    };
    output(&mut command("ip", ["netns", "add", netns]))?;
    output(&mut command("ip", ["-n", netns, "link", "set", "lo", "up"]))?;
    for (port, nic) in NICS.iter().enumerate() {
        let cable = cable(testbed, host, port);
        let mac = mac(testbed, host, port);
        output(&mut command(
            "ip",
            [
                "link", "add", &cable, "type", "veth", "peer", "name", nic, "address", &mac, "netns", netns,
            ],
        ))?;
        output(&mut command(
            "ip",
            ["link", "set", &cable, "master", bridge, "up"],
        ))?;
        output(&mut command("ip", ["-n", netns, "link", "set", nic, "up"]))?;
    }
    let address = format!("{}/24", host.address);
    output(&mut command(
        "ip",
        ["-n", netns, "addr", "add", &address, "dev", "eth0"],
    ))?;
    let gateway = format!("10.77.{}.254", testbed.number);
    output(&mut command(
        "ip",
        ["-n", netns, "route", "add", "default", "via", &gateway],
    ))?;
    Ok(())
}

/// Removes a host's namespace and cables; nothing happens when they are gone.
pub fn remove_host(testbed: &Testbed, host: &HostBed) -> Result<()> {
    for port in 0..NICS.len() {
        let cable = cable(testbed, host, port);
        if exists(&cable) {
            output(&mut command("ip", ["link", "del", &cable]))?;
        }
    }
    if let Some(netns) = &host.netns {
        let known = output(&mut command("ip", ["netns", "list"]))?;
        if known.lines().any(|line| line.split(' ').next() == Some(netns)) {
            output(&mut command("ip", ["netns", "del", netns]))?;
        }
    }
    Ok(())
}

/// Removes the bridge.
pub fn remove_switch(testbed: &Testbed) -> Result<()> {
    if let Some(bridge) = testbed.bridge.as_ref().filter(|bridge| exists(bridge)) {
        output(&mut command("ip", ["link", "del", bridge]))?;
    }
    Ok(())
}

/// Pulls a host's cables or plugs them again.
pub fn plug(testbed: &Testbed, host: &HostBed, state: Cable) -> Result<()> {
    if host.netns.is_none() {
        bail!("a host without a namespace has no cable to pull (run as root)");
    }
    let state = match state {
        Cable::Pulled => "down",
        Cable::Plugged => "up",
    };
    for port in 0..NICS.len() {
        output(&mut command(
            "ip",
            ["link", "set", &cable(testbed, host, port), state],
        ))?;
    }
    Ok(())
}

/// Whether a host hangs on the switch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cable {
    /// Partitioned from everything.
    Pulled,
    /// Connected.
    Plugged,
}

/// True when this machine lets us make bridges and namespaces.
pub fn is_possible() -> bool {
    nix::unistd::geteuid().is_root() && succeeds(Command::new("ip").args(["netns", "list"]))
}

/// The switch's end of a veth pair; interface names hold 15 characters at most.
fn cable(testbed: &Testbed, host: &HostBed, port: usize) -> String {
    format!("tarn{}-{}-{port}", testbed.number, host.name)
}

/// Locally administered and unique among testbeds of one machine.
fn mac(testbed: &Testbed, host: &HostBed, port: usize) -> String {
    let last = host
        .address
        .rsplit('.')
        .next()
        .and_then(|part| part.parse::<u8>().ok())
        .unwrap_or(0);
    format!("02:77:{:02x}:00:{port:02x}:{last:02x}", testbed.number)
}

fn exists(link: &str) -> bool {
    std::path::Path::new("/sys/class/net").join(link).exists()
}

/// The address of the `position`th host, counted from 1.
pub fn address(testbed: &Testbed, position: usize) -> Result<String> {
    let last = u8::try_from(position).context("too many hosts")?;
    Ok(if testbed.bridge.is_some() {
        format!("10.77.{}.{last}", testbed.number)
    } else {
        format!("127.77.{}.{last}", testbed.number)
    })
}
