//! Runs one operation from its first entry to its last.

mod runs;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use md5::{Digest, Md5};
use pool_domain::decide::task::{self, NewTask, TaskEnd};
use pool_domain::transaction::Origin;
use pool_domain::{Database, Draft};
use pool_saga::{Ending, SagaState, Step};
use proto_types::generated::tarn_saga;
use proto_types::{ApiError, Ref, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;
use tracing::{Instrument, info, warn};
use uuid::Uuid;

use self::runs::{RowLog, check_run, named, take_over};
use crate::core::{Ops, now};

/// One operation: what it is about, and how it begins and ends. Its steps are in [`Operation::steps`].
pub trait Operation: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The name in saga rows; never reused.
    const NAME: &'static str;

    /// Checks, marks what is worked on, and notes in `self` what the steps need.
    ///
    /// # Errors
    /// The refusal for the client; nothing is written then.
    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError>;

    /// The steps in order.
    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>>;

    /// Writes what the finished steps have come to, and takes the marks away. The result is the call's.
    ///
    /// # Errors
    /// If the objects have gone meanwhile; the operation ends as failed then.
    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError>;

    /// Takes the marks away after everything was undone.
    fn abort(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs);

    /// Whether a client may cancel it.
    fn is_cancellable() -> bool {
        false
    }

    /// Whether its task, once cancelled, says so in `error_info` too: those behind an HTTP request do.
    fn explains_cancel() -> bool {
        false
    }
}

/// What steps leave for later ones and for the commit, by step name.
pub type Outputs = BTreeMap<String, serde_json::Value>;

/// What a step has at hand.
pub struct Cx<O> {
    /// The pool and the hosts.
    pub ops: Ops,
    /// The operation, as begun.
    pub operation: O,
    /// Its saga row.
    pub saga: Ref,
    /// Its task.
    pub task: Ref,
    /// Names this run of the saga. Another run, of a later leader or of this node leading anew, takes the row over by
    /// writing its own name into it; from then on this one writes nothing more.
    run: Uuid,
    origin: Origin,
    outputs: Mutex<Outputs>,
}

impl<O> Cx<O> {
    /// Leaves something for later.
    pub fn leave(&self, name: &str, output: &impl Serialize) {
        if let Ok(value) = serde_json::to_value(output) {
            self.outputs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(name.to_owned(), value);
        }
    }

    /// What was left under a name.
    pub fn left<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        read_output(&self.outputs(), name)
    }

    /// All that was left.
    pub fn outputs(&self) -> Outputs {
        self.outputs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The id under which a step's command is known to hosts: the same after a change of leader.
    pub fn command_id(&self, step: &str) -> Uuid {
        let mut hash = Md5::new();
        hash.update(self.saga.as_uuid().as_bytes());
        hash.update(step.as_bytes());
        Uuid::from_bytes(hash.finalize().into())
    }

    /// Says whether the client wants it cancelled.
    pub fn is_cancelled(&self) -> bool {
        task::is_cancelled(&self.ops.pool.snapshot(), self.task)
    }

    /// Tells the client how far it is, from 0 to 1. Only whole per cents are written.
    pub async fn progress(&self, done: f64) {
        let rounded = (done * 100.0).floor() / 100.0;
        let reference = self.task;
        let written = self
            .ops
            .decide(&crate::core::own("progress"), move |d| {
                task::progress(d, reference, rounded);
                Ok(())
            })
            .await;
        if let Err(error) = written {
            warn!(%error, "progress was not noted");
        }
    }
}

/// Reads what a step left.
pub fn read_output<T: DeserializeOwned>(outputs: &Outputs, name: &str) -> Option<T> {
    serde_json::from_value(outputs.get(name)?.clone()).ok()
}

/// Who calls, and under which name the task goes.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Full name of the message, `Async.` included where it was called so.
    pub label: String,
    /// The session that asked.
    pub session: Ref,
    /// The host that runs it: the master.
    pub host: Ref,
    /// For history.
    pub origin: Origin,
    /// The task above.
    pub parent: Ref,
    /// What the client has to say of the task.
    pub other_config: Vec<(String, String)>,
}

