//! What comes back after a restart, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

use std::path::Path;

use futures::stream;
use openraft::storage::{IOFlushed, RaftLogStorage, RaftStateMachine};
use openraft::type_config::TypeConfigExt;
use openraft::{EntryPayload, RaftLogReader, RaftSnapshotBuilder};
use pool_domain::transaction::Origin;
use pool_domain::{Change, Transaction};
use pool_store::{
    Assembler, Command, Entry, LogId, Opened, Progress, StoreConfig, StoreError, TypeConfig, Vote, digest,
    open, parts,
};
use proto_types::{ClassId, DateTime, Field, Ref, Value};
use uuid::Uuid;

fn config(path: &Path) -> StoreConfig {
    StoreConfig {
        path: path.to_owned(),
        node_id: 7,
        on_thread_start: || {},
    }
}

fn vm_named(number: u128, name: &str) -> Transaction {
    let class = ClassId::by_name("VM").unwrap();
    let field = Field {
        class,
        index: class.def().field("name_label").unwrap(),
    };
    let reference = Ref::from_uuid(Uuid::from_u128(number));
    Transaction {
        request: Uuid::from_u128(number),
        reads: vec![(reference, 0)],
        changes: vec![Change::Insert {
            class,
            reference,
            fields: vec![(field, Value::str(name))],
        }],
        decided_at: DateTime(1),
        origin: Origin {
            user: "root".to_owned(),
            method: "VM.create".to_owned(),
            trace: String::new(),
        },
    }
}

fn entry(index: u64) -> Entry {
    let command = Command::encode(&vm_named(u128::from(index), &format!("vm {index}")));
    Entry {
        log_id: LogId::new_term_index(1, index),
        payload: EntryPayload::Normal(command),
    }
}

/// Appends and applies a range of entries.
async fn fill(opened: &mut Opened, range: std::ops::Range<u64>) {
    let (tx, rx) = TypeConfig::oneshot();
    let entries: Vec<Entry> = range.map(entry).collect();
    opened
        .log
        .append(entries.clone(), IOFlushed::signal(tx))
        .await
        .unwrap();
    rx.await.unwrap().unwrap();
    opened
        .state_machine
        .apply(stream::iter(entries.into_iter().map(|e| Ok((e, None)))))
        .await
        .unwrap();
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut opened = open(&config(dir.path())).unwrap();
    opened.log.save_vote(&Vote::new_committed(1, 7)).await.unwrap();
    fill(&mut opened, 1..200).await;
    let before = digest(&opened.store.database());
    assert_eq!((before.rows, before.applied), (199, 199));
    opened.store.close();

    let mut opened = open(&config(dir.path())).unwrap();
    assert_eq!(digest(&opened.store.database()), before);
    let state = opened.log.get_log_state().await.unwrap();
    assert_eq!(state.last_log_id, Some(LogId::new_term_index(1, 199)));
    let mut reader = opened.log.get_log_reader().await;
    assert_eq!(reader.read_vote().await.unwrap(), Some(Vote::new_committed(1, 7)));
    assert_eq!(reader.try_get_log_entries(50..60).await.unwrap().len(), 10);
}

#[tokio::test]
async fn the_log_is_never_cut_off_before_the_state_is_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let mut opened = open(&config(dir.path())).unwrap();
    fill(&mut opened, 1..100).await;
    opened.log.purge(LogId::new_term_index(1, 90)).await.unwrap();
    let before = digest(&opened.store.database());
    // Not closed: as if the process had been killed. Only what is in files counts.
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(dir.path()).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    let mut again = open(&config(copy.path())).unwrap();
    let (applied, _) = again.state_machine.applied_state().await.unwrap();
    assert!(applied.unwrap().index >= 90);
    let mut reader = again.log.get_log_reader().await;
    let missing = reader
        .try_get_log_entries(applied.unwrap().index + 1..100)
        .await
        .unwrap();
    again
        .state_machine
        .apply(stream::iter(missing.into_iter().map(|e| Ok((e, None)))))
        .await
        .unwrap();
    assert_eq!(digest(&again.store.database()), before);
}

#[tokio::test]
async fn a_snapshot_replaces_the_state_whole_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut source = open(&config(&dir.path().join("source"))).unwrap();
    fill(&mut source, 1..300).await;
    let snapshot = source
        .state_machine
        .get_snapshot_builder()
        .await
        .build_snapshot()
        .await
        .unwrap();

    let mut target = open(&config(&dir.path().join("target"))).unwrap();
    fill(&mut target, 1..20).await;
    let mut sent = Vec::new();
    parts(
        &Vote::new_committed(1, 7),
        &snapshot.meta,
        &snapshot.snapshot,
        |part| {
            sent.push(part);
            true
        },
    );
    let mut received = sent.into_iter();
    let mut assembler = Box::new(Assembler::begin(received.next().unwrap()).unwrap());
    let whole = loop {
        match assembler.push(received.next().unwrap()).unwrap() {
            Progress::More(more) => assembler = more,
            Progress::Whole(whole) => break (whole.meta, whole.data),
        }
    };
    target
        .state_machine
        .install_snapshot(&whole.0, whole.1)
        .await
        .unwrap();
    let expected = digest(&source.store.database());
    assert_eq!(digest(&target.store.database()), expected);
    target.store.close();
    let again = open(&config(&dir.path().join("target"))).unwrap();
    assert_eq!(digest(&again.store.database()), expected);
}

