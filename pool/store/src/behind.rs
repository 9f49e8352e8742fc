//! What has been applied and is not yet in RocksDB: each row once, however often it changed.
//!
//! The log holds the same in another form and is kept until the state has been flushed, so what is lost with the
//! process is applied again at the next start.

use std::collections::BTreeMap;
use std::sync::Arc;

use pool_domain::apply::Effects;
use pool_domain::database::Tombstone;
use pool_domain::{Index, Outcome, RequestId, Row};
use prost::Message;
use proto_types::Ref;
use rocksdb::{DB, WriteBatch, WriteOptions};

use crate::error::Access;
use crate::format;
use crate::keys;
use crate::shared::cf;
use crate::types::SnapshotMeta;

/// Applied entries after which the state is written: what a start has to apply again at most, beside what RocksDB
/// itself had not flushed.
const ENTRIES: usize = 1024;

/// Changes of the state that wait to be written; `None` stands for what has gone.
#[derive(Default)]
pub(crate) struct Behind {
    generation: u32,
    entries: usize,
    head: Option<(SnapshotMeta, Index)>,
    rows: BTreeMap<Ref, Option<Arc<Row>>>,
    tombstones: BTreeMap<(Index, Ref), Option<Tombstone>>,
    requests: BTreeMap<Index, Option<RequestId>>,
}

impl Behind {
    pub(crate) fn new(generation: u32) -> Behind {
        Behind {
            generation,
            ..Behind::default()
        }
    }

    /// Takes up what one entry changed.
    pub(crate) fn note(&mut self, index: Index, request: RequestId, effects: Effects) {
        self.rows
            .extend(effects.written.into_iter().map(|row| (row.reference, Some(row))));
        for (reference, tombstone) in effects.removed {
            self.rows.insert(reference, None);
            if tombstone.created < index {
                self.tombstones.insert((index, reference), Some(tombstone));
            }
        }
        self.tombstones
            .extend(effects.forgotten.into_iter().map(|key| (key, None)));
        if effects.noted {
            self.requests.insert(index, Some(request));
        }
        self.requests
            .extend(effects.forgotten_requests.into_iter().map(|at| (at, None)));
    }

    /// Notes how far the state has come after `entries` more.
    pub(crate) fn advance(&mut self, entries: usize, meta: SnapshotMeta, history_from: Index) {
        self.entries += entries;
        self.head = Some((meta, history_from));
    }

    /// Says whether so much waits that it is to be written now.
    pub(crate) fn is_full(&self) -> bool {
        self.entries >= ENTRIES
    }

    /// Writes what waits, in one batch, so that the head on disk always fits the rows beside it.
    pub(crate) fn write(&mut self, db: &DB) -> Result<(), Access> {
        let Some((meta, history_from)) = self.head.take() else {
            return Ok(());
        };
        let state = cf(db, keys::STATE)?;
        let generation = self.generation;
        let mut batch = WriteBatch::default();
        for (reference, row) in std::mem::take(&mut self.rows) {
            let key = keys::row(generation, reference);
            match row {
                Some(row) => batch.put_cf(state, key, format::row_to_wire(&row).encode_to_vec()),
                None => batch.delete_cf(state, key),
            }
        }
        for ((index, reference), tombstone) in std::mem::take(&mut self.tombstones) {
            let key = keys::tombstone(generation, index, reference);
            match tombstone {
                Some(tombstone) => {
                    let value = format::tombstone_to_wire(index, reference, tombstone).encode_to_vec();
                    batch.put_cf(state, key, value);
                }
                None => batch.delete_cf(state, key),
            }
        }
        for (index, request) in std::mem::take(&mut self.requests) {
            let key = keys::request(generation, index);
            match request {
                Some(request) => {
                    let value =
                        format::request_to_wire(request, index, &Outcome::Applied(index)).encode_to_vec();
                    batch.put_cf(state, key, value);
                }
                None => batch.delete_cf(state, key),
            }
        }
        let head = format::head_to_wire(&meta, history_from).encode_to_vec();
        batch.put_cf(state, keys::head(generation), head);
        self.entries = 0;
        Ok(db.write_opt(batch, &unlogged())?)
    }
}

/// The log holds what the state holds: these bytes need not go through RocksDB's own.
pub(crate) fn unlogged() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.disable_wal(true);
    options
}
