//! House rules that a machine can check: `cargo xtask tidy`.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::run;

/// Lines a hand-written file may have.
const LONGEST: usize = 600;

/// Folders that say in a README what they are for.
const FOLDERS: &[&str] = &["proto", "node", "pool", "api-gateway", "migration", "deploy", "tests"];

/// Words that have no place in committed code, put together here so that this file does not break its own rule.
fn banned() -> Vec<String> {
    let macros = ["todo", "unimplemented", "dbg"].map(|name| format!("{name}!("));
    let paths = ["work", "root"].map(|name| format!("\"/{name}/"));
    macros.into_iter().chain(paths).collect()
}

/// Checks every file that git tracks.
///
/// # Errors
/// When a rule is broken; the message lists every place.
pub fn check(repo: &Path) -> Result<()> {
    let mut list = Command::new("git");
    list.current_dir(repo).args(["ls-files", "--", "*.rs", "*.md"]);
    let files = run::output(&mut list)?;
    let mut complaints = Vec::new();
    for name in files.lines() {
        let Ok(text) = std::fs::read_to_string(repo.join(name)) else { continue };
        complaints.extend(of_file(name, &text).into_iter().map(|what| format!("{name}: {what}")));
    }
    for folder in FOLDERS {
        if !repo.join(folder).join("README.md").is_file() {
            complaints.push(format!("{folder}: has no README.md"));
        }
    }
    if complaints.is_empty() {
        return Ok(());
    }
    bail!("house rules broken:\n{}", complaints.join("\n"));
}

fn of_file(name: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !name.ends_with(".rs") {
        return complaints;
    }
    let generated = name.contains("/generated");
    if !text.starts_with("//!") {
        complaints.push("does not open with //! and what it is".to_owned());
    }
    if name.ends_with("/mod.rs") {
        complaints.push("use foo.rs beside foo/, not mod.rs".to_owned());
    }
    let lines = text.lines().count();
    if !generated && lines > LONGEST {
        complaints.push(format!("{lines} lines; split it before {LONGEST}"));
    }
    for word in banned() {
        if text.contains(&word) {
            complaints.push(format!("contains {word}"));
        }
    }
    complaints
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn each_rule_finds_what_breaks_it() {
        assert!(of_file("a/src/lib.rs", "//! Fine.\n").is_empty());
        assert_eq!(of_file("a/src/lib.rs", "fn main() {}\n").len(), 1);
        assert_eq!(of_file("a/src/b/mod.rs", "//! Fine.\n").len(), 1);
        let long = format!("//! Long.\n{}", "\n".repeat(LONGEST));
        assert_eq!(of_file("a/src/lib.rs", &long).len(), 1);
        assert!(of_file("a/src/generated/x.rs", &long).is_empty());
        let banned = banned().first().cloned().unwrap();
        assert_eq!(of_file("a/src/lib.rs", &format!("//! Fine.\n{banned})")).len(), 1);
    }
}
