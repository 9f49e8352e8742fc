//! Filters on guests' ports by nftables: one table for each port that has something to hold back.
//!
//! The rules name the port and not its number, so they hold from the moment at which the tap appears.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use tokio::sync::Mutex;

use super::program::{self, Failure};
use crate::device::{PortLock, PortPolicy};
use crate::driver::check_name;
use crate::error::{NetworkError, Result};

/// The program.
const NFT: &str = "nft";
/// What a guest may send at once above its rate, at least, in bytes: a handful of large segments.
const LEAST_BURST: u64 = 64 * 1024;

/// What the names of the tables begin with; the port's name follows.
const TABLE: &str = "tarn_";

/// The filters of this host's ports.
#[derive(Debug, Default)]
pub struct Filters {
    /// The ports that have a table, once the kernel was asked. Nobody else makes such tables, so that a port without one
    /// need not be opened: most are never filtered, and running the program would hold up each start and each move.
    filtered: Mutex<Option<BTreeSet<String>>>,
}

impl Filters {
    /// See [`crate::NetworkDriver::set_policy`].
    pub async fn set_policy(&self, policy: &PortPolicy) -> Result<()> {
        let script = script(policy)?;
        let mut filtered = self.filtered.lock().await;
        if filtered.is_none() {
            *filtered = tables().await;
        }
        if policy.is_open()
            && let Some(known) = &*filtered
            && !known.contains(&policy.port)
        {
            return Ok(());
        }
        // Whatever comes of it, if it comes to less than all: the kernel is asked again.
        let known = filtered.take();
        run(policy, &script).await?;
        *filtered = known.map(|mut known| {
            if policy.is_open() {
                known.remove(&policy.port);
            } else {
                known.insert(policy.port.clone());
            }
            known
        });
        Ok(())
    }
}

/// The ports that have a table; `None` where the program does not say.
async fn tables() -> Option<BTreeSet<String>> {
    let listed = program::output(NFT, &["list", "tables", "bridge"], "")
        .await
        .ok()?;
    let port = |line: &str| {
        let name = line.trim().strip_prefix("table bridge ")?;
        name.strip_prefix(TABLE).map(str::to_owned)
    };
    Some(listed.lines().filter_map(port).collect())
}

async fn run(policy: &PortPolicy, script: &str) -> Result<()> {
    match program::run(NFT, &["-f", "-"], script).await {
        Ok(()) => Ok(()),
        // Where nothing can be filtered nothing is held back.
        Err(Failure::Missing) if policy.is_open() => Ok(()),
        Err(Failure::Missing) => Err(NetworkError::Unsupported {
            feature: "nftables (the program nft)",
        }),
        Err(Failure::Slow(after)) => Err(NetworkError::TimedOut {
            operation: "filter port",
            after,
        }),
        Err(Failure::Refused(why)) if policy.is_open() => {
            tracing::debug!(port = policy.port, why, "no filter was there to be removed");
            Ok(())
        }
        Err(Failure::Refused(why)) => Err(NetworkError::Kernel {
            operation: "filter port",
            name: policy.port.clone(),
            source: why.into(),
        }),
    }
}

/// Whether this host can filter, found by having the kernel check rules without making them.
pub async fn works() -> bool {
    let sample = PortPolicy {
        port: "tarntrial0".to_owned(),
        lock: PortLock::Only {
            mac: "02:00:00:00:00:01".to_owned(),
            addresses: ["192.0.2.1", "2001:db8::1"]
                .iter()
                .filter_map(|ip| ip.parse().ok())
                .collect(),
        },
        rate: Some(1_000_000),
    };
    match script(&sample) {
        Ok(script) => program::run(NFT, &["-c", "-f", "-"], &script).await.is_ok(),
        Err(_) => false,
    }
}

