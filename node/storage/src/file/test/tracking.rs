//! What was written between two snapshots is told, whatever has become of the layers since.

use super::crash::{SOURCE, carry_out, killed_at};
use super::layers::{freeze, with_volume, write};
use super::*;
use crate::driver::Tracking;

/// The blocks that a write with this mark touches, beside those of others.
fn marks(bytes: &[u8]) -> Vec<u8> {
    (0..u8::try_from(bytes.len() * 8).unwrap())
        .filter(|block| bytes[usize::from(block / 8)] & (0x80 >> (block % 8)) != 0)
        .collect()
}

fn snapshot(number: u128) -> Uuid {
    Uuid::from_u128(0x100 + number)
}

async fn changed(sr: &dyn PluggedSr, from: Uuid, to: Uuid) -> Result<Vec<u8>, StorageError> {
    let bytes = sr.changed_blocks(&from.to_string(), &to.to_string()).await?;
    assert_eq!(bytes.len(), 4, "2 MiB are 32 blocks");
    Ok(marks(&bytes))
}

/// As a domain would have it made, or while none has the volume open.
async fn take(sr: &dyn PluggedSr, number: u128, live: bool) {
    if live {
        freeze(sr, snapshot(number)).await;
    } else {
        let new = NewVolume::snapshot_of(snapshot(number), SOURCE.to_string());
        sr.create_volume(&new, &Job::new()).await.unwrap();
    }
}

async fn merge_all(sr: &dyn PluggedSr, scratch: &Path) {
    while !sr.merges().await.unwrap().is_empty() {
        carry_out(sr, "merge", scratch).await.unwrap();
    }
}

#[tokio::test]
async fn writes_between_snapshots_are_told_exactly() {
    for live in [true, false] {
        for format in [DiskFormat::Qcow2, DiskFormat::Raw] {
            let (fixture, sr) = with_volume(format).await;
            let source = SOURCE.to_string();
            sr.track(&source, Tracking::On).await.unwrap();
            sr.track(&source, Tracking::On).await.unwrap();
            take(&*sr, 1, live).await;
            write(&*sr, 3).await;
            write(&*sr, 17).await;
            take(&*sr, 2, live).await;
            write(&*sr, 31).await;
            take(&*sr, 3, live).await;
            write(&*sr, 9).await;
            let list = async |from, to| changed(&*sr, from, to).await.unwrap();
            assert_eq!(list(snapshot(1), snapshot(2)).await, [3, 17], "{live} {format:?}");
            assert_eq!(list(snapshot(2), snapshot(3)).await, [31]);
            assert_eq!(list(snapshot(1), snapshot(3)).await, [3, 17, 31]);
            assert_eq!(list(snapshot(3), SOURCE).await, [9]);
            assert_eq!(list(snapshot(1), SOURCE).await, [3, 9, 17, 31]);
            contract::consistent(&*sr).await.unwrap();
            drop(fixture);
        }
    }
}

