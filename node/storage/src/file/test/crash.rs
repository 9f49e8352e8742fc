//! The process is killed at each step of each operation; what is left is the old or the new state, whole.
//!
//! The test starts itself as a child, which sends itself SIGKILL when it reaches the step.

use std::sync::Mutex;

use super::*;

const CHILD: &str = "TARN_STORAGE_CRASH_CHILD";

/// What the child shall do: folder, repository, operation, number of the step at which it dies.
struct Order {
    folder: std::path::PathBuf,
    sr: Uuid,
    operation: String,
    die_at: usize,
    scratch: std::path::PathBuf,
}

impl Order {
    fn from_environment() -> Option<Order> {
        let text = std::env::var(CHILD).ok()?;
        let mut parts = text.split('|');
        Some(Order {
            folder: parts.next()?.into(),
            sr: parts.next()?.parse().ok()?,
            operation: parts.next()?.to_owned(),
            die_at: parts.next()?.parse().ok()?,
            scratch: parts.next()?.into(),
        })
    }
}

/// The volumes of the tests: one with content, one that it may make.
pub(super) const SOURCE: Uuid = Uuid::from_u128(1);
pub(super) const TARGET: Uuid = Uuid::from_u128(2);

pub(super) async fn carry_out(
    sr: &dyn PluggedSr,
    operation: &str,
    scratch: &Path,
) -> crate::error::Result<()> {
    let job = Job::new();
    let source = SOURCE.to_string();
    match operation {
        "create" => sr
            .create_volume(&NewVolume::empty(TARGET, Bytes::mib(4)), &job)
            .await
            .map(drop),
        "copy" => {
            let image = DiskSource::File {
                path: scratch.join("image.raw"),
                format: DiskFormat::Raw,
            };
            sr.create_volume(&NewVolume::copy_of(TARGET, image), &job)
                .await
                .map(drop)
        }
        "clone" => sr
            .create_volume(&NewVolume::clone_of(TARGET, source), &job)
            .await
            .map(drop),
        "resize" => sr.resize(&source, Bytes::mib(64)).await.map(drop),
        "destroy" => sr.destroy_volume(&source).await,
        "freeze" => {
            sr.push_layer(&source).await?;
            sr.snapshot_below(&source, TARGET).await.map(drop)
        }
        "snapshot" => sr
            .create_volume(&NewVolume::snapshot_of(TARGET, source), &job)
            .await
            .map(drop),
        "empty" => sr.destroy_data(&Uuid::from_u128(0x102).to_string()).await,
        "forget" => sr.destroy_volume(&Uuid::from_u128(0x102).to_string()).await,
        "merge" => {
            for merge in sr.merges().await? {
                sr.begin_merge(&merge.top, &merge.base).await?;
                sr.copy_down(&merge.top, &merge.base, &job).await?;
                sr.end_merge(&merge.top, Merged::Done).await?;
            }
            Ok(())
        }
        other => unreachable!("no operation {other}"),
    }
}

/// Does nothing but in the child.
#[tokio::test]
async fn child_of_the_crash_tests() {
    let Some(order) = Order::from_environment() else {
        return;
    };
    let reached = Mutex::new(0);
    let steps = Steps::calling(move |_| {
        let mut reached = reached.lock().unwrap();
        *reached += 1;
        if *reached == order.die_at {
            let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
        }
    });
    let options = FolderOptions {
        steps,
        ..FolderOptions::default()
    };
    let driver = driver_of(&order.folder, &order.scratch, options);
    let sr = driver.plug(order.sr, &config_of(&order.folder)).await.unwrap();
    carry_out(&*sr, &order.operation, &order.scratch).await.unwrap();
}

/// Runs the child; whether it was killed.
pub(super) async fn killed_at(fixture: &Fixture, operation: &str, die_at: usize) -> bool {
    let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "file::test::crash::child_of_the_crash_tests"])
        .env(
            CHILD,
            format!(
                "{}|{}|{operation}|{die_at}|{}",
                fixture.folder().display(),
                fixture.sr,
                fixture.dir.path().display()
            ),
        )
        .stdin(Stdio::null());
    let output = command.output().await.unwrap();
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
    assert!(
        output.status.success() || signal == Some(9),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    signal == Some(9)
}

pub(super) async fn bytes(sr: &dyn PluggedSr, volume: Uuid, scratch: &Path) -> Vec<u8> {
    let opened = sr.resolve(&volume.to_string(), Access::Read).await.unwrap();
    contract::read(&ImageTool::default(), &opened, scratch)
        .await
        .unwrap()
}

