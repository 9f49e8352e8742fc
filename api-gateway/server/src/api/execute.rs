//! Carries a checked message out: the generic ones here, the others by their handlers.

use std::sync::Arc;

use pool_domain::decide::generic;
use pool_domain::decide::task::{self, NewTask, TaskEnd};
use pool_domain::{Draft, access, filter, query};
use pool_ops::Call as OperationCall;
use proto_types::generated::{role, task as task_class};
use proto_types::schema::{MessageDef, MessageKind};
use proto_types::{ApiError, Args, Ref, Value};
use tokio::task::JoinHandle;
use tracing::Instrument;
use uuid::Uuid;

use super::Api;
use super::answer::{Answer, refs};
use super::dispatch::Mode;
use super::fair::Turn;
use super::gate::Entry;
use crate::audit::End;
use crate::handlers::{self, Handler, Scope};

/// Carries a message out.
pub async fn message(
    api: &Arc<Api>,
    entry: &Entry,
    mode: Mode,
    message: &'static MessageDef,
    args: Args,
    sent_as: &str,
) -> Answer {
    if mode == Mode::Sync
        && let Some(answer) = read(entry, message, &args)
    {
        return answer.unwrap_or_else(Answer::Failure);
    }
    let Some(handler) = handlers::find(message) else {
        return Answer::Failure(ApiError::new("NOT_IMPLEMENTED", [message.full_name]));
    };
    match (mode, handler) {
        (_, Handler::Run(job)) => operation(api, entry, mode, job(&entry.db, &args), sent_as).await,
        (_, Handler::Transfer(job)) => operation(api, entry, mode, job(api, &entry.db, &args), sent_as).await,
        (Mode::Sync, other) => match turn(api, entry, message, other) {
            Ok(turn) => run_plain(api, entry, message, other, args, turn).await.into(),
            Err(error) => Answer::Failure(error),
        },
        (Mode::Async, other) => in_background(api, entry, message, other, args, sent_as)
            .await
            .into(),
    }
}

/// Takes a turn for what is not merely read. Whoever waits for events takes nothing while it waits, and a log-in takes
/// its turn where the password is checked.
///
/// # Errors
/// `TOO_BUSY` if the client has too much waiting.
fn turn(api: &Api, entry: &Entry, message: &MessageDef, handler: Handler) -> Result<Option<Turn>, ApiError> {
    let lane = match handler {
        Handler::Generic | Handler::Write(_) => &api.lanes.writing,
        Handler::Special(_) if !matches!(message.class.name(), "event" | "session") => &api.lanes.working,
        Handler::Special(_)
        | Handler::Run(_)
        | Handler::Transfer(_)
        | Handler::Read(_)
        | Handler::Unbuilt(_)
        | Handler::Partly(_) => return Ok(None),
    };
    lane.enter(entry.client()).map(Some)
}

/// Takes a turn for a call behind a task, before the task is made: making it is a write, whatever the call is.
///
/// # Errors
/// `TOO_MANY_PENDING_TASKS`.
fn turn_in_background(
    api: &Api,
    entry: &Entry,
    message: &MessageDef,
    handler: Handler,
) -> Result<Turn, ApiError> {
    let turn = match turn(api, entry, message, handler) {
        Ok(Some(turn)) => Ok(turn),
        Ok(None) => api.lanes.writing.enter(entry.client()),
        Err(error) => Err(error),
    };
    turn.map_err(|_| ApiError::bare("TOO_MANY_PENDING_TASKS"))
}

/// The messages that only read and exist for every class.
fn read(entry: &Entry, message: &MessageDef, args: &Args) -> Option<Result<Answer, ApiError>> {
    let class = message.class;
    let db = &entry.db;
    let answer = match message.kind {
        MessageKind::GetRecord => args.reference(0).and_then(|r| {
            let row = find(entry, message, r)?;
            Ok(Answer::Record(Box::new(db.clone()), Arc::clone(row)))
        }),
        MessageKind::GetAll => Ok(refs(db.rows(class).map(|r| r.reference))),
        MessageKind::GetAllRecords => Ok(Answer::Records(
            Box::new(db.clone()),
            db.rows(class).cloned().collect(),
        )),
        MessageKind::GetAllRecordsWhere | MessageKind::GetAllWhere => args.text(0).and_then(|text| {
            let wanted = filter::parse(class, text)?;
            let rows = db.rows(class).filter(|r| filter::holds(&wanted, r));
            Ok(if message.kind == MessageKind::GetAllWhere {
                refs(rows.map(|r| r.reference))
            } else {
                Answer::Records(Box::new(db.clone()), rows.cloned().collect())
            })
        }),
        MessageKind::GetByUuid => args
            .text(0)
            .and_then(|uuid| Ok(Answer::Value(query::by_uuid(db, class, uuid)?.into()))),
        MessageKind::GetByNameLabel => args
            .text(0)
            .map(|label| refs(query::by_name_label(db, class, label))),
        MessageKind::Get(index) => args.reference(0).and_then(|r| {
            let row = find(entry, message, r)?;
            Ok(Answer::Value(query::field(db, row, index)))
        }),
        _ => return None,
    };
    Some(answer)
}

