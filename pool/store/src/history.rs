//! The past: states kept as files now and then, and the log since the oldest of them.
//!
//! ```text
//! history/<index>-<seconds>.state    history/<index>-<seconds>.state
//!         └── log entries, kept when Raft cuts them off ──┴── … ── log ──► now
//! ```
//! The state at a moment is the newest kept state before it and the entries from there on, applied again. Entries that
//! Raft needs no longer stay where they are, so that keeping them costs no write. A host that was away and came back by
//! a snapshot has a gap; its history begins anew behind it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use openraft::EntryPayload;
use pool_domain::apply::apply;
use pool_domain::{Database, Index, Transaction};
use prost::Message;
use proto_types::DateTime;
use proto_wire::raft::SnapshotPart;
use rocksdb::{DB, Direction, IteratorMode};

use crate::error::Access;
use crate::keys;
use crate::log::read_entry;
use crate::shared::{Shared, Store, cf};
use crate::snapshot::{Assembler, Progress, SnapshotData, parts};
use crate::types::{LogId, SnapshotMeta, Vote};

/// The folder within the store's.
const FOLDER: &str = "history";
const ENDING: &str = ".state";
/// Entries that are read at once.
const PIECE: usize = 256;
/// No part of a snapshot is larger.
const LARGEST_PART: u32 = 64 * 1024 * 1024;
/// By how much a host's clock may be ahead of the leader's: a kept state is used only for moments this much later.
const CLOCKS_APART: i64 = 60;

/// A state kept as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The entry after which it was taken.
    pub index: Index,
    /// When, by this host's clock.
    pub taken: DateTime,
    path: PathBuf,
}

/// Why the past cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// Nothing is kept from then.
    #[error("this host's history does not reach back so far; it begins {}", .from.map_or_else(|| "now".to_owned(), |at| at.to_string()))]
    TooFar {
        /// Where it begins.
        from: Option<DateTime>,
    },
    /// A kept state is not what was written.
    #[error("the state kept in {path} is damaged")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("the history cannot be read or written")]
    Io(#[from] io::Error),
}

/// The oldest log entry that is not to be thrown away for the sake of the past; `Index::MAX` without any kept state.
pub(crate) fn kept_from(folder: &Path, first_entry: Index) -> Index {
    let bases = bases(folder).unwrap_or_default();
    let usable = bases.iter().map(|base| base.index.saturating_add(1));
    usable
        .filter(|next| *next >= first_entry)
        .min()
        .unwrap_or(Index::MAX)
}

/// Where the states of a store are kept.
pub(crate) fn folder(store: &Path) -> PathBuf {
    store.join(FOLDER)
}

/// The kept states, oldest first; what was not written to its end is passed over.
fn bases(folder: &Path) -> io::Result<Vec<Base>> {
    let files = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        files => files?,
    };
    let mut found = Vec::new();
    for file in files {
        let path = file?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let numbers = name
            .and_then(|name| name.strip_suffix(ENDING))
            .and_then(|name| name.split_once('-'));
        if let Some((index, taken)) = numbers
            && let (Ok(index), Ok(taken)) = (index.parse(), taken.parse())
        {
            let taken = DateTime(taken);
            found.push(Base { index, taken, path });
        }
    }
    found.sort_by_key(|base| base.index);
    Ok(found)
}

impl Shared {
    /// Reads what only the past needs: an error is the asker's, not the node's end.
    fn look<T>(&self, action: impl FnOnce(&DB) -> Result<T, Access>) -> io::Result<T> {
        self.with_open(action).map_err(io::Error::other)
    }

    /// The first entry that lies in the log, be it Raft's or only the past's; the next one if there is none.
    fn first_kept_entry(&self) -> io::Result<Index> {
        let next = self.applied_index().saturating_add(1);
        self.look(|db| {
            let mut keys = db.iterator_cf(cf(db, keys::LOG)?, IteratorMode::Start);
            let first = keys.next().transpose()?;
            Ok(first.and_then(|(key, _)| keys::log_index(&key)).unwrap_or(next))
        })
    }
}

/// Reading and keeping the past. All of it blocks: call it off the async threads.
impl Store {
    /// The kept states from which the log reaches to now, oldest first.
    ///
    /// # Errors
    /// When the folder or the log cannot be read.
    pub fn bases(&self) -> io::Result<Vec<Base>> {
        let first = self.shared.first_kept_entry()?;
        let mut bases = bases(&self.shared.history)?;
        bases.retain(|base| base.index.saturating_add(1) >= first);
        Ok(bases)
    }

    /// Bytes that the log takes on disk, about.
    pub fn log_bytes(&self) -> io::Result<u64> {
        self.shared.look(|db| {
            let size = db.property_int_value_cf(cf(db, keys::LOG)?, "rocksdb.estimate-live-data-size")?;
            Ok(size.unwrap_or(0))
        })
    }

    /// Keeps the state as it is now. From here on the log stays.
    ///
    /// # Errors
    /// When it cannot be written; nothing is left behind then.
    pub fn keep_state(&self, now: DateTime) -> io::Result<Base> {
        let db = self.database();
        let folder = &self.shared.history;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let path = folder.join(format!("{:020}-{}{ENDING}", db.applied(), now.0));
        let base = Base {
            index: db.applied(),
            taken: now,
            path,
        };
        // Before it is there: nothing that follows it may go meanwhile.
        self.shared.keep_log_from(base.index.saturating_add(1));
        let part = base.path.with_extension("part");
        let written = write(&part, db).and_then(|()| fs::rename(&part, &base.path));
        if let Err(error) = written {
            let _ = fs::remove_file(&part);
            return Err(error);
        }
        File::open(folder)?.sync_all()?;
        Ok(base)
    }

