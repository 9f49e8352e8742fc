//! `VM.power_state_reset`: the operator states that a VM is halted, whatever was believed.

use std::time::Duration;

use async_trait::async_trait;
use node_commands::{HostCommand, HostReply};
use pool_domain::Draft;
use pool_domain::decide::vm_settings;
use pool_saga::{Step, StepError};
use proto_types::generated::vm;
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::core::uuid_of_host;
use crate::operation::{Cx, Operation, Outputs};

/// Resets one VM's power state. It takes no mark: it is there for VMs on which something hangs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ResetPower {
    vm: Ref,
    vm_uuid: Uuid,
    asked: Option<(Ref, Uuid)>,
}

impl ResetPower {
    /// Of this VM.
    pub fn new(vm: Ref) -> ResetPower {
        ResetPower {
            vm,
            vm_uuid: Uuid::nil(),
            asked: None,
        }
    }
}

impl Operation for ResetPower {
    const NAME: &'static str = "vm_power_state_reset";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        let on = vm_settings::begin_reset(draft, self.vm)?;
        let row = draft.read(vm::CLASS, self.vm)?;
        self.vm_uuid = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", self.vm))?;
        self.asked = on
            .map(|host| Ok::<_, ApiError>((host, uuid_of_host(draft.db(), host)?)))
            .transpose()?;
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(LookForGuest)]
    }

    fn commit(&self, draft: &mut Draft<'_>, _: Ref, _: &Outputs) -> Result<Value, ApiError> {
        vm_settings::reset(draft, self.vm)?;
        Ok(Value::Void)
    }

    fn abort(&self, _: &mut Draft<'_>, _: Ref, _: &Outputs) {}
}

/// A guest that is there must not be forgotten.
struct LookForGuest;

#[async_trait]
impl Step<Cx<ResetPower>> for LookForGuest {
    fn name(&self) -> &'static str {
        "look"
    }

    async fn run(&self, cx: &Cx<ResetPower>) -> Result<(), StepError> {
        let op = &cx.operation;
        let Some((host, uuid)) = op.asked else {
            return Ok(());
        };
        let command = HostCommand::DomainState { vm: op.vm_uuid };
        let wait = Duration::from_secs(10);
        match cx.ops.agents.call(uuid, Uuid::new_v4(), command, wait).await {
            Ok(HostReply::Domain(Some(domain))) => {
                let params = [op.vm.to_string(), domain.id.to_string()];
                Err(ApiError::new("DOMAIN_EXISTS", params).into())
            }
            Ok(_) => Ok(()),
            Err(failure) if failure.is_fenced => Err(StepError::LeadershipLost),
            Err(_) => Err(ApiError::new("HOST_IS_LIVE", [host.to_string()]).into()),
        }
    }

    async fn undo(&self, _: &Cx<ResetPower>) -> Result<(), StepError> {
        Ok(())
    }
}
