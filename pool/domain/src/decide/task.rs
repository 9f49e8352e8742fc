//! Tasks: what clients see of an operation.

use std::collections::BTreeSet;

use proto_types::generated::{tarn_saga, task};
use proto_types::{ApiError, DateTime, Ref, Value};

use crate::database::Database;
use crate::draft::Draft;

/// Finished tasks are kept for 65 minutes.
pub const FINISHED_KEPT_SECONDS: i64 = 65 * 60;
/// Pending tasks that nobody works on are dropped after a day.
pub const PENDING_KEPT_SECONDS: i64 = 24 * 3600;
/// Beyond this many rows the oldest finished tasks go first.
pub const MOST_TASKS: usize = 200;

/// What a new task is for.
#[derive(Clone, Debug, Default)]
pub struct NewTask {
    /// The full name of the message, `Async.` included where it was called so.
    pub label: String,
    /// Free text.
    pub description: String,
    /// The session that asked.
    pub session: Ref,
    /// The host that runs it.
    pub host: Ref,
    /// The task it is a part of.
    pub parent: Ref,
    /// Whether it can be cancelled.
    pub cancellable: bool,
    /// What the client has to say of it.
    pub other_config: Vec<(String, String)>,
}

/// Makes a pending task.
pub fn create(draft: &mut Draft<'_>, reference: Ref, new: NewTask) {
    let now = draft.facts().now;
    let operations: &[&str] = if new.cancellable { &["cancel"] } else { &[] };
    draft.insert_as(
        task::CLASS,
        reference,
        vec![
            (task::NAME_LABEL, new.label.into()),
            (task::NAME_DESCRIPTION, new.description.into()),
            (task::CREATED, now.into()),
            (task::FINISHED, DateTime::EPOCH.into()),
            (task::STATUS, "pending".into()),
            (task::TYPE, "<none/>".into()),
            (task::RESIDENT_ON, new.host.into()),
            (task::SUBTASK_OF, new.parent.into()),
            (task::SESSION, new.session.into()),
            (task::ALLOWED_OPERATIONS, Value::strings(operations)),
            (task::BACKTRACE, "()".into()),
            (task::OTHER_CONFIG, Value::string_map(new.other_config)),
        ],
    );
}

/// How a task ended.
#[derive(Clone, Debug)]
pub enum TaskEnd {
    /// With this result, as XML-RPC text (`<value>...</value>`).
    Success(String),
    /// With this error; `TASK_CANCELLED` makes the task cancelled rather than failed.
    Failure(ApiError),
}

/// Ends a pending task; one that has ended stays as it is. A task marked for destruction goes.
pub fn finish(draft: &mut Draft<'_>, reference: Ref, end: TaskEnd) {
    let Some(row) = draft.db().of_class(task::CLASS, reference).cloned() else {
        return;
    };
    if row.get(task::STATUS).as_str() != "pending" {
        return;
    }
    if row
        .get(task::CURRENT_OPERATIONS)
        .as_map()
        .is_some_and(|m| m.values().any(|o| o.as_str() == "destroy"))
    {
        draft.delete(reference);
        return;
    }
    let now = draft.facts().now;
    let mut fields = vec![
        (task::FINISHED, now.into()),
        (task::PROGRESS, Value::Float(1.0)),
        (task::CURRENT_OPERATIONS, Value::empty_map()),
        (task::ALLOWED_OPERATIONS, Value::Set(Vec::new())),
    ];
    match end {
        TaskEnd::Success(result) => {
            fields.push((task::STATUS, "success".into()));
            fields.push((task::RESULT, result.into()));
        }
        TaskEnd::Failure(error) if error.code == "TASK_CANCELLED" => {
            fields.push((task::STATUS, "cancelled".into()));
        }
        TaskEnd::Failure(error) => {
            fields.push((task::STATUS, "failure".into()));
            fields.push((task::ERROR_INFO, Value::strings(error.description())));
        }
    }
    draft.update(reference, fields);
}

/// Sets the progress of a pending task, between 0 and 1; -1 while whoever is to work on it has not begun.
pub fn progress(draft: &mut Draft<'_>, reference: Ref, progress: f64) {
    let pending = draft
        .db()
        .of_class(task::CLASS, reference)
        .is_some_and(|t| t.get(task::STATUS).as_str() == "pending");
    if pending {
        draft.set(reference, task::PROGRESS, Value::Float(progress.clamp(-1.0, 1.0)));
    }
}

/// A client that did the work itself says how it stands. Status leaves pending once; later words are not heard.
///
/// # Errors
/// `HANDLE_INVALID` if there is none.
pub fn set_status(draft: &mut Draft<'_>, reference: Ref, status: &str) -> Result<(), ApiError> {
    let row = draft.read(task::CLASS, reference)?;
    if !matches!(row.get(task::STATUS).as_str(), "pending" | "cancelling") {
        return Ok(());
    }
    draft.set(reference, task::STATUS, status);
    if !matches!(status, "pending" | "cancelling") {
        let now = draft.facts().now;
        draft.update(
            reference,
            vec![
                (task::FINISHED, now.into()),
                (task::PROGRESS, Value::Float(1.0)),
                (task::CURRENT_OPERATIONS, Value::empty_map()),
                (task::ALLOWED_OPERATIONS, Value::Set(Vec::new())),
            ],
        );
    }
    Ok(())
}

/// Removes a task, or marks a pending one to go when it ends. The mark stands under `by`, a reference of this request.
///
/// # Errors
/// `HANDLE_INVALID` if there is none.
pub fn destroy(draft: &mut Draft<'_>, reference: Ref, by: Ref) -> Result<(), ApiError> {
    let row = draft.read(task::CLASS, reference)?;
    if row.get(task::STATUS).as_str() == "pending" && !is_client_owned(&row) {
        mark(draft, reference, by, "destroy");
    } else {
        draft.delete(reference);
    }
    Ok(())
}