fn find<'a>(
    entry: &'a Entry,
    message: &MessageDef,
    reference: Ref,
) -> Result<&'a Arc<pool_domain::Row>, ApiError> {
    // A single permission is shown as a role that has no row.
    match query::find(&entry.db, message.class, reference) {
        Err(_) if message.class == role::CLASS && access::permission_row(reference).is_some() => {
            access::permission_row(reference).ok_or_else(|| ApiError::handle_invalid("role", reference))
        }
        found => found,
    }
}

/// The messages that write one field and exist for every class, and plain `create` and `destroy`.
pub fn write_generic(draft: &mut Draft<'_>, message: &MessageDef, args: &Args) -> Result<Value, ApiError> {
    let class = message.class;
    let (this, value) = (args.reference(0)?, args.at(1).cloned().unwrap_or(Value::Void));
    match handlers::plain_write(message).unwrap_or(message.kind) {
        MessageKind::Set(index) => generic::set(draft, class, index, this, value)?,
        MessageKind::AddTo(index) => {
            generic::add_to(draft, class, index, this, (value, args.at(2)?.clone()))?;
        }
        MessageKind::RemoveFrom(index) => generic::remove_from(draft, class, index, this, value)?,
        MessageKind::AddMember(index) => generic::add_member(draft, class, index, this, value)?,
        MessageKind::RemoveMember(index) => generic::remove_member(draft, class, index, this, &value)?,
        MessageKind::Create => return Ok(generic::create(draft, class, args.at(0)?)?.into()),
        MessageKind::Destroy => generic::destroy(draft, class, this)?,
        _ => return Err(ApiError::new("NOT_IMPLEMENTED", [message.full_name])),
    }
    Ok(Value::Void)
}

async fn run_plain(
    api: &Arc<Api>,
    entry: &Entry,
    message: &'static MessageDef,
    handler: Handler,
    args: Args,
    turn: Option<Turn>,
) -> Result<Value, ApiError> {
    let _permit = match turn {
        Some(turn) => turn.come().await,
        None => None,
    };
    let scope = Scope {
        db: &entry.db,
        caller: &entry.caller,
        api,
        message,
    };
    match handler {
        Handler::Read(read) => read(&scope, &args),
        Handler::Generic => decide(api, entry, message, move |d| write_generic(d, message, &args)).await,
        Handler::Write(write) => {
            let caller = entry.caller.clone();
            decide(api, entry, message, move |d| write(d, &caller, &args)).await
        }
        Handler::Special(special) => special(Arc::clone(api), entry, args).await,
        Handler::Unbuilt(check) => {
            check(&scope, &args)?;
            Err(ApiError::new("NOT_IMPLEMENTED", [message.full_name]))
        }
        Handler::Partly(answer) => {
            answer(&scope, &args)?.ok_or_else(|| ApiError::new("NOT_IMPLEMENTED", [message.full_name]))
        }
        Handler::Run(_) | Handler::Transfer(_) => Err(ApiError::internal("an operation is not run so")),
    }
}

