//! Opening a store: refuses one that is damaged, newer, or another node's.

use std::path::PathBuf;
use std::sync::Arc;

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBRecoveryMode, Options, WriteBatch, WriteOptions,
};

use crate::error::{Access, StoreError};
use crate::format::FORMAT_CHANGES;
use crate::history;
use crate::keys;
use crate::log::LogStore;
use crate::shared::{Shared, Store, cf};
use crate::state::{self, StateMachine};
use crate::sync::Syncer;

/// How to open a store.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The directory; made if missing. One process at a time may have it open.
    pub path: PathBuf,
    /// The node it belongs to.
    pub node_id: u64,
    /// Called first on each thread the store starts: to set its priority.
    pub on_thread_start: fn(),
}

/// An open store: the handle, and what consensus drives.
pub struct Opened {
    /// For everybody else.
    pub store: Store,
    /// The log.
    pub log: LogStore,
    /// The state machine.
    pub state_machine: StateMachine,
}

/// Opens or makes a store, checks it, and loads the state. Blocking; seconds for a large pool.
///
/// # Errors
/// [`StoreError`] says what is wrong; the files are left as they are.
pub fn open(config: &StoreConfig) -> Result<Opened, StoreError> {
    std::fs::create_dir_all(&config.path).map_err(|source| StoreError::Directory {
        path: config.path.clone(),
        source,
    })?;
    // What is read again is in this process's memory already; the cache serves starts and lagging members.
    let cache = Cache::new_lru_cache(4 * 1024 * 1024);
    let families = [(keys::META, 1), (keys::LOG, 8), (keys::STATE, 8)].map(|(name, mebibytes)| {
        let mut options = Options::default();
        let mut tables = BlockBasedOptions::default();
        tables.set_block_cache(&cache);
        options.set_block_based_table_factory(&tables);
        options.set_write_buffer_size(mebibytes * 1024 * 1024);
        ColumnFamilyDescriptor::new(name, options)
    });
    let db =
        DB::open_cf_descriptors(&options(), &config.path, families).map_err(|source| StoreError::Open {
            path: config.path.clone(),
            source,
        })?;
    check_owner(&db, config.node_id)?;
    let loaded = state::load(&db)?;
    let past = history::folder(&config.path);
    let shared = Arc::new(Shared::new(db, loaded.db.clone(), loaded.generation, past));
    let log = LogStore::load(&shared)?;
    let state_machine = StateMachine::new(Arc::clone(&shared), loaded);
    let syncer = Syncer::start(&shared, config.on_thread_start).map_err(|source| StoreError::Directory {
        path: config.path.clone(),
        source,
    })?;
    shared.set_syncer(syncer);
    Ok(Opened {
        store: Store { shared },
        log,
        state_machine,
    })
}

fn options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_paranoid_checks(true);
    // A record torn at the very end was never acknowledged; damage before it is damage.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_max_total_wal_size(64 * 1024 * 1024);
    options.set_keep_log_file_num(4);
    options.set_max_log_file_size(4 * 1024 * 1024);
    options.set_max_background_jobs(2);
    options.set_max_open_files(256);
    options.set_stats_dump_period_sec(0);
    options
}

fn check_owner(db: &DB, own: u64) -> Result<(), StoreError> {
    let meta = cf(db, keys::META)?;
    let known = FORMAT_CHANGES.last().map_or(0, |change| change.format);
    match (db.get_cf(meta, keys::FORMAT)?, db.get_cf(meta, keys::NODE)?) {
        (None, None) => {
            let mut batch = WriteBatch::default();
            batch.put_cf(meta, keys::FORMAT, known.to_be_bytes());
            batch.put_cf(meta, keys::NODE, own.to_be_bytes());
            let mut synced = WriteOptions::default();
            synced.set_sync(true);
            db.write_opt(batch, &synced)?;
            Ok(())
        }
        (Some(format), Some(node)) => {
            let damaged = |what: &str| Access::Damaged(format!("the {what} is not a number"));
            let found = format
                .as_slice()
                .try_into()
                .map(u32::from_be_bytes)
                .map_err(|_| damaged("format"))?;
            if found > known {
                return Err(StoreError::Newer { found, known });
            }
            let owner = node
                .as_slice()
                .try_into()
                .map(u64::from_be_bytes)
                .map_err(|_| damaged("node"))?;
            if owner == own {
                Ok(())
            } else {
                Err(StoreError::OtherNode { found: owner, own })
            }
        }
        (_, _) => Err(StoreError::Damaged {
            what: "format or owner is missing".to_owned(),
        }),
    }
}