/// Marks a pending task; one mark of a kind is enough.
fn mark(draft: &mut Draft<'_>, reference: Ref, by: Ref, what: &str) {
    let stands = draft.db().of_class(task::CLASS, reference).is_some_and(|t| {
        let operations = t.get(task::CURRENT_OPERATIONS).as_map();
        operations.is_some_and(|m| m.values().any(|o| o.as_str() == what))
    });
    if !stands {
        draft.put_key(
            reference,
            task::CURRENT_OPERATIONS,
            by.to_string(),
            Value::str(what),
        );
    }
}

/// Notes that a task is to be cancelled; whoever runs it looks. The mark stands under `by`, a reference of this request.
///
/// # Errors
/// `HANDLE_INVALID` if there is none.
pub fn cancel(draft: &mut Draft<'_>, reference: Ref, by: Ref) -> Result<(), ApiError> {
    let row = draft.read(task::CLASS, reference)?;
    if row.get(task::STATUS).as_str() == "pending" {
        if is_client_owned(&row) {
            finish(
                draft,
                reference,
                TaskEnd::Failure(ApiError::new("TASK_CANCELLED", [reference.to_string()])),
            );
        } else {
            mark(draft, reference, by, "cancel");
        }
    }
    Ok(())
}

/// An HTTP handler takes over a task that a client has made for it: from then on the handler ends it.
///
/// # Errors
/// `HANDLE_INVALID` if there is none, `OPERATION_NOT_ALLOWED` if it has ended.
pub fn take_over(draft: &mut Draft<'_>, reference: Ref, host: Ref) -> Result<(), ApiError> {
    let row = draft.read(task::CLASS, reference)?;
    if row.get(task::STATUS).as_str() != "pending" {
        return Err(ApiError::new("OPERATION_NOT_ALLOWED", ["the task has ended"]));
    }
    draft.update(
        reference,
        vec![
            (task::RESIDENT_ON, host.into()),
            (task::PROGRESS, Value::Float(0.0)),
            (task::ALLOWED_OPERATIONS, Value::strings(["cancel"])),
        ],
    );
    Ok(())
}

/// A task that an HTTP handler has ended as cancelled names itself in its error.
pub fn explain_cancelled(draft: &mut Draft<'_>, reference: Ref) {
    let cancelled = draft
        .db()
        .of_class(task::CLASS, reference)
        .is_some_and(|t| t.get(task::STATUS).as_str() == "cancelled");
    if cancelled {
        let error = ApiError::new("TASK_CANCELLED", [reference.to_string()]);
        draft.set(reference, task::ERROR_INFO, Value::strings(error.description()));
    }
}

/// Says whether somebody has asked for the task to be cancelled.
pub fn is_cancelled(db: &Database, reference: Ref) -> bool {
    db.of_class(task::CLASS, reference)
        .and_then(|t| {
            t.get(task::CURRENT_OPERATIONS)
                .as_map()
                .map(|m| m.values().any(|o| o.as_str() == "cancel"))
        })
        .unwrap_or(false)
}

/// A task made by `task.create`: no operation of the pool stands behind it.
pub fn is_client_owned(row: &crate::row::Row) -> bool {
    row.get(task::RESIDENT_ON).as_ref().is_null()
}

/// Ends the pending tasks of calls that an earlier leader had accepted and not begun: nobody goes on with them. What this
/// host has accepted since its node started may yet begin.
pub fn end_orphans(draft: &mut Draft<'_>, host: Ref, started: DateTime) {
    let worked_on: BTreeSet<Ref> = draft
        .db()
        .rows(tarn_saga::CLASS)
        .map(|s| s.get(tarn_saga::TASK).as_ref())
        .collect();
    let orphans: Vec<Ref> = draft
        .db()
        .rows(task::CLASS)
        .filter(|t| t.get(task::STATUS).as_str() == "pending" && !is_client_owned(t))
        .filter(|t| t.get(task::RESIDENT_ON).as_ref() != host || t.get(task::CREATED).as_time() < started)
        .filter(|t| t.get(task::SUBTASK_OF).as_ref().is_null() && !worked_on.contains(&t.reference))
        .map(|t| t.reference)
        .collect();
    for reference in orphans {
        let error = ApiError::internal("the master changed before the operation began");
        finish(draft, reference, TaskEnd::Failure(error));
    }
}

/// Removes tasks that are past their time.
pub fn collect_garbage(draft: &mut Draft<'_>) {
    let now = draft.facts().now;
    let mut finished: Vec<(DateTime, Ref)> = Vec::new();
    let mut old: Vec<Ref> = Vec::new();
    let mut pending: usize = 0;
    for row in draft.db().rows(task::CLASS) {
        let age = |t: DateTime| now.0.saturating_sub(t.0);
        if row.get(task::STATUS).as_str() == "pending" {
            if is_client_owned(row) && age(row.get(task::CREATED).as_time()) > PENDING_KEPT_SECONDS {
                old.push(row.reference);
            } else {
                pending = pending.saturating_add(1);
            }
        } else if age(row.get(task::FINISHED).as_time()) > FINISHED_KEPT_SECONDS {
            old.push(row.reference);
        } else {
            finished.push((row.get(task::FINISHED).as_time(), row.reference));
        }
    }
    finished.sort_unstable();
    let surplus = finished.len().saturating_add(pending).saturating_sub(MOST_TASKS);
    old.extend(finished.iter().take(surplus).map(|(_, r)| *r));
    for reference in old {
        draft.delete(reference);
    }
}
