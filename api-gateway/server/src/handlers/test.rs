//! The tables against the data model, and the ledger of what is not built.

use std::collections::BTreeSet;

use proto_types::generated::{self, MESSAGES};

use super::*;

#[test]
fn every_handler_is_of_a_message_that_exists_and_stands_once() {
    let mut seen = BTreeSet::new();
    for (name, _) in TABLES.iter().flat_map(|t| t.iter()) {
        let id = generated::find(name);
        assert!(id.is_some_and(|id| !id.def().removed), "{name}");
        assert!(seen.insert(*name), "{name} stands twice");
    }
}

/// The messages that answer NOT_IMPLEMENTED. The list only shrinks: build one and take it out. Those between hosts stand
/// in none: see `calls_between_hosts_are_refused_to_everyone` of the tests of all messages.
#[test]
fn the_ledger_says_what_is_not_built() {
    let ledger: BTreeSet<&str> = include_str!("../../unbuilt.txt")
        .lines()
        .filter(|l| !l.is_empty())
        .collect();
    let unbuilt: BTreeSet<&str> = MESSAGES
        .iter()
        .filter(|m| !m.removed && !m.pool_only && !is_built(m))
        .map(|m| m.full_name)
        .collect();
    let built: Vec<_> = ledger.difference(&unbuilt).collect();
    assert!(
        built.is_empty(),
        "built, take out of api-gateway/server/unbuilt.txt: {built:?}"
    );
    let new: Vec<_> = unbuilt.difference(&ledger).collect();
    assert!(new.is_empty(), "not built and not in the ledger: {new:?}");
}
