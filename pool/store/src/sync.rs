//! One thread that makes the log durable: whatever waits when it comes round shares one fdatasync.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use openraft::storage::IOFlushed;

use crate::shared::Shared;
use crate::types::TypeConfig;

/// Takes callbacks of appends that have been written and are to become durable.
pub(crate) struct Syncer {
    queue: Sender<IOFlushed<TypeConfig>>,
    thread: JoinHandle<()>,
}

impl Syncer {
    /// Starts the thread. It ends when the syncer is stopped or `shared` has gone.
    pub(crate) fn start(shared: &Arc<Shared>, on_start: fn()) -> std::io::Result<Syncer> {
        let (queue, waiting) = channel();
        let shared = Arc::downgrade(shared);
        let thread = std::thread::Builder::new()
            .name("pool-log-sync".to_owned())
            .spawn(move || {
                on_start();
                run(&shared, &waiting);
            })?;
        Ok(Syncer { queue, thread })
    }

    /// Queues the callback of an append whose bytes RocksDB has taken.
    pub(crate) fn submit(&self, callback: IOFlushed<TypeConfig>) {
        if let Err(refused) = self.queue.send(callback) {
            refused
                .0
                .io_completed(Err(std::io::Error::other("store is closed")));
        }
    }

    /// Ends the thread after what is queued.
    pub(crate) fn stop(self) {
        drop(self.queue);
        if self.thread.join().is_err() {
            tracing::error!("log sync thread ended badly");
        }
    }
}

fn run(shared: &Weak<Shared>, waiting: &Receiver<IOFlushed<TypeConfig>>) {
    let mut batch = Vec::new();
    while let Ok(first) = waiting.recv() {
        batch.push(first);
        batch.extend(waiting.try_iter());
        let synced = match shared.upgrade() {
            Some(shared) => shared.with_db("sync the log", |db| Ok(db.flush_wal(true)?)),
            None => Err(std::io::Error::other("store is closed")),
        };
        for callback in batch.drain(..) {
            callback.io_completed(match &synced {
                Ok(()) => Ok(()),
                Err(error) => Err(std::io::Error::new(error.kind(), error.to_string())),
            });
        }
    }
}