/// Runs an operation and waits for its end. The work goes on if the caller goes away.
///
/// # Errors
/// The refusal or failure; a busy object is waited for some seconds.
pub async fn run<O: Operation>(ops: &Ops, operation: O, call: Call) -> Result<Value, ApiError> {
    let reference = Ref::from_uuid(Uuid::new_v4());
    let ops = ops.clone();
    let span = tracing::Span::current();
    let work: JoinHandle<Result<Value, ApiError>> = tokio::spawn(
        async move {
            let begun = begin_patiently(&ops, operation, &call, reference, TaskRow::Make).await?;
            finish(begun, call.origin, AfterEnd::Remove).await
        }
        .instrument(span),
    );
    work.await
        .unwrap_or_else(|_| Err(ApiError::internal("the operation was broken off")))
}

/// Makes a task for an operation and answers it at once; refusals and failures show in the task. It begins when its turn
/// has come, which ends with it.
///
/// # Errors
/// If the task cannot be written.
pub async fn run_async<O: Operation, T: Send + 'static>(
    ops: &Ops,
    operation: O,
    call: Call,
    turn: impl Future<Output = T> + Send + 'static,
) -> Result<(Ref, JoinHandle<Result<Value, ApiError>>), ApiError> {
    let reference = Ref::from_uuid(Uuid::new_v4());
    let new = new_task::<O>(&call);
    ops.decide(&call.origin, |d| {
        task::create(d, reference, new.clone());
        Ok(())
    })
    .await?;
    let ops = ops.clone();
    let span = tracing::Span::current();
    let work = async move {
        let _turn = turn.await;
        let error = match begin_patiently(&ops, operation, &call, reference, TaskRow::Exists).await {
            Ok(begun) => {
                let result = finish(begun, call.origin, AfterEnd::Keep).await;
                if let Err(error) = &result {
                    info!(%error, "operation failed");
                }
                return result;
            }
            Err(error) => error,
        };
        let ended = ops
            .decide(&call.origin, |d| {
                task::finish(d, reference, TaskEnd::Failure(error.clone()));
                Ok(())
            })
            .await;
        if let Err(error) = ended {
            warn!(%error, "the end of a task was not noted");
        }
        Err(error)
    };
    Ok((reference, tokio::spawn(work.instrument(span))))
}

