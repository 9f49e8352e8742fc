//! `pool.enable_ha`, `pool.disable_ha`.
//!
//! On: hosts that ask are told that they need a lease (one entry); each is armed and says so; then it counts (one entry).
//! Off: it no longer counts (one entry), then hosts are told; one that is not reached hears it when it asks.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use node_commands::{CommandErrorKind, HostCommand, lease};
use pool_domain::Draft;
use pool_domain::decide::{ha, ha_switch};
use pool_saga::{Step, StepError};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::step_error;
use crate::core::uuid_of_host;
use crate::operation::{Cx, Operation, Outputs};

/// How long one host may take.
const WAIT: Duration = Duration::from_secs(10);

/// Turns high availability on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnableHa {
    repositories: Vec<Ref>,
    configuration: Vec<(String, String)>,
    hosts: Vec<Uuid>,
    length: u64,
}

impl EnableHa {
    /// With the repositories and the configuration of the call.
    pub fn new(repositories: Vec<Ref>, configuration: Vec<(String, String)>) -> EnableHa {
        EnableHa {
            repositories,
            configuration,
            hosts: Vec::new(),
            length: 0,
        }
    }
}

impl Operation for EnableHa {
    const NAME: &'static str = "ha_enable";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let configuration = Value::string_map(self.configuration.iter().cloned());
        let hosts = ha_switch::begin_enabling(draft, task, &self.repositories, &configuration)?;
        self.hosts = hosts
            .into_iter()
            .map(|h| uuid_of_host(draft.db(), h))
            .collect::<Result<_, _>>()?;
        let length = lease::length(ha::lease(draft.db()).flatten());
        self.length = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(ArmAll)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        ha_switch::commit_enabling(draft, task);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        ha_switch::abort_enabling(draft, task);
    }
}

/// Arms every host. From then on a host ends its guests when it is cut off, though nobody would start them elsewhere yet.
struct ArmAll;

#[async_trait]
impl Step<Cx<EnableHa>> for ArmAll {
    fn name(&self) -> &'static str {
        "arm"
    }

    async fn run(&self, cx: &Cx<EnableHa>) -> Result<(), StepError> {
        let op = &cx.operation;
        let calls = op.hosts.iter().map(|host| {
            let command = HostCommand::ArmLease { length: op.length };
            // Asked afresh after a change of leader: an earlier answer says nothing of now.
            cx.ops.agents.call(*host, Uuid::new_v4(), command, WAIT)
        });
        for answer in join_all(calls).await {
            let Err(failure) = answer else { continue };
            if failure.is_fenced {
                return Err(step_error(failure));
            }
            tracing::warn!(host = %failure.host, error = %failure.text, "a host was not armed");
            let code = match failure.kind {
                Some(CommandErrorKind::Unsupported) => "HA_HEARTBEAT_DAEMON_STARTUP_FAILED",
                _ => "HA_FAILED_TO_FORM_LIVESET",
            };
            return Err(ApiError::bare(code).into());
        }
        Ok(())
    }

    async fn undo(&self, cx: &Cx<EnableHa>) -> Result<(), StepError> {
        disarm(cx, &cx.operation.hosts).await
    }
}

/// Tells hosts that they need no lease. Those that are not reached hear it when they next ask.
async fn disarm<O>(cx: &Cx<O>, hosts: &[Uuid]) -> Result<(), StepError> {
    let calls = hosts.iter().map(|host| {
        cx.ops
            .agents
            .call(*host, Uuid::new_v4(), HostCommand::DisarmLease, WAIT)
    });
    for answer in join_all(calls).await {
        match answer {
            Err(failure) if failure.is_fenced => return Err(step_error(failure)),
            Err(failure) => {
                tracing::info!(host = %failure.host, error = %failure.text, "not told that it needs no lease");
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Turns high availability off.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct DisableHa {
    hosts: Vec<Uuid>,
}

impl Operation for DisableHa {
    const NAME: &'static str = "ha_disable";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let hosts = ha_switch::begin_disabling(draft, task)?;
        self.hosts = hosts
            .into_iter()
            .map(|h| uuid_of_host(draft.db(), h))
            .collect::<Result<_, _>>()?;
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(DisarmAll)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        ha_switch::end_disabling(draft, task);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        ha_switch::end_disabling(draft, task);
    }
}

struct DisarmAll;

#[async_trait]
impl Step<Cx<DisableHa>> for DisarmAll {
    fn name(&self) -> &'static str {
        "disarm"
    }

    async fn run(&self, cx: &Cx<DisableHa>) -> Result<(), StepError> {
        disarm(cx, &cx.operation.hosts).await
    }

    async fn undo(&self, _: &Cx<DisableHa>) -> Result<(), StepError> {
        Ok(())
    }
}
