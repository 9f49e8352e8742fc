//! What the parts of an open store have in common, and the handle others read it by.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use arc_swap::ArcSwap;
use openraft::storage::IOFlushed;
use pool_domain::{Database, Index};
use rocksdb::{ColumnFamily, DB};
use tokio::sync::watch;

use crate::behind::Behind;
use crate::error::Access;
use crate::keys;
use crate::snapshot::Held;
use crate::sync::Syncer;
use crate::types::TypeConfig;

pub(crate) struct Shared {
    db: RwLock<Option<DB>>,
    published: ArcSwap<Database>,
    applied: watch::Sender<Index>,
    failure: watch::Sender<Option<String>>,
    syncer: Mutex<Option<Syncer>>,
    /// The state on disk holds at least this index: the log may be cut off up to it.
    flushed: AtomicU64,
    /// Where states of the past are kept.
    pub(crate) history: PathBuf,
    /// The first log entry that the past needs.
    kept_from: AtomicU64,
    /// What was applied and is not yet in RocksDB.
    behind: Mutex<Behind>,
    /// The newest snapshot, kept by reference.
    pub(crate) held: Mutex<Option<Held>>,
}

impl Shared {
    pub(crate) fn new(db: DB, database: Database, generation: u32, history: PathBuf) -> Shared {
        let applied = database.applied();
        Shared {
            db: RwLock::new(Some(db)),
            published: ArcSwap::from_pointee(database),
            applied: watch::Sender::new(applied),
            failure: watch::Sender::new(None),
            syncer: Mutex::new(None),
            flushed: AtomicU64::new(applied),
            history,
            kept_from: AtomicU64::new(Index::MAX),
            behind: Mutex::new(Behind::new(generation)),
            held: Mutex::new(None),
        }
    }

    pub(crate) fn set_syncer(&self, syncer: Syncer) {
        *self.syncer.lock().unwrap_or_else(PoisonError::into_inner) = Some(syncer);
    }

    pub(crate) fn submit_sync(&self, callback: IOFlushed<TypeConfig>) {
        match self
            .syncer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
        {
            Some(syncer) => syncer.submit(callback),
            None => callback.io_completed(Err(closed())),
        }
    }

    /// Uses the database. An error stops the node: what it holds in memory may not be what is on disk.
    pub(crate) fn with_db<T>(
        &self,
        doing: &'static str,
        action: impl FnOnce(&DB) -> Result<T, Access>,
    ) -> io::Result<T> {
        if let Some(why) = self.failure.borrow().as_ref() {
            return Err(io::Error::other(why.clone()));
        }
        let guard = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let db = guard.as_ref().ok_or_else(closed)?;
        action(db).map_err(|error| {
            self.fail(format!("cannot {doing}: {error}"));
            io::Error::other(error)
        })
    }

    /// Uses the database where an error is the caller's: while it is being opened, and for what only the past needs.
    pub(crate) fn with_open<T>(&self, action: impl FnOnce(&DB) -> Result<T, Access>) -> Result<T, Access> {
        let guard = self.db.read().unwrap_or_else(PoisonError::into_inner);
        action(
            guard
                .as_ref()
                .ok_or_else(|| Access::Damaged("the store is closed".to_owned()))?,
        )
    }

