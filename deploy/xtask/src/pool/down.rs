//! Takes a pool down: removes everything `pool up` made, and only that.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::network;
use super::process::Process;
use super::state::Testbed;

/// Kills the hosts and removes namespaces, cables, bridge and the testbed's folder.
pub fn down(dir: &Path) -> Result<()> {
    let Some(testbed) = Testbed::find(dir)? else { return Ok(()) };
    for host in &testbed.hosts {
        if let Some(process) = host.process {
            process.kill().with_context(|| format!("switch off {}", host.name))?;
        }
    }
    for host in &testbed.hosts {
        network::remove_host(&testbed, host).with_context(|| format!("unplug {}", host.name))?;
    }
    network::remove_switch(&testbed)?;
    remove_mount_points(&testbed)?;
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

/// Removing a folder takes away what other namespaces mounted on it, so the mount points stay
/// as long as another testbed is up.
fn remove_mount_points(testbed: &Testbed) -> Result<()> {
    if testbed.mount_points.is_empty() {
        return Ok(());
    }
    let others = fs::read_dir("/sys/class/net")
        .context("list interfaces")?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .any(|name| is_switch(&name));
    if !others {
        for folder in testbed.mount_points.iter().rev() {
            // Not empty means somebody else uses it by now.
            let _ = fs::remove_dir(folder);
        }
    }
    Ok(())
}

fn is_switch(name: &str) -> bool {
    name.strip_prefix("tarn").is_some_and(|rest| rest.parse::<u8>().is_ok())
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
    fn only_a_testbeds_bridge_counts_as_one() {
        assert!(is_switch("tarn7"));
        assert!(!is_switch("tarn7-h1-0"));
        assert!(!is_switch("eth0"));
    }

    #[test]
    fn taking_down_nothing_is_fine() {
        down(Path::new("no-such-folder")).unwrap();
    }
}
