//! Commands that take a host long: the client sees how far they are, and may call them off.

use std::time::Duration;

use node_commands::{HostCommand, HostReply};
use pool_saga::StepError;
use proto_types::ApiError;
use uuid::Uuid;

use crate::agent_step::step_error;
use crate::operation::Cx;
use crate::ports::AgentFailure;

/// How often the host is asked how far it is.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How long it may take to say so, or to call the command off.
const LOOK_WAIT: Duration = Duration::from_secs(10);

/// A command whose progress the host tells.
pub struct LongCommand {
    /// Who is asked.
    pub host: Uuid,
    /// The name under which the host tells the progress.
    pub job: Uuid,
    /// The call, so that a new leader joins it.
    pub id: Uuid,
    /// What is asked.
    pub command: HostCommand,
    /// Longest wait for the answer.
    pub wait: Duration,
}

/// Why such a command did not come to its end.
pub enum Broken {
    /// The client wanted it so.
    CalledOff,
    /// The host failed.
    Failed(AgentFailure),
}

impl Broken {
    /// What it means for the saga.
    pub fn step_error<O>(self, cx: &Cx<O>) -> StepError {
        match self {
            Broken::CalledOff => ApiError::new("TASK_CANCELLED", [cx.task.to_string()]).into(),
            Broken::Failed(failure) => step_error(failure),
        }
    }
}

impl LongCommand {
    /// Has it carried out. `part` turns how much of it is done, from 0 to 1, into how much of the task that is.
    ///
    /// # Errors
    /// [`Broken`]. A command that ends well although it was called off is no error.
    pub async fn follow<O>(self, cx: &Cx<O>, part: impl Fn(f64) -> f64 + Send) -> Result<HostReply, Broken> {
        let LongCommand {
            host,
            job,
            id,
            command,
            wait,
        } = self;
        let agents = &cx.ops.agents;
        let mut running = std::pin::pin!(agents.call(host, id, command, wait));
        let mut called_off = false;
        loop {
            tokio::select! {
                answer = &mut running => {
                    return answer.map_err(|failure| {
                        if called_off && !failure.is_fenced {
                            Broken::CalledOff
                        } else {
                            Broken::Failed(failure)
                        }
                    });
                }
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            if cx.is_cancelled() && !called_off {
                let cancel = HostCommand::JobCancel { job };
                let told = agents.call(host, Uuid::new_v4(), cancel, LOOK_WAIT).await;
                called_off = told
                    .inspect_err(
                        |failure| tracing::info!(error = %failure.text, "a long command was not called off"),
                    )
                    .is_ok();
                continue;
            }
            let look = HostCommand::JobProgress { job };
            let answer = agents.call(host, Uuid::new_v4(), look, LOOK_WAIT).await;
            if let Ok(HostReply::Progress(Some(permille))) = answer {
                cx.progress(part(f64::from(permille) / 1000.0)).await;
            }
        }
    }
}
