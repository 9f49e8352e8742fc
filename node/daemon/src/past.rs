//! What this host keeps of the pool's past, and what it tells of it.

use std::ops::ControlFlow;
use std::time::Duration;

use pool_domain::apply::apply;
use pool_domain::decide::undo::Restored;
use pool_domain::{Change, Database, Index, Row, Transaction};
use pool_raft::Pool;
use pool_store::{HistoryError, Store};
use proto_types::{DateTime, Field, Value};
use proto_wire::pool::HistoryRequest;
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;

use crate::config::History;
use crate::withheld;

/// Between two looks at what is kept.
const LOOK: Duration = Duration::from_secs(60);
/// A state is kept this often, if anything was written.
const EVERY: i64 = 3600;
/// And after so many bytes of the log, so that little has to be applied again.
const LOG_BETWEEN: u64 = 64 << 20;

/// Keeps states while the node runs, and forgets what is older than the settings say.
pub async fn keep(pool: Pool, settings: History, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut log_at_last = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let store = pool.store().clone();
        let look = move || {
            let result = look(&store, settings, &mut log_at_last, pool_ops::core::now());
            (result, log_at_last)
        };
        match tokio::task::spawn_blocking(look).await {
            Ok((Ok(()), log)) => log_at_last = log,
            Ok((Err(error), _)) => tracing::warn!(%error, "the pool's history is not kept"),
            Err(error) => tracing::error!(%error, "keeping the history failed"),
        }
    }
}

fn look(store: &Store, settings: History, log_at_last: &mut u64, now: DateTime) -> std::io::Result<()> {
    let applied = store.database().applied();
    let bases = store.bases()?;
    if settings.hours == 0 {
        return if bases.is_empty() {
            Ok(())
        } else {
            store.forget_before(Index::MAX - 1)
        };
    }
    let log = store.log_bytes()?;
    let is_due = bases.last().is_none_or(|last| {
        let is_long_ago = now.0 - last.taken.0 >= EVERY;
        last.index < applied && (is_long_ago || log.saturating_sub(*log_at_last) >= LOG_BETWEEN)
    });
    if is_due && applied > 0 {
        store.keep_state(now)?;
        *log_at_last = log;
    }
    *log_at_last = (*log_at_last).min(log);
    let oldest_wanted = now.0 - i64::from(settings.hours) * 3600;
    // One that is older than wanted stays: from it the wanted moments are reached.
    let needed = bases.iter().rev().find(|base| base.taken.0 <= oldest_wanted);
    let too_large = log > u64::from(settings.mebibytes) << 20;
    let by_size = if too_large { bases.get(1) } else { None };
    let oldest = needed.map(|base| base.index).max(by_size.map(|base| base.index));
    match oldest {
        Some(oldest) if bases.first().is_some_and(|first| first.index < oldest) => {
            store.forget_before(oldest)
        }
        _ => Ok(()),
    }
}

/// Whether an entry is asked for.
fn is_wanted(asked: &HistoryRequest, before: &Database, after: &Database, transaction: &Transaction) -> bool {
    let by_user = !transaction.origin.user.is_empty();
    let at = transaction.decided_at.0;
    (asked.all || by_user)
        && (asked.user.is_empty() || asked.user == transaction.origin.user)
        && at >= asked.since
        && (asked.until == 0 || at <= asked.until)
        && (asked.object.is_empty()
            || transaction.changes.iter().any(|change| {
                let reference = change.reference();
                let rows = [before, after].map(|db| db.get(reference));
                reference.to_string() == asked.object
                    || rows.into_iter().flatten().any(|row| row.uuid() == asked.object)
            }))
}

