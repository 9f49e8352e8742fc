//! The task of a transfer: the one that the client names, or one made for it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use pool_domain::Database;
use pool_domain::decide::task::{self, NewTask, TaskEnd};
use pool_ops::{Call, Operation};
use proto_types::{ApiError, Ref, Value};
use uuid::Uuid;

use super::{Exchange, Refusal};
use crate::api::Api;

/// How often progress is written at most.
const OFTEN: Duration = Duration::from_secs(1);

/// A task that a handler works on. One that is dropped before its end has failed.
pub struct HandlerTask {
    api: Arc<Api>,
    /// The task.
    pub reference: Ref,
    call: Call,
    written: Mutex<(Instant, u32)>,
    ended: bool,
}

impl HandlerTask {
    /// Takes over the task that the client names, or makes one. Its progress is 0 from then on.
    ///
    /// # Errors
    /// `HANDLE_INVALID` for a task that is not there, `OPERATION_NOT_ALLOWED` for one that has ended.
    pub async fn take(exchange: &Exchange) -> Result<HandlerTask, Refusal> {
        let api = Arc::clone(&exchange.api);
        let label = exchange.entry.label.to_owned();
        let host = (api.host)();
        let session = exchange.caller.session;
        let named = match exchange.query.get("task_id") {
            Some(text) => Some(
                text.parse::<Ref>()
                    .map_err(|_| ApiError::handle_invalid("task", text))?,
            ),
            None => None,
        };
        let reference = named.unwrap_or_else(|| Ref::from_uuid(Uuid::new_v4()));
        let origin = exchange.caller.history(&label);
        api.ops
            .decide(&origin, |d| match named {
                Some(named) => task::take_over(d, named, host),
                None => {
                    let new = NewTask {
                        label: label.clone(),
                        session,
                        host,
                        cancellable: true,
                        ..NewTask::default()
                    };
                    task::create(d, reference, new);
                    Ok(())
                }
            })
            .await?;
        Ok(HandlerTask {
            api,
            reference,
            call: Call {
                label,
                session,
                host,
                origin,
                parent: Ref::NULL,
            },
            written: Mutex::new((Instant::now(), 0)),
            ended: false,
        })
    }

    /// Runs an operation behind the task, to its end.
    ///
    /// # Errors
    /// The operation's; the task has it then.
    pub async fn run(mut self, operation: impl Operation) -> Result<Value, ApiError> {
        self.ended = true;
        let outcome =
            pool_ops::run_in_task(&self.api.ops, operation, self.call.clone(), self.reference).await;
        if let Err(error) = &outcome {
            note_cancelled(&self.api, self.reference, error).await;
        }
        outcome
    }

    /// Says whether the client wants it cancelled.
    pub fn is_cancelled(&self) -> bool {
        is_cancelled(&self.api.ops.pool.snapshot(), self.reference)
    }

    /// Tells how far it is, from 0 to 1: whole per cents, and not too often.
    pub async fn progress(&self, done: f64) {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 100"
        )]
        let percent = (done.clamp(0.0, 1.0) * 100.0).floor() as u32;
        {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            if percent == written.1 || written.0.elapsed() < OFTEN {
                return;
            }
            *written = (Instant::now(), percent);
        }
        let reference = self.reference;
        let noted = self.api.ops.decide(&self.call.origin, |d| {
            task::progress(d, reference, f64::from(percent) / 100.0);
            Ok(())
        });
        if let Err(error) = noted.await {
            tracing::debug!(%error, "progress was not noted");
        }
    }

    /// Ends it.
    pub async fn finish(mut self, result: Result<Value, ApiError>) {
        self.ended = true;
        end(&self.api, self.reference, result).await;
    }
}

impl Drop for HandlerTask {
    fn drop(&mut self) {
        if !self.ended {
            let (api, reference) = (Arc::clone(&self.api), self.reference);
            let broken = ApiError::internal("the transfer was broken off");
            tokio::spawn(async move { end(&api, reference, Err(broken)).await });
        }
    }
}

/// Says whether somebody wants a task cancelled.
pub fn is_cancelled(db: &Database, reference: Ref) -> bool {
    task::is_cancelled(db, reference)
}

/// Ends a task that a client named with an error.
pub async fn fail(api: &Arc<Api>, reference: Ref, error: ApiError) {
    end(api, reference, Err(error)).await;
}

async fn end(api: &Arc<Api>, reference: Ref, result: Result<Value, ApiError>) {
    let end = match &result {
        Ok(value) => TaskEnd::Success((api.ops.encode)(value)),
        Err(error) => TaskEnd::Failure(error.clone()),
    };
    let noted = api
        .ops
        .decide(&pool_ops::core::own("transfer"), |d| {
            task::finish(d, reference, end.clone());
            Ok(())
        })
        .await;
    match (noted, result) {
        (Err(error), _) => tracing::info!(%error, "the end of a transfer was not noted"),
        (Ok(_), Err(error)) => note_cancelled(api, reference, &error).await,
        (Ok(_), Ok(_)) => {}
    }
}

/// A task that an HTTP handler ends as cancelled says so in its `error_info` too.
async fn note_cancelled(api: &Arc<Api>, reference: Ref, error: &ApiError) {
    if error.code != "TASK_CANCELLED" {
        return;
    }
    let noted = api
        .ops
        .decide(&pool_ops::core::own("transfer"), |d| {
            task::explain_cancelled(d, reference);
            Ok(())
        })
        .await;
    if let Err(error) = noted {
        tracing::debug!(%error, "why a task was cancelled was not noted");
    }
}
