//! `VM.hard_shutdown`, `VM.clean_shutdown`, and `VM.shutdown`, which tries the one and then the other.

use std::time::Duration;

use async_trait::async_trait;
use node_commands::{HostCommand, HostReply, VolumeRef};
use pool_domain::Draft;
use pool_domain::decide::vm_power::{self, Forced, VmOperation};
use pool_saga::{Step, StepError};
use proto_types::generated::{vdi, vm};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::{AgentStep, nothing, step_error};
use crate::core::uuid_of_host;
use crate::domain_request::volume_of;
use crate::operation::{Cx, Operation, Outputs};

/// Which VM, and where it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Resident {
    vm: Ref,
    vm_uuid: Uuid,
    host: Option<Uuid>,
}

impl Resident {
    fn find(draft: &mut Draft<'_>, reference: Ref) -> Result<Resident, ApiError> {
        let row = draft.read(vm::CLASS, reference)?;
        let on = row.get(vm::RESIDENT_ON).as_ref().some();
        let host = on.map(|h| uuid_of_host(draft.db(), h)).transpose()?;
        let vm_uuid = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", reference))?;
        Ok(Resident {
            vm: reference,
            vm_uuid,
            host,
        })
    }
}

/// Where the memory of a suspended VM lies, and a host that can take it away.
fn suspend_image(draft: &mut Draft<'_>, reference: Ref) -> Result<Option<(Uuid, VolumeRef)>, ApiError> {
    let image = draft.read(vm::CLASS, reference)?.get(vm::SUSPEND_VDI).as_ref();
    let Some(row) = draft.db().of_class(vdi::CLASS, image).cloned() else {
        return Ok(None);
    };
    let host = pool_domain::decide::storage::host_for(draft.db(), row.get(vdi::SR).as_ref())?;
    Ok(Some((
        uuid_of_host(draft.db(), host)?,
        volume_of(draft.db(), image)?,
    )))
}

/// What ends a VM without asking it.
trait EndsVm: Operation {
    /// Where it is.
    fn at(&self) -> &Resident;
    /// Its suspended memory.
    fn image(&self) -> Option<&(Uuid, VolumeRef)>;
}

fn destroy_domain<O: EndsVm>() -> Box<dyn Step<Cx<O>>> {
    Box::new(AgentStep::<O> {
        name: "destroy_domain",
        ask: |cx| {
            let at = cx.operation.at();
            Some((at.host?, HostCommand::DestroyDomain { vm: at.vm_uuid }))
        },
        undo: nothing,
        wait: Duration::from_secs(60),
    })
}

fn remove_image<O: EndsVm>() -> Box<dyn Step<Cx<O>>> {
    Box::new(AgentStep::<O> {
        name: "remove_image",
        ask: |cx| {
            let (host, volume) = cx.operation.image()?.clone();
            Some((host, HostCommand::VolumeDestroy { volume }))
        },
        undo: nothing,
        wait: Duration::from_secs(60),
    })
}

/// Ends a VM at once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HardShutdown {
    at: Resident,
    image: Option<(Uuid, VolumeRef)>,
}

impl HardShutdown {
    /// Of this VM.
    pub fn new(vm: Ref) -> HardShutdown {
        HardShutdown {
            at: Resident {
                vm,
                ..Resident::default()
            },
            image: None,
        }
    }

    fn operation(&self, task: Ref) -> VmOperation<'static> {
        VmOperation {
            vm: self.at.vm,
            task,
            name: "hard_shutdown",
        }
    }
}

impl EndsVm for HardShutdown {
    fn at(&self) -> &Resident {
        &self.at
    }
    fn image(&self) -> Option<&(Uuid, VolumeRef)> {
        self.image.as_ref()
    }
}

impl Operation for HardShutdown {
    const NAME: &'static str = "vm_hard_shutdown";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        vm_power::begin(draft, &self.operation(task))?;
        self.at = Resident::find(draft, self.at.vm)?;
        self.image = suspend_image(draft, self.at.vm)?;
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![destroy_domain::<HardShutdown>(), remove_image::<HardShutdown>()]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        vm_power::check_held(draft, &self.operation(task))?;
        vm_power::commit_shutdown(draft, &self.operation(task), Forced::Yes);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vm_power::abort(draft, &self.operation(task), None);
    }
}

/// Asks the guest to power off and waits until it has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CleanShutdown {
    at: Resident,
    seconds: u64,
}

/// How long XenServer waits for a guest.
pub const SHUTDOWN_SECONDS: u64 = 20 * 60;

impl CleanShutdown {
    /// Of this VM, waiting for at most so many seconds.
    pub fn new(vm: Ref, seconds: u64) -> CleanShutdown {
        CleanShutdown {
            at: Resident {
                vm,
                ..Resident::default()
            },
            seconds,
        }
    }

    fn operation(&self, task: Ref) -> VmOperation<'static> {
        VmOperation {
            vm: self.at.vm,
            task,
            name: "clean_shutdown",
        }
    }
}

impl Operation for CleanShutdown {
    const NAME: &'static str = "vm_clean_shutdown";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        vm_power::begin(draft, &self.operation(task))?;
        self.at = Resident::find(draft, self.at.vm)?;
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(AskAndWait)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        vm_power::check_held(draft, &self.operation(task))?;
        vm_power::commit_shutdown(draft, &self.operation(task), Forced::No);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vm_power::abort(draft, &self.operation(task), None);
    }

    fn is_cancellable() -> bool {
        true
    }
}

