//! The replicated state machine: small, total, and ignorant of verbs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proto_types::{ClassId, Field, Ref, Value};

use crate::allowed;
use crate::database::{Database, Index, REQUESTS_KEPT, TOMBSTONES_KEPT, Tombstone};
use crate::relations;
use crate::row::Row;
use crate::transaction::{Change, Transaction};

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Written at this index.
    Applied(Index),
    /// A row it rests on is not as it was read; nothing was written. Decide again.
    Conflict(Ref),
}

/// What one applied entry changed, for the store to persist and for waiters to look at.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    /// Rows written, each once, in order of reference.
    pub written: Vec<Arc<Row>>,
    /// Rows removed.
    pub removed: Vec<(Ref, Tombstone)>,
    /// Tombstones that were forgotten to bound history.
    pub forgotten: Vec<(Index, Ref)>,
    /// Request ids that were forgotten.
    pub forgotten_requests: Vec<Index>,
    /// The request is new and its outcome has been noted.
    pub noted: bool,
}

/// Applies one transaction at a log index.
///
/// Deterministic and total: the same database, index and transaction give the same result on every node, and
/// no input makes it panic. A repeated request id answers the first outcome and changes nothing but the
/// applied index.
pub fn apply(db: &mut Database, index: Index, transaction: &Transaction) -> (Outcome, Effects) {
    db.applied = index;
    if let Some((_, outcome)) = db.requests.get(&transaction.request) {
        return (outcome.clone(), Effects::default());
    }
    let mut effects = Effects::default();
    let outcome = match conflict(db, transaction) {
        Some(reference) => Outcome::Conflict(reference),
        None => {
            write(db, index, &transaction.changes, &mut effects);
            Outcome::Applied(index)
        }
    };
    // A conflict is not remembered: it wrote nothing, and its next try is a new decision under the same id.
    if matches!(outcome, Outcome::Applied(_)) {
        db.requests.insert(transaction.request, (index, outcome.clone()));
        db.request_order.insert(index, transaction.request);
        effects.noted = true;
        bound_history(db, &mut effects);
    }
    (outcome, effects)
}

fn conflict(db: &Database, transaction: &Transaction) -> Option<Ref> {
    let stale = transaction
        .reads
        .iter()
        .find(|(reference, version)| db.get(*reference).map_or(0, |row| row.version) != *version)
        .map(|(reference, _)| *reference);
    if stale.is_some() {
        return stale;
    }
    // A row made twice or changed after it has gone is a lost race as well.
    let mut made: BTreeSet<Ref> = BTreeSet::new();
    let mut gone: BTreeSet<Ref> = BTreeSet::new();
    for change in &transaction.changes {
        let reference = change.reference();
        let exists = (db.get(reference).is_some() || made.contains(&reference)) && !gone.contains(&reference);
        let wants_absent = matches!(change, Change::Insert { .. });
        if exists == wants_absent {
            return Some(reference);
        }
        match change {
            Change::Insert { .. } => {
                made.insert(reference);
                gone.remove(&reference);
            }
            Change::Delete { .. } => {
                gone.insert(reference);
            }
            Change::Update { .. } | Change::Touch { .. } => {}
        }
    }
    None
}

/// Writes one change into a working copy, as [`apply`] would.
pub(crate) fn write_one(db: &mut Database, index: Index, change: &Change) {
    write(db, index, std::slice::from_ref(change), &mut Effects::default());
}

fn write(db: &mut Database, index: Index, changes: &[Change], effects: &mut Effects) {
    let mut touched: BTreeSet<Ref> = BTreeSet::new();
    let mut removed: BTreeMap<Ref, Tombstone> = BTreeMap::new();
    let mut labelled: BTreeSet<Ref> = BTreeSet::new();
    for change in changes {
        match change {
            Change::Insert {
                class,
                reference,
                fields,
            } => {
                let mut values: Vec<Value> = class.def().fields.iter().map(|f| f.default_value()).collect();
                set(*class, &mut values, fields);
                db.put(Row::new(*class, *reference, Arc::from(values), index, index));
                touched.insert(*reference);
                relate(db, index, *class, *reference, None, &mut touched);
            }
            Change::Update { reference, fields } => {
                let Some(old) = db.get(*reference).cloned() else {
                    continue;
                };
                db.put(updated(&old, index, fields));
                if allowed::is_of_labels(change) {
                    // No relation and nothing derived changes with it.
                    labelled.insert(*reference);
                } else {
                    touched.insert(*reference);
                    relate(db, index, old.class, *reference, Some(&old), &mut touched);
                }
            }
            Change::Touch { reference } => {
                let Some(old) = db.get(*reference).cloned() else {
                    continue;
                };
                db.put(Row::new(
                    old.class,
                    *reference,
                    Arc::clone(&old.values),
                    old.created,
                    index,
                ));
                touched.insert(*reference);
            }
            Change::Delete { reference } => {
                let Some(old) = db.take(*reference) else { continue };
                touched.remove(reference);
                let tombstone = Tombstone {
                    class: old.class,
                    created: old.created,
                };
                // A row that came and went within one entry was never seen by anyone.
                if old.created < index {
                    db.tombstones.insert((index, *reference), tombstone);
                }
                removed.insert(*reference, tombstone);
                unrelate(db, index, &old, &mut touched);
            }
        }
    }
    forget_encoded_neighbours(db, &touched);
    touched.append(&mut labelled);
    effects.written = touched.iter().filter_map(|r| db.get(*r).cloned()).collect();
    effects.removed = removed.into_iter().collect();
}

