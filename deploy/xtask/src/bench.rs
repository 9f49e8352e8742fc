//! `cargo xtask bench [NAME]`: measures against the tools we are compared with, both sides in
//! one run on the same disk.

use anyhow::{Result, bail};

use crate::install;

/// A measurement: its name, what it says, how it is run.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<()>,
}

/// One line for each; a new one is a module `bench/<name>.rs`.
const BENCHES: &[Bench] = &[];

/// Runs one measurement, or all.
pub fn run(name: Option<&str>) -> Result<()> {
    let chosen: Vec<&Bench> = BENCHES
        .iter()
        .filter(|bench| name.is_none_or(|name| name == bench.name))
        .collect();
    if chosen.is_empty() {
        bail!("no such measurement is built; there are {}", BENCHES.len());
    }
    install::packages(&[install::BUILD, install::TESTBED, install::BENCH].concat())?;
    for bench in chosen {
        println!("{}: {}", bench.name, bench.about);
        (bench.run)()?;
    }
    Ok(())
}