struct AskAndWait;

#[async_trait]
impl Step<Cx<CleanShutdown>> for AskAndWait {
    fn name(&self) -> &'static str {
        "ask_guest"
    }

    async fn run(&self, cx: &Cx<CleanShutdown>) -> Result<(), StepError> {
        ask_and_wait(cx, &cx.operation.at, cx.operation.seconds).await
    }

    async fn undo(&self, _: &Cx<CleanShutdown>) -> Result<(), StepError> {
        Ok(())
    }
}

/// Asks a guest to power off and waits until its domain has gone.
async fn ask_and_wait<O: Operation>(cx: &Cx<O>, at: &Resident, seconds: u64) -> Result<(), StepError> {
    let Some(host) = at.host else { return Ok(()) };
    let agents = &cx.ops.agents;
    let command = HostCommand::ShutdownDomain { vm: at.vm_uuid };
    let wait = Duration::from_secs(30);
    if let Err(failure) = agents.call(host, cx.command_id("ask_guest"), command, wait).await {
        let gone = failure.kind
            == Some(node_commands::CommandErrorKind::Hypervisor(
                node_hypervisor::ErrorKind::NoSuchDomain,
            ));
        return if gone { Ok(()) } else { Err(step_error(failure)) };
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(seconds);
    loop {
        let command = HostCommand::DomainState { vm: at.vm_uuid };
        match agents.call(host, Uuid::new_v4(), command, wait).await {
            Ok(HostReply::Domain(None)) => return Ok(()),
            Ok(_) => {}
            Err(failure) if failure.is_fenced => return Err(StepError::LeadershipLost),
            Err(failure) => {
                tracing::debug!(error = %failure.text, "cannot see whether the guest is down")
            }
        }
        if cx.is_cancelled() {
            return Err(ApiError::new("TASK_CANCELLED", [cx.task.to_string()]).into());
        }
        if tokio::time::Instant::now() > deadline {
            let vm = at.vm.to_string();
            return Err(ApiError::new("VM_SHUTDOWN_TIMEOUT", [vm, seconds.to_string()]).into());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Asks the guest to power off, and ends it if it does not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shutdown {
    at: Resident,
    listens: bool,
    seconds: u64,
    image: Option<(Uuid, VolumeRef)>,
}

impl Shutdown {
    /// Of this VM. Its `shutdown_delay` says how long it is waited for.
    pub fn new(vm: Ref) -> Shutdown {
        Shutdown {
            at: Resident {
                vm,
                ..Resident::default()
            },
            listens: false,
            seconds: SHUTDOWN_SECONDS,
            image: None,
        }
    }

    fn operation(&self, task: Ref) -> VmOperation<'static> {
        VmOperation {
            vm: self.at.vm,
            task,
            name: "shutdown",
        }
    }
}

/// The output that says that the guest went down by itself.
const BY_ITSELF: &str = "by_itself";

impl EndsVm for Shutdown {
    fn at(&self) -> &Resident {
        &self.at
    }
    fn image(&self) -> Option<&(Uuid, VolumeRef)> {
        self.image.as_ref()
    }
}

impl Operation for Shutdown {
    const NAME: &'static str = "vm_shutdown";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        vm_power::begin(draft, &self.operation(task))?;
        self.at = Resident::find(draft, self.at.vm)?;
        self.image = suspend_image(draft, self.at.vm)?;
        let row = draft.read(vm::CLASS, self.at.vm)?;
        self.listens = row.get(vm::POWER_STATE).as_str() == pool_domain::vm_rules::RUNNING;
        let delay = row.get(vm::SHUTDOWN_DELAY).as_int();
        if delay > 0 {
            self.seconds = u64::try_from(delay).unwrap_or(SHUTDOWN_SECONDS);
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![
            Box::new(AskFirst),
            destroy_domain::<Shutdown>(),
            remove_image::<Shutdown>(),
        ]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let forced = if outputs.contains_key(BY_ITSELF) {
            Forced::No
        } else {
            Forced::Yes
        };
        vm_power::check_held(draft, &self.operation(task))?;
        vm_power::commit_shutdown(draft, &self.operation(task), forced);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vm_power::abort(draft, &self.operation(task), None);
    }

    fn is_cancellable() -> bool {
        true
    }
}

/// Asks the guest; a refusal or silence only means that the next step has something to do.
struct AskFirst;

#[async_trait]
impl Step<Cx<Shutdown>> for AskFirst {
    fn name(&self) -> &'static str {
        "ask_guest"
    }

    async fn run(&self, cx: &Cx<Shutdown>) -> Result<(), StepError> {
        if !cx.operation.listens {
            return Ok(());
        }
        match ask_and_wait(cx, &cx.operation.at, cx.operation.seconds).await {
            Ok(()) => {
                cx.leave(BY_ITSELF, &true);
                Ok(())
            }
            Err(StepError::Failed(error)) if error.code != "TASK_CANCELLED" => {
                tracing::info!(%error, "the guest does not go down by itself");
                Ok(())
            }
            Err(other) => Err(other),
        }
    }

    async fn undo(&self, _: &Cx<Shutdown>) -> Result<(), StepError> {
        Ok(())
    }
}
