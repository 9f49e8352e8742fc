//! Who may write a saga's row, and ask hosts for it: one run, under one term.
//!
//! A run that its node began, and that is still alive when the node leads anew after a loss of leadership, must not go on
//! beside the one that the new term begins. Two things stop it. Hosts are asked under the term in which the run began, which
//! is over by then; and the row names the run that may write it, a name that whoever takes the saga over replaces in the
//! log itself.

use async_trait::async_trait;
use pool_domain::Draft;
use pool_saga::{SagaLog, StepError};
use proto_types::generated::tarn_saga;
use proto_types::{ApiError, Ref, Value};
use uuid::Uuid;

use super::{Cx, Operation, Outputs, read_output};
use crate::core::Ops;

/// The output under which the row names the run that may write it.
const RUN: &str = "run";

/// Says whether a run may still write.
///
/// # Errors
/// `HOST_STILL_BOOTING` if another run has taken the saga over, or ended it.
pub(super) fn check_run(draft: &mut Draft<'_>, saga: Ref, run: Uuid) -> Result<(), ApiError> {
    let over = || ApiError::bare("HOST_STILL_BOOTING");
    let row = draft.read(tarn_saga::CLASS, saga).map_err(|_| over())?;
    if names(row.get(tarn_saga::OUTPUTS).as_str(), run) {
        Ok(())
    } else {
        Err(over())
    }
}

fn names(outputs: &str, run: Uuid) -> bool {
    let outputs: Outputs = serde_json::from_str(outputs).unwrap_or_default();
    read_output::<Uuid>(&outputs, RUN) == Some(run)
}

/// Outputs that name a run.
pub(super) fn named(mut outputs: Outputs, run: Uuid) -> Outputs {
    outputs.insert(RUN.to_owned(), run.to_string().into());
    outputs
}

/// Takes a saga over: earlier runs of it stop, wherever they are. Answers with the hosts under the present term, and the
/// new run's name.
///
/// # Errors
/// If the saga has ended, or this node does not lead.
pub(super) async fn take_over(ops: &Ops, saga: Ref, name: &str) -> Result<(Ops, Uuid), ApiError> {
    loop {
        let term = ops.agents.term();
        let (bound, run) = (ops.in_this_term(), Uuid::new_v4());
        ops.decide(&crate::core::own(name), |d| {
            let row = d.read(tarn_saga::CLASS, saga)?;
            let outputs = serde_json::from_str(row.get(tarn_saga::OUTPUTS).as_str()).unwrap_or_default();
            let noted = serde_json::to_string(&named(outputs, run)).unwrap_or_default();
            d.set(saga, tarn_saga::OUTPUTS, noted);
            Ok(())
        })
        .await?;
        if ops.agents.term() == term {
            return Ok((bound, run));
        }
    }
}

impl<O> Cx<O> {
    /// Says whether nobody else has taken the saga over, or ended it, as far as this node knows.
    pub fn is_mine(&self) -> bool {
        self.ops
            .pool
            .snapshot()
            .of_class(tarn_saga::CLASS, self.saga)
            .is_some_and(|row| names(row.get(tarn_saga::OUTPUTS).as_str(), self.run))
    }

    /// Writes what was left so far to the saga's row, with the changes that belong to it, all in one entry.
    ///
    /// # Errors
    /// `LeadershipLost` if this run may write no more, or the entry was not written.
    pub async fn write(
        &self,
        mut changes: impl FnMut(&mut Draft<'_>) -> Result<(), ApiError> + Send,
    ) -> Result<(), StepError> {
        let (saga, run) = (self.saga, self.run);
        let outputs = serde_json::to_string(&named(self.outputs(), run)).unwrap_or_default();
        self.ops
            .decide(&self.origin, |d| {
                check_run(d, saga, run)?;
                changes(d)?;
                d.set(saga, tarn_saga::OUTPUTS, outputs.as_str());
                Ok(())
            })
            .await
            .map(|_| ())
            .map_err(|_| StepError::LeadershipLost)
    }
}

/// Keeps a saga's state in its row.
pub(super) struct RowLog<'a, O> {
    pub(super) cx: &'a Cx<O>,
    /// The last step, after which the commit follows.
    pub(super) last: Option<&'static str>,
}

impl<O: Operation> RowLog<'_, O> {
    async fn write(
        &self,
        change: impl Fn(&mut Vec<Value>, &mut Vec<Value>) + Send + Sync,
    ) -> Result<(), StepError> {
        let saga = self.cx.saga;
        self.cx
            .write(|d| {
                let row = d.read(tarn_saga::CLASS, saga)?;
                let mut completed = row.get(tarn_saga::COMPLETED).as_set().to_vec();
                let mut error = row.get(tarn_saga::ERROR).as_set().to_vec();
                change(&mut completed, &mut error);
                d.update(
                    saga,
                    vec![
                        (tarn_saga::COMPLETED, Value::Set(completed)),
                        (tarn_saga::ERROR, Value::Set(error)),
                    ],
                );
                Ok(())
            })
            .await
    }
}

#[async_trait]
impl<O: Operation> SagaLog for RowLog<'_, O> {
    async fn completed(&self, step: &'static str) -> Result<(), StepError> {
        // The commit follows at once; until then a new leader would repeat the step, which hosts know again.
        if self.last == Some(step) {
            return Ok(());
        }
        self.write(|completed, _| completed.push(step.into())).await
    }

    async fn failed(&self, failure: &ApiError) -> Result<(), StepError> {
        let description = failure.description();
        self.write(move |_, error| *error = description.iter().map(Value::from).collect())
            .await
    }

    async fn undone(&self, step: &'static str) -> Result<(), StepError> {
        self.write(|completed, _| completed.retain(|c| c.as_str() != step))
            .await
    }
}