    /// Forgets what was before a kept state: older ones, and the log up to it.
    ///
    /// # Errors
    /// When a file cannot be removed or the log not be cut off.
    pub fn forget_before(&self, oldest: Index) -> io::Result<()> {
        for base in bases(&self.shared.history)? {
            if base.index < oldest {
                fs::remove_file(&base.path)?;
            }
        }
        self.shared.forget_log_before(oldest.saturating_add(1))
    }

    /// The state as it was at a moment: all that had been decided until then, by the leaders' clocks.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn state_at(&self, moment: DateTime) -> Result<Database, HistoryError> {
        let bases = self.bases()?;
        let before = |base: &&Base| base.taken.0 + CLOCKS_APART <= moment.0;
        let base = bases
            .iter()
            .rev()
            .find(before)
            .or_else(|| bases.first().filter(|base| base.taken.0 <= moment.0))
            .ok_or(HistoryError::TooFar {
                from: bases.first().map(|base| base.taken),
            })?;
        self.replayed(base, |_, transaction| {
            transaction.is_none_or(|transaction| transaction.decided_at.0 <= moment.0)
        })
    }

    /// The state after an entry.
    ///
    /// # Errors
    /// [`HistoryError`].
    pub fn state_after(&self, last: Index) -> Result<Database, HistoryError> {
        let bases = self.bases()?;
        let base = bases.iter().rev().find(|base| base.index <= last);
        let base = base.ok_or(HistoryError::TooFar {
            from: bases.first().map(|base| base.taken),
        })?;
        self.replayed(base, |index, _| index <= last)
    }

    /// A kept state and the entries behind it, as long as they belong to what is asked for.
    fn replayed(
        &self,
        base: &Base,
        mut belongs: impl FnMut(Index, Option<&Transaction>) -> bool,
    ) -> Result<Database, HistoryError> {
        let mut db = read(&base.path)?;
        self.each_entry(base.index.saturating_add(1), |index, transaction| {
            if !belongs(index, transaction.as_ref()) {
                return ControlFlow::Break(());
            }
            match transaction {
                Some(transaction) => drop(apply(&mut db, index, &transaction)),
                None => db.skip_to(index),
            }
            ControlFlow::Continue(())
        })?;
        Ok(db)
    }

    /// Calls with each entry from one on that has been applied here, in order; `None` for what Raft wrote for itself.
    ///
    /// # Errors
    /// When the log cannot be read, or has a gap: what was before it may just have been forgotten.
    pub fn each_entry(
        &self,
        from: Index,
        mut call: impl FnMut(Index, Option<Transaction>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let last = self.shared.applied_index();
        let mut next = from;
        while next <= last {
            let piece = self.piece(next, last)?;
            if piece.is_empty() {
                return Ok(());
            }
            for (index, transaction) in piece {
                next = index.saturating_add(1);
                if call(index, transaction).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Some entries from one on. In pieces, so that the store can be closed while somebody takes his time over them.
    fn piece(&self, from: Index, last: Index) -> io::Result<Vec<(Index, Option<Transaction>)>> {
        self.shared.look(|db| {
            let mode = IteratorMode::From(&keys::log(from), Direction::Forward);
            let entries = db.iterator_cf(cf(db, keys::LOG)?, mode);
            let mut piece = Vec::new();
            for (item, expected) in entries.take(PIECE).zip(from..=last) {
                let (key, value) = item?;
                let entry = read_entry(&key, &value)?;
                if entry.log_id.index != expected {
                    return Err(Access::Damaged(format!("the log has no entry {expected}")));
                }
                let transaction = match &entry.payload {
                    EntryPayload::Normal(command) => Some(command.decode()?),
                    EntryPayload::Blank | EntryPayload::Membership(_) => None,
                };
                piece.push((expected, transaction));
            }
            Ok(piece)
        })
    }
}

fn write(path: &Path, db: Database) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        // Keys and password hashes lie in it.
        .mode(0o600)
        .open(path)?;
    let mut out = BufWriter::new(file);
    let meta = SnapshotMeta {
        last_log_id: Some(LogId::new_term_index(0, db.applied())),
        ..SnapshotMeta::default()
    };
    let mut failure = None;
    parts(&Vote::new(0, 0), &meta, &SnapshotData(db), |part| {
        let bytes = part.encode_to_vec();
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let put = out
            .write_all(&length.to_be_bytes())
            .and_then(|()| out.write_all(&bytes));
        failure = put.err();
        failure.is_none()
    });
    if let Some(error) = failure {
        return Err(error);
    }
    out.into_inner()?.sync_all()
}

fn read(path: &Path) -> Result<Database, HistoryError> {
    let damaged = || HistoryError::Damaged {
        path: path.to_owned(),
    };
    let mut input = BufReader::new(File::open(path)?);
    let mut next = || -> Result<SnapshotPart, HistoryError> {
        let mut length = [0; 4];
        input.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length > LARGEST_PART {
            return Err(damaged());
        }
        let mut bytes = Vec::new();
        (&mut input).take(u64::from(length)).read_to_end(&mut bytes)?;
        SnapshotPart::decode(bytes.as_slice()).map_err(|_| damaged())
    };
    let mut assembler = Assembler::begin(next()?).map_err(|_| damaged())?;
    loop {
        match assembler.push(next()?).map_err(|_| damaged())? {
            Progress::More(more) => assembler = *more,
            Progress::Whole(whole) => return Ok(whole.data.0),
        }
    }
}