#[tokio::test]
async fn snapshots_without_data_still_tell_after_their_layers_were_merged() {
    for live in [true, false] {
        let (fixture, sr) = with_volume(DiskFormat::Qcow2).await;
        let scratch = fixture.dir.path();
        sr.track(&SOURCE.to_string(), Tracking::On).await.unwrap();
        for number in 1..4 {
            take(&*sr, number, live).await;
            sr.destroy_data(&snapshot(number).to_string()).await.unwrap();
            sr.destroy_data(&snapshot(number).to_string()).await.unwrap();
            merge_all(&*sr, scratch).await;
            write(&*sr, u8::try_from(number).unwrap()).await;
            // A clone makes layers that no snapshot knows of.
            let clone = NewVolume::clone_of(Uuid::new_v4(), SOURCE.to_string());
            let clone = sr.create_volume(&clone, &Job::new()).await.unwrap();
            write(&*sr, u8::try_from(10 + number).unwrap()).await;
            sr.destroy_volume(&clone.location).await.unwrap();
            merge_all(&*sr, scratch).await;
        }
        let list = async |from, to| changed(&*sr, from, to).await.unwrap();
        assert_eq!(list(snapshot(1), snapshot(2)).await, [1, 11], "{live}");
        assert_eq!(list(snapshot(2), snapshot(3)).await, [2, 12]);
        assert_eq!(list(snapshot(3), SOURCE).await, [3, 13]);
        // What is left is the volume on one parent, and the records.
        let scan = sr.scan().await.unwrap();
        assert!(scan.volumes.len() <= 2, "{:?}", scan.volumes);
        let told: Vec<Option<Uuid>> = scan.without_data.iter().map(|volume| volume.uuid).collect();
        assert_eq!(told, [1, 2, 3].map(|number| Some(snapshot(number))));
        // One in the middle goes: the next one tells what it told.
        sr.destroy_volume(&snapshot(2).to_string()).await.unwrap();
        assert_eq!(list(snapshot(1), snapshot(3)).await, [1, 2, 11, 12]);
        let error = changed(&*sr, snapshot(2), snapshot(3)).await.unwrap_err();
        assert_eq!(error.backend_code(), 460);
        contract::consistent(&*sr).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_tracked_or_not_related_is_said_so() {
    let (_fixture, sr) = with_volume(DiskFormat::Qcow2).await;
    take(&*sr, 1, false).await;
    sr.track(&SOURCE.to_string(), Tracking::On).await.unwrap();
    take(&*sr, 2, false).await;
    take(&*sr, 3, false).await;
    for (from, to) in [
        (SOURCE, SOURCE),
        (snapshot(1), snapshot(2)),
        (snapshot(3), snapshot(2)),
        (snapshot(2), Uuid::from_u128(99)),
    ] {
        let error = changed(&*sr, from, to).await.unwrap_err();
        assert_eq!(error.backend_code(), 460, "{}", error.chain());
    }
    let error = sr.destroy_data(&snapshot(1).to_string()).await.unwrap_err();
    assert_eq!(error.backend_code(), 46, "it was made before");
    sr.track(&SOURCE.to_string(), Tracking::Off).await.unwrap();
    sr.track(&SOURCE.to_string(), Tracking::Off).await.unwrap();
    assert!(changed(&*sr, snapshot(2), snapshot(3)).await.unwrap().is_empty());
    assert!(changed(&*sr, snapshot(3), SOURCE).await.is_err());
    take(&*sr, 4, false).await;
    assert!(changed(&*sr, snapshot(3), snapshot(4)).await.is_err());
}

/// Kills the process at each step of an operation: afterwards every block that was written is told, whatever else is.
#[tokio::test]
async fn a_killed_process_leaves_no_change_untold() {
    for operation in ["freeze", "snapshot", "merge", "empty", "forget"] {
        let mut die_at = 1;
        loop {
            let (fixture, sr) = with_volume(DiskFormat::Qcow2).await;
            sr.track(&SOURCE.to_string(), Tracking::On).await.unwrap();
            take(&*sr, 1, true).await;
            write(&*sr, 3).await;
            take(&*sr, 2, true).await;
            write(&*sr, 5).await;
            if operation == "merge" {
                sr.destroy_data(&snapshot(1).to_string()).await.unwrap();
                sr.destroy_data(&snapshot(2).to_string()).await.unwrap();
            }
            let killed = killed_at(&fixture, operation, die_at).await;
            contract::consistent(&*sr).await.unwrap();
            write(&*sr, 7).await;
            let told = changed(&*sr, snapshot(1), SOURCE).await.unwrap();
            for mark in [3, 5, 7] {
                assert!(told.contains(&mark), "{operation} {die_at}: {told:?}");
            }
            if !killed {
                assert_eq!(told, [3, 5, 7], "{operation}");
                break;
            }
            die_at += 1;
        }
        assert!(die_at > 2, "{operation} has steps");
    }
}