/// Writes in a task of its own: a client that goes away does not break it off.
async fn decide(
    api: &Arc<Api>,
    entry: &Entry,
    message: &'static MessageDef,
    decision: impl Fn(&mut Draft<'_>) -> Result<Value, ApiError> + Send + Sync + 'static,
) -> Result<Value, ApiError> {
    let ops = api.ops.clone();
    let origin = entry.caller.history(message.full_name);
    let work = async move { ops.decide(&origin, |d| decision(d)).await.map(|(value, _)| value) };
    let work = tokio::spawn(work.in_current_span());
    work.await
        .unwrap_or_else(|_| Err(ApiError::internal("the call was broken off")))
}

async fn operation(
    api: &Arc<Api>,
    entry: &Entry,
    mode: Mode,
    found: Result<handlers::Work, ApiError>,
    sent_as: &str,
) -> Answer {
    let made = match found {
        Ok(handlers::Work::Nothing(value)) if mode == Mode::Sync => return Answer::Value(value),
        Ok(handlers::Work::Nothing(value)) => {
            let Ok(turn) = api.lanes.writing.enter(entry.client()) else {
                return Answer::Failure(ApiError::bare("TOO_MANY_PENDING_TASKS"));
            };
            let _permit = turn.come().await;
            return done_already(api, entry, value, sent_as).await.into();
        }
        Ok(handlers::Work::Job(job)) => job,
        Err(error) => return Answer::Failure(error),
    };
    let call = OperationCall {
        label: sent_as.to_owned(),
        session: entry.caller.session,
        host: (api.host)(),
        origin: entry.caller.history(sent_as),
        parent: parent_of(entry),
        other_config: entry.task.other_config.clone(),
    };
    let turn = match api.lanes.working.enter(entry.client()) {
        Ok(turn) => turn,
        Err(_) if mode == Mode::Async => return Answer::Failure(ApiError::bare("TOO_MANY_PENDING_TASKS")),
        Err(error) => return Answer::Failure(error),
    };
    match mode {
        Mode::Sync => {
            let turn = turn.come().await;
            let ops = api.ops.clone();
            // The turn ends with the work, even if the client goes away before.
            let work = async move {
                let result = made.run(ops, call).await;
                drop(turn);
                result
            };
            let work = tokio::spawn(work.in_current_span()).await;
            work.unwrap_or_else(|_| Err(ApiError::internal("the operation was broken off")))
                .into()
        }
        // Accepted at once; begun when its turn has come.
        Mode::Async => match made.run_async(api.ops.clone(), call, Box::pin(turn.come())).await {
            Ok((task, work)) => {
                tell_end(api, entry, work);
                Answer::Value(task.into())
            }
            Err(error) => Answer::Failure(error),
        },
    }
}

/// Has the audit trail tell how the work behind a task ended.
fn tell_end(api: &Arc<Api>, entry: &Entry, work: JoinHandle<Result<Value, ApiError>>) {
    let Some(note) = entry.note.clone() else { return };
    let api = Arc::clone(api);
    tokio::spawn(async move {
        if let Ok(result) = work.await {
            let end = End::of_result(&api.cluster.snapshot(), &result);
            api.audit(&note, &end).await;
        }
    });
}

/// The task above that of a call, if the client named one of its own.
fn parent_of(entry: &Entry) -> Ref {
    let named = entry.db.of_class(task_class::CLASS, entry.task.parent);
    let own = named.filter(|row| handlers::task::may_touch(&entry.db, &entry.caller, row));
    own.map(|row| row.reference).unwrap_or_default()
}

/// A task for a call that had nothing to do.
async fn done_already(api: &Arc<Api>, entry: &Entry, value: Value, sent_as: &str) -> Result<Value, ApiError> {
    let task = new_task(api, entry, sent_as).await?;
    end_task(api, entry, task, Ok(value), sent_as).await?;
    Ok(task.into())
}

async fn in_background(
    api: &Arc<Api>,
    entry: &Entry,
    message: &'static MessageDef,
    handler: Handler,
    args: Args,
    sent_as: &str,
) -> Result<Value, ApiError> {
    let turn = turn_in_background(api, entry, message, handler)?;
    let task = new_task(api, entry, sent_as).await?;
    let (api, entry, sent_as) = (Arc::clone(api), entry.clone(), sent_as.to_owned());
    let work = async move {
        let result = run_plain(&api, &entry, message, handler, args, Some(turn)).await;
        if let Some(note) = &entry.note {
            api.audit(note, &End::of_result(&api.cluster.snapshot(), &result))
                .await;
        }
        if let Err(error) = end_task(&api, &entry, task, result, &sent_as).await {
            tracing::info!(%error, "the end of a task was not noted");
        }
    };
    tokio::spawn(work.in_current_span());
    Ok(task.into())
}

async fn new_task(api: &Arc<Api>, entry: &Entry, sent_as: &str) -> Result<Ref, ApiError> {
    let task = Ref::from_uuid(Uuid::new_v4());
    let new = NewTask {
        label: sent_as.to_owned(),
        session: entry.caller.session,
        host: (api.host)(),
        parent: parent_of(entry),
        other_config: entry.task.other_config.clone(),
        ..NewTask::default()
    };
    api.ops
        .decide(&entry.caller.history(sent_as), |d| {
            task::create(d, task, new.clone());
            Ok(())
        })
        .await?;
    Ok(task)
}

async fn end_task(
    api: &Arc<Api>,
    entry: &Entry,
    task: Ref,
    result: Result<Value, ApiError>,
    sent_as: &str,
) -> Result<(), ApiError> {
    let end = match result {
        Ok(value) => TaskEnd::Success(gateway_codec::xmlrpc::task_result(&value)),
        Err(error) => TaskEnd::Failure(error),
    };
    api.ops
        .decide(&entry.caller.history(sent_as), |d| {
            task::finish(d, task, end.clone());
            Ok(())
        })
        .await
        .map(|_| ())
}
