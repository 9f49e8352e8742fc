//! House rules that a machine can check: `cargo xtask tidy`.
//!
//! Rules of single files are here, rules between crates in `tidy/dependencies.rs`.

mod dependencies;

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::run;

/// Lines a hand-written file may have.
const LONGEST: usize = 600;

/// Folders that say in a README what they are for.
const FOLDERS: &[&str] = &[
    "proto",
    "node",
    "pool",
    "api-gateway",
    "migration",
    "deploy",
    "tests",
];

/// Words that have no place in committed code, put together here so that this file does not
/// break its own rule.
fn banned() -> Vec<String> {
    let macros = ["todo", "unimplemented", "dbg"].map(|name| format!("{name}!("));
    let paths = ["work", "root", "home"].map(|name| format!("\"/{name}/"));
    let registries = ["crates.io", "pypi.org", "proxy.golang.org"].map(|host| format!("//{host}/"));
    let more = ["static.", "index."].map(|part| format!("//{part}crates.io"));
    macros
        .into_iter()
        .chain(paths)
        .chain(registries)
        .chain(more)
        .collect()
}

/// Checks every file that git tracks, and how the crates depend on one another.
///
/// # Errors
/// When a rule is broken; the message lists every place.
pub fn check(repo: &Path) -> Result<()> {
    let mut list = Command::new("git");
    list.current_dir(repo)
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "--"]);
    let files = run::output(list.args(["*.rs", "*.toml", "*.md"]))?;
    let mut complaints = Vec::new();
    for name in files.lines() {
        let Ok(text) = std::fs::read_to_string(repo.join(name)) else {
            continue;
        };
        complaints.extend(
            of_file(name, &text)
                .into_iter()
                .map(|what| format!("{name}: {what}")),
        );
    }
    for folder in FOLDERS {
        if !repo.join(folder).join("README.md").is_file() {
            complaints.push(format!("{folder}: has no README.md"));
        }
    }
    complaints.extend(dependencies::check(&dependencies::of_workspace()?));
    if complaints.is_empty() {
        return Ok(());
    }
    bail!("house rules broken:\n{}", complaints.join("\n"));
}

fn of_file(name: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if name.ends_with(".rs") || name.ends_with(".toml") {
        for word in banned() {
            if text.contains(&word) {
                complaints.push(format!("contains {word}"));
            }
        }
    }
    if !name.ends_with(".rs") {
        return complaints;
    }
    let generated = name.contains("/generated");
    if !text.starts_with("//!") && !generated {
        complaints.push("does not open with //! and what it is".to_owned());
    }
    if name.ends_with("/mod.rs") {
        complaints.push("use foo.rs beside foo/, not mod.rs".to_owned());
    }
    let lines = text.lines().count();
    if !generated && lines > LONGEST {
        complaints.push(format!("{lines} lines; split it before {LONGEST}"));
    }
    let drawer = ["utils", "common", "helpers", "manager", "info"];
    let stem = Path::new(name)
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    if drawer.contains(&stem) {
        complaints.push(format!("{stem} says nothing; name the thing"));
    }
    complaints
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_file_that_keeps_the_rules_is_left_alone() {
        assert!(of_file("a/src/lib.rs", "//! Fine.\n").is_empty());
    }

    #[test]
    fn each_rule_finds_what_breaks_it() {
        assert_eq!(of_file("a/src/lib.rs", "fn main() {}\n").len(), 1);
        assert_eq!(of_file("a/src/b/mod.rs", "//! Fine.\n").len(), 1);
        assert_eq!(of_file("a/src/utils.rs", "//! Fine.\n").len(), 1);
        let long = format!("//! Long.\n{}", "\n".repeat(LONGEST));
        assert_eq!(of_file("a/src/lib.rs", &long).len(), 1);
        assert!(of_file("a/src/generated/x.rs", &long).is_empty());
    }

    #[test]
    fn every_banned_word_is_found() {
        for word in banned() {
            assert_eq!(
                of_file("a/src/lib.rs", &format!("//! Fine.\n{word}")).len(),
                1,
                "{word}"
            );
        }
    }
}
