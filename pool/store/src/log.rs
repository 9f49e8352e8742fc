//! The log: entries by index, the vote, and the position up to which entries were cut off.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{Stream, StreamExt, stream};
use openraft::storage::{IOFlushed, RaftLogStorage};
use openraft::{EntryPayload, LogState, OptionalSend, RaftLogReader};
use prost::Message;
use proto_wire::stored;
use rocksdb::{DB, Direction, IteratorMode, WriteBatch, WriteOptions};

use crate::error::Access;
use crate::format;
use crate::history;
use crate::keys;
use crate::shared::{Shared, cf};
use crate::types::{Entry, LogId, TypeConfig, Vote};

/// Newest entries kept in memory: what replication and apply read.
const TAIL_ENTRIES: usize = 4096;
/// The same, in bytes of transactions.
const TAIL_BYTES: usize = 4 * 1024 * 1024;
/// The most bytes handed to replication at once; one entry always goes.
const READ_BYTES: usize = 4 * 1024 * 1024;
/// Entries handed to apply at once.
const READ_ENTRIES: u64 = 512;

/// The newest part of the log in memory, and its ends.
#[derive(Default)]
struct Tail {
    entries: VecDeque<Entry>,
    bytes: usize,
    last: Option<LogId>,
    purged: Option<LogId>,
    /// The first index stored, in memory or not; `None` while there is no entry.
    first: Option<u64>,
}

impl Tail {
    fn first_index(&self) -> u64 {
        self.entries.front().map_or(u64::MAX, |entry| entry.log_id.index)
    }

    fn next_index(&self) -> u64 {
        self.last.as_ref().map_or(0, |last| last.index.saturating_add(1))
    }

    fn first_stored(&self) -> u64 {
        self.first.unwrap_or_else(|| self.next_index())
    }

    fn push(&mut self, entry: Entry) {
        self.bytes += size(&entry);
        self.last = Some(entry.log_id);
        self.first.get_or_insert(entry.log_id.index);
        self.entries.push_back(entry);
        while self.entries.len() > TAIL_ENTRIES || (self.bytes > TAIL_BYTES && self.entries.len() > 1) {
            self.pop_front();
        }
    }

    fn pop_front(&mut self) {
        if let Some(entry) = self.entries.pop_front() {
            self.bytes = self.bytes.saturating_sub(size(&entry));
        }
    }
}

fn size(entry: &Entry) -> usize {
    match &entry.payload {
        EntryPayload::Normal(command) => command.len() + 64,
        EntryPayload::Blank | EntryPayload::Membership(_) => 256,
    }
}

struct Log {
    shared: Arc<Shared>,
    tail: Mutex<Tail>,
    vote: Mutex<Option<Vote>>,
}

/// The log as openraft writes it.
pub struct LogStore {
    log: Arc<Log>,
}

/// The log as openraft reads it.
#[derive(Clone)]
pub struct LogReader {
    log: Arc<Log>,
}

impl LogStore {
    /// Takes up the log of an open store; checks that it has no hole and that entries are what their keys say.
    pub(crate) fn load(shared: &Arc<Shared>) -> Result<LogStore, Access> {
        let (vote, tail) = shared.with_open(|db| {
            let meta = cf(db, keys::META)?;
            let vote = match db.get_cf(meta, keys::VOTE)? {
                Some(bytes) => Some(format::vote_from_wire(&stored::Vote::decode(bytes.as_slice())?)),
                None => None,
            };
            let purged = purged(db)?;
            let mut tail = Tail {
                last: purged,
                purged,
                ..Tail::default()
            };
            // What lies before is kept for the past only.
            let begin = keys::log(tail.next_index());
            let family = cf(db, keys::LOG)?;
            for item in db.iterator_cf(family, IteratorMode::From(&begin, Direction::Forward)) {
                let (key, value) = item?;
                let entry = read_entry(&key, &value)?;
                let follows = tail.last.is_none() || entry.log_id.index == tail.next_index();
                if !follows {
                    return Err(Access::Damaged(format!(
                        "the log has no entry {}, but {}",
                        tail.next_index(),
                        entry.log_id.index
                    )));
                }
                tail.push(entry);
            }
            let oldest = db.iterator_cf(family, IteratorMode::Start).next().transpose()?;
            let oldest = oldest.and_then(|(key, _)| keys::log_index(&key));
            let past = history::kept_from(&shared.history, oldest.unwrap_or_else(|| tail.next_index()));
            shared.keep_log_from(past);
            Ok((vote, tail))
        })?;
        let log = Log {
            shared: Arc::clone(shared),
            tail: Mutex::new(tail),
            vote: Mutex::new(vote),
        };
        Ok(LogStore { log: Arc::new(log) })
    }

