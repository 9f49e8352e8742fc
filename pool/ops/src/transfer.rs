//! Operations whose bytes come from or go to a client of this very node.
//!
//! ```text
//! handler ──► Transfers::leave(task, work) ──► operation … step "carry": takes the work and does it … commit or undo
//! ```
//! The bytes cannot follow a change of leader. The operation can: the new leader finds no work for the step, and undoes what
//! was done before, so that a broken upload leaves nothing behind whatever broke it.

pub mod export;
pub mod import;
pub mod vdi;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use node_commands::VolumeRef;
use pool_domain::decide::task;
use pool_saga::{Step, StepError};
use proto_types::{ApiError, Ref};
use uuid::Uuid;

use crate::core::Ops;
use crate::operation::{Cx, Operation, Outputs};

/// A volume and the host that has it.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The host.
    pub host: Uuid,
    /// The volume.
    pub volume: VolumeRef,
}

/// What the work of moving bytes has at hand.
pub struct Carried {
    /// The pool.
    pub ops: Ops,
    /// The task.
    pub task: Ref,
    /// The volumes, in the operation's order.
    pub volumes: Vec<Placed>,
}

impl Carried {
    /// Says whether to go on.
    ///
    /// # Errors
    /// `TASK_CANCELLED [task]` if the client wants it so; `HOST_STILL_BOOTING` if this node no longer leads.
    pub fn goes_on(&self) -> Result<(), ApiError> {
        goes_on(&self.ops, self.task)
    }
}

fn goes_on(ops: &Ops, reference: Ref) -> Result<(), ApiError> {
    if task::is_cancelled(&ops.pool.snapshot(), reference) {
        return Err(ApiError::new("TASK_CANCELLED", [reference.to_string()]));
    }
    if !ops.pool.is_leader() {
        return Err(ApiError::bare("HOST_STILL_BOOTING"));
    }
    Ok(())
}

/// How often is looked whether to go on while no byte moves.
const LOOK: Duration = Duration::from_millis(500);

async fn until_stopped(ops: Ops, reference: Ref) -> ApiError {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(error) = goes_on(&ops, reference) {
            return error;
        }
    }
}

/// Moves the bytes.
pub type Work = Box<dyn FnOnce(Carried) -> BoxFuture<'static, Result<(), ApiError>> + Send>;

/// Work that waits for its operation, by task.
#[derive(Default)]
pub struct Transfers(Mutex<HashMap<Ref, Work>>);

impl Transfers {
    /// Leaves work for the operation that will run behind a task.
    pub fn leave(&self, task: Ref, work: Work) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(task, work);
    }

    /// Takes it, to do it or to drop it.
    pub fn take(&self, task: Ref) -> Option<Work> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&task)
    }
}

/// An operation that moves bytes.
pub trait Carries: Operation {
    /// The volumes they go to or come from.
    fn placed(&self, outputs: &Outputs) -> Vec<Placed>;
}

/// Does the work that was left.
pub struct Carry;

#[async_trait]
impl<O: Carries> Step<Cx<O>> for Carry {
    fn name(&self) -> &'static str {
        "carry"
    }

    async fn run(&self, cx: &Cx<O>) -> Result<(), StepError> {
        let Some(work) = cx.ops.transfers.take(cx.task) else {
            return Err(ApiError::internal("the transfer was cut off when the master changed").into());
        };
        let carried = Carried {
            ops: cx.ops.clone(),
            task: cx.task,
            volumes: cx.operation.placed(&cx.outputs()),
        };
        // A client that has stalled must not keep others from stopping it.
        let stopped = until_stopped(cx.ops.clone(), cx.task);
        let moved = tokio::select! {
            moved = work(carried) => moved,
            error = stopped => Err(error),
        };
        if cx.ops.pool.is_leader() {
            moved.map_err(StepError::from)
        } else {
            Err(StepError::LeadershipLost)
        }
    }

    async fn undo(&self, _: &Cx<O>) -> Result<(), StepError> {
        // What was written goes with its volume; what was read leaves nothing.
        Ok(())
    }
}
