//! The state machine: applies committed transactions in memory and writes their effects behind the log.

use std::io;
use std::sync::{Arc, PoisonError};

use futures::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine, Snapshot};
use openraft::{EntryPayload, OptionalSend, RaftSnapshotBuilder};
use pool_domain::apply::apply;
use pool_domain::{Database, Outcome, Row};
use prost::Message;
use proto_wire::stored;
use proto_wire::value::Malformed;
use rocksdb::{DB, Direction, IteratorMode, WriteBatch, WriteOptions};

use crate::behind::{Behind, unlogged};
use crate::error::{Access, StoreError};
use crate::format;
use crate::keys::{self, Kind};
use crate::shared::{Shared, cf};
use crate::snapshot::{Held, SnapshotData};
use crate::types::{LogId, Response, SnapshotMeta, StoredMembership, TypeConfig};

/// Entries applied before the result is published and proposers are answered.
const BATCH: usize = 256;
/// Bytes written at once while a snapshot is installed.
const INSTALL_BYTES: usize = 4 * 1024 * 1024;

type SnapshotOf = openraft::alias::SnapshotOf<TypeConfig, SnapshotData>;

/// The state machine as openraft drives it. There is one; readers see what it publishes.
pub struct StateMachine {
    shared: Arc<Shared>,
    db: Database,
    meta: SnapshotMeta,
    generation: u32,
}

/// Makes snapshots beside the running state machine.
pub struct SnapshotBuilder {
    shared: Arc<Shared>,
    held: Held,
}

/// What is on disk: the state and how far it has come.
pub(crate) struct Loaded {
    pub(crate) db: Database,
    pub(crate) meta: SnapshotMeta,
    pub(crate) generation: u32,
}

/// Reads the whole state.
pub(crate) fn load(db: &DB) -> Result<Loaded, StoreError> {
    let access = |error: Access| StoreError::from(error);
    let unreadable = |what: &'static str| move |source: Malformed| StoreError::Unreadable { what, source };
    let generation = match db.get_cf(cf(db, keys::META).map_err(access)?, keys::GENERATION)? {
        Some(bytes) => <[u8; 4]>::try_from(bytes.as_slice())
            .map(u32::from_be_bytes)
            .map_err(|_| StoreError::Damaged {
                what: "the generation is not a number".to_owned(),
            })?,
        None => 0,
    };
    let state = cf(db, keys::STATE).map_err(access)?;
    let (mut rows, mut tombstones, mut requests) = (Vec::new(), Vec::new(), Vec::new());
    let mut meta = SnapshotMeta::default();
    let mut history_from = 0;
    let mut head_seen = false;
    let from = keys::generation(generation);
    for item in db.iterator_cf(state, IteratorMode::From(&from, Direction::Forward)) {
        let (key, value) = item?;
        if !key.starts_with(&from) {
            break;
        }
        let kind = keys::kind(generation, &key).ok_or_else(|| StoreError::Damaged {
            what: "the state has a key of no known kind".to_owned(),
        })?;
        match kind {
            Kind::Head => {
                head_seen = true;
                let head = stored::StateHead::decode(&*value).map_err(|e| unreadable("head")(e.into()))?;
                (meta, history_from) = format::head_from_wire(head).map_err(unreadable("head"))?;
            }
            Kind::Row => {
                let row = stored::Row::decode(&*value).map_err(|e| unreadable("row")(e.into()))?;
                rows.push(format::row_from_wire(row).map_err(unreadable("row"))?);
            }
            Kind::Tombstone => {
                let tombstone =
                    stored::Tombstone::decode(&*value).map_err(|e| unreadable("tombstone")(e.into()))?;
                tombstones.push(format::tombstone_from_wire(tombstone).map_err(unreadable("tombstone"))?);
            }
            Kind::Request => {
                let request =
                    stored::RequestOutcome::decode(&*value).map_err(|e| unreadable("request")(e.into()))?;
                requests.push(format::request_from_wire(request).map_err(unreadable("request"))?);
            }
        }
    }
    let empty = rows.is_empty() && tombstones.is_empty() && requests.is_empty();
    if !(head_seen || empty) {
        return Err(StoreError::Damaged {
            what: "the state has no head".to_owned(),
        });
    }
    let applied = meta.last_log_id.as_ref().map_or(0, |at| at.index);
    if let Some(row) = rows.iter().find(|row: &&Row| row.version > applied) {
        return Err(StoreError::Damaged {
            what: format!("row {} is newer than the state", row.reference),
        });
    }
    let database = Database::restore(applied, history_from, rows, tombstones, requests);
    Ok(Loaded {
        db: database,
        meta,
        generation,
    })
}

impl StateMachine {
    pub(crate) fn new(shared: Arc<Shared>, loaded: Loaded) -> StateMachine {
        StateMachine {
            shared,
            db: loaded.db,
            meta: loaded.meta,
            generation: loaded.generation,
        }
    }

    /// Applies one entry; its effects are to be written later.
    fn apply_one(&mut self, behind: &mut Behind, entry: crate::types::Entry) -> Result<Outcome, Access> {
        let index = entry.log_id.index;
        self.meta.last_log_id = Some(entry.log_id);
        match entry.payload {
            EntryPayload::Blank => {
                self.db.skip_to(index);
                Ok(Outcome::Applied(index))
            }
            EntryPayload::Membership(membership) => {
                self.db.skip_to(index);
                self.meta.last_membership = StoredMembership::new(Some(entry.log_id), membership);
                Ok(Outcome::Applied(index))
            }
            EntryPayload::Normal(command) => {
                // A transaction that does not read here may read elsewhere: to skip it would be to diverge.
                let transaction = command.decode()?;
                let (outcome, effects) = apply(&mut self.db, index, &transaction);
                behind.note(index, transaction.request, effects);
                Ok(outcome)
            }
        }
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotData = SnapshotData;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, StoredMembership), io::Error> {
        Ok((self.meta.last_log_id, self.meta.last_membership.clone()))
    }