fn updated(old: &Row, index: Index, fields: &[(Field, Value)]) -> Row {
    let mut values = old.values.to_vec();
    set(old.class, &mut values, fields);
    Row::new(old.class, old.reference, Arc::from(values), old.created, index)
}

fn set(class: ClassId, values: &mut [Value], fields: &[(Field, Value)]) {
    for (field, value) in fields {
        if field.class == class
            && let Some(slot) = values.get_mut(usize::from(field.index))
        {
            *slot = value.clone();
        }
    }
}

/// The references a field holds, be it one or a set.
fn targets(value: &Value) -> BTreeSet<Ref> {
    match value {
        Value::Ref(r) if !r.is_null() => BTreeSet::from([*r]),
        Value::Set(items) => items.iter().map(Value::as_ref).filter(|r| !r.is_null()).collect(),
        _ => BTreeSet::new(),
    }
}

/// Keeps the derived sets of the parents true after a child was made or changed.
fn relate(
    db: &mut Database,
    index: Index,
    class: ClassId,
    child: Ref,
    old: Option<&Row>,
    touched: &mut BTreeSet<Ref>,
) {
    for relation in relations::of_child(class) {
        let after = db
            .get(child)
            .map(|r| targets(r.at(relation.field)))
            .unwrap_or_default();
        let before = old.map(|r| targets(r.at(relation.field))).unwrap_or_default();
        for parent in before.difference(&after) {
            change_set(
                db,
                index,
                *parent,
                relation.parent,
                relation.set,
                child,
                Membership::Leave,
                touched,
            );
        }
        for parent in after.difference(&before) {
            change_set(
                db,
                index,
                *parent,
                relation.parent,
                relation.set,
                child,
                Membership::Join,
                touched,
            );
        }
    }
}

fn unrelate(db: &mut Database, index: Index, old: &Row, touched: &mut BTreeSet<Ref>) {
    for relation in relations::of_child(old.class) {
        for parent in targets(old.at(relation.field)) {
            change_set(
                db,
                index,
                parent,
                relation.parent,
                relation.set,
                old.reference,
                Membership::Leave,
                touched,
            );
        }
    }
}

#[derive(Clone, Copy)]
enum Membership {
    Join,
    Leave,
}

#[allow(
    clippy::too_many_arguments,
    reason = "one call site shape, all of it needed to place one reference"
)]
fn change_set(
    db: &mut Database,
    index: Index,
    parent: Ref,
    class: ClassId,
    set: u16,
    child: Ref,
    membership: Membership,
    touched: &mut BTreeSet<Ref>,
) {
    let Some(row) = db.of_class(class, parent).cloned() else {
        return;
    };
    let mut values = row.values.to_vec();
    let Some(slot) = values.get_mut(usize::from(set)) else {
        return;
    };
    let mut members: Vec<Value> = slot.as_set().to_vec();
    let member = Value::Ref(child);
    match membership {
        Membership::Join if !members.contains(&member) => members.push(member),
        Membership::Leave if members.contains(&member) => members.retain(|m| *m != member),
        Membership::Join | Membership::Leave => return,
    }
    *slot = Value::Set(members);
    db.put(Row::new(row.class, parent, Arc::from(values), row.created, index));
    touched.insert(parent);
}

/// Records derive values (`allowed_operations`) from rows one relation away: their encoded form is void now.
fn forget_encoded_neighbours(db: &mut Database, touched: &BTreeSet<Ref>) {
    let mut neighbours: BTreeSet<Ref> = BTreeSet::new();
    for reference in touched {
        let Some(row) = db.get(*reference) else { continue };
        for value in row.values.iter() {
            neighbours.extend(targets(value));
        }
    }
    for reference in neighbours.difference(touched) {
        if let Some(row) = db.get(*reference).filter(|row| allowed::looks_around(row)) {
            let fresh = Arc::new(row.forget_encoded());
            db.rows.insert(*reference, fresh);
        }
    }
}

fn bound_history(db: &mut Database, effects: &mut Effects) {
    while db.tombstones.len() > TOMBSTONES_KEPT {
        let Some((key, _)) = db.tombstones.get_min().map(|(k, v)| (*k, *v)) else {
            break;
        };
        db.tombstones.remove(&key);
        db.history_from = db.history_from.max(key.0);
        effects.forgotten.push(key);
    }
    while db.request_order.len() > REQUESTS_KEPT {
        let Some((index, id)) = db.request_order.get_min().map(|(k, v)| (*k, *v)) else {
            break;
        };
        db.request_order.remove(&index);
        db.requests.remove(&id);
        effects.forgotten_requests.push(index);
    }
}