    /// Says whether a vote was ever saved: whether this node has promised anything to anyone.
    pub fn has_vote(&self) -> bool {
        self.log
            .vote
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    }
}

impl Log {
    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Entries of a range, from memory where possible, until `limit` bytes are exceeded.
    fn read(&self, range: impl RangeBounds<u64>, limit: usize) -> io::Result<Vec<Entry>> {
        // Held throughout: what is read is the log at one moment.
        let tail = self.tail();
        let start = match range.start_bound() {
            Bound::Included(at) => *at,
            Bound::Excluded(at) => at.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(at) => at.saturating_add(1),
            Bound::Excluded(at) => *at,
            Bound::Unbounded => u64::MAX,
        };
        let (start, end) = (start.max(tail.first_stored()), end.min(tail.next_index()));
        let mut found: Vec<Entry> = Vec::new();
        if start >= end {
            return Ok(found);
        }
        let mut bytes: usize = 0;
        let in_memory = tail.first_index();
        if start < in_memory {
            let until = end.min(in_memory);
            let full = self.shared.with_db("read the log", |db| {
                let mode = IteratorMode::From(&keys::log(start), Direction::Forward);
                for (item, expected) in db.iterator_cf(cf(db, keys::LOG)?, mode).zip(start..until) {
                    let (key, value) = item?;
                    let entry = read_entry(&key, &value)?;
                    if entry.log_id.index != expected {
                        return Err(Access::Damaged(format!("the log has no entry {expected}")));
                    }
                    bytes += size(&entry);
                    found.push(entry);
                    if bytes > limit {
                        return Ok(true);
                    }
                }
                Ok(false)
            })?;
            if full {
                return Ok(found);
            }
            if found.len() as u64 != until - start {
                self.shared.fail(format!("the log ends before entry {until}"));
                return Err(io::Error::other("the log has a hole"));
            }
        }
        let skip = usize::try_from(start.max(in_memory).saturating_sub(in_memory)).unwrap_or(usize::MAX);
        for entry in tail
            .entries
            .iter()
            .skip(skip)
            .take_while(|entry| entry.log_id.index < end)
        {
            bytes += size(entry);
            found.push(entry.clone());
            if bytes > limit {
                break;
            }
        }
        Ok(found)
    }
}

/// The last position that Raft has cut off.
pub(crate) fn purged(db: &DB) -> Result<Option<LogId>, Access> {
    let bytes = db.get_cf(cf(db, keys::META)?, keys::PURGED)?;
    let stored = bytes
        .map(|bytes| stored::LogId::decode(bytes.as_slice()))
        .transpose()?;
    Ok(stored.map(|stored| format::log_id_from_wire(&stored)))
}

pub(crate) fn read_entry(key: &[u8], value: &[u8]) -> Result<Entry, Access> {
    let entry = format::entry_from_wire(stored::LogEntry::decode(value)?)?;
    match keys::log_index(key) {
        Some(index) if index == entry.log_id.index => Ok(entry),
        other => Err(Access::Damaged(format!(
            "entry {} lies under key {other:?}",
            entry.log_id.index
        ))),
    }
}

fn put_meta(db: &DB, batch: &mut WriteBatch, key: &[u8], message: &impl Message) -> Result<(), Access> {
    batch.put_cf(cf(db, keys::META)?, key, message.encode_to_vec());
    Ok(())
}