/// Runs an operation behind a task that is there already, and waits for its end, which the task then shows. The work
/// goes on if the caller goes away.
///
/// # Errors
/// The refusal or failure.
pub async fn run_in_task<O: Operation>(
    ops: &Ops,
    operation: O,
    call: Call,
    reference: Ref,
) -> Result<Value, ApiError> {
    let ops = ops.clone();
    let span = tracing::Span::current();
    let work = tokio::spawn(
        async move {
            let error = match begin_patiently(&ops, operation, &call, reference, TaskRow::Exists).await {
                Ok(begun) => return finish(begun, call.origin, AfterEnd::Keep).await,
                Err(error) => error,
            };
            ops.decide(&call.origin, |d| {
                end_task::<O>(d, reference, TaskEnd::Failure(error.clone()));
                Ok(())
            })
            .await?;
            Err(error)
        }
        .instrument(span),
    );
    work.await
        .unwrap_or_else(|_| Err(ApiError::internal("the operation was broken off")))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TaskRow {
    Make,
    Exists,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AfterEnd {
    Keep,
    Remove,
}

fn end_task<O: Operation>(draft: &mut Draft<'_>, reference: Ref, end: TaskEnd) {
    task::finish(draft, reference, end);
    if O::explains_cancel() {
        task::explain_cancelled(draft, reference);
    }
}

fn new_task<O: Operation>(call: &Call) -> NewTask {
    NewTask {
        label: call.label.clone(),
        description: String::new(),
        session: call.session,
        host: call.host,
        parent: call.parent,
        cancellable: O::is_cancellable(),
        other_config: call.other_config.clone(),
    }
}

struct Begun<O> {
    ops: Ops,
    operation: O,
    saga: Ref,
    run: Uuid,
    task: Ref,
    state: SagaState,
    outputs: Outputs,
}

/// A busy object is waited for, as XenServer does, with growing rests.
async fn begin_patiently<O: Operation>(
    ops: &Ops,
    operation: O,
    call: &Call,
    reference: Ref,
    row: TaskRow,
) -> Result<Begun<O>, ApiError> {
    let mut rest = Duration::from_millis(50);
    loop {
        // While it waited for its turn, too, a client may have thought better of it.
        if task::is_cancelled(&ops.pool.snapshot(), reference) {
            return Err(ApiError::new("TASK_CANCELLED", [reference.to_string()]));
        }
        let answer = begin(ops, operation.clone(), call, reference, row).await;
        match answer {
            Err(error) if error.code == "OTHER_OPERATION_IN_PROGRESS" && rest < Duration::from_secs(3) => {
                call_merge_off(ops, &error).await;
                tokio::time::sleep(rest).await;
                rest *= 2;
            }
            other => return other,
        }
    }
}

/// What the storage does by itself gives way to what somebody wants.
async fn call_merge_off(ops: &Ops, error: &ApiError) {
    let holder = error.params.get(3).and_then(|text| text.parse::<Ref>().ok());
    let Some(holder) = holder else { return };
    let is_merge = ops
        .pool
        .snapshot()
        .of_class(proto_types::generated::task::CLASS, holder)
        .is_some_and(|row| {
            row.get(proto_types::generated::task::NAME_LABEL).as_str() == crate::storage::merge::LABEL
        });
    if !is_merge {
        return;
    }
    let told = ops
        .decide(&crate::core::own("give way"), move |d| {
            task::cancel(d, holder, Ref::NULL)
        })
        .await;
    if let Err(error) = told {
        info!(%error, "a merge was not called off");
    }
}

async fn begin<O: Operation>(
    ops: &Ops,
    operation: O,
    call: &Call,
    reference: Ref,
    row: TaskRow,
) -> Result<Begun<O>, ApiError> {
    let saga = Ref::from_uuid(Uuid::new_v4());
    let run = Uuid::new_v4();
    let outputs = named(Outputs::new(), run);
    let noted = serde_json::to_string(&outputs).unwrap_or_default();
    let term = ops.agents.term();
    let bound = ops.in_this_term();
    let (operation, _) = ops
        .decide(&call.origin, |d| {
            let mut begun = operation.clone();
            begun.begin(d, reference)?;
            if row == TaskRow::Make {
                task::create(d, reference, new_task::<O>(call));
            }
            let params = serde_json::to_string(&begun).map_err(|e| ApiError::internal(e.to_string()))?;
            d.insert_as(
                tarn_saga::CLASS,
                saga,
                vec![
                    (tarn_saga::OPERATION, O::NAME.into()),
                    (tarn_saga::PARAMS, params.into()),
                    (
                        tarn_saga::STATE,
                        if row == TaskRow::Make {
                            "running"
                        } else {
                            "running-async"
                        }
                        .into(),
                    ),
                    (tarn_saga::TASK, reference.into()),
                    (tarn_saga::STARTED, now().into()),
                    (tarn_saga::OUTPUTS, noted.as_str().into()),
                ],
            );
            Ok(begun)
        })
        .await?;
    let (ops, run) = if ops.agents.term() == term {
        (bound, run)
    } else {
        // Written while the term changed: whoever looked for sagas then may have missed it, or may be at it.
        take_over(ops, saga, O::NAME).await?
    };
    Ok(Begun {
        ops,
        operation,
        saga,
        run,
        task: reference,
        state: SagaState::default(),
        outputs,
    })
}

/// Goes on with a saga of an earlier leader. The client that waited has gone; the task tells the end, and one of a
/// synchronous call is removed as its leader would have done.
pub(crate) async fn resume<O: Operation>(ops: Ops, saga: Ref) {
    // Earlier runs stop here, wherever they are.
    let (ops, run) = match take_over(&ops, saga, O::NAME).await {
        Ok(taken) => taken,
        Err(error) => {
            info!(%saga, operation = O::NAME, %error, "was not taken over");
            return;
        }
    };
    let Some(row) = ops.pool.snapshot().of_class(tarn_saga::CLASS, saga).cloned() else {
        return;
    };
    let Ok(operation) = serde_json::from_str::<O>(row.get(tarn_saga::PARAMS).as_str()) else {
        warn!(%saga, operation = O::NAME, "the parameters of a saga cannot be read");
        return;
    };
    let error: Vec<&str> = row
        .get(tarn_saga::ERROR)
        .as_set()
        .iter()
        .map(Value::as_str)
        .collect();
    let failure = error.split_first().map(|(code, params)| ApiError {
        code: (*code).to_owned().into(),
        params: params.iter().map(|p| (*p).to_owned()).collect(),
    });
    let state = SagaState {
        completed: row
            .get(tarn_saga::COMPLETED)
            .as_set()
            .iter()
            .map(|v| v.as_str().to_owned())
            .collect(),
        failure,
    };
    let outputs = serde_json::from_str(row.get(tarn_saga::OUTPUTS).as_str()).unwrap_or_default();
    let begun = Begun {
        ops,
        operation,
        saga,
        run,
        task: row.get(tarn_saga::TASK).as_ref(),
        state,
        outputs,
    };
    let after = if row.get(tarn_saga::STATE).as_str() == "running" {
        AfterEnd::Remove
    } else {
        AfterEnd::Keep
    };
    info!(%saga, operation = O::NAME, "goes on after a change of leader");
    if let Err(error) = finish(begun, crate::core::own(O::NAME), after).await {
        info!(%error, operation = O::NAME, "operation failed");
    }
}

async fn finish<O: Operation>(begun: Begun<O>, origin: Origin, after: AfterEnd) -> Result<Value, ApiError> {
    let steps = O::steps();
    let ops = begun.ops;
    let cx = Cx {
        ops: ops.clone(),
        operation: begun.operation,
        saga: begun.saga,
        task: begun.task,
        run: begun.run,
        origin: origin.clone(),
        outputs: Mutex::new(begun.outputs),
    };
    let log = RowLog {
        cx: &cx,
        last: steps.last().map(|s| s.name()),
    };
    let ending = pool_saga::drive(&steps, &cx, &log, begun.state).await;
    let outputs = cx.outputs();
    let (operation, saga, task_ref) = (&cx.operation, cx.saga, cx.task);
    let encode = ops.encode;
    let run = cx.run;
    let end = |d: &mut Draft<'_>, result: Result<Value, ApiError>| {
        d.delete(saga);
        if after == AfterEnd::Remove {
            d.delete(task_ref);
        } else {
            let end = match &result {
                Ok(value) => TaskEnd::Success(encode(value)),
                Err(error) => TaskEnd::Failure(error.clone()),
            };
            end_task::<O>(d, task_ref, end);
        }
        Ok(result)
    };
    let (result, _): (Result<Value, ApiError>, Database) = match ending {
        Ending::LeadershipLost => return Err(ApiError::bare("HOST_STILL_BOOTING")),
        Ending::Done => {
            ops.decide(&origin, |d| {
                check_run(d, saga, run)?;
                let result = operation.commit(d, task_ref, &outputs);
                end(d, result)
            })
            .await?
        }
        Ending::Undone(error) => {
            ops.decide(&origin, |d| {
                check_run(d, saga, run)?;
                operation.abort(d, task_ref, &outputs);
                end(d, Err(error.clone()))
            })
            .await?
        }
    };
    result
}
