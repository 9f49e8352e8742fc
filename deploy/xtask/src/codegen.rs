//! `cargo xtask codegen [--check]`: writes what is derived from the data model, or compares.

use anyhow::Result;

use crate::{building, run};

/// Runs the generator; with `check` it writes nothing and fails when a file is out of date.
pub fn run(check: bool) -> Result<()> {
    let mut cargo = building::plain_cargo()?;
    cargo.args(["run", "--quiet", "--package", "proto-codegen", "--"]);
    if check {
        cargo.arg("--check");
    }
    run::visibly(&mut cargo)
}
