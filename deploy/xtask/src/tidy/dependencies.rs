//! Which of our crates may use which, and where each technology may be named.
//!
//! Only what ships is judged: dependencies of tests are free.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};

use crate::{building, run};

/// Our crates and the ones of ours they may use; a crate that is missing here is a complaint.
const MAY_USE: &[(&str, &[&str])] = &[
    ("proto-datamodel", &[]),
    ("proto-codegen", &["proto-datamodel"]),
    ("proto-types", &[]),
    ("proto-wire", &["proto-types"]),
    ("pool-domain", &["proto-types"]),
    ("base2histogram", &[]),
    ("pool-saga", &["proto-types"]),
    ("pool-store", &["pool-domain", "proto-types", "proto-wire"]),
    (
        "pool-raft",
        &["pool-domain", "pool-store", "proto-types", "proto-wire"],
    ),
    (
        "pool-ops",
        // Not the drivers: only the words of what a host may be asked (pool/decisions/0002).
        &[
            "pool-domain",
            "pool-saga",
            "migration",
            "node-commands",
            "node-hypervisor",
            "proto-types",
        ],
    ),
    ("migration", &["proto-types", "node-hypervisor"]),
    ("node-hypervisor", &["proto-types"]),
    ("node-libvirt", &["node-hypervisor", "proto-types"]),
    ("node-sim", &["node-hypervisor", "proto-types"]),
    ("node-storage", &["node-hypervisor", "proto-types"]),
    ("node-images", &[]),
    ("node-network", &["node-hypervisor", "proto-types"]),
    ("node-commands", &["node-hypervisor", "proto-types"]),
    ("node-metrics", &["node-hypervisor"]),
    (
        "node-agent",
        &[
            "node-commands",
            "node-hypervisor",
            "node-images",
            "node-metrics",
            "node-network",
            "node-storage",
            "migration",
            "proto-types",
            "proto-wire",
        ],
    ),
    ("gateway-codec", &["proto-types"]),
    (
        "gateway-server",
        &[
            "gateway-codec",
            "node-images",
            "pool-domain",
            "pool-ops",
            "proto-types",
        ],
    ),
    ("gateway-cli", &["gateway-codec", "proto-types"]),
    ("xtask", &[]),
    ("tests-suite", ANY),
    ("tests-harness", ANY),
    ("tests-live", ANY),
    ("node-daemon", ANY),
];

/// Joins everything.
const ANY: &[&str] = &["*"];

/// Third-party crates that must not spread, and who may name them.
const LIVES_IN: &[(&str, &[&str])] = &[
    ("rocksdb", &["pool-store"]),
    ("openraft", &["pool-store", "pool-raft"]),
    ("virt", &["node-libvirt"]),
    ("virt-sys", &["node-libvirt"]),
    ("hyper", &["gateway-server", "gateway-cli", "proto-wire"]),
    ("tokio-rustls", &["gateway-server", "gateway-cli", "proto-wire"]),
    (
        "rustls",
        &["gateway-server", "gateway-cli", "proto-wire", "node-daemon"],
    ),
    (
        "quick-xml",
        &["gateway-codec", "gateway-cli", "node-libvirt", "pool-domain"],
    ),
    ("tonic", &["proto-wire", "node-agent", "pool-raft", "node-daemon"]),
    ("argon2", &["gateway-server", "pool-ops", "node-daemon"]),
];

/// Nothing that ships may use these.
const LEAVES: &[&str] = &[
    "node-daemon",
    "tests-harness",
    "tests-suite",
    "tests-live",
    "xtask",
];

/// What each crate of the workspace uses, without its tests' dependencies.
pub type Uses = BTreeMap<String, BTreeSet<String>>;

/// Asks cargo.
pub fn of_workspace() -> Result<Uses> {
    let mut cargo = building::plain_cargo()?;
    let text = run::output(cargo.args(["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: serde_json::Value = serde_json::from_str(&text).context("read cargo metadata")?;
    let mut uses = Uses::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().context("package without a name")?;
        let used = package["dependencies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|dependency| dependency["kind"] != "dev")
            .filter_map(|dependency| dependency["name"].as_str().map(str::to_owned));
        uses.insert(name.to_owned(), used.collect());
    }
    Ok(uses)
}

/// Every broken rule in words.
pub fn check(uses: &Uses) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, used) in uses {
        let Some((_, allowed)) = MAY_USE.iter().find(|(known, _)| known == name) else {
            complaints.push(format!("{name}: unknown crate; say in tidy what it may use"));
            continue;
        };
        for other in used {
            let ours = uses.contains_key(other);
            if ours && *allowed != ANY && !allowed.contains(&other.as_str()) {
                complaints.push(format!("{name}: may not use {other}"));
            }
            if LEAVES.contains(&other.as_str()) && !name.starts_with("tests-") {
                complaints.push(format!("{name}: nothing may use {other}"));
            }
            if let Some((_, homes)) = LIVES_IN.iter().find(|(technology, _)| technology == other)
                && !homes.contains(&name.as_str())
                && !name.starts_with("tests-")
            {
                complaints.push(format!("{name}: {other} lives in {}", homes.join(", ")));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod test {
    use super::*;

    fn uses(pairs: &[(&str, &[&str])]) -> Uses {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        pairs
            .iter()
            .map(|(name, used)| ((*name).to_owned(), set(used)))
            .collect()
    }

    #[test]
    fn downwards_is_allowed_and_upwards_is_not() {
        let good = uses(&[("proto-types", &[]), ("pool-domain", &["proto-types"])]);
        assert!(check(&good).is_empty());
        let bad = uses(&[("proto-types", &["pool-domain"]), ("pool-domain", &[])]);
        assert_eq!(check(&bad), ["proto-types: may not use pool-domain"]);
    }

    #[test]
    fn a_technology_stays_where_it_lives() {
        assert!(check(&uses(&[("pool-store", &["rocksdb"])])).is_empty());
        assert_eq!(check(&uses(&[("pool-domain", &["rocksdb"])])).len(), 1);
    }

    #[test]
    fn a_crate_nobody_knows_is_a_complaint() {
        assert_eq!(check(&uses(&[("pool-misc", &[])])).len(), 1);
    }

    #[test]
    fn only_tests_may_use_a_leaf() {
        let bad = uses(&[("node-daemon", &[]), ("pool-ops", &["node-daemon"])]);
        assert!(!check(&bad).is_empty());
        assert!(check(&uses(&[("node-daemon", &[]), ("tests-live", &["node-daemon"])])).is_empty());
    }
}
