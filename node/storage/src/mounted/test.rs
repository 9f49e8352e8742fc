//! Mounts that somebody holds, on a file system in memory, where root may make one.

use std::fs::File;
use std::process::Command;

use super::*;

/// A file system in memory, mounted; nothing where that may not be done.
async fn in_memory(root: &Path) -> Option<Mount> {
    let mount = Mount {
        kind: "ext",
        file_system: "tmpfs",
        source: "tmpfs".to_owned(),
        options: "size=1m".to_owned(),
        at: root.join("mnt"),
        deadline: Duration::from_secs(30),
    };
    match mount.mount().await {
        Ok(()) => Some(mount),
        Err(error) => {
            println!("skipped: {}", error.chain());
            None
        }
    }
}

#[tokio::test]
async fn a_mount_that_is_held_for_a_moment_is_unmounted() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mount) = in_memory(dir.path()).await else {
        return;
    };
    let mut holder = Command::new("sleep")
        .arg("1")
        .current_dir(&mount.at)
        .spawn()
        .unwrap();
    let outcome = mount.unmount().await;
    holder.wait().unwrap();
    outcome.unwrap();
    assert!(!mount.at.exists());
}

#[tokio::test]
async fn a_mount_that_stays_held_is_told_and_left() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mount) = in_memory(dir.path()).await else {
        return;
    };
    let held = File::create(mount.at.join("file")).unwrap();
    let error = mount
        .unmount_within(Duration::from_millis(100))
        .await
        .unwrap_err();
    assert!(matches!(error, StorageError::StillMounted { .. }), "{error}");
    assert!(mounted_at(&mount.at).unwrap().is_some());
    drop(held);
    mount.unmount().await.unwrap();
    assert!(!mount.at.exists());
}