    pub(crate) fn behind(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn applied_index(&self) -> Index {
        *self.applied.borrow()
    }

    pub(crate) fn note_flushed(&self, applied: Index) {
        self.flushed.fetch_max(applied, Ordering::AcqRel);
    }

    /// The log stays from this entry on, if it does not from an earlier one.
    pub(crate) fn keep_log_from(&self, index: Index) {
        self.kept_from.fetch_min(index, Ordering::AcqRel);
    }

    /// The first log entry that the past needs; `Index::MAX` if it needs none.
    pub(crate) fn kept_from(&self) -> Index {
        self.kept_from.load(Ordering::Acquire)
    }

    /// There is a gap before this entry: what lies behind it is of no use.
    pub(crate) fn past_ends(&self) {
        self.kept_from.store(Index::MAX, Ordering::Release);
    }

    /// The past needs the log only from this entry on; what Raft does not need either goes.
    pub(crate) fn forget_log_before(&self, index: Index) -> io::Result<()> {
        self.kept_from.store(index, Ordering::Release);
        self.with_db("shorten the past", |db| {
            let purged = crate::log::purged(db)?.map_or(0, |at| at.index.saturating_add(1));
            let (family, end) = (cf(db, keys::LOG)?, keys::log(index.min(purged)));
            // Whole files at once, so that their room is free and no longer counted.
            db.delete_file_in_range_cf(family, keys::log(0), end)?;
            Ok(db.delete_range_cf(family, keys::log(0), end)?)
        })
    }

    /// Notes that the store cannot be trusted any more; the first reason stays.
    pub(crate) fn fail(&self, why: String) {
        self.failure.send_if_modified(|failure| {
            let first = failure.is_none();
            if first {
                tracing::error!(%why, "the pool's store failed; this node stops serving");
                *failure = Some(why);
            }
            first
        });
    }

    pub(crate) fn publish(&self, database: Database) {
        let applied = database.applied();
        self.published.store(Arc::new(database));
        self.applied.send_replace(applied);
    }

    pub(crate) fn flushed(&self) -> u64 {
        self.flushed.load(Ordering::Acquire)
    }

    /// Writes the state to RocksDB's files, up to at least `applied`.
    pub(crate) fn flush_state(&self, applied: Index) -> io::Result<()> {
        if self.flushed() >= applied {
            return Ok(());
        }
        // The log first: a state that is ahead of its log would have to be explained at the next start.
        self.with_db("flush the state", |db| {
            db.flush_wal(true)?;
            self.behind().write(db)?;
            Ok(db.flush_cf(cf(db, keys::STATE)?)?)
        })?;
        self.flushed.fetch_max(applied, Ordering::AcqRel);
        Ok(())
    }
}

/// A column family; every one is made when the store is opened.
pub(crate) fn cf<'a>(db: &'a DB, name: &'static str) -> Result<&'a ColumnFamily, Access> {
    db.cf_handle(name).ok_or(Access::Family(name))
}

fn closed() -> io::Error {
    io::Error::other("store is closed")
}

/// The open store as the rest of the node sees it. Cheap to copy.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
}

impl Store {
    /// The newest applied state.
    pub fn database(&self) -> Database {
        Database::clone(&self.shared.published.load())
    }

    /// The applied index; changes are announced.
    pub fn applied(&self) -> watch::Receiver<Index> {
        self.shared.applied.subscribe()
    }

    /// Says whether the store failed and must not be served from any more.
    pub fn has_failed(&self) -> bool {
        self.shared.failure.borrow().is_some()
    }

    /// Why the store failed, if it did.
    pub fn failure(&self) -> Option<String> {
        self.shared.failure.borrow().clone()
    }

    /// Resolves with the reason once the store has failed; never, if it does not.
    pub async fn failed(&self) -> String {
        let mut failure = self.shared.failure.subscribe();
        match failure.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            Err(_) => std::future::pending().await,
        }
    }

    /// Makes the store fail as if a write had gone wrong: for tests of what the node does then.
    pub fn fail(&self, why: &str) {
        self.shared.fail(why.to_owned());
    }

    /// Closes the store: later access answers an error, and the files can be opened anew. Idempotent.
    pub fn close(&self) {
        let syncer = self
            .shared
            .syncer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(syncer) = syncer {
            syncer.stop();
        }
        let db = self
            .shared
            .db
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // After a failure nothing is written any more: what is in memory may be ahead of what the log has on disk.
        if let Some(db) = db
            && !self.has_failed()
        {
            // A shorter start next time; the log has everything already.
            let flushed = db
                .flush_wal(true)
                .map_err(Access::from)
                .and_then(|()| self.shared.behind().write(&db))
                .and_then(|()| Ok(db.flush_cf(cf(&db, keys::STATE)?)?));
            if let Err(error) = flushed {
                tracing::warn!(%error, "store did not flush at its end");
            }
        }
    }
}
