//! Runs cargo for the other commands, with the prebuilt RocksDB linked in.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{paths, rocksdb, run};

/// Cargo in this clone, told where RocksDB lies.
pub fn cargo() -> Result<Command> {
    let mut cargo = plain_cargo()?;
    cargo.envs(rocksdb::ensure_built()?.env());
    Ok(cargo)
}

/// Cargo in this clone, for commands that never reach RocksDB.
pub fn plain_cargo() -> Result<Command> {
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()));
    cargo.current_dir(paths::repo()?);
    Ok(cargo)
}

/// Says so where the node has not been written yet.
pub fn ensure_has_node() -> Result<()> {
    let main = paths::repo()?.join("node/daemon/src/main.rs");
    ensure!(
        main.is_file(),
        "this clone has no node program yet, so no pool can come up"
    );
    Ok(())
}

/// Builds the node, and `xe` beside it, and returns the node's program: as packages ship it, or as tests run it.
pub fn node(release: bool) -> Result<PathBuf> {
    ensure_has_node()?;
    let mut command = cargo()?;
    command.args(["build", "--quiet", "--package", "node-daemon", "--bin", "tarn"]);
    command.args(["--package", "gateway-cli", "--bin", "xe"]);
    if release {
        command.args(["--profile", "dist"]);
    }
    run::visibly(&mut command)?;
    let program = paths::target()?
        .join(if release { "dist" } else { "debug" })
        .join("tarn");
    ensure!(program.is_file(), "cargo left no {}", program.display());
    program.canonicalize().context("find the node program")
}