/// The rules as one change: the port's table goes and comes back in the same moment.
fn script(policy: &PortPolicy) -> Result<String> {
    let port = &policy.port;
    check_name(port)?;
    if !port.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(NetworkError::BadName {
            name: port.clone(),
            reason: "guests' ports have letters and digits only",
        });
    }
    let table = format!("bridge {TABLE}{port}");
    let mut text = format!("add table {table}\ndelete table {table}\n");
    if policy.is_open() {
        return Ok(text);
    }
    let mut line = |words: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{words}");
    };
    line(&format!("table {table} {{"));
    line("chain from_guest {");
    line("type filter hook prerouting priority -200; policy accept;");
    line(&format!("iifname != \"{port}\" accept"));
    if let Some(rate) = policy.rate {
        let burst = (rate / 10).max(LEAST_BURST);
        line(&format!(
            "limit rate over {} bytes/second burst {burst} bytes drop",
            rate.max(1)
        ));
    }
    match &policy.lock {
        PortLock::Open => {}
        PortLock::Shut => line("drop"),
        PortLock::Only { mac, addresses } => from_guest(&mut line, mac, addresses)?,
    }
    line("}");
    line("chain to_guest {");
    line("type filter hook postrouting priority 200; policy accept;");
    line(&format!("oifname != \"{port}\" accept"));
    match &policy.lock {
        PortLock::Open => {}
        PortLock::Shut => line("drop"),
        PortLock::Only { addresses, .. } => to_guest(&mut line, addresses),
    }
    line("}");
    line("}");
    Ok(text)
}

/// The addresses of each family, as sets in the program's words; empty ones are `None`.
fn sets(addresses: &BTreeSet<IpAddr>) -> (Option<String>, Option<String>) {
    let join = |of: fn(&IpAddr) -> bool| {
        let list: Vec<String> = addresses
            .iter()
            .filter(|ip| of(ip))
            .map(ToString::to_string)
            .collect();
        (!list.is_empty()).then(|| list.join(", "))
    };
    (join(IpAddr::is_ipv4), join(IpAddr::is_ipv6))
}

fn from_guest(line: &mut impl FnMut(&str), mac: &str, addresses: &BTreeSet<IpAddr>) -> Result<()> {
    if super::bond::mac_bytes(mac).is_none() {
        return Err(NetworkError::BadName {
            name: mac.to_owned(),
            reason: "it is no MAC address",
        });
    }
    line(&format!("ether saddr != {mac} drop"));
    let (four, six) = sets(addresses);
    if let Some(four) = four {
        // An address of zero asks whether someone else has the one that is wanted.
        line(&format!(
            "arp saddr ether {mac} arp saddr ip {{ 0.0.0.0, {four} }} accept"
        ));
        line(&format!("ip saddr {{ {four} }} accept"));
        line("ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept");
    }
    if let Some(six) = six {
        line(&format!("ip6 saddr {{ {six} }} accept"));
        line(&format!(
            "ip6 saddr {{ ::, fe80::/10 }} icmpv6 type {NEIGHBOURS} accept"
        ));
    }
    line("drop");
    Ok(())
}

/// What an address needs to be found and to find.
const NEIGHBOURS: &str =
    "{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert, mld2-listener-report }";

fn to_guest(line: &mut impl FnMut(&str), addresses: &BTreeSet<IpAddr>) {
    let (four, six) = sets(addresses);
    if let Some(four) = four {
        line("ether type arp accept");
        line(&format!(
            "ip daddr {{ 255.255.255.255, 224.0.0.0/4, {four} }} accept"
        ));
        // A broadcast of the guest's network: its address is not known here, its frame's is.
        line("ether type ip ether daddr ff:ff:ff:ff:ff:ff accept");
    }
    if let Some(six) = six {
        line(&format!("ip6 daddr {{ ff00::/8, {six} }} accept"));
        line(&format!("ip6 daddr fe80::/10 icmpv6 type {NEIGHBOURS} accept"));
    }
    line("drop");
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_port_whose_name_could_carry_rules_is_refused() {
        for name in ["tap0; flush ruleset", "tap.0", "", "tap\"0"] {
            let policy = PortPolicy {
                port: name.to_owned(),
                lock: PortLock::Shut,
                rate: None,
            };
            assert!(script(&policy).is_err(), "{name:?}");
        }
        let policy = PortPolicy {
            port: "tap0".to_owned(),
            lock: PortLock::Only {
                mac: "02:00:00:00:00:01 accept".to_owned(),
                addresses: BTreeSet::new(),
            },
            rate: None,
        };
        assert!(script(&policy).is_err());
    }

    #[test]
    fn an_open_port_has_no_rules() {
        let policy = PortPolicy {
            port: "tap0".to_owned(),
            lock: PortLock::Open,
            rate: None,
        };
        assert_eq!(
            script(&policy).unwrap(),
            "add table bridge tarn_tap0\ndelete table bridge tarn_tap0\n"
        );
    }
}
