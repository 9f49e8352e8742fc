//! One step of a saga and how it can fail.

use async_trait::async_trait;
use proto_types::ApiError;

/// Why a step stopped.
#[derive(Clone, Debug)]
pub enum StepError {
    /// The step cannot succeed: the saga turns back with this error for the client.
    Failed(ApiError),
    /// This node no longer leads; another one will go on. Nothing is undone here.
    LeadershipLost,
}

impl From<ApiError> for StepError {
    fn from(error: ApiError) -> Self {
        StepError::Failed(error)
    }
}

/// One step. `Cx` is the operation's own context, rebuilt from its logged parameters after a change of leader.
#[async_trait]
pub trait Step<Cx: Send + Sync>: Send + Sync {
    /// The name written to the log; never reused with another meaning.
    fn name(&self) -> &'static str;

    /// Does the step. Runs again if a leader dies between doing and logging.
    async fn run(&self, cx: &Cx) -> Result<(), StepError>;

    /// Takes the step back; succeeds where nothing is left to take back.
    async fn undo(&self, cx: &Cx) -> Result<(), StepError>;

    /// After this step has been logged the saga only goes forward: a later failure does not undo it.
    fn is_point_of_no_return(&self) -> bool {
        false
    }
}
