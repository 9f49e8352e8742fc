//! What changed since a log index: all that the event stream reads.

use std::sync::Arc;

use proto_types::{ClassId, Ref};

use crate::database::{Database, Index};
use crate::row::Row;

/// One thing that happened to one row after an index, newest state only.
#[derive(Clone, Debug)]
pub enum Changed {
    /// Made since.
    Added(Arc<Row>),
    /// Changed since.
    Modified(Arc<Row>),
    /// Deleted since, and it existed at the index.
    Deleted {
        /// The class it had.
        class: ClassId,
        /// The reference it had.
        reference: Ref,
        /// The index that deleted it.
        at: Index,
    },
}

/// Everything that changed after `since`, each row at most once, in the order of indices.
///
/// `None` when deletions that far back are no longer known. Cost grows with what changed, not with what exists.
pub fn since(db: &Database, since: Index) -> Option<Vec<Changed>> {
    if since < db.history_from {
        return None;
    }
    let from = (since.saturating_add(1), Ref::NULL);
    let mut all: Vec<(Index, Changed)> = Vec::new();
    for ((index, reference), _) in db.changed.range(from..) {
        if let Some(row) = db.get(*reference) {
            let row = Arc::clone(row);
            all.push((
                *index,
                if row.created > since {
                    Changed::Added(row)
                } else {
                    Changed::Modified(row)
                },
            ));
        }
    }
    for ((at, reference), tombstone) in db.tombstones.range(from..) {
        if tombstone.created <= since {
            all.push((
                *at,
                Changed::Deleted {
                    class: tombstone.class,
                    reference: *reference,
                    at: *at,
                },
            ));
        }
    }
    all.sort_by_key(|(index, _)| *index);
    Some(all.into_iter().map(|(_, changed)| changed).collect())
}
