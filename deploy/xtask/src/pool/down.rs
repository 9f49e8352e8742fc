//! Takes a pool down: removes everything `pool up` made, and only that.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::process::Process;
use super::state::Testbed;
use super::{host_files, mount_points, network};

/// Kills the hosts and removes namespaces, cables, bridge and the testbed's folder.
pub fn down(dir: &Path) -> Result<()> {
    let Some(testbed) = Testbed::find(dir)? else {
        return Ok(());
    };
    for host in &testbed.hosts {
        if let Some(process) = host.process {
            process
                .kill()
                .with_context(|| format!("switch off {}", host.name))?;
        }
    }
    if let Some(first) = testbed.hosts.first() {
        host_files::keep_capabilities(&testbed, first);
    }
    for host in &testbed.hosts {
        network::remove_host(&testbed, host).with_context(|| format!("unplug {}", host.name))?;
    }
    network::remove_switch(&testbed)?;
    mount_points::remove_unused()?;
    for name in ["hosts", "shared", "bin"] {
        let folder = dir.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
        }
    }
    for name in ["pool.json", "password", "testbed.json"] {
        let file = dir.join(name);
        if file.exists() {
            fs::remove_file(&file).with_context(|| format!("remove {}", file.display()))?;
        }
    }
    // The folder itself may be the caller's own.
    let _ = fs::remove_dir(dir);
    Ok(())
}

/// Waits for the owner to end, then takes the pool down.
pub fn watch(dir: &Path, owner: Process) -> Result<()> {
    while owner.alive() {
        if Testbed::find(dir)?.is_none() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    down(dir)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn taking_down_nothing_is_fine() {
        down(Path::new("no-such-folder")).unwrap();
    }
}
