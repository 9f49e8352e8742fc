//! `cargo xtask test`: installs what is missing, checks the house rules, runs every test, and counts.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use crate::{install, paths, rocksdb, run, tidy};

/// Tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    passed: u64,
    failed: u64,
}

/// Runs all tests and prints `N passed, M failed` as the last line.
///
/// # Errors
/// When something cannot be installed or built, when a test fails, or when no test ran.
pub fn run_all() -> Result<()> {
    install::for_building()?;
    // RocksDB from source takes a quarter of an hour by cargo and four minutes so; later runs take none.
    let rocksdb = rocksdb::ensure_built()?;
    let repo = paths::repo()?;
    tidy::check(&repo)?;
    let mut cargo = run::command(&cargo(), ["test", "--workspace", "--no-fail-fast"]);
    cargo.current_dir(&repo).stdin(Stdio::null()).stdout(Stdio::piped());
    for (name, value) in rocksdb.env() {
        cargo.env(name, value);
    }
    let mut child = cargo.spawn().context("start cargo test")?;
    let output = child.stdout.take().context("read cargo's output")?;
    let mut count = Count::default();
    for line in BufReader::new(output).lines() {
        let line = line.context("read cargo's output")?;
        println!("{line}");
        add(&mut count, &line);
    }
    let status = child.wait().context("wait for cargo test")?;
    println!("{} passed, {} failed", count.passed, count.failed);
    if !status.success() || count.failed > 0 {
        bail!("tests failed: {status}");
    }
    if count.passed == 0 {
        bail!("no test ran");
    }
    Ok(())
}

fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Adds what a closing line of libtest says; other lines say nothing.
fn add(count: &mut Count, line: &str) {
    let Some(rest) = line.strip_prefix("test result: ") else { return };
    for part in rest.split(['.', ';']) {
        if let Some((number, what)) = part.trim().split_once(' ')
            && let Ok(number) = number.parse::<u64>()
        {
            match what {
                "passed" => count.passed = count.passed.saturating_add(number),
                "failed" => count.failed = count.failed.saturating_add(number),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn closing_lines_add_up_and_others_do_not() {
        let mut count = Count::default();
        add(&mut count, "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        add(&mut count, "test result: FAILED. 3 passed; 2 failed; 0 ignored");
        add(&mut count, "7 passed");
        assert_eq!(count, Count { passed: 15, failed: 2 });
    }
}
