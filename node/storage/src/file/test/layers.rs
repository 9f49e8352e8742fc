//! Freezing volumes that are open, and merging what the frozen ones leave behind.

use super::crash::{SOURCE, TARGET, bytes, carry_out, killed_at};
use super::*;

fn pattern() -> Vec<u8> {
    contract::pattern(2 << 20)
}

/// A repository with one volume in it, of which every sector differs.
pub(super) async fn with_volume(format: DiskFormat) -> (Fixture, Arc<dyn PluggedSr>) {
    let fixture = fixture().await;
    let image = fixture.dir.path().join("image.raw");
    std::fs::write(&image, pattern()).unwrap();
    let from = DiskSource::File {
        path: image,
        format: DiskFormat::Raw,
    };
    let sr = fixture.plug().await;
    let new = NewVolume::copy_of(SOURCE, from).with_format(format);
    sr.create_volume(&new, &Job::new()).await.unwrap();
    (fixture, sr)
}

/// Freezes the volume as `uuid`, as a domain would see it: what it wrote to last is the file below the new layer.
pub(super) async fn freeze(sr: &dyn PluggedSr, uuid: Uuid) {
    sr.push_layer(&SOURCE.to_string()).await.unwrap();
    sr.snapshot_below(&SOURCE.to_string(), uuid).await.unwrap();
}

