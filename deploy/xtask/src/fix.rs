//! `cargo xtask fix`: writes generated code, formats, and applies clippy's suggestions.

use anyhow::Result;

use crate::{building, codegen, run};

/// Changes the working tree; the twin that only looks is `cargo xtask test`.
pub fn run() -> Result<()> {
    codegen::run(false)?;
    let mut clippy = building::cargo()?;
    clippy.args([
        "clippy",
        "--fix",
        "--allow-dirty",
        "--allow-staged",
        "--workspace",
        "--all-targets",
    ]);
    run::visibly(&mut clippy)?;
    let mut format = building::plain_cargo()?;
    run::visibly(format.args(["fmt", "--all"]))
}
