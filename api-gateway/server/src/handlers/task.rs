//! Tasks. To their own tasks clients may do everything, to others' only operators of the pool.

use pool_domain::access::{self, ANY_TASK, ANY_TASK_ROLE};
use pool_domain::decide::generic;
use pool_domain::decide::task::{self, NewTask};
use pool_domain::{Draft, Row};
use proto_types::generated::task as class;
use proto_types::{ApiError, Args, Field, Ref, Value};

use super::{Handler, Table};
use crate::api::caller::{Caller, denied};

/// The messages.
pub const TABLE: Table = &[
    (
        "task.create",
        Handler::Write(|d, caller, args| {
            let reference = d.facts().reference();
            let new = NewTask {
                label: args.text(0)?.to_owned(),
                description: args.text(1)?.to_owned(),
                session: caller.session,
                ..NewTask::default()
            };
            task::create(d, reference, new);
            Ok(reference.into())
        }),
    ),
    (
        "task.destroy",
        Handler::Write(|d, caller, args| {
            let (this, by) = (owned(d, caller, args)?, d.facts().reference());
            task::destroy(d, this, by).map(|()| Value::Void)
        }),
    ),
    (
        "task.cancel",
        Handler::Write(|d, caller, args| {
            let (this, by) = (owned(d, caller, args)?, d.facts().reference());
            task::cancel(d, this, by).map(|()| Value::Void)
        }),
    ),
    (
        "task.set_progress",
        Handler::Write(|d, caller, args| {
            let this = owned(d, caller, args)?;
            let progress = args.at(1)?.as_float();
            // Below zero a client says: whoever takes this task on has not done so yet.
            if !(-1.0..=1.0).contains(&progress) {
                return Err(ApiError::new(
                    "INVALID_VALUE",
                    ["value".to_owned(), progress.to_string()],
                ));
            }
            task::progress(d, this, progress);
            Ok(Value::Void)
        }),
    ),
    (
        "task.set_status",
        Handler::Write(|d, caller, args| {
            let this = owned(d, caller, args)?;
            task::set_status(d, this, args.text(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "task.set_result",
        Handler::Write(|d, caller, args| set(d, caller, args, class::RESULT)),
    ),
    (
        "task.set_error_info",
        Handler::Write(|d, caller, args| set(d, caller, args, class::ERROR_INFO)),
    ),
    (
        "task.set_other_config",
        Handler::Write(|d, caller, args| set(d, caller, args, class::OTHER_CONFIG)),
    ),
    (
        "task.add_to_other_config",
        Handler::Write(|d, caller, args| {
            let this = owned(d, caller, args)?;
            let pair = (args.at(1)?.clone(), args.at(2)?.clone());
            generic::add_to(d, class::CLASS, class::OTHER_CONFIG.index, this, pair).map(|()| Value::Void)
        }),
    ),
    (
        "task.remove_from_other_config",
        Handler::Write(|d, caller, args| {
            let (this, key) = (owned(d, caller, args)?, args.at(1)?.clone());
            generic::remove_from(d, class::CLASS, class::OTHER_CONFIG.index, this, key).map(|()| Value::Void)
        }),
    ),
];

fn set(d: &mut Draft<'_>, caller: &Caller, args: &Args, field: Field) -> Result<Value, ApiError> {
    let this = owned(d, caller, args)?;
    d.set(this, field, args.at(1)?.clone());
    Ok(Value::Void)
}

/// The task that a call is about, if the caller may.
fn owned(d: &mut Draft<'_>, caller: &Caller, args: &Args) -> Result<Ref, ApiError> {
    let reference = args.reference(0)?;
    let row = d.read(class::CLASS, reference)?;
    match may_touch(d.db(), caller, &row) {
        true => Ok(reference),
        false => Err(denied(ANY_TASK.to_owned())),
    }
}

/// Whether a caller may cancel, destroy or change a task.
pub fn may_touch(db: &pool_domain::Database, caller: &Caller, row: &Row) -> bool {
    caller.reaches(ANY_TASK_ROLE) || access::is_own_task(db, row, caller.session)
}