/// Writes into the volume, as its domain would; `mark` tells writes apart.
pub(super) async fn write(sr: &dyn PluggedSr, mark: u8) {
    let opened = sr.resolve(&SOURCE.to_string(), Access::Write).await.unwrap();
    let (name, format) = match opened {
        DiskSource::File { path, format } => (path.to_string_lossy().into_owned(), format),
        DiskSource::Network { url, format, .. } => (url, format),
        other => panic!("{other:?}"),
    };
    let at = u32::from(mark) * 64;
    let output = tokio::process::Command::new("qemu-io")
        .args(["-f", crate::image::format_name(format), "-c"])
        .arg(format!("write -P {mark} {at}k 64k"))
        .arg(name)
        .output()
        .await
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What the volume shows after these writes.
fn written(marks: &[u8]) -> Vec<u8> {
    let mut expected = pattern();
    for mark in marks {
        let at = usize::from(*mark) * 64 * 1024;
        expected[at..at + 64 * 1024].fill(*mark);
    }
    expected
}

fn files(fixture: &Fixture) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(fixture.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".tarn")
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_frozen_volume_keeps_what_was_there_while_the_domain_goes_on() {
    for format in [DiskFormat::Qcow2, DiskFormat::Raw] {
        let (fixture, sr) = with_volume(format).await;
        let scratch = fixture.dir.path();
        // Written after the layer appeared and before the domain switched to it: that belongs to the frozen state.
        let below = sr.resolve(&SOURCE.to_string(), Access::Write).await.unwrap();
        sr.push_layer(&SOURCE.to_string()).await.unwrap();
        contract::scribble(&below).await.unwrap();
        let frozen = sr.snapshot_below(&SOURCE.to_string(), TARGET).await.unwrap();
        assert!(frozen.uuid == Some(TARGET) && !frozen.hidden);
        let before = bytes(&*sr, SOURCE, scratch).await;
        assert_ne!(before, pattern());
        write(&*sr, 7).await;
        assert_eq!(bytes(&*sr, TARGET, scratch).await, before);
        assert_ne!(bytes(&*sr, SOURCE, scratch).await, before);
        let again = sr.snapshot_below(&SOURCE.to_string(), TARGET).await.unwrap();
        assert_eq!(again.location, frozen.location, "asked again it is the same one");
        let volumes = contract::consistent(&*sr).await.unwrap();
        assert_eq!(volumes.len(), 2, "{volumes:?}");
    }
}

#[tokio::test]
async fn an_unused_layer_is_taken_back_and_a_used_one_stays() {
    let (fixture, sr) = with_volume(DiskFormat::Qcow2).await;
    sr.push_layer(&SOURCE.to_string()).await.unwrap();
    sr.pop_layer(&SOURCE.to_string()).await.unwrap();
    assert_eq!(files(&fixture), [format!("{SOURCE}.qcow2")]);
    sr.push_layer(&SOURCE.to_string()).await.unwrap();
    write(&*sr, 3).await;
    sr.pop_layer(&SOURCE.to_string()).await.unwrap();
    assert_eq!(bytes(&*sr, SOURCE, fixture.dir.path()).await, written(&[3]));
}

#[tokio::test]
async fn a_volume_that_was_destroyed_does_not_come_back_from_its_lower_layers() {
    let (fixture, sr) = with_volume(DiskFormat::Qcow2).await;
    freeze(&*sr, TARGET).await;
    write(&*sr, 3).await;
    sr.destroy_volume(&SOURCE.to_string()).await.unwrap();
    assert!(sr.stat(&SOURCE.to_string()).await.is_err());
    assert_eq!(bytes(&*sr, TARGET, fixture.dir.path()).await, pattern());
    // The frozen one takes the place of the parent that only it needs.
    carry_out(&*sr, "merge", fixture.dir.path()).await.unwrap();
    assert_eq!(files(&fixture), [format!("{TARGET}.qcow2")]);
    assert_eq!(bytes(&*sr, TARGET, fixture.dir.path()).await, pattern());
    sr.destroy_volume(&TARGET.to_string()).await.unwrap();
    assert!(files(&fixture).is_empty());
}

#[tokio::test]
async fn what_a_guest_writes_to_a_disk_that_is_reset_goes_with_it() {
    let (fixture, sr) = with_volume(DiskFormat::Qcow2).await;
    let scratch = fixture.dir.path();
    let opened = sr.resolve_scratch(&SOURCE.to_string()).await.unwrap();
    contract::scribble(&opened).await.unwrap();
    let images = ImageTool::default();
    assert_ne!(
        contract::read(&images, &opened, scratch).await.unwrap(),
        pattern()
    );
    assert_eq!(bytes(&*sr, SOURCE, scratch).await, pattern());
    let again = sr.resolve_scratch(&SOURCE.to_string()).await.unwrap();
    assert_eq!(contract::read(&images, &again, scratch).await.unwrap(), pattern());
    let removed = sr.scan().await.unwrap().removed;
    assert_eq!(removed, [format!("scratch-{SOURCE}.qcow2")]);
}

#[tokio::test]
async fn what_a_snapshot_in_the_middle_leaves_behind_is_merged() {
    let (fixture, sr) = with_volume(DiskFormat::Qcow2).await;
    let scratch = fixture.dir.path();
    let (first, second) = (Uuid::from_u128(11), Uuid::from_u128(12));
    freeze(&*sr, first).await;
    write(&*sr, 1).await;
    freeze(&*sr, second).await;
    write(&*sr, 2).await;
    assert_eq!(sr.merges().await.unwrap(), [], "every parent has two children");
    sr.destroy_volume(&first.to_string()).await.unwrap();
    let found = sr.merges().await.unwrap();
    let [merge] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert!(!merge.is_volume);
    assert_eq!(merge.users, [SOURCE.to_string(), second.to_string()]);
    carry_out(&*sr, "merge", scratch).await.unwrap();
    assert_eq!(
        files(&fixture),
        [
            format!("{SOURCE}.2.qcow2"),
            format!("{SOURCE}.qcow2"),
            format!("{second}.qcow2")
        ]
    );
    assert_eq!(bytes(&*sr, SOURCE, scratch).await, written(&[1, 2]));
    assert_eq!(bytes(&*sr, second, scratch).await, written(&[1]));
    sr.destroy_volume(&second.to_string()).await.unwrap();
    carry_out(&*sr, "merge", scratch).await.unwrap();
    assert_eq!(
        files(&fixture),
        [format!("{SOURCE}.qcow2")],
        "one file for one volume"
    );
    assert_eq!(bytes(&*sr, SOURCE, scratch).await, written(&[1, 2]));
    sr.check(&SOURCE.to_string()).await.unwrap();
}

#[tokio::test]
async fn a_merge_that_is_called_off_changes_nothing() {
    let (fixture, sr) = with_volume(DiskFormat::Qcow2).await;
    let scratch = fixture.dir.path();
    freeze(&*sr, TARGET).await;
    write(&*sr, 1).await;
    sr.destroy_volume(&TARGET.to_string()).await.unwrap();
    let merge = sr.merges().await.unwrap().remove(0);
    sr.begin_merge(&merge.top, &merge.base).await.unwrap();
    let job = Job::new();
    job.cancel();
    let answer = sr.copy_down(&merge.top, &merge.base, &job).await;
    assert!(
        matches!(answer, Err(StorageError::Cancelled { .. })),
        "{answer:?}"
    );
    // A scan meanwhile leaves it to whoever is at it.
    sr.scan().await.unwrap();
    assert!(
        fixture
            .folder()
            .join(".tarn")
            .join(format!("merge-{}", merge.top))
            .exists()
    );
    sr.end_merge(&merge.top, Merged::Not).await.unwrap();
    assert_eq!(bytes(&*sr, SOURCE, scratch).await, written(&[1]));
    assert_eq!(sr.merges().await.unwrap(), [merge]);
}

/// Kills `operation` at its first, second ... step until it is not reached any more.
pub(super) async fn survives(operation: &str) {
    let mut die_at = 1;
    loop {
        let (fixture, sr) = with_volume(DiskFormat::Qcow2).await;
        let scratch = fixture.dir.path();
        let (first, second) = (Uuid::from_u128(11), Uuid::from_u128(12));
        freeze(&*sr, first).await;
        write(&*sr, 1).await;
        freeze(&*sr, second).await;
        write(&*sr, 2).await;
        if operation == "merge" {
            sr.destroy_volume(&first.to_string()).await.unwrap();
        }
        let killed = killed_at(&fixture, operation, die_at).await;
        let what = format!("{operation} killed at step {die_at}");
        // Once as it was left, and once after it was asked for again.
        for round in ["", ", again"] {
            let volumes = contract::consistent(&*sr)
                .await
                .unwrap_or_else(|e| panic!("{what}{round}: {e}"));
            assert!(volumes.contains(&second.to_string()), "{what}{round}");
            let left = fixture.leftovers();
            assert!(left.is_empty(), "{what}{round}: {left:?}");
            assert_eq!(bytes(&*sr, second, scratch).await, written(&[1]), "{what}{round}");
            if volumes.contains(&SOURCE.to_string()) {
                assert_eq!(
                    bytes(&*sr, SOURCE, scratch).await,
                    written(&[1, 2]),
                    "{what}{round}"
                );
            } else {
                assert_eq!(operation, "destroy", "{what}{round}: the volume is lost");
            }
            if operation == "freeze" && volumes.contains(&TARGET.to_string()) {
                assert_eq!(
                    bytes(&*sr, TARGET, scratch).await,
                    written(&[1, 2]),
                    "{what}{round}"
                );
            }
            if round.is_empty() {
                carry_out(&*sr, operation, scratch).await.unwrap();
            }
        }
        if operation == "merge" {
            assert!(
                !fixture.folder().join(format!("{SOURCE}.1.qcow2")).exists(),
                "{what}: the parent stays: {:?}",
                files(&fixture)
            );
        }
        for location in contract::consistent(&*sr).await.unwrap() {
            sr.destroy_volume(&location).await.unwrap();
        }
        assert!(files(&fixture).is_empty(), "{what}: {:?}", files(&fixture));
        if !killed {
            assert!(die_at > 1, "{operation} has no steps");
            println!("{operation}: killed at {} steps", die_at - 1);
            return;
        }
        die_at += 1;
    }
}

#[tokio::test]
async fn a_kill_while_a_volume_is_frozen_loses_nothing() {
    survives("freeze").await;
}

#[tokio::test]
async fn a_kill_while_parents_are_merged_loses_nothing() {
    survives("merge").await;
}

#[tokio::test]
async fn a_kill_while_a_volume_with_layers_is_destroyed_leaves_the_old_or_the_new_state() {
    survives("destroy").await;
}
