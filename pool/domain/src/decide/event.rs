//! The event queue of a session, for clients of the old calls: what it asked for, and how far it has read.
//!
//! The position is pool state, so that a new leader goes on where the old one ended.

use proto_types::generated::tarn_event_queue as queue;
use proto_types::{ApiError, Ref, Value};

use crate::database::{Database, Index};
use crate::draft::Draft;

/// The queue of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its row.
    pub row: Ref,
    /// Subscriptions, as the client wrote them.
    pub classes: Vec<Value>,
    /// All up to this index has been read.
    pub read: Index,
}

/// Finds it.
///
/// # Errors
/// `SESSION_NOT_REGISTERED [session]`.
pub fn find(db: &Database, session: Ref) -> Result<Queue, ApiError> {
    db.rows(queue::CLASS)
        .find(|q| q.get(queue::SESSION).as_ref() == session)
        .map(|q| Queue {
            row: q.reference,
            classes: q.get(queue::CLASSES).as_set().to_vec(),
            read: u64::try_from(q.get(queue::READ).as_int()).unwrap_or_default(),
        })
        .ok_or_else(|| ApiError::new("SESSION_NOT_REGISTERED", [session.to_string()]))
}

/// Adds to what a session hears of. The first time it hears of all that happens from now on.
pub fn register(draft: &mut Draft<'_>, session: Ref, classes: &[Value]) {
    let Ok(known) = find(draft.db(), session) else {
        let now = index(draft.db().applied());
        draft.insert(
            queue::CLASS,
            vec![
                (queue::SESSION, session.into()),
                (queue::CLASSES, Value::Set(classes.to_vec())),
                (queue::READ, now),
            ],
        );
        return;
    };
    draft.note(known.row);
    let mut all = known.classes;
    all.extend(
        classes
            .iter()
            .filter(|c| !all.contains(c))
            .cloned()
            .collect::<Vec<_>>(),
    );
    draft.set(known.row, queue::CLASSES, Value::Set(all));
}

/// Takes away from what a session hears of; without anything left it has no queue.
///
/// # Errors
/// `SESSION_NOT_REGISTERED [session]`.
pub fn unregister(draft: &mut Draft<'_>, session: Ref, classes: &[Value]) -> Result<(), ApiError> {
    let known = find(draft.db(), session)?;
    draft.note(known.row);
    let is_named = |c: &Value| {
        classes
            .iter()
            .any(|n| n.as_str().eq_ignore_ascii_case(c.as_str()))
    };
    let left: Vec<Value> = known.classes.iter().filter(|c| !is_named(c)).cloned().collect();
    if left.is_empty() {
        draft.delete(known.row);
    } else {
        draft.set(known.row, queue::CLASSES, Value::Set(left));
    }
    Ok(())
}

/// Moves a queue on. `false` if another call has read in the meantime: what this one has is not its own.
///
/// # Errors
/// `SESSION_NOT_REGISTERED [session]`.
pub fn advance(draft: &mut Draft<'_>, session: Ref, from: Index, to: Index) -> Result<bool, ApiError> {
    let known = find(draft.db(), session)?;
    draft.note(known.row);
    if known.read != from {
        return Ok(false);
    }
    draft.set(known.row, queue::READ, index(to));
    Ok(true)
}

/// Removes queues whose session has ended.
pub fn collect_garbage(draft: &mut Draft<'_>) {
    let ended: Vec<Ref> = draft
        .db()
        .rows(queue::CLASS)
        .filter(|q| draft.db().get(q.get(queue::SESSION).as_ref()).is_none())
        .map(|q| q.reference)
        .collect();
    for row in ended {
        draft.delete(row);
    }
}

fn index(at: Index) -> Value {
    Value::Int(i64::try_from(at).unwrap_or(i64::MAX))
}
