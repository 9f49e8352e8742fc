//! The manual and the completion for bash, from the same description as the command line itself.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use crate::config;

/// Writes tarn(1), a page for each of its commands, tarn.toml(5), and the completion.
///
/// # Errors
/// When a file cannot be written.
pub fn write<C: CommandFactory>(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    clap_mangen::generate_to(C::command(), folder).context("write the manual")?;
    fs::write(folder.join("tarn.toml.5"), config::manual_page()).context("write tarn.toml(5)")?;
    let mut completion = Vec::new();
    clap_complete::generate(Shell::Bash, &mut C::command(), "tarn", &mut completion);
    fs::write(folder.join("tarn.bash"), completion).context("write the completion")
}
