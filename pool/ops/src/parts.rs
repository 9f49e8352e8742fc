//! Operations that are parts of another one: each has a task of its own below the whole's.

use pool_domain::vm_rules;
use proto_types::generated::{task, vm};
use proto_types::{ApiError, Ref, Value};

use crate::core::own;
use crate::operation::{Call, Cx, Operation, run};

/// Runs a part of an operation to its end. Its task hangs below the whole's and goes with its end.
///
/// # Errors
/// The part's own.
pub async fn run_part<O, P: Operation>(cx: &Cx<O>, label: &str, part: P) -> Result<Value, ApiError> {
    if !cx.is_mine() {
        return Err(ApiError::bare("HOST_STILL_BOOTING"));
    }
    let db = cx.ops.pool.snapshot();
    let (session, host) = db.of_class(task::CLASS, cx.task).map_or_else(
        || (Ref::NULL, Ref::NULL),
        |t| (t.get(task::SESSION).as_ref(), t.get(task::RESIDENT_ON).as_ref()),
    );
    let call = Call {
        label: label.to_owned(),
        session,
        host,
        origin: own(label),
        parent: cx.task,
        ..Call::default()
    };
    run(&cx.ops, part, call).await
}

/// The power state and whereabouts of a VM now; `None` if it has gone.
pub fn whereabouts<O>(cx: &Cx<O>, reference: Ref) -> Option<(String, Ref)> {
    let db = cx.ops.pool.snapshot();
    let row = db.of_class(vm::CLASS, reference)?;
    Some((
        row.get(vm::POWER_STATE).as_str().to_owned(),
        row.get(vm::RESIDENT_ON).as_ref(),
    ))
}

/// Says whether a VM is down or gone.
pub fn is_down<O>(cx: &Cx<O>, reference: Ref) -> bool {
    whereabouts(cx, reference).is_none_or(|(state, _)| state == vm_rules::HALTED)
}

/// `TASK_CANCELLED [task]` if the client has called the whole off.
///
/// # Errors
/// See above.
pub fn go_on<O>(cx: &Cx<O>) -> Result<(), ApiError> {
    if cx.is_cancelled() {
        Err(ApiError::new("TASK_CANCELLED", [cx.task.to_string()]))
    } else {
        Ok(())
    }
}
