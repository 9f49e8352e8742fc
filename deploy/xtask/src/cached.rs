//! Things built once into the cache: built under a lock, moved into place when whole.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::fcntl::{Flock, FlockArg};

use crate::paths;

/// Returns the cache folder `name`, calling `build` with a scratch folder when it is missing.
///
/// What `build` leaves in the scratch folder becomes the result. Concurrent callers, also of
/// other clones, wait for one another; a build that was killed leaves nothing that counts.
pub fn build_once(name: &str, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let cache = paths::cache()?;
    let folder = cache.join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    let lock_path = cache.join(format!("{name}.lock"));
    let lock = File::create(&lock_path).with_context(|| format!("open {}", lock_path.display()))?;
    let _lock = Flock::lock(lock, FlockArg::LockExclusive)
        .map_err(|(_, errno)| errno)
        .with_context(|| format!("wait for another build of {name}"))?;
    if folder.is_dir() {
        return Ok(folder);
    }
    let part = cache.join(format!("{name}.part"));
    if part.exists() {
        fs::remove_dir_all(&part).with_context(|| format!("clear {}", part.display()))?;
    }
    fs::create_dir_all(&part).with_context(|| format!("create {}", part.display()))?;
    build(&part)?;
    fs::rename(&part, &folder).with_context(|| format!("publish {}", folder.display()))?;
    Ok(folder)
}

/// A small stable hash for folder names; not for security.
pub fn short_hash(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    });
    format!("{hash:08x}")
}

#[cfg(test)]
mod test {
    use super::short_hash;

    #[test]
    fn another_recipe_gets_another_name() {
        assert_ne!(short_hash(b"-O2"), short_hash(b"-O3"));
    }
}