    async fn apply<Strm>(&mut self, entries: Strm) -> Result<(), io::Error>
    where
        Strm: Stream<Item = Result<EntryResponder<TypeConfig>, io::Error>> + Unpin + OptionalSend,
    {
        let mut entries = entries.ready_chunks(BATCH);
        while let Some(chunk) = entries.next().await {
            let mut answers = Vec::with_capacity(chunk.len());
            let shared = Arc::clone(&self.shared);
            shared.with_db("apply", |db| {
                let mut behind = shared.behind();
                let entries = chunk.len();
                for item in chunk {
                    let (entry, responder) = item.map_err(|error| Access::Damaged(error.to_string()))?;
                    let outcome = self.apply_one(&mut behind, entry)?;
                    if let Some(responder) = responder {
                        answers.push((responder, outcome));
                    }
                }
                behind.advance(entries, self.meta.clone(), self.db.history_from());
                if behind.is_full() {
                    behind.write(db)
                } else {
                    Ok(())
                }
            })?;
            self.shared.publish(self.db.clone());
            // Answered only now: who has an answer can read what it tells of.
            for (responder, outcome) in answers {
                responder.send(Response { outcome });
            }
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        let held = Held {
            meta: self.meta.clone(),
            data: SnapshotData(self.db.clone()),
        };
        SnapshotBuilder {
            shared: Arc::clone(&self.shared),
            held,
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        snapshot: SnapshotData,
    ) -> Result<(), io::Error> {
        let held = Held {
            meta: meta.clone(),
            data: snapshot.clone(),
        };
        let (old, new) = (self.generation, self.generation.wrapping_add(1));
        let shared = Arc::clone(&self.shared);
        let writing = held.clone();
        tokio::task::spawn_blocking(move || install(&shared, &writing, old, new))
            .await
            .map_err(io::Error::other)??;
        self.generation = new;
        self.meta = held.meta.clone();
        self.db = snapshot.0;
        self.shared.publish(self.db.clone());
        *self.shared.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<SnapshotOf>, io::Error> {
        let held = self
            .shared
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        Ok(held.map(|held| Snapshot {
            meta: held.meta,
            snapshot: held.data,
        }))
    }
}

/// Writes a snapshot beside the state in use, makes it durable, then makes it the valid one in one step.
fn install(shared: &Shared, held: &Held, old: u32, new: u32) -> io::Result<()> {
    let db_new = &held.data.0;
    shared.with_db("install a snapshot", |db| {
        // What was applied before goes with the state it belongs to.
        *shared.behind() = Behind::new(new);
        let state = cf(db, keys::STATE)?;
        let mut batch = WriteBatch::default();
        // What an install that was cut off may have left.
        batch.delete_range_cf(
            state,
            keys::generation(new),
            keys::generation(new.wrapping_add(1)),
        );
        for row in db_new.all() {
            batch.put_cf(
                state,
                keys::row(new, row.reference),
                format::row_to_wire(row).encode_to_vec(),
            );
            if batch.size_in_bytes() > INSTALL_BYTES {
                db.write_opt(std::mem::take(&mut batch), &unlogged())?;
            }
        }
        for (index, reference, tombstone) in db_new.tombstones() {
            let value = format::tombstone_to_wire(index, reference, tombstone).encode_to_vec();
            batch.put_cf(state, keys::tombstone(new, index, reference), value);
        }
        for (id, index, outcome) in db_new.requests() {
            let value = format::request_to_wire(id, index, &outcome).encode_to_vec();
            batch.put_cf(state, keys::request(new, index), value);
        }
        let head = format::head_to_wire(&held.meta, db_new.history_from()).encode_to_vec();
        batch.put_cf(state, keys::head(new), head);
        db.write_opt(batch, &unlogged())?;
        db.flush_cf(state)?;
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        db.put_cf_opt(cf(db, keys::META)?, keys::GENERATION, new.to_be_bytes(), &synced)?;
        let mut batch = WriteBatch::default();
        batch.delete_range_cf(
            state,
            keys::generation(old),
            keys::generation(old.wrapping_add(1)),
        );
        Ok(db.write_opt(batch, &unlogged())?)
    })?;
    shared.note_flushed(held.data.0.applied());
    Ok(())
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = SnapshotData;

    async fn build_snapshot(&mut self) -> Result<SnapshotOf, io::Error> {
        // The log will be cut off up to here: the state on disk must have come as far.
        let shared = Arc::clone(&self.shared);
        let applied = self.held.data.0.applied();
        tokio::task::spawn_blocking(move || shared.flush_state(applied))
            .await
            .map_err(io::Error::other)??;
        let held = self.held.clone();
        let mut newest = self.shared.held.lock().unwrap_or_else(PoisonError::into_inner);
        // A snapshot that was installed meanwhile is newer.
        if newest
            .as_ref()
            .is_none_or(|newest| newest.meta.last_log_id <= held.meta.last_log_id)
        {
            *newest = Some(held.clone());
        }
        Ok(Snapshot {
            meta: held.meta,
            snapshot: held.data,
        })
    }
}
