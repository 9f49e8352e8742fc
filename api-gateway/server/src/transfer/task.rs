//! The task of a transfer: the one that the client names, or one made for it.

use std::sync::Arc;

use pool_domain::access::ANY_TASK;
use pool_domain::decide::task::{self, NewTask, TaskEnd};
use pool_ops::transfer::{Carries, Work};
use pool_ops::{Call, Operation};
use proto_types::generated::task as class;
use proto_types::{ApiError, Ref, Value};
use uuid::Uuid;

use super::{Exchange, Refusal};
use crate::CallHeaders;
use crate::api::Api;
use crate::api::caller::denied;
use crate::audit::Telling;
use crate::handlers::task::may_touch;

/// A task that a handler works on. One that is dropped before its end has failed.
pub struct HandlerTask {
    api: Arc<Api>,
    /// The task.
    pub reference: Ref,
    call: Call,
    told: Option<Arc<Telling>>,
    ended: bool,
}

impl HandlerTask {
    /// Takes over the task that the client names, or makes one, below the one that it names with `subtask_of`. Its
    /// progress is 0 from then on, and the audit trail tells that the transfer began.
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
        let parent = parent_of(exchange);
        let headers = CallHeaders::new(exchange.request.head.headers.clone());
        let other_config: Vec<(String, String)> = headers
            .task_other_config()
            .map(|(key, value)| (key, value.to_owned()))
            .collect();
        api.ops
            .decide(&origin, |d| match named {
                Some(named) => {
                    let row = d.read(class::CLASS, named)?;
                    if !may_touch(d.db(), &exchange.caller, &row) {
                        return Err(denied(ANY_TASK.to_owned()));
                    }
                    for (key, value) in &other_config {
                        d.put_key(named, class::OTHER_CONFIG, key.as_str(), value.as_str());
                    }
                    task::take_over(d, named, host)
                }
                None => {
                    let new = NewTask {
                        label: label.clone(),
                        session,
                        host,
                        parent,
                        cancellable: true,
                        other_config: other_config.clone(),
                        ..NewTask::default()
                    };
                    task::create(d, reference, new);
                    Ok(())
                }
            })
            .await?;
        let told = exchange.told.clone();
        if let Some(told) = &told {
            told.accepted().await;
        }
        Ok(HandlerTask {
            api,
            reference,
            call: Call {
                label,
                session,
                host,
                origin,
                parent,
                other_config,
            },
            told,
            ended: false,
        })
    }

    /// Makes a task for a call.
    ///
    /// # Errors
    /// If it cannot be written.
    pub async fn make(api: &Arc<Api>, call: Call) -> Result<HandlerTask, ApiError> {
        let reference = Ref::from_uuid(Uuid::new_v4());
        let new = NewTask {
            label: call.label.clone(),
            session: call.session,
            host: call.host,
            parent: call.parent,
            cancellable: true,
            other_config: call.other_config.clone(),
            ..NewTask::default()
        };
        api.ops
            .decide(&call.origin, |d| {
                task::create(d, reference, new.clone());
                Ok(())
            })
            .await?;
        Ok(HandlerTask {
            api: Arc::clone(api),
            reference,
            call,
            told: None,
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
        if let Some(told) = &self.told {
            told.came_to(&outcome).await;
        }
        outcome
    }

    /// Runs an operation that moves bytes, with the work of moving them.
    ///
    /// # Errors
    /// The operation's; the task has it then.
    pub async fn carry(self, operation: impl Carries, work: Work) -> Result<Value, ApiError> {
        let (api, reference) = (Arc::clone(&self.api), self.reference);
        api.ops.transfers.leave(reference, work);
        let outcome = self.run(operation).await;
        // An operation that was refused has not come to it.
        api.ops.transfers.forget_waiting(reference);
        outcome
    }

    /// Ends it.
    pub async fn finish(mut self, result: Result<Value, ApiError>) {
        self.ended = true;
        if let Some(told) = &self.told {
            told.came_to(&result).await;
        }
        end(&self.api, self.reference, result).await;
    }
}

/// The task above, if the client names one of its own.
fn parent_of(exchange: &Exchange) -> Ref {
    let named = exchange
        .query
        .get("subtask_of")
        .and_then(|text| text.parse().ok());
    let row = named.and_then(|named| exchange.db.of_class(class::CLASS, named));
    row.filter(|row| may_touch(&exchange.db, &exchange.caller, row))
        .map_or(Ref::NULL, |row| row.reference)
}

impl Drop for HandlerTask {
    fn drop(&mut self) {
        if !self.ended {
            let (api, reference) = (Arc::clone(&self.api), self.reference);
            let broken = Err(ApiError::internal("the transfer was broken off"));
            let told = self.told.take();
            tokio::spawn(async move {
                if let Some(told) = told {
                    told.came_to(&broken).await;
                }
                end(&api, reference, broken).await;
            });
        }
    }
}

/// Ends a task that a client named with an error. It need not be known who asks; so only a task that waits for a handler
/// is ended, not one behind which an operation stands.
pub async fn fail(api: &Arc<Api>, reference: Ref, error: ApiError) {
    let waits = api
        .cluster
        .snapshot()
        .of_class(class::CLASS, reference)
        .is_some_and(|row| task::is_client_owned(row));
    if waits {
        end(api, reference, Err(error)).await;
    }
}

async fn end(api: &Arc<Api>, reference: Ref, result: Result<Value, ApiError>) {
    let end = match result {
        Ok(value) => TaskEnd::Success((api.ops.encode)(&value)),
        Err(error) => TaskEnd::Failure(error),
    };
    let noted = api
        .ops
        .decide(&pool_ops::core::own("transfer"), |d| {
            task::finish(d, reference, end.clone());
            task::explain_cancelled(d, reference);
            Ok(())
        })
        .await;
    if let Err(error) = noted {
        tracing::info!(%error, "the end of a transfer was not noted");
    }
}
