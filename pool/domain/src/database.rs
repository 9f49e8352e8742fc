//! All rows at one log index, cheap to copy.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use proto_types::{ClassId, Ref};

use crate::apply::Outcome;
use crate::row::Row;
use crate::transaction::RequestId;

/// A position in the replicated log; 0 is before the first entry.
pub type Index = u64;

/// The pool database at one log index.
///
/// Copying it costs a few reference counts: readers keep a copy while the log goes on.
#[derive(Clone, Debug, Default)]
pub struct Database {
    pub(crate) rows: OrdMap<Ref, Arc<Row>>,
    pub(crate) classes: OrdMap<ClassId, OrdSet<Ref>>,
    pub(crate) uuids: OrdMap<Arc<str>, Ref>,
    /// Every row once, under the index that last changed it: what events read.
    pub(crate) changed: OrdMap<(Index, Ref), ClassId>,
    pub(crate) tombstones: OrdMap<(Index, Ref), Tombstone>,
    pub(crate) requests: OrdMap<RequestId, (Index, Outcome)>,
    pub(crate) request_order: OrdMap<Index, RequestId>,
    pub(crate) applied: Index,
    /// Deletions at or before this index are no longer known.
    pub(crate) history_from: Index,
}

/// What is left of a deleted row, so that events can tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// Its class.
    pub class: ClassId,
    /// The index that had created it.
    pub created: Index,
}

/// Deletions and request ids remembered; at 100 writes a second, of which few delete, days of history.
pub const TOMBSTONES_KEPT: usize = 100_000;
/// Request ids remembered for exactly-once retries.
pub const REQUESTS_KEPT: usize = 20_000;

impl Database {
    /// The index of the last applied entry.
    pub fn applied(&self) -> Index {
        self.applied
    }

    /// Moves the applied index on for an entry that carries no transaction.
    pub fn skip_to(&mut self, index: Index) {
        self.applied = self.applied.max(index);
    }

    /// The row behind a reference.
    pub fn get(&self, reference: Ref) -> Option<&Arc<Row>> {
        self.rows.get(&reference)
    }

    /// The row behind a reference, if it is of the class.
    pub fn of_class(&self, class: ClassId, reference: Ref) -> Option<&Arc<Row>> {
        self.rows.get(&reference).filter(|r| r.class == class)
    }

    /// All rows of a class in the order of their references.
    pub fn rows(&self, class: ClassId) -> impl Iterator<Item = &Arc<Row>> {
        self.classes
            .get(&class)
            .into_iter()
            .flatten()
            .filter_map(|r| self.rows.get(r))
    }

    /// How many rows a class has.
    pub fn count(&self, class: ClassId) -> usize {
        self.classes.get(&class).map_or(0, OrdSet::len)
    }

    /// Every row of every class.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Row>> {
        self.rows.values()
    }

    /// The object with this `uuid` field, if it is of the class.
    pub fn by_uuid(&self, class: ClassId, uuid: &str) -> Option<&Arc<Row>> {
        self.uuids.get(uuid).and_then(|r| self.of_class(class, *r))
    }

    /// The one row of a class that has exactly one, such as `pool`.
    pub fn only(&self, class: ClassId) -> Option<&Arc<Row>> {
        self.rows(class).next()
    }

    /// Tombstones with their indices, oldest first.
    pub fn tombstones(&self) -> impl Iterator<Item = (Index, Ref, Tombstone)> {
        self.tombstones.iter().map(|((i, r), t)| (*i, *r, *t))
    }

    /// Remembered requests with their outcomes, oldest first.
    pub fn requests(&self) -> impl Iterator<Item = (RequestId, Index, Outcome)> {
        self.request_order
            .values()
            .filter_map(|id| self.requests.get(id).map(|(i, o)| (*id, *i, o.clone())))
    }

    /// Deletions at or before this index are no longer known.
    pub fn history_from(&self) -> Index {
        self.history_from
    }

    /// Rebuilds a database from what was kept on disk or sent in a snapshot.
    pub fn restore(
        applied: Index,
        history_from: Index,
        rows: impl IntoIterator<Item = Row>,
        tombstones: impl IntoIterator<Item = (Index, Ref, Tombstone)>,
        requests: impl IntoIterator<Item = (RequestId, Index, Outcome)>,
    ) -> Database {
        let mut db = Database {
            applied,
            history_from,
            ..Database::default()
        };
        for row in rows {
            db.put(row);
        }
        for (index, reference, tombstone) in tombstones {
            db.tombstones.insert((index, reference), tombstone);
        }
        for (id, index, outcome) in requests {
            db.requests.insert(id, (index, outcome));
            db.request_order.insert(index, id);
        }
        db
    }

    pub(crate) fn put(&mut self, row: Row) {
        let row = Arc::new(row);
        if let Some(old) = self.rows.insert(row.reference, Arc::clone(&row)) {
            self.changed.remove(&(old.version, old.reference));
            if old.uuid() != row.uuid() {
                self.uuids.remove(old.uuid());
            }
        } else {
            self.classes.entry(row.class).or_default().insert(row.reference);
        }
        self.changed.insert((row.version, row.reference), row.class);
        let uuid = row.uuid();
        if !uuid.is_empty() && self.uuids.get(uuid) != Some(&row.reference) {
            self.uuids.insert(Arc::from(uuid), row.reference);
        }
    }

    pub(crate) fn take(&mut self, reference: Ref) -> Option<Arc<Row>> {
        let row = self.rows.remove(&reference)?;
        self.changed.remove(&(row.version, reference));
        if let Some(set) = self.classes.get_mut(&row.class) {
            set.remove(&reference);
        }
        if self.uuids.get(row.uuid()) == Some(&reference) {
            self.uuids.remove(row.uuid());
        }
        Some(row)
    }
}
