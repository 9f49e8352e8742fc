//! Runs a saga to its end, forward or back.

use proto_types::ApiError;
use tracing::{debug, info, warn};

use crate::log::{SagaLog, SagaState};
use crate::step::{Step, StepError};

/// How a saga ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every step is done.
    Done,
    /// Turned back; everything is undone.
    Undone(ApiError),
    /// This node stopped leading; another one goes on.
    LeadershipLost,
}

/// Runs the steps that are not done yet, or undoes those that are if the saga had turned back.
///
/// Safe to call again with the logged state after any interruption.
pub async fn drive<Cx: Send + Sync>(
    steps: &[Box<dyn Step<Cx>>],
    cx: &Cx,
    log: &dyn SagaLog,
    state: SagaState,
) -> Ending {
    let mut failure = state.failure;
    let mut completed = state.completed;
    if failure.is_none() {
        for step in steps {
            if completed.iter().any(|c| c == step.name()) {
                continue;
            }
            debug!(step = step.name(), "saga step");
            match step.run(cx).await {
                Ok(()) => {}
                Err(StepError::LeadershipLost) => return Ending::LeadershipLost,
                Err(StepError::Failed(error)) => {
                    // The failed step may have had a part of its effect.
                    completed.push(step.name().to_owned());
                    info!(step = step.name(), %error, "saga turns back");
                    failure = Some(error);
                    break;
                }
            }
            if log.completed(step.name()).await.is_err() {
                return Ending::LeadershipLost;
            }
            completed.push(step.name().to_owned());
        }
    }
    let Some(failure) = failure else {
        return Ending::Done;
    };
    if log.failed(&failure).await.is_err() {
        return Ending::LeadershipLost;
    }
    match undo(steps, cx, log, &completed).await {
        Ok(()) => Ending::Undone(failure),
        Err(()) => Ending::LeadershipLost,
    }
}

async fn undo<Cx: Send + Sync>(
    steps: &[Box<dyn Step<Cx>>],
    cx: &Cx,
    log: &dyn SagaLog,
    completed: &[String],
) -> Result<(), ()> {
    for step in steps.iter().rev() {
        if !completed.iter().any(|c| c == step.name()) {
            continue;
        }
        if step.is_point_of_no_return() {
            return Ok(());
        }
        match step.undo(cx).await {
            Ok(()) => {}
            Err(StepError::LeadershipLost) => return Err(()),
            // A step that cannot be undone now must not keep the rest from being undone; reconcilers finish it.
            Err(StepError::Failed(error)) => warn!(step = step.name(), %error, "could not undo"),
        }
        log.undone(step.name()).await.map_err(|_| ())?;
    }
    Ok(())
}

#[cfg(test)]
mod test;
