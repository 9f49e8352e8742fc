//! `host.evacuate`: every guest moves to another host, live. The plan for all of them stands before the first one moves.

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::StreamExt;
use pool_domain::Draft;
use pool_domain::decide::host_life;
use pool_domain::{evacuation, placement};
use pool_saga::{Step, StepError};
use proto_types::generated::{host, vm};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};

use crate::operation::{Cx, Operation, Outputs};
use crate::parts::{go_on, run_part, whereabouts};
use crate::vm::migrate::Migrate;

/// Guests that move at once unless the caller says otherwise.
const BATCH: usize = 10;
/// How often a guest is given another place after its planned one did not take it.
const TRIES: usize = 3;

/// Takes all guests off a host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Evacuate {
    host: Ref,
    batch: usize,
    moves: Vec<(Ref, Ref)>,
}

impl Evacuate {
    /// Off this host, so many at once; 0 leaves the number to the pool.
    pub fn new(host: Ref, batch: usize) -> Evacuate {
        Evacuate {
            host,
            batch: if batch == 0 { BATCH } else { batch },
            moves: Vec::new(),
        }
    }
}

impl Operation for Evacuate {
    const NAME: &'static str = "host_evacuate";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        self.moves = host_life::begin_evacuation(draft, self.host, task)?;
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(MoveAll)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        host_life::end(draft, self.host, task);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        host_life::end(draft, self.host, task);
    }

    fn is_cancellable() -> bool {
        true
    }
}

/// Moves the guests, so many at a time; each that has left makes room for the next. Those that have moved stay where they
/// went. Once one cannot leave no other begins.
struct MoveAll;

#[async_trait]
impl Step<Cx<Evacuate>> for MoveAll {
    fn name(&self) -> &'static str {
        "move_all"
    }

    async fn run(&self, cx: &Cx<Evacuate>) -> Result<(), StepError> {
        let op = &cx.operation;
        let all = u32::try_from(op.moves.len()).unwrap_or(u32::MAX).max(1);
        let broken = AtomicBool::new(false);
        let moves: Vec<_> = op
            .moves
            .iter()
            .map(|(vm, to)| move_one(cx, *vm, *to, &broken))
            .collect();
        let mut moves = futures::stream::iter(moves).buffer_unordered(op.batch.max(1));
        let (mut done, mut first_obstacle): (u32, _) = (0, None);
        while let Some(end) = moves.next().await {
            match end {
                Ok(()) => done = done.saturating_add(1),
                Err(error) => {
                    broken.store(true, Ordering::Relaxed);
                    first_obstacle.get_or_insert(error);
                }
            }
            if first_obstacle.is_none() {
                cx.progress(f64::from(done) / f64::from(all) * 0.99).await;
            }
        }
        first_obstacle.map_or(Ok(()), Err)
    }

    async fn undo(&self, _: &Cx<Evacuate>) -> Result<(), StepError> {
        Ok(())
    }
}

/// Moves one guest, unless another could not leave.
async fn move_one(cx: &Cx<Evacuate>, guest: Ref, to: Ref, broken: &AtomicBool) -> Result<(), StepError> {
    if broken.load(Ordering::Relaxed) {
        return Ok(());
    }
    go_on(cx)?;
    move_off(cx, cx.operation.host, guest, to)
        .await
        .map_err(step_error)
}

fn step_error(error: ApiError) -> StepError {
    if error.code == "HOST_STILL_BOOTING" {
        StepError::LeadershipLost
    } else {
        StepError::Failed(error)
    }
}

/// Moves one guest off a host: to its planned place, or to another one if that cannot take it any more.
///
/// # Errors
/// Why it could not leave.
pub(crate) async fn move_off<O>(cx: &Cx<O>, from: Ref, guest: Ref, planned: Ref) -> Result<(), ApiError> {
    let mut target = planned;
    let mut tries = 0;
    loop {
        // It may have ended, or an earlier leader may have moved it.
        if whereabouts(cx, guest).is_none_or(|(_, at)| at != from) {
            return Ok(());
        }
        let migrate = Migrate::by_default(&cx.ops.pool.snapshot(), guest, target);
        let moved = run_part(cx, "VM.pool_migrate", migrate).await;
        let Err(error) = moved else { return Ok(()) };
        tries += 1;
        if whereabouts(cx, guest).is_none_or(|(_, at)| at != from) {
            return Ok(());
        }
        if tries >= TRIES || error.code == "HOST_STILL_BOOTING" {
            return Err(error);
        }
        tracing::info!(vm = %guest, %error, "does not go where it was to");
        let db = cx.ops.pool.snapshot();
        if let (Some(row), Some(home)) = (db.of_class(vm::CLASS, guest), db.of_class(host::CLASS, from)) {
            let other = evacuation::plan(&db, home)
                .into_iter()
                .find(|(r, _)| *r == guest)
                .and_then(|(_, fate)| fate.ok());
            let Some(other) = other.filter(|h| {
                db.of_class(host::CLASS, *h)
                    .is_some_and(|h| placement::can_run(&db, row, h).is_ok())
            }) else {
                return Err(error);
            };
            target = other;
        }
    }
}
