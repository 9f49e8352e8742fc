//! `VM.pool_migrate`: the copy is made first, the switch-over is one log entry.
//!
//! Whatever is lost on the way, the question is always the same and has one answer: where is the guest? The
//! destination is asked first; a guest that has arrived there is there.

use std::time::Duration;

use async_trait::async_trait;
use node_commands::{
    DomainRequest, HostCommand, HostReply, MigrationDestination, MigrationOptions, MigrationPhase,
    has_arrived,
};
use pool_domain::Draft;
use pool_domain::decide::vm_power::{self, VmOperation};
use pool_saga::{Step, StepError};
use proto_types::generated::{host, tarn_member, vm};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::{AgentStep, step_error};
use crate::core::uuid_of_host;
use crate::domain_request;
use crate::operation::{Cx, Operation, Outputs};

/// Moves a live VM to another host of the pool that sees its disks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Migrate {
    vm: Ref,
    target: Ref,
    compress: bool,
    vm_uuid: Uuid,
    source_uuid: Uuid,
    target_uuid: Uuid,
    address: String,
    port: u16,
    request: Option<Box<DomainRequest>>,
}

/// How long a host that does not answer is asked where the guest is, before the operation gives up asking.
const SEARCH: Duration = Duration::from_secs(120);

impl Migrate {
    /// Of this VM to this host.
    pub fn new(vm: Ref, target: Ref, compress: bool) -> Migrate {
        Migrate {
            vm,
            target,
            compress,
            vm_uuid: Uuid::nil(),
            source_uuid: Uuid::nil(),
            target_uuid: Uuid::nil(),
            address: String::new(),
            port: 0,
            request: None,
        }
    }

    fn operation(&self, task: Ref) -> VmOperation<'static> {
        VmOperation {
            vm: self.vm,
            task,
            name: "pool_migrate",
        }
    }

    fn is_to_itself(&self) -> bool {
        self.source_uuid == self.target_uuid
    }
}

impl Operation for Migrate {
    const NAME: &'static str = "vm_pool_migrate";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let source = vm_power::begin_migration(draft, &self.operation(task), self.target)?;
        self.source_uuid = uuid_of_host(draft.db(), source)?;
        self.target_uuid = uuid_of_host(draft.db(), self.target)?;
        let row = draft.read(vm::CLASS, self.vm)?;
        self.vm_uuid = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", self.vm))?;
        let host_row = draft.read(host::CLASS, self.target)?;
        self.address = host_row.get(host::ADDRESS).as_str().to_owned();
        self.port = draft
            .db()
            .rows(tarn_member::CLASS)
            .find(|m| m.get(tarn_member::HOST).as_ref() == self.target)
            .and_then(|m| u16::try_from(m.get(tarn_member::GRPC_PORT).as_int()).ok())
            .ok_or_else(|| ApiError::new("HOST_OFFLINE", [self.target.to_string()]))?;
        let request = domain_request::build(draft.db(), self.vm, self.target, task.as_uuid())?;
        self.request = Some(Box::new(request));
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![
            Box::new(AgentStep::<Migrate> {
                name: "prepare",
                ask: |cx| {
                    let op = &cx.operation;
                    let request = op.request.clone().filter(|_| !op.is_to_itself())?;
                    Some((op.target_uuid, HostCommand::PrepareIncoming { request }))
                },
                undo: |cx| {
                    let op = &cx.operation;
                    (!op.is_to_itself())
                        .then_some((op.target_uuid, HostCommand::CancelIncoming { vm: op.vm_uuid }))
                },
                wait: Duration::from_secs(120),
            }),
            Box::new(Move),
        ]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        draft.read(vm::CLASS, self.vm)?;
        if self.is_to_itself() {
            vm_power::abort_migration(draft, &self.operation(task), self.target);
        } else {
            vm_power::commit_migration(draft, &self.operation(task), self.target);
        }
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vm_power::abort_migration(draft, &self.operation(task), self.target);
    }

    fn is_cancellable() -> bool {
        true
    }
}

/// Copies the memory and waits until the guest is on one side for certain.
struct Move;

/// Where the guest was found.
enum Place {
    Destination,
    Source,
    Neither,
}

impl Move {
    async fn begin(cx: &Cx<Migrate>) -> Result<(), StepError> {
        let op = &cx.operation;
        let Some(HostReply::Incoming {
            endpoint,
            memory,
            disks,
        }) = cx.left("prepare")
        else {
            return Err(ApiError::internal("the destination did not say where it waits").into());
        };
        let destination = MigrationDestination {
            host: op.target_uuid,
            address: op.address.clone(),
            grpc_port: op.port,
            endpoint,
            memory,
        };
        let options = MigrationOptions {
            compress: op.compress,
            start_id: op.request.as_ref().map(|r| r.start_id),
            disks,
            ..MigrationOptions::default()
        };
        let command = HostCommand::MigrateOut {
            vm: op.vm_uuid,
            destination,
            options,
        };
        let id = cx.command_id("move");
        cx.ops
            .agents
            .call(op.source_uuid, id, command, Duration::from_secs(60))
            .await
            .map(|_| ())
            .map_err(step_error)
    }

