//! openraft's own suite for storages: the gate of every bump of that crate.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

use openraft::StorageError;
use openraft::testing::log::{StoreBuilder, Suite};
use pool_store::{LogStore, StateMachine, Store, StoreConfig, TypeConfig, open};

struct InTemp;

struct Guard {
    store: Store,
    _dir: tempfile::TempDir,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.store.close();
    }
}

impl StoreBuilder<TypeConfig, LogStore, StateMachine, Guard> for InTemp {
    async fn build(&self) -> Result<(Guard, LogStore, StateMachine), StorageError<TypeConfig>> {
        let dir = tempfile::tempdir().expect("a directory");
        let config = StoreConfig {
            path: dir.path().join("store"),
            node_id: 1,
            on_thread_start: || {},
        };
        let opened = open(&config).expect("a new store opens");
        Ok((
            Guard {
                store: opened.store,
                _dir: dir,
            },
            opened.log,
            opened.state_machine,
        ))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_does_what_consensus_asks_of_it() {
    Suite::<TypeConfig, LogStore, StateMachine, InTemp, Guard>::test_all(InTemp)
        .await
        .expect("the suite passes");
}