#[tokio::test]
async fn a_snapshot_that_was_changed_on_its_way_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut source = open(&config(dir.path())).unwrap();
    fill(&mut source, 1..10).await;
    let snapshot = source
        .state_machine
        .get_snapshot_builder()
        .await
        .build_snapshot()
        .await
        .unwrap();
    let mut sent = Vec::new();
    parts(
        &Vote::new_committed(1, 7),
        &snapshot.meta,
        &snapshot.snapshot,
        |part| {
            sent.push(part);
            true
        },
    );
    // The middle part is left out.
    let assembler = Assembler::begin(sent.remove(0)).unwrap();
    assert!(assembler.push(sent.pop().unwrap()).is_err());
}

#[tokio::test]
async fn a_damaged_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut opened = open(&config(dir.path())).unwrap();
    fill(&mut opened, 1..500).await;
    // Makes the state a table on disk.
    opened
        .state_machine
        .get_snapshot_builder()
        .await
        .build_snapshot()
        .await
        .unwrap();
    opened.store.close();
    let table = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|f| f.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "sst"))
        .max_by_key(|p| std::fs::metadata(p).unwrap().len())
        .unwrap();
    let mut bytes = std::fs::read(&table).unwrap();
    for byte in bytes.iter_mut().skip(1000).take(64) {
        *byte ^= 0x5a;
    }
    std::fs::write(&table, bytes).unwrap();
    let error = open(&config(dir.path()))
        .err()
        .expect("a damaged store does not open");
    assert!(
        matches!(
            error,
            StoreError::Access(_) | StoreError::Open { .. } | StoreError::Unreadable { .. }
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn the_store_of_another_node_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    open(&config(dir.path())).unwrap().store.close();
    let other = StoreConfig {
        node_id: 8,
        ..config(dir.path())
    };
    assert!(matches!(
        open(&other).err(),
        Some(StoreError::OtherNode { found: 7, own: 8 })
    ));
}

#[tokio::test]
async fn a_store_is_open_once() {
    let dir = tempfile::tempdir().unwrap();
    let opened = open(&config(dir.path())).unwrap();
    assert!(matches!(
        open(&config(dir.path())).err(),
        Some(StoreError::Open { .. })
    ));
    opened.store.close();
}

#[tokio::test]
async fn a_failed_store_takes_no_more_writes() {
    let dir = tempfile::tempdir().unwrap();
    let mut opened = open(&config(dir.path())).unwrap();
    opened.store.fail("disk full");
    assert!(opened.log.save_vote(&Vote::new(1, 7)).await.is_err());
    assert_eq!(opened.store.failed().await, "disk full");
}

#[tokio::test]
async fn a_failed_store_is_closed_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut opened = open(&config(dir.path())).unwrap();
    fill(&mut opened, 1..50).await;
    opened.store.fail("disk full");
    opened.store.close();
    drop(opened);
    let mut again = open(&config(dir.path())).unwrap();
    // Nothing of the state was written after the failure; the log has it all.
    assert_eq!(again.state_machine.applied_state().await.unwrap().0, None);
    let state = again.log.get_log_state().await.unwrap();
    assert_eq!(state.last_log_id, Some(LogId::new_term_index(1, 49)));
}

/// A copy of a store as it would be found if its process had been killed now.
fn as_after_a_kill(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(dir).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

/// The file that the log is written to first.
fn journal(dir: &Path) -> std::path::PathBuf {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|f| f.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "log"))
        .max_by_key(|p| std::fs::metadata(p).unwrap().len())
        .unwrap()
}

#[tokio::test]
async fn damage_in_the_middle_of_the_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut opened = open(&config(dir.path())).unwrap();
    for first in (1..400).step_by(20) {
        fill(&mut opened, first..first + 20).await;
    }
    let copy = as_after_a_kill(dir.path());
    let path = journal(copy.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    for byte in bytes.iter_mut().skip(middle).take(32) {
        *byte ^= 0x5a;
    }
    std::fs::write(&path, bytes).unwrap();
    assert!(
        open(&config(copy.path())).is_err(),
        "acknowledged entries would be lost silently"
    );
}

#[tokio::test]
async fn an_end_that_was_torn_by_a_power_cut_costs_only_what_was_not_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut opened = open(&config(dir.path())).unwrap();
    fill(&mut opened, 1..50).await;
    let whole = std::fs::metadata(journal(dir.path())).unwrap().len();
    fill(&mut opened, 50..51).await;
    let copy = as_after_a_kill(dir.path());
    let path = journal(copy.path());
    std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(whole + 10)
        .unwrap();
    let mut again = open(&config(copy.path())).unwrap();
    let state = again.log.get_log_state().await.unwrap();
    assert_eq!(state.last_log_id, Some(LogId::new_term_index(1, 49)));
}