/// Kills `operation` at its first, second ... step until it is not reached any more. `source` is the format of the
/// volume it works on; `deep` puts that on a parent shared with another volume first.
pub(super) async fn survives(operation: &str, source: DiskFormat, deep: bool) {
    let images = ImageTool::default();
    let mut die_at = 1;
    loop {
        let fixture = fixture().await;
        let scratch = fixture.dir.path();
        let image = scratch.join("image.raw");
        std::fs::write(&image, contract::pattern(2 << 20)).unwrap();
        let sr = fixture.plug().await;
        let job = Job::new();
        let from = DiskSource::File {
            path: image,
            format: DiskFormat::Raw,
        };
        let new = NewVolume::copy_of(SOURCE, from).with_format(source);
        sr.create_volume(&new, &job).await.unwrap();
        let sibling = Uuid::from_u128(3);
        if deep {
            let clone = NewVolume::clone_of(sibling, SOURCE.to_string());
            sr.create_volume(&clone, &job).await.unwrap();
            contract::scribble(&sr.resolve(&SOURCE.to_string(), Access::Write).await.unwrap())
                .await
                .unwrap();
        }
        let before = bytes(&*sr, SOURCE, scratch).await;

        let killed = killed_at(&fixture, operation, die_at).await;
        let what = format!("{operation} of {source:?}, deep: {deep}, killed at step {die_at}");
        let volumes = contract::consistent(&*sr)
            .await
            .unwrap_or_else(|e| panic!("{what}: {e}"));
        let (has_source, has_target) = (
            volumes.contains(&SOURCE.to_string()),
            volumes.contains(&TARGET.to_string()),
        );
        assert_eq!(volumes.contains(&sibling.to_string()), deep, "{what}");
        assert!(has_source || operation == "destroy", "{what}: the source is lost");
        if has_source {
            assert!(
                bytes(&*sr, SOURCE, scratch).await.starts_with(&before),
                "{what}: the source has other bytes"
            );
        }
        if has_target && operation != "create" {
            let expected = if operation == "copy" {
                contract::pattern(2 << 20)
            } else {
                before.clone()
            };
            assert_eq!(
                bytes(&*sr, TARGET, scratch).await,
                expected,
                "{what}: the new volume has other bytes"
            );
        }
        let leftovers = fixture.leftovers();
        assert!(leftovers.is_empty(), "{what}: left after a scan: {leftovers:?}");

        // The saga asks again, and now it is done.
        carry_out(&*sr, operation, scratch)
            .await
            .unwrap_or_else(|e| panic!("{what}, again: {}", e.chain()));
        let volumes = contract::consistent(&*sr)
            .await
            .unwrap_or_else(|e| panic!("{what}, again: {e}"));
        assert_eq!(
            volumes.contains(&SOURCE.to_string()),
            operation != "destroy",
            "{what}, again"
        );
        assert_eq!(
            volumes.contains(&TARGET.to_string()),
            matches!(operation, "create" | "copy" | "clone"),
            "{what}, again"
        );
        if deep {
            let sibling = bytes(&*sr, sibling, scratch).await;
            assert_eq!(
                sibling,
                contract::pattern(2 << 20),
                "{what}: the sibling has other bytes"
            );
        }
        if operation == "clone" {
            // Writing the source afterwards must not show in the clone: the two share no writable file.
            let opened = sr.resolve(&SOURCE.to_string(), Access::Write).await.unwrap();
            contract::scribble(&opened).await.unwrap();
            assert_eq!(
                bytes(&*sr, TARGET, scratch).await,
                before,
                "{what}: the clone changed with its source"
            );
        }
        for location in contract::consistent(&*sr).await.unwrap() {
            sr.destroy_volume(&location).await.unwrap();
        }
        let rest: Vec<_> = std::fs::read_dir(fixture.folder())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(rest, [".tarn"], "{what}: files are left");
        let _ = &images;
        if !killed {
            assert!(die_at > 1, "{operation} has no steps");
            println!(
                "{operation} of {source:?}, deep: {deep}: killed at {} steps",
                die_at - 1
            );
            return;
        }
        die_at += 1;
    }
}

#[tokio::test]
async fn a_kill_during_create_leaves_the_old_or_the_new_state() {
    survives("create", DiskFormat::Qcow2, false).await;
}

#[tokio::test]
async fn a_kill_during_copy_leaves_the_old_or_the_new_state() {
    survives("copy", DiskFormat::Qcow2, false).await;
}

#[tokio::test]
async fn a_kill_during_clone_leaves_the_old_or_the_new_state() {
    survives("clone", DiskFormat::Qcow2, false).await;
}

#[tokio::test]
async fn a_kill_during_clone_of_a_clone_leaves_the_old_or_the_new_state() {
    survives("clone", DiskFormat::Qcow2, true).await;
}

#[tokio::test]
async fn a_kill_during_clone_of_a_raw_volume_leaves_the_old_or_the_new_state() {
    survives("clone", DiskFormat::Raw, false).await;
}

#[tokio::test]
async fn a_kill_during_resize_leaves_the_old_or_the_new_state() {
    survives("resize", DiskFormat::Qcow2, true).await;
}

#[tokio::test]
async fn a_kill_during_destroy_leaves_the_old_or_the_new_state() {
    survives("destroy", DiskFormat::Qcow2, true).await;
    survives("destroy", DiskFormat::Qcow2, false).await;
}
