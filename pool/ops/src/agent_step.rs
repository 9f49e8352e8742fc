//! A step that is one command on one host.

use std::time::Duration;

use async_trait::async_trait;
use node_commands::{HostCommand, HostReply};
use pool_saga::{Step, StepError};
use proto_types::ApiError;
use uuid::Uuid;

use crate::operation::{Cx, Operation};
use crate::ports::AgentFailure;

/// How long an unreachable host is asked to undo something before it is left to reconciliation.
const UNDO_WAIT: Duration = Duration::from_secs(20);

/// A host and what it is asked.
pub type Ask = (Uuid, HostCommand);

/// A step that is one command on one host, with what takes it back.
pub struct AgentStep<O> {
    /// Name in the log; the reply is left under it.
    pub name: &'static str,
    /// What is asked; `None` if there is nothing to do.
    pub ask: fn(&Cx<O>) -> Option<Ask>,
    /// What takes it back.
    pub undo: fn(&Cx<O>) -> Option<Ask>,
    /// Longest wait for the answer.
    pub wait: Duration,
}

/// For steps that need no undoing.
pub fn nothing<O>(_: &Cx<O>) -> Option<Ask> {
    None
}

/// The output that says: a host may still hold what an undo could not confirm.
pub const UNCONFIRMED: &str = "unconfirmed";

#[async_trait]
impl<O: Operation> Step<Cx<O>> for AgentStep<O> {
    fn name(&self) -> &'static str {
        self.name
    }

    async fn run(&self, cx: &Cx<O>) -> Result<(), StepError> {
        let Some((host, command)) = (self.ask)(cx) else {
            return Ok(());
        };
        let reply = cx
            .ops
            .agents
            .call(host, cx.command_id(self.name), command, self.wait)
            .await
            .map_err(step_error)?;
        cx.leave(self.name, &reply);
        Ok(())
    }

    async fn undo(&self, cx: &Cx<O>) -> Result<(), StepError> {
        let Some((host, command)) = (self.undo)(cx) else {
            return Ok(());
        };
        let id = cx.command_id(&format!("undo {}", self.name));
        match cx.ops.agents.call(host, id, command, UNDO_WAIT).await {
            Ok(_) => Ok(()),
            Err(failure) => {
                if failure.is_unknown {
                    cx.leave(UNCONFIRMED, &true);
                }
                Err(step_error(failure))
            }
        }
    }
}

/// What an agent's failure means for the saga.
pub fn step_error(failure: AgentFailure) -> StepError {
    if failure.is_fenced {
        StepError::LeadershipLost
    } else {
        tracing::info!(host = %failure.host, error = %failure.text, "a host failed");
        StepError::Failed(failure.api)
    }
}

/// The reply a step left.
///
/// # Errors
/// `INTERNAL_ERROR` if it left none of that kind.
pub fn reply(outputs: &crate::operation::Outputs, step: &str) -> Result<HostReply, ApiError> {
    crate::operation::read_output(outputs, step)
        .ok_or_else(|| ApiError::internal(format!("step {step} left no answer")))
}
