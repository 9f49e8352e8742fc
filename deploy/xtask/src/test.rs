//! `cargo xtask test`: installs what is missing, checks the house rules, runs every test, and
//! counts.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};

use crate::steps::Steps;
use crate::{building, codegen, guest, install, paths, pool, rocksdb, tidy};

/// What to run.
#[derive(Args)]
pub struct Test {
    /// All of it when not given.
    #[arg(value_enum)]
    part: Option<Part>,
    /// Only tests whose name contains this.
    #[arg(long)]
    only: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Everything that needs neither root nor libvirt.
    Fast,
    /// Real hosts, real libvirt; needs root.
    Live,
}

/// Tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    passed: u64,
    failed: u64,
}

/// Runs the tests and prints `N passed, M failed` as the last line.
///
/// # Errors
/// When something cannot be installed or built, when a test fails, or when no test ran.
pub fn run(args: &Test) -> Result<()> {
    install::packages(install::BUILD)?;
    let mut count = Count::default();
    let mut broken = Vec::new();
    let mut steps = Steps::new(true);
    if pool::root_is_here() {
        // With these the tests of the testbed and of the libvirt driver do not skip.
        install::packages(install::TESTBED)?;
        guest::ensure_built()?;
        needed(
            &mut count,
            steps.run("install what judges packages and figures", || {
                install::packages(install::JUDGES)
            }),
        );
    }
    rocksdb::ensure_built()?;
    if args.part != Some(Part::Live) {
        // The house rules are tests like any other, so they count as two.
        tally(
            &mut count,
            steps.run("house rules", || tidy::check(&paths::repo()?)),
        );
        tally(
            &mut count,
            steps.run("generated code is up to date", || codegen::run(true)),
        );
        let mut cargo = building::cargo()?;
        cargo.args(["test", "--workspace", "--no-fail-fast", "--exclude", "tests-live"]);
        broken.extend(stream(&mut count, cargo, args.only.as_deref())?);
    }
    if args.part != Some(Part::Fast) && has_live_tests()? {
        if pool::root_is_here() {
            let mut cargo = building::cargo()?;
            cargo.args(["test", "--package", "tests-live", "--no-fail-fast"]);
            // Emulated guests want the processors to themselves: two pools at once make each other late.
            cargo.env("RUST_TEST_THREADS", "1");
            let program = building::node(false)?;
            cargo.env("TARN_BINARY", program);
            cargo.env("TARN_XTASK", this_program()?);
            let client = steps.run("install the official Python client", install::python_client);
            if let Some(python) = needed(&mut count, client) {
                cargo.env("TARN_PYTHON", python);
            }
            let ansible = steps.run("install Ansible", install::ansible);
            if let Some(ansible) = needed(&mut count, ansible) {
                cargo.env("TARN_ANSIBLE_PYTHON", ansible.programs.join("python"));
                cargo.env("TARN_ANSIBLE", ansible.programs);
                cargo.env("TARN_COLLECTIONS", ansible.collections);
            }
            broken.extend(stream(&mut count, cargo, args.only.as_deref())?);
        } else if args.part == Some(Part::Live) {
            bail!("live tests need root and network namespaces");
        } else {
            println!("live tests skipped: they need root and network namespaces");
        }
    }
    println!("{} passed, {} failed", count.passed, count.failed);
    if count.failed > 0 || !broken.is_empty() {
        // The last line is the count; why stands above it.
        std::process::exit(1);
    }
    ensure!(count.passed > 0, "no test ran");
    Ok(())
}

fn tally(count: &mut Count, outcome: Result<()>) {
    if needed(count, outcome).is_some() {
        count.passed += 1;
    }
}

/// What tests cannot do without. Where it is missing that is a failure, lest they skip and count as passed.
fn needed<T>(count: &mut Count, outcome: Result<T>) -> Option<T> {
    outcome
        .map_err(|error| {
            println!("{error:#}");
            count.failed += 1;
        })
        .ok()
}

/// This program's file. The build of the workspace may have put a new one in the place of that which runs: the kernel
/// then says so behind its name.
fn this_program() -> Result<PathBuf> {
    let file = std::env::current_exe().context("find this program")?;
    let name = file.to_string_lossy();
    Ok(name
        .strip_suffix(" (deleted)")
        .map_or_else(|| file.clone(), PathBuf::from))
}

/// True once the crate of live tests has any.
fn has_live_tests() -> Result<bool> {
    Ok(paths::repo()?.join("tests/live/tests").is_dir())
}

/// Runs cargo, shows what it says, adds up what libtest says. Returns what failed without a
/// count, such as a crate that does not compile.
fn stream(count: &mut Count, mut cargo: Command, only: Option<&str>) -> Result<Option<String>> {
    if let Some(only) = only {
        cargo.arg(only);
    }
    let before = count.failed;
    cargo.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = cargo.spawn().context("start cargo test")?;
    let output = child.stdout.take().context("read cargo's output")?;
    for line in BufReader::new(output).lines() {
        let line = line.context("read cargo's output")?;
        println!("{line}");
        add(count, &line);
    }
    let status = child.wait().context("wait for cargo test")?;
    if !status.success() && count.failed == before {
        // It died or did not compile: that is a failure too, and must show in the count.
        count.failed += 1;
        return Ok(Some(format!("cargo test: {status}")));
    }
    Ok(None)
}

/// Adds what a closing line of libtest says; other lines say nothing.
fn add(count: &mut Count, line: &str) {
    let Some(rest) = line.strip_prefix("test result: ") else {
        return;
    };
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
mod counting {
    use super::*;

    #[test]
    fn closing_lines_add_up_and_others_do_not() {
        let mut count = Count::default();
        add(
            &mut count,
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out",
        );
        add(&mut count, "test result: FAILED. 3 passed; 2 failed; 0 ignored");
        add(&mut count, "7 passed");
        assert_eq!(
            count,
            Count {
                passed: 15,
                failed: 2
            }
        );
    }

    #[test]
    fn what_cannot_be_installed_counts_as_a_failure_and_what_can_as_nothing() {
        let mut count = Count::default();
        assert_eq!(needed(&mut count, Ok(7)), Some(7));
        assert_eq!(count, Count::default());
        let unreachable: Result<()> = Err(anyhow::anyhow!("PyPI is not reached"));
        assert_eq!(needed(&mut count, unreachable), None);
        assert_eq!(count, Count { passed: 0, failed: 1 });
    }

    #[test]
    fn a_run_that_dies_counts_as_a_failure() {
        let mut count = Count::default();
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'test result: ok. 2 passed; 0 failed'; exit 1"]);
        let broken = stream(&mut count, command, None).unwrap();
        assert!(broken.is_some());
        assert_eq!(count, Count { passed: 2, failed: 1 });
    }
}