impl RaftLogReader<TypeConfig> for LogReader {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry>, io::Error> {
        self.log.read(range, usize::MAX)
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(*self.log.vote.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        self.log.read(start..end, READ_BYTES)
    }

    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let start = match range.start_bound() {
            Bound::Included(at) => *at,
            Bound::Excluded(at) => at.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(at) => at.saturating_add(1),
            Bound::Excluded(at) => *at,
            Bound::Unbounded => u64::MAX,
        };
        // In pieces: after a start there may be much to apply again.
        let log = Arc::clone(&self.log);
        let pieces = stream::unfold(Some(start), move |at| {
            let piece = at.filter(|at| *at < end).map(|at| {
                let until = at.saturating_add(READ_ENTRIES).min(end);
                match log.read(at..until, READ_BYTES) {
                    Ok(entries) if entries.is_empty() => None,
                    Ok(entries) => {
                        let next = entries.last().map(|last| last.log_id.index.saturating_add(1));
                        Some((entries.into_iter().map(Ok).collect::<Vec<_>>(), next))
                    }
                    Err(error) => Some((vec![Err(error)], None)),
                }
            });
            std::future::ready(piece.flatten())
        });
        pieces.flat_map(stream::iter)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = LogReader;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, io::Error> {
        let tail = self.log.tail();
        Ok(LogState {
            last_purged_log_id: tail.purged,
            last_log_id: tail.last,
        })
    }

    async fn get_log_reader(&mut self) -> LogReader {
        LogReader {
            log: Arc::clone(&self.log),
        }
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let bytes = format::vote_to_wire(vote).encode_to_vec();
        self.log.shared.with_db("save the vote", |db| {
            let mut options = WriteOptions::default();
            options.set_sync(true);
            Ok(db.put_cf_opt(cf(db, keys::META)?, keys::VOTE, bytes, &options)?)
        })?;
        *self.log.vote.lock().unwrap_or_else(PoisonError::into_inner) = Some(*vote);
        Ok(())
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        {
            let mut tail = self.log.tail();
            let entries: Vec<Entry> = entries.into_iter().collect();
            self.log.shared.with_db("append to the log", |db| {
                let family = cf(db, keys::LOG)?;
                let mut batch = WriteBatch::default();
                for entry in &entries {
                    batch.put_cf(
                        family,
                        keys::log(entry.log_id.index),
                        format::entry_to_wire(entry).encode_to_vec(),
                    );
                }
                Ok(db.write(batch)?)
            })?;
            entries.into_iter().for_each(|entry| tail.push(entry));
        }
        self.log.shared.submit_sync(callback);
        Ok(())
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        let mut tail = self.log.tail();
        let from = last_log_id
            .as_ref()
            .map_or(0, |last| last.index.saturating_add(1));
        self.log.shared.with_db("truncate the log", |db| {
            let mut batch = WriteBatch::default();
            batch.delete_range_cf(cf(db, keys::LOG)?, keys::log(from), keys::log(u64::MAX));
            let mut options = WriteOptions::default();
            options.set_sync(true);
            Ok(db.write_opt(batch, &options)?)
        })?;
        while tail
            .entries
            .back()
            .is_some_and(|entry| entry.log_id.index >= from)
        {
            if let Some(entry) = tail.entries.pop_back() {
                tail.bytes = tail.bytes.saturating_sub(size(&entry));
            }
        }
        if tail.next_index() > from {
            tail.last = last_log_id.max(tail.purged);
        }
        tail.first = tail.first.filter(|first| *first < from);
        Ok(())
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        // The state on disk must not need what goes.
        if self.log.shared.flushed() < log_id.index {
            let shared = Arc::clone(&self.log.shared);
            let applied = shared.applied_index();
            tokio::task::spawn_blocking(move || shared.flush_state(applied))
                .await
                .map_err(io::Error::other)??;
        }
        let mut tail = self.log.tail();
        let next = log_id.index.saturating_add(1);
        if next > tail.next_index() {
            // A snapshot stands for entries that this host never had.
            self.log.shared.past_ends();
        }
        let gone = next.min(self.log.shared.kept_from());
        self.log.shared.with_db("purge the log", |db| {
            let mut batch = WriteBatch::default();
            put_meta(db, &mut batch, keys::PURGED, &format::log_id_to_wire(&log_id))?;
            batch.delete_range_cf(cf(db, keys::LOG)?, keys::log(0), keys::log(gone));
            Ok(db.write(batch)?)
        })?;
        while tail.first_index() <= log_id.index {
            tail.pop_front();
        }
        tail.purged = Some(log_id);
        tail.last = tail.last.max(Some(log_id));
        tail.first = tail
            .first
            .map(|first| first.max(next))
            .filter(|first| *first < tail.next_index());
        Ok(())
    }
}
