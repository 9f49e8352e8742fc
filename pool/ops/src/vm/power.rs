//! `VM.pause`, `unpause`, `hard_reboot`, `clean_reboot`: the VM stays where it is.

use std::time::Duration;

use node_commands::HostCommand;
use pool_domain::Draft;
use pool_domain::decide::vm_power::{self, VmOperation};
use pool_saga::Step;
use proto_types::generated::vm;
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::{AgentStep, nothing};
use crate::core::uuid_of_host;
use crate::operation::{Cx, Operation, Outputs};

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Stop the CPUs.
    Pause,
    /// Let them go on.
    Unpause,
    /// Press the reset button.
    HardReboot,
    /// Ask the guest. Ends when the host has passed the wish on; the reboot itself shows as an event.
    CleanReboot,
}

/// One such change.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangePower {
    vm: Ref,
    change: Change,
    vm_uuid: Uuid,
    host: Uuid,
}

impl ChangePower {
    /// Of this VM.
    pub fn new(vm: Ref, change: Change) -> ChangePower {
        ChangePower {
            vm,
            change,
            vm_uuid: Uuid::nil(),
            host: Uuid::nil(),
        }
    }

    fn operation(&self, task: Ref) -> VmOperation<'static> {
        let name = match self.change {
            Change::Pause => "pause",
            Change::Unpause => "unpause",
            Change::HardReboot => "hard_reboot",
            Change::CleanReboot => "clean_reboot",
        };
        VmOperation {
            vm: self.vm,
            task,
            name,
        }
    }
}

impl Operation for ChangePower {
    const NAME: &'static str = "vm_change_power";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        vm_power::begin(draft, &self.operation(task))?;
        let row = draft.read(vm::CLASS, self.vm)?;
        self.host = uuid_of_host(draft.db(), row.get(vm::RESIDENT_ON).as_ref())?;
        self.vm_uuid = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", self.vm))?;
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        let wait = Duration::from_secs(60);
        vec![
            Box::new(AgentStep::<ChangePower> {
                name: "change",
                ask: |cx| {
                    let vm = cx.operation.vm_uuid;
                    let command = match cx.operation.change {
                        Change::Pause => HostCommand::PauseDomain { vm },
                        Change::Unpause => HostCommand::UnpauseDomain { vm },
                        Change::HardReboot => HostCommand::ResetDomain { vm },
                        Change::CleanReboot => HostCommand::RebootDomain { vm },
                    };
                    Some((cx.operation.host, command))
                },
                undo: nothing,
                wait,
            }),
            Box::new(AgentStep::<ChangePower> {
                name: "let_run",
                // A paused VM that is reset is to run afterwards.
                ask: |cx| {
                    let vm = cx.operation.vm_uuid;
                    let after_reset = cx.operation.change == Change::HardReboot;
                    after_reset.then_some((cx.operation.host, HostCommand::UnpauseDomain { vm }))
                },
                undo: nothing,
                wait,
            }),
        ]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        vm_power::check_held(draft, &self.operation(task))?;
        vm_power::commit_paused(draft, &self.operation(task), self.change == Change::Pause);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vm_power::abort(draft, &self.operation(task), None);
    }
}
