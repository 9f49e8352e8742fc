//! Every error that a message of the first tier declares is produced by a test, or stands in the table with why it never is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proto_types::generated;

/// The messages that the guide of 4.1 names or implies, or that were there in the first two releases.
const MESSAGES: &str = include_str!("tier_zero.txt");
/// Each code: `test` and files that produce it, or `never` and why.
const TABLE: &str = include_str!("errors_of_tier_zero.tsv");

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn table() -> BTreeMap<&'static str, (&'static str, &'static str)> {
    let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut parts = line.split('\t');
            let mut part = || parts.next().unwrap_or_else(|| panic!("cut short: {line}"));
            (part(), (part(), part()))
        })
        .collect()
}

/// Codes that messages of the first tier declare, with one that does.
fn declared() -> BTreeMap<&'static str, &'static str> {
    let mut found = BTreeMap::new();
    for name in MESSAGES.lines() {
        let message = generated::find(name)
            .unwrap_or_else(|| panic!("no message {name}"))
            .def();
        for code in message.errors {
            found.insert(*code, name);
        }
    }
    found
}

#[test]
fn every_declared_code_has_its_line_and_every_line_a_code() {
    let (table, declared) = (table(), declared());
    let missing: Vec<_> = declared
        .iter()
        .filter(|(code, _)| !table.contains_key(*code))
        .collect();
    assert!(missing.is_empty(), "no line for {missing:?}");
    let stale: Vec<_> = table
        .keys()
        .filter(|code| !declared.contains_key(*code))
        .collect();
    assert!(stale.is_empty(), "nothing declares {stale:?}");
    assert!(declared.len() > 40, "only {} codes are declared", declared.len());
}

/// Rust sources below a folder that are no tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if path.is_dir() && !matches!(name, "tests" | "test" | "target") {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "test.rs" {
            found.push(path);
        }
    }
}

#[test]
fn what_is_said_of_each_code_is_so() {
    let repository = repository();
    let mut files = Vec::new();
    for folder in ["pool", "node", "migration", "api-gateway/server/src"] {
        sources(&repository.join(folder), &mut files);
    }
    let code_of_the_program: Vec<(PathBuf, String)> = files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            (file, text)
        })
        .collect();
    assert!(code_of_the_program.len() > 200);
    for (code, (how, what)) in table() {
        let quoted = format!("\"{code}\"");
        let raised = code_of_the_program
            .iter()
            .find(|(_, text)| text.contains(&quoted));
        match how {
            "test" => {
                for file in what.split(' ') {
                    let text = fs::read_to_string(repository.join(file))
                        .unwrap_or_else(|_| panic!("{code}: no file {file}"));
                    assert!(text.contains(code), "{code} is not in {file}");
                }
            }
            "never" => {
                assert!(what.len() > 20, "{code}: why?");
                assert!(
                    raised.is_none(),
                    "{code} is said never to be raised and stands in {:?}",
                    raised.map(|(file, _)| file)
                );
            }
            // Raised for other messages only.
            "elsewhere" => assert!(what.len() > 20 && raised.is_some(), "{code}"),
            other => panic!("{code}: {other}"),
        }
    }
}
