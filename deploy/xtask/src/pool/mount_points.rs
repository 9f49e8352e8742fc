//! The folders of this machine that hosts mount their own over.
//!
//! They must exist on the real file system. Those that did not are written down in the cache,
//! and the last testbed to go removes them: while another is up, removing such a folder would
//! take away what that one has mounted there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};

use super::host_files::{PRIVATE, SHARED};
use crate::paths;

/// Makes what is missing. The caller's bridge must be there already, as it is what shows others
/// that a testbed is up.
pub fn make() -> Result<()> {
    let _lock = lock()?;
    let mut made = made()?;
    for target in PRIVATE.iter().map(|(_, target)| *target).chain([SHARED]) {
        let target = Path::new(target);
        let mut missing: Vec<&Path> = target.ancestors().take_while(|path| !path.exists()).collect();
        while let Some(path) = missing.pop() {
            made.push(path.to_path_buf());
            fs::write(list()?, serde_json::to_vec(&made)?).context("note the mount points")?;
            fs::create_dir(path).with_context(|| format!("create {}", path.display()))?;
        }
    }
    Ok(())
}

/// Removes what testbeds made, unless one is still up.
pub fn remove_unused() -> Result<()> {
    let _lock = lock()?;
    let up = fs::read_dir("/sys/class/net")
        .context("list interfaces")?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .any(|name| is_switch(&name));
    if up {
        return Ok(());
    }
    for folder in made()?.iter().rev() {
        // Not empty means somebody else uses it by now.
        let _ = fs::remove_dir(folder);
    }
    let list = list()?;
    if list.exists() {
        fs::remove_file(list).context("forget the mount points")?;
    }
    Ok(())
}

fn list() -> Result<PathBuf> {
    Ok(paths::cache()?.join("mount-points.json"))
}

fn made() -> Result<Vec<PathBuf>> {
    let list = list()?;
    if !list.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read(&list).context("read the list of mount points")?;
    Ok(serde_json::from_slice(&text).unwrap_or_default())
}

fn lock() -> Result<Flock<File>> {
    let file = File::create(paths::cache()?.join("mount-points.lock")).context("open the lock")?;
    Flock::lock(file, FlockArg::LockExclusive)
        .map_err(|(_, errno)| errno)
        .context("wait for another testbed")
}

fn is_switch(name: &str) -> bool {
    name.strip_prefix("tarn")
        .is_some_and(|rest| rest.parse::<u8>().is_ok())
}

#[cfg(test)]
mod test {
    use super::is_switch;

    #[test]
    fn only_a_testbeds_bridge_counts_as_one() {
        assert!(is_switch("tarn7"));
        assert!(!is_switch("tarn7-h1-0"));
        assert!(!is_switch("eth0"));
    }
}
