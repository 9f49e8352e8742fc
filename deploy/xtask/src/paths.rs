//! Where the project's commands keep things: the repository, the cache, the target folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The root of the clone this xtask was built from, or the nearest workspace above the
/// current folder when the binary was moved.
pub fn repo() -> Result<PathBuf> {
    let here = std::env::current_dir().context("read the current folder")?;
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .chain(built_from.ancestors())
        .find(|folder| folder.join("deploy/xtask/Cargo.toml").is_file())
        .map(Path::to_path_buf)
        .context("not inside a clone of the repository")
}

/// `$XDG_CACHE_HOME/tarn`, or `~/.cache/tarn`; created when missing.
pub fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    let folder = base.join("tarn");
    std::fs::create_dir_all(&folder).with_context(|| format!("create {}", folder.display()))?;
    Ok(folder)
}

/// Cargo's target folder for this clone.
pub fn target() -> Result<PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty()) {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => Ok(repo()?.join("target")),
    }
}
