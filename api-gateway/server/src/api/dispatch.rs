//! From a name and wire values to a handler and its answer.

use std::sync::Arc;
use std::time::Instant;

use gateway_codec::{Call, WireValue, typed};
use proto_types::generated::{self, find};
use proto_types::schema::{Default as ParamDefault, MessageDef};
use proto_types::{ApiError, Args, MessageId, Value};

use super::Api;
use super::answer::Answer;
use super::execute;
use super::gate::Entry;
use crate::audit::{self, End, Note};
use crate::latencies::Ended;

/// How a message is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The answer is the result.
    Sync,
    /// The answer is a task.
    Async,
}

/// Answers a call.
#[tracing::instrument(name = "call", skip_all, fields(method = call.method, user = entry.caller.user))]
pub async fn run(api: &Arc<Api>, mut entry: Box<Entry>, call: Call) -> Answer {
    match call.method.as_str() {
        "system.listMethods" => return Answer::Methods(all_methods()),
        "system.isAlive" => {
            let first = call
                .params
                .first()
                .map_or(proto_types::Value::Void, typed::untyped);
            return Answer::Value(first);
        }
        _ => {}
    }
    let (mode, id) = match resolve(&call.method) {
        Ok(found) => found,
        Err(error) => return Answer::Failure(error),
    };
    let message = id.def();
    let args = match arguments(message, &call) {
        Ok(args) => args,
        Err(error) => return Answer::Failure(error),
    };
    let permitted = entry.caller.may(message, &args);
    // A log-in over the local socket is no event: each command of `xe` begins with one.
    let is_local_login = message.no_session && entry.is_local_root;
    if permitted.is_err() || (audit::is_told(message) && !is_local_login) {
        let (db, caller) = (&entry.db, &entry.caller);
        let note = Note::of_call(db, caller, entry.peer, message, &args, &call.method);
        entry.note = Some(Arc::new(note));
    }
    let began = Instant::now();
    let answer = match permitted {
        Err(denied) => Answer::Failure(denied),
        Ok(()) if message.pool_only => {
            Answer::Failure(ApiError::internal("this call is for hosts of the pool only"))
        }
        Ok(()) => execute::message(api, &entry, mode, message, args, &call.method).await,
    };
    let ended = if matches!(answer, Answer::Failure(_)) {
        Ended::Badly
    } else {
        Ended::Well
    };
    api.latencies.note(message.full_name, began.elapsed(), ended);
    if let Some(note) = &entry.note {
        let end = match (&answer, mode) {
            (Answer::Failure(error), _) => End::of_error(error),
            (_, Mode::Async) => End::Accepted,
            (Answer::Value(Value::Ref(made)), Mode::Sync) => End::of_made(&api.cluster.snapshot(), *made),
            (_, Mode::Sync) => End::Done(None),
        };
        api.audit(note, &end).await;
    }
    answer
}

/// Finds a message by the name sent: `VM.start`, `VM_start`, `Async.VM.start`.
fn resolve(name: &str) -> Result<(Mode, MessageId), ApiError> {
    let unknown = || ApiError::new("MESSAGE_METHOD_UNKNOWN", [name]);
    let (mode, plain) = match name
        .strip_prefix("Async.")
        .or_else(|| name.strip_prefix("InternalAsync."))
    {
        Some(rest) => (Mode::Async, rest),
        None => (Mode::Sync, name),
    };
    let id = match find(plain) {
        Some(id) => id,
        None if mode == Mode::Sync => find_with_underscore(plain).ok_or_else(unknown)?,
        None => return Err(unknown()),
    };
    if id.def().removed {
        return Err(ApiError::bare("MESSAGE_REMOVED"));
    }
    if mode == Mode::Async && !id.def().is_async {
        return Err(ApiError::new("Fault", [name]));
    }
    Ok((mode, id))
}

/// `VM_guest_metrics_get_all`: any of the underscores may stand for the dot.
fn find_with_underscore(name: &str) -> Option<MessageId> {
    name.match_indices('_').find_map(|(at, _)| {
        let (class, rest) = name.split_at_checked(at)?;
        find(&format!("{class}.{}", rest.get(1..)?))
    })
}

/// Checks the number of the arguments and their types. The session is not counted.
fn arguments(message: &MessageDef, call: &Call) -> Result<Args, ApiError> {
    let given: &[WireValue] = if message.no_session {
        &call.params
    } else {
        call.params.get(1..).unwrap_or_default()
    };
    let required = message
        .params
        .iter()
        .filter(|p| matches!(p.default, ParamDefault::None))
        .count();
    let has_optional = required < message.params.len();
    let too_many = given.len() > message.params.len() && !has_optional;
    let no_session = !message.no_session && call.params.is_empty();
    if given.len() < required || too_many || no_session {
        return Err(ApiError::new(
            "MESSAGE_PARAMETER_COUNT_MISMATCH",
            [
                call.method.clone(),
                message.params.len().to_string(),
                given.len().to_string(),
            ],
        ));
    }
    let mut values = Vec::with_capacity(message.params.len());
    for (position, param) in message.params.iter().enumerate() {
        let value = match given.get(position) {
            Some(wire) => typed::decode(wire, &param.ty).map_err(ApiError::from)?,
            None => param.default.value().unwrap_or_else(|| param.ty.zero()),
        };
        values.push(value);
    }
    Ok(Args(values))
}

/// Every name that can be called.
pub fn all_methods() -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(generated::MESSAGES.len().saturating_mul(2));
    for message in generated::MESSAGES.iter().filter(|m| !m.removed) {
        names.push(message.full_name.to_owned());
        if message.is_async {
            names.push(format!("Async.{}", message.full_name));
        }
    }
    names.extend(["system.isAlive", "system.listMethods"].map(str::to_owned));
    names
}
