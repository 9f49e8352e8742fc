//! Where the engine keeps how far a saga has come.

use async_trait::async_trait;
use proto_types::ApiError;

use crate::step::StepError;

/// How far a saga has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SagaState {
    /// Names of the steps that are done, in order.
    pub completed: Vec<String>,
    /// The error that made it turn back, if it has.
    pub failure: Option<ApiError>,
}

/// The pool's log as one saga sees it. Each method returns once the entry is durable on a majority.
#[async_trait]
pub trait SagaLog: Send + Sync {
    /// A step is done.
    async fn completed(&self, step: &'static str) -> Result<(), StepError>;
    /// The saga turns back.
    async fn failed(&self, error: &ApiError) -> Result<(), StepError>;
    /// A step has been undone.
    async fn undone(&self, step: &'static str) -> Result<(), StepError>;
}
