//! What is accepted, what is refused, and in which words.

use super::*;
use crate::config::{Hypervisor, commented_file, needs_restart, shown};

const LEAST: &str = "[node]\nname = \"h1\"\naddress = \"192.0.2.1\"\n";

fn with(more: &str) -> Result<Config, Vec<Complaint>> {
    read(&format!("{LEAST}{more}"), &BTreeMap::new())
}

fn said(outcome: Result<Config, Vec<Complaint>>) -> Vec<String> {
    outcome.unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn an_address_is_all_that_must_be_set() {
    let config = with("").unwrap();
    assert_eq!(config.listen.https.to_string(), "0.0.0.0:443");
    assert_eq!(config.session.most, 200);
    let nothing = said(read("", &BTreeMap::new()));
    assert_eq!(
        nothing,
        ["node.address: must be set; allowed: an IPv4 or IPv6 address, without a port"]
    );
}

#[test]
fn every_key_takes_its_default_and_its_example_and_no_nonsense() {
    for key in KEYS {
        let path = key.path();
        let set = |value: &str| {
            let mut table: Table = LEAST.parse().unwrap();
            let value: Table = format!("v = {value}").parse().unwrap();
            let section = table
                .entry(key.section)
                .or_insert_with(|| Value::Table(Table::new()));
            section
                .as_table_mut()
                .unwrap()
                .insert(key.name.to_owned(), value["v"].clone());
            read(&table.to_string(), &BTreeMap::new())
        };
        for value in [key.default, key.example] {
            if !value.is_empty() && !value.starts_with('(') {
                assert!(set(value).is_ok(), "{path} = {value}");
            }
        }
        for nonsense in ["1979-05-27", "{ a = 1 }", "3.5"] {
            let said = said(set(nonsense));
            let wanted = format!("; allowed: {}", key.allowed);
            assert!(
                matches!(said.as_slice(), [one] if one.starts_with(&format!("{path} = ")) && one.ends_with(&wanted)),
                "{said:?}"
            );
        }
    }
}

#[test]
fn defaults_are_what_the_description_says() {
    let plain = Table::try_from(with("").unwrap()).unwrap();
    for key in KEYS
        .iter()
        .filter(|key| !key.default.is_empty() && !key.default.starts_with('('))
    {
        // The programs of a machine are filled in where the hypervisor is known.
        if let Some(value) = find(&plain, key) {
            let wanted: Table = format!("v = {}", key.default).parse().unwrap();
            assert_eq!(value, &wanted["v"], "{}", key.path());
        } else {
            assert!(matches!(key.section, "machine" | "telemetry"), "{}", key.path());
        }
    }
}

#[test]
fn each_mistake_is_named_with_its_value_and_what_is_allowed() {
    let said = said(with(
        "[listen]\nhttps = \"everywhere\"\nhttsp = 1\n[session]\nmost = 0\n[limit]\n",
    ));
    let wanted = [
        "[limit]: there is no such table; there are node, listen, telemetry, session, limits, audit, history, machine, ha",
        "listen.https = \"everywhere\": not allowed; allowed: an IP address and a port from 1 to 65535, such as \"0.0.0.0:443\" or \"[::]:443\"",
        "listen.httsp = 1: there is no such key; [listen] has https, http, grpc, socket",
        "session.most = 0: not allowed; allowed: a whole number from 1 to 100000",
    ];
    let mut said = said;
    said.sort();
    assert_eq!(said, wanted);
    let broken = read("[node]\naddress = \n", &BTreeMap::new()).unwrap_err();
    assert!(
        broken[0].to_string().starts_with("line 2: no TOML: "),
        "{broken:?}"
    );
    let same = super::test::said(with("[listen]\nhttps = \"0.0.0.0:7443\"\n"));
    assert_eq!(same.len(), 1);
    assert!(same[0].contains("listen.grpc wants the same port"), "{same:?}");
}

#[test]
fn the_environment_overrides_the_file_and_is_checked_like_it() {
    let environment = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect()
    };
    let config = read(
        LEAST,
        &environment(&[
            ("TARN_NODE_HYPERVISOR", "sim"),
            ("TARN_SESSION_MOST", "7"),
            ("TARN_LISTEN_SOCKET", "[\"/run/a\"]"),
            ("TARN_NODE_NAME", "123"),
            ("TARN_BINARY", "is another matter"),
        ]),
    )
    .unwrap();
    assert_eq!(
        (config.node.hypervisor, config.session.most),
        (Hypervisor::Sim, 7)
    );
    assert_eq!(
        (config.listen.socket.len(), config.node.name.as_str()),
        (1, "123")
    );
    let said = said(read(
        LEAST,
        &environment(&[("TARN_SESSION_MOST", "many"), ("TARN_NODE_NAMES", "x")]),
    ));
    assert_eq!(
        said,
        [
            "TARN_NODE_NAMES = \"x\": there is no such setting",
            "TARN_SESSION_MOST = \"many\": not allowed for session.most; allowed: a whole number from 1 to 100000"
        ]
    );
}

#[test]
fn what_is_shown_reads_as_the_same_settings() {
    let config = with("[telemetry]\nlog = \"debug\"\n[machine]\nreboot = []\n").unwrap();
    assert_eq!(read(&shown(&config).unwrap(), &BTreeMap::new()).unwrap(), config);
}

#[test]
fn only_some_changes_wait_for_the_next_start() {
    let old = with("").unwrap();
    let new =
        with("[session]\nmost = 9\n[telemetry]\nlog = \"warn\"\n[listen]\nhttp = \"0.0.0.0:80\"\n").unwrap();
    assert_eq!(
        differing(&old, &new),
        ["listen.http", "telemetry.log", "session.most"]
    );
    assert_eq!(needs_restart(&old, &new), ["listen.http"]);
}

#[test]
fn the_file_of_the_packages_is_the_one_that_is_described_and_is_accepted() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/packaging/tarn.toml");
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(
        there,
        commented_file(),
        "write it anew with `tarn config example > deploy/packaging/tarn.toml`"
    );
    for key in KEYS {
        assert!(there.contains(&format!("{} = ", key.name)), "{}", key.path());
    }
    // Nothing is set in it but what must be, so it says what it wants.
    let said = said(read(&there, &BTreeMap::new()));
    assert_eq!(said.len(), 1, "{said:?}");
    let filled = there.replace("#address =", "address =");
    assert!(read(&filled, &BTreeMap::new()).is_ok());
}
