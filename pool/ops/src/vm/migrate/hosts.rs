//! What the two hosts of a migration are asked, and what their answers are worth.

use std::time::Duration;

use node_commands::{HostCommand, HostReply, MigrationDestination, MigrationOptions};
use pool_domain::decide::host_life;
use pool_domain::query;
use pool_saga::StepError;
use proto_types::Ref;
use proto_types::generated::host;
use uuid::Uuid;

use super::drive::Drive;
use crate::ports::AgentFailure;

/// How long a host that is only looked at may take.
const LOOK: Duration = Duration::from_secs(5);

/// What came of asking a host.
pub(super) enum Answer {
    /// It answered.
    Said(HostReply),
    /// It answered that it will not, or could not.
    Refused(AgentFailure),
    /// It may have done it, or not.
    Silent(AgentFailure),
    /// It is no host of the pool any more, or was declared dead and not heard since: nothing of the pool runs there.
    Gone,
}

impl Drive<'_> {
    /// Asks the source, under an id that is the same after a change of leader.
    pub(super) async fn ask_source(
        &self,
        step: &str,
        command: HostCommand,
        wait: Duration,
    ) -> Result<Answer, StepError> {
        let op = &self.cx.operation;
        let id = self.cx.command_id(step);
        self.ask(op.source, op.source_uuid, id, command, wait).await
    }

    /// Asks the destination, under an id that is the same after a change of leader.
    pub(super) async fn ask_destination(
        &self,
        step: &str,
        command: HostCommand,
        wait: Duration,
    ) -> Result<Answer, StepError> {
        let op = &self.cx.operation;
        let id = self.cx.command_id(step);
        self.ask(op.target, op.target_uuid, id, command, wait).await
    }

    /// Asks the source for what is true now.
    pub(super) async fn look_at_source(&self, command: HostCommand) -> Result<Answer, StepError> {
        let op = &self.cx.operation;
        let wait = match command {
            HostCommand::MigrateAbort { .. }
            | HostCommand::ReviveDomain { .. }
            | HostCommand::DestroyDomain { .. } => LOOK * 4,
            _ => LOOK,
        };
        self.ask(op.source, op.source_uuid, Uuid::new_v4(), command, wait)
            .await
    }

    /// Asks the destination for what is true now.
    pub(super) async fn look_at_destination(
        &self,
        command: HostCommand,
        wait: Duration,
    ) -> Result<Answer, StepError> {
        let op = &self.cx.operation;
        self.ask(op.target, op.target_uuid, Uuid::new_v4(), command, wait)
            .await
    }

    async fn ask(
        &self,
        host: Ref,
        uuid: Uuid,
        id: Uuid,
        command: HostCommand,
        wait: Duration,
    ) -> Result<Answer, StepError> {
        match self.cx.ops.agents.call(uuid, id, command, wait).await {
            Ok(reply) => Ok(Answer::Said(reply)),
            Err(failure) if failure.is_fenced => Err(StepError::LeadershipLost),
            Err(_) if query::find(&self.cx.ops.pool.snapshot(), host::CLASS, host).is_err() => {
                Ok(Answer::Gone)
            }
            Err(failure) if failure.is_unknown => {
                let is_dead = host_life::is_declared_dead(&self.cx.ops.pool.snapshot(), host);
                Ok(if is_dead {
                    Answer::Gone
                } else {
                    Answer::Silent(failure)
                })
            }
            Err(failure) => Ok(Answer::Refused(failure)),
        }
    }

    /// What the source is asked to begin with; `None` if the destination has left no answer to begin with.
    pub(super) fn migrate_out(&self) -> Option<HostCommand> {
        let op = &self.cx.operation;
        let Some(HostReply::Incoming {
            endpoint,
            memory,
            disks,
        }) = self.cx.left("prepare")
        else {
            return None;
        };
        let destination = MigrationDestination {
            host: op.target_uuid,
            address: op.address.clone(),
            grpc_port: op.port,
            endpoint,
            memory,
        };
        let options = MigrationOptions {
            compress: op.plan.compress,
            auto_converge: op.plan.auto_converge,
            bandwidth: op.plan.bandwidth,
            max_downtime: op.plan.max_downtime,
            deadline: op.plan.deadline,
            start_id: op.request.as_ref().map(|r| r.start_id),
            disks,
            ..MigrationOptions::default()
        };
        Some(HostCommand::MigrateOut {
            vm: op.vm_uuid,
            destination,
            options,
        })
    }
}