/// Tells what was written, oldest first, until `tell` answers false. Blocks.
///
/// # Errors
/// [`HistoryError`]; `TooFar` only if a beginning was asked for from which nothing is kept.
pub fn told(
    store: &Store,
    asked: &HistoryRequest,
    mut tell: impl FnMut(Json) -> bool,
) -> Result<(), HistoryError> {
    let bases = store.bases()?;
    let Some(first) = bases.first() else {
        return Err(HistoryError::TooFar { from: None });
    };
    let mut db = if asked.since == 0 {
        store.state_after(first.index)?
    } else {
        store.state_at(DateTime(asked.since - 1))?
    };
    store.each_entry(db.applied().saturating_add(1), |index, transaction| {
        let Some(transaction) = transaction else {
            db.skip_to(index);
            return ControlFlow::Continue(());
        };
        let before = db.clone();
        let (outcome, effects) = apply(&mut db, index, &transaction);
        let changed = matches!(outcome, pool_domain::Outcome::Applied(_)) && effects.noted;
        if changed
            && is_wanted(asked, &before, &db, &transaction)
            && let Some(entry) = entry(&before, &db, index, &transaction)
            && !tell(entry)
        {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(())
}

/// One entry as it is told; nothing if it changed nothing that is shown.
fn entry(before: &Database, after: &Database, index: Index, transaction: &Transaction) -> Option<Json> {
    let changes: Vec<Json> = transaction
        .changes
        .iter()
        .flat_map(|change| shown(before, after, change))
        .collect();
    (!changes.is_empty()).then(|| {
        json!({
            "entry": index,
            "at": transaction.decided_at.0,
            "user": transaction.origin.user,
            "call": transaction.origin.method,
            "changes": changes,
        })
    })
}

fn shown(before: &Database, after: &Database, change: &Change) -> Vec<Json> {
    let reference = change.reference();
    match change {
        Change::Touch { .. } => Vec::new(),
        Change::Insert { .. } => after
            .get(reference)
            .map(|row| object(row, "made"))
            .into_iter()
            .collect(),
        Change::Delete { .. } => before
            .get(reference)
            .map(|row| object(row, "removed"))
            .into_iter()
            .collect(),
        Change::Update { fields, .. } => {
            let (Some(old), Some(new)) = (before.get(reference), after.get(reference)) else {
                return Vec::new();
            };
            let set = |(field, value): &(Field, Value)| {
                field_set(before, after, new, *field, old.get(*field), value)
            };
            fields.iter().map(set).collect()
        }
    }
}

/// Which object, and what became of it. Of a session not even the reference is told: it is as good as a password.
fn object(row: &Row, what: &str) -> Json {
    let shown = |text: String| {
        if withheld::has(row.class) {
            withheld::NOTHING.to_owned()
        } else {
            text
        }
    };
    json!({
        "class": row.class.def().name,
        "ref": shown(row.reference.to_string()),
        "uuid": shown(row.uuid().to_owned()),
        "name": shown(row.named("name_label").map_or("", Value::as_str).to_owned()),
        "what": what,
    })
}

fn field_set(before: &Database, after: &Database, row: &Row, field: Field, old: &Value, new: &Value) -> Json {
    let mut told = object(row, "set");
    if let Json::Object(members) = &mut told {
        let def = field.class.def().fields.get(usize::from(field.index));
        members.insert("field".to_owned(), def.map_or("?", |def| def.name).into());
        members.insert("old".to_owned(), withheld::shown(before, field, old));
        members.insert("new".to_owned(), withheld::shown(after, field, new));
    }
    told
}

/// What was set back, as it is told.
pub fn restored(db: &Database, items: &[Restored]) -> Json {
    items
        .iter()
        .filter_map(|item| Some((item, db.get(item.object)?)))
        .map(|(item, row)| field_set(db, db, row, item.field, &item.from, &item.to))
        .collect()
}

/// An entry of the log, and the state before it.
///
/// # Errors
/// [`HistoryError`]; `None` if there is no such entry, or it is none that changes anything.
pub fn before(store: &Store, index: Index) -> Result<Option<(Database, Transaction)>, HistoryError> {
    let Some(last) = index.checked_sub(1) else {
        return Ok(None);
    };
    let before = store.state_after(last)?;
    let mut found = None;
    store.each_entry(index, |_, transaction| {
        found = transaction;
        ControlFlow::Break(())
    })?;
    Ok(found.map(|transaction| (before, transaction)))
}

#[cfg(test)]
mod test {
    use pool_domain::transaction::Origin;
    use proto_types::generated::{session, vm};
    use proto_types::{ClassId, Ref};
    use uuid::Uuid;

    use super::*;

    /// What is told of an entry that makes an object.
    fn made(class: ClassId, reference: Ref) -> Json {
        let mut db = Database::default();
        let before = db.clone();
        let transaction = Transaction {
            request: Uuid::from_u128(1),
            reads: Vec::new(),
            changes: vec![Change::Insert {
                class,
                reference,
                fields: Vec::new(),
            }],
            decided_at: DateTime(1),
            origin: Origin::default(),
        };
        apply(&mut db, 1, &transaction);
        entry(&before, &db, 1, &transaction).unwrap()
    }

    #[test]
    fn an_object_is_told_by_its_reference_and_a_session_is_not() {
        let reference = Ref::from_uuid(Uuid::from_u128(7));
        assert!(
            made(vm::CLASS, reference)
                .to_string()
                .contains(&reference.to_string())
        );
        let told = made(session::CLASS, reference).to_string();
        assert!(
            told.contains("\"session\"") && !told.contains(&reference.to_string()),
            "{told}"
        );
    }
}
