//! `VM.start`, `start_on`, `resume`, `resume_on`.

use std::time::Duration;

use async_trait::async_trait;
use node_commands::{DomainRequest, HostCommand, SecretText, VolumeRef};
use node_hypervisor::StartMode;
use pool_domain::Draft;
use pool_domain::decide::vdi as disks;
use pool_domain::decide::vm_power::{self, VmOperation};
use pool_domain::decide::{ha, uefi_mode, vtpm};
use pool_saga::{Step, StepError};
use proto_types::generated::vm;
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::{AgentStep, UNCONFIRMED};
use crate::core::uuid_of_host;
use crate::domain_request;
use crate::operation::{Cx, Operation, Outputs};
use crate::vm::tpm::{FetchTpm, Starts};

/// Brings a VM to life on a host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StartVm {
    vm: Ref,
    name: String,
    wanted: Option<Ref>,
    paused: bool,
    #[serde(default)]
    is_restart: bool,
    host: Ref,
    host_uuid: Uuid,
    request: Option<Box<DomainRequest>>,
    image: Option<VolumeRef>,
    image_vdi: Ref,
}

impl StartVm {
    /// A start (`start`, `start_on`) or a resume (`resume`, `resume_on`) by the operation's name.
    pub fn new(vm: Ref, name: &str, wanted: Option<Ref>, paused: bool) -> StartVm {
        StartVm {
            vm,
            name: name.to_owned(),
            wanted,
            paused,
            is_restart: false,
            host: Ref::NULL,
            host_uuid: Uuid::nil(),
            request: None,
            image: None,
            image_vdi: Ref::NULL,
        }
    }

    /// The same, begun only if the pool is still to see to it that the VM runs again.
    #[must_use]
    pub fn as_restart(self) -> StartVm {
        StartVm {
            is_restart: true,
            ..self
        }
    }

    fn operation(&self, task: Ref) -> VmOperation<'_> {
        VmOperation {
            vm: self.vm,
            task,
            name: &self.name,
        }
    }

    fn mode(&self) -> StartMode {
        if self.paused {
            StartMode::Paused
        } else {
            StartMode::Running
        }
    }
}

impl Starts for StartVm {
    fn vm(&self) -> Ref {
        self.vm
    }
}

/// Adds what the VM's module holds. Not before: a secret has no place among the operation's own parameters.
fn with_tpm(cx: &Cx<StartVm>, mut request: Box<DomainRequest>) -> Box<DomainRequest> {
    let db = cx.ops.pool.snapshot();
    if let (Some(tpm), Some(module)) = (&mut request.tpm, vtpm::of(&db, cx.operation.vm)) {
        tpm.contents = SecretText(vtpm::contents(&db, module).to_owned());
    }
    request
}

impl Operation for StartVm {
    const NAME: &'static str = "vm_start";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        if self.is_restart {
            ha::check_restart(draft, self.vm)?;
        }
        self.host = vm_power::begin_on_host(draft, &self.operation(task), self.wanted)?;
        self.host_uuid = uuid_of_host(draft.db(), self.host)?;
        let request = domain_request::build(draft.db(), self.vm, self.host, task.as_uuid())?;
        self.request = Some(Box::new(request));
        if self.name.starts_with("resume") {
            let row = draft.read(vm::CLASS, self.vm)?;
            self.image_vdi = row.get(vm::SUSPEND_VDI).as_ref();
            self.image = Some(domain_request::volume_of(draft.db(), self.image_vdi)?);
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![
            Box::new(FetchTpm),
            Box::new(AgentStep::<StartVm> {
                name: "start_domain",
                ask: |cx| {
                    let op = &cx.operation;
                    let request = op.request.clone()?;
                    let command = match op.image.clone() {
                        Some(image) => HostCommand::ResumeDomain {
                            request,
                            image,
                            mode: op.mode(),
                        },
                        None => HostCommand::StartDomain {
                            request: with_tpm(cx, request),
                            mode: op.mode(),
                        },
                    };
                    Some((op.host_uuid, command))
                },
                undo: |cx| {
                    let vm = cx.operation.request.as_ref()?.vm;
                    Some((cx.operation.host_uuid, HostCommand::DestroyDomain { vm }))
                },
                wait: Duration::from_secs(300),
            }),
            Box::new(RemoveImage),
        ]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        if let Err(refused) = vm_power::check_held(draft, &self.operation(task)) {
            // What runs there is a stray now, and is ended as one.
            vm_power::abort(draft, &self.operation(task), Some(self.host));
            return Err(refused);
        }
        vm_power::commit_live(draft, &self.operation(task), self.host, self.paused);
        disks::removed(draft, self.image_vdi);
        uefi_mode::begun(draft, self.vm);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) {
        if outputs.contains_key(UNCONFIRMED) {
            // The host may be running it and does not answer. Until it says otherwise the VM is its: it must not be
            // started anywhere else.
            vm_power::commit_live(draft, &self.operation(task), self.host, self.paused);
        } else {
            vm_power::abort(draft, &self.operation(task), Some(self.host));
        }
    }
}

/// Takes the memory image away once the guest runs again. An image that stays is only a loss of space.
struct RemoveImage;

#[async_trait]
impl Step<Cx<StartVm>> for RemoveImage {
    fn name(&self) -> &'static str {
        "remove_image"
    }

    async fn run(&self, cx: &Cx<StartVm>) -> Result<(), StepError> {
        if let Some(volume) = cx.operation.image.clone() {
            let command = HostCommand::VolumeDestroy { volume };
            let id = cx.command_id("remove_image");
            let gone = cx
                .ops
                .agents
                .call(cx.operation.host_uuid, id, command, Duration::from_secs(60))
                .await;
            if let Err(failure) = gone {
                tracing::warn!(error = %failure.text, "a suspend image stays behind");
            }
        }
        Ok(())
    }

    async fn undo(&self, _: &Cx<StartVm>) -> Result<(), StepError> {
        Ok(())
    }

    fn is_point_of_no_return(&self) -> bool {
        true
    }
}
