//! Operations whose bytes come from or go to a client of this very node.
//!
//! ```text
//! handler ──► Transfers::leave(task, work) ──► operation … step "carry": takes the work and does it … commit or undo
//! ```
//! The bytes cannot follow a change of leader. The operation can: the new leader finds no work for the step, and undoes what
//! was done before, so that a broken upload leaves nothing behind whatever broke it. A node that leads again after a gap finds
//! its own work still going.

pub mod export;
pub mod import;
pub mod vdi;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
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
    /// `TASK_CANCELLED [task]` if the client wants it so.
    pub fn goes_on(&self) -> Result<(), ApiError> {
        goes_on(&self.ops, self.task)
    }
}

fn goes_on(ops: &Ops, reference: Ref) -> Result<(), ApiError> {
    if task::is_cancelled(&ops.pool.snapshot(), reference) {
        return Err(ApiError::new("TASK_CANCELLED", [reference.to_string()]));
    }
    Ok(())
}

/// How often is looked whether to go on, also while no byte moves.
const LOOK: Duration = Duration::from_millis(500);
/// A node that has not led for so long gives up; a shorter gap is one in which it went on leading after all.
const WITHOUT_LEADING: Duration = Duration::from_secs(10);
/// How long the outcome is kept for an operation that goes on after such a gap.
const KEPT: Duration = Duration::from_secs(60);

async fn until_stopped(ops: Ops, reference: Ref) -> ApiError {
    let mut led = Instant::now();
    loop {
        tokio::time::sleep(LOOK).await;
        if ops.pool.is_leader() {
            led = Instant::now();
        }
        if led.elapsed() > WITHOUT_LEADING {
            return ApiError::bare("HOST_STILL_BOOTING");
        }
        if let Err(error) = goes_on(&ops, reference) {
            return error;
        }
    }
}

/// Moves the bytes.
pub type Work = Box<dyn FnOnce(Carried) -> BoxFuture<'static, Result<(), ApiError>> + Send>;

type Moving = Shared<BoxFuture<'static, Result<(), ApiError>>>;

/// The bytes of one operation.
struct Transfer {
    state: State,
    /// How often the operation has come to its step: more than once after a change of leader.
    runs: u64,
}

enum State {
    Waits(Work),
    Moves(Moving),
}

/// Work of this node's handlers, by task.
#[derive(Default)]
pub struct Transfers(Mutex<HashMap<Ref, Transfer>>);

impl Transfers {
    fn locked(&self) -> MutexGuard<'_, HashMap<Ref, Transfer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves work for the operation that will run behind a task.
    pub fn leave(&self, task: Ref, work: Work) {
        let state = State::Waits(work);
        self.locked().insert(task, Transfer { state, runs: 0 });
    }

    /// Drops work to which its operation never came.
    pub fn forget_waiting(&self, task: Ref) {
        let mut all = self.locked();
        if matches!(all.get(&task).map(|t| &t.state), Some(State::Waits(_))) {
            all.remove(&task);
        }
    }

    /// Begins the work, or joins what an earlier run of the same operation has begun. Answers the number of the run.
    fn join(&self, carried: Carried) -> Option<(Moving, u64)> {
        let mut all = self.locked();
        let (task, runs) = (carried.task, all.get(&carried.task)?.runs.saturating_add(1));
        let moving = match all.remove(&task)?.state {
            State::Moves(moving) => moving,
            State::Waits(work) => begin(work, carried),
        };
        let state = State::Moves(moving.clone());
        all.insert(task, Transfer { state, runs });
        Some((moving, runs))
    }

    fn is_latest(&self, task: Ref, run: u64) -> bool {
        self.locked().get(&task).is_some_and(|t| t.runs == run)
    }
}

fn begin(work: Work, carried: Carried) -> Moving {
    let (ops, task) = (carried.ops.clone(), carried.task);
    let worker = tokio::spawn(async move {
        // A client that has stalled must not keep others from stopping it.
        let stopped = until_stopped(ops.clone(), task);
        let moved = tokio::select! {
            moved = work(carried) => moved,
            error = stopped => Err(error),
        };
        tokio::spawn(async move {
            tokio::time::sleep(KEPT).await;
            ops.transfers.locked().remove(&task);
        });
        moved
    });
    let moved = async move {
        worker
            .await
            .unwrap_or_else(|_| Err(ApiError::internal("the transfer was broken off")))
    };
    moved.boxed().shared()
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
        let carried = Carried {
            ops: cx.ops.clone(),
            task: cx.task,
            volumes: cx.operation.placed(&cx.outputs()),
        };
        let Some((moving, run)) = cx.ops.transfers.join(carried) else {
            return Err(ApiError::internal("the transfer was cut off when the master changed").into());
        };
        let moved = moving.await;
        // A later run of the same operation goes on with it.
        if !cx.ops.pool.is_leader() || !cx.ops.transfers.is_latest(cx.task, run) {
            return Err(StepError::LeadershipLost);
        }
        moved.map_err(StepError::from)
    }

    async fn undo(&self, _: &Cx<O>) -> Result<(), StepError> {
        // What was written goes with its volume; what was read leaves nothing.
        Ok(())
    }
}