    /// Waits for the source's word. `Ok` says only that it is over, not how.
    async fn wait(cx: &Cx<Migrate>) -> Result<(), StepError> {
        let op = &cx.operation;
        let mut silent_since = tokio::time::Instant::now();
        let mut told = 0.0;
        let mut calls_off = false;
        loop {
            let command = HostCommand::MigrationProgress { vm: op.vm_uuid };
            let answer = cx
                .ops
                .agents
                .call(op.source_uuid, Uuid::new_v4(), command, Duration::from_secs(5))
                .await;
            if answer.is_ok() {
                silent_since = tokio::time::Instant::now();
            }
            match answer {
                Ok(HostReply::Migration(status)) if status.phase.is_over() => {
                    if let MigrationPhase::Failed(error) = status.phase {
                        tracing::info!(error = %error.text, "the source ended the migration");
                        cx.leave("reason", &error.text);
                    }
                    return Ok(());
                }
                Ok(HostReply::Migration(status)) => {
                    let done = status.progress.map_or(0.0, |p| f64::from(p.percent()) / 100.0);
                    if done >= told + 0.05 {
                        told = done;
                        cx.progress(0.05 + done * 0.85).await;
                    }
                }
                Ok(_) => return Ok(()),
                Err(failure) if failure.is_fenced => return Err(StepError::LeadershipLost),
                // The source's node has been restarted, or it is down: the search decides.
                Err(failure) if !failure.is_unknown => return Ok(()),
                Err(_) if silent_since.elapsed() > SEARCH => return Ok(()),
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
            if cx.is_cancelled() && !calls_off {
                calls_off = true;
                let command = HostCommand::MigrateAbort { vm: op.vm_uuid };
                let id = cx.command_id("abort");
                let ended = cx
                    .ops
                    .agents
                    .call(op.source_uuid, id, command, Duration::from_secs(60))
                    .await;
                if ended.is_ok() {
                    return Ok(());
                }
            }
        }
    }

    /// Asks both hosts until one of them has the guest.
    async fn find(cx: &Cx<Migrate>) -> Result<Place, StepError> {
        let op = &cx.operation;
        let deadline = tokio::time::Instant::now() + SEARCH;
        loop {
            let mut answered = 0;
            for (host, place) in [
                (op.target_uuid, Place::Destination),
                (op.source_uuid, Place::Source),
            ] {
                let command = HostCommand::DomainState { vm: op.vm_uuid };
                match cx
                    .ops
                    .agents
                    .call(host, Uuid::new_v4(), command, Duration::from_secs(5))
                    .await
                {
                    Ok(HostReply::Domain(Some(domain))) if has_arrived(&domain) => return Ok(place),
                    Ok(_) => answered += 1,
                    Err(failure) if failure.is_fenced => return Err(StepError::LeadershipLost),
                    Err(_) => {}
                }
            }
            if answered == 2 || tokio::time::Instant::now() > deadline {
                return Ok(Place::Neither);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

#[async_trait]
impl Step<Cx<Migrate>> for Move {
    fn name(&self) -> &'static str {
        "move"
    }

    async fn run(&self, cx: &Cx<Migrate>) -> Result<(), StepError> {
        if cx.operation.is_to_itself() {
            return Ok(());
        }
        match Move::begin(cx).await {
            Ok(()) => Move::wait(cx).await?,
            Err(StepError::LeadershipLost) => return Err(StepError::LeadershipLost),
            // It may have gone before: a step is run again after a change of leader.
            Err(StepError::Failed(error)) => cx.leave("reason", &error.to_string()),
        }
        match Move::find(cx).await? {
            Place::Destination => Ok(()),
            Place::Source | Place::Neither if cx.is_cancelled() => {
                Err(ApiError::new("TASK_CANCELLED", [cx.task.to_string()]).into())
            }
            Place::Source | Place::Neither => {
                let reason: String = cx
                    .left("reason")
                    .unwrap_or_else(|| "the guest stayed on its host".to_owned());
                let source = cx
                    .ops
                    .pool
                    .snapshot()
                    .of_class(vm::CLASS, cx.operation.vm)
                    .map_or(Ref::NULL, |v| v.get(vm::RESIDENT_ON).as_ref());
                let params = [cx.operation.vm, source, cx.operation.target].map(|r| r.to_string());
                Err(ApiError::new("VM_MIGRATE_FAILED", params.into_iter().chain([reason])).into())
            }
        }
    }

    async fn undo(&self, cx: &Cx<Migrate>) -> Result<(), StepError> {
        let op = &cx.operation;
        let command = HostCommand::MigrateAbort { vm: op.vm_uuid };
        let id = cx.command_id("undo move");
        match cx
            .ops
            .agents
            .call(op.source_uuid, id, command, Duration::from_secs(20))
            .await
        {
            Err(failure) if failure.is_fenced => Err(StepError::LeadershipLost),
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
