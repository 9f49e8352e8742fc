//! `VM.checkpoint`: a snapshot with the memory. The VM is suspended, its disks are frozen, and it goes on from the same
//! image, which stays with the snapshot.

use std::time::Duration;

use async_trait::async_trait;
use node_commands::{
    DomainRequest, HostCommand, HostReply, VolumeFacts, VolumeFill, VolumeRef, VolumeRequest,
};
use node_hypervisor::StartMode;
use pool_domain::Draft;
use pool_domain::decide::message;
use pool_domain::decide::vdi;
use pool_domain::decide::vm as rules;
use pool_domain::decide::vm_power::{self, VmOperation};
use pool_domain::decide::vm_snapshot::{self, NewSnapshot};
use pool_domain::vm_rules;
use pool_saga::{Step, StepError};
use proto_types::generated::{vdi as vdi_class, vm};
use proto_types::{ApiError, Bytes, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::{AgentStep, reply, step_error};
use crate::core::uuid_of_host;
use crate::domain_request::{self, volume_of};
use crate::operation::{Cx, Operation, Outputs};
use crate::storage::vdi::uuid_of_sr;
use crate::storage::volumes::{MakesVolumes, NewVolume};
use crate::vm::freeze::{Freeze, Freezes, OpenIn, frozen};
use crate::vm::snapshot::{frozen_rows, metadata};
use crate::vm::suspend::image_row;

/// Takes a snapshot of a VM with its memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    vm: Ref,
    label: String,
    #[serde(default)]
    scheduled: bool,
    vm_uuid: Uuid,
    on: Ref,
    host: Uuid,
    paused: bool,
    /// How the VM comes back; none if it is suspended already.
    request: Option<Box<DomainRequest>>,
    /// The image of a VM that is suspended already, which is copied.
    present: Option<VolumeRef>,
    sr: Ref,
    sr_uuid: Uuid,
    image: Ref,
    image_uuid: Uuid,
    size: Bytes,
    snapshot: Ref,
    /// Disk, frozen disk; in the order of `volumes`.
    disks: Vec<(Ref, Ref)>,
    volumes: Vec<NewVolume>,
}

impl Checkpoint {
    /// Of this VM.
    pub fn new(vm: Ref, label: &str) -> Checkpoint {
        Checkpoint {
            vm,
            label: label.to_owned(),
            scheduled: false,
            vm_uuid: Uuid::nil(),
            on: Ref::NULL,
            host: Uuid::nil(),
            paused: false,
            request: None,
            present: None,
            sr: Ref::NULL,
            sr_uuid: Uuid::nil(),
            image: Ref::NULL,
            image_uuid: Uuid::nil(),
            size: Bytes(0),
            snapshot: Ref::NULL,
            disks: Vec::new(),
            volumes: Vec::new(),
        }
    }

    /// By a schedule.
    pub fn scheduled(self) -> Checkpoint {
        Checkpoint {
            scheduled: true,
            ..self
        }
    }

    fn operation(&self, task: Ref) -> VmOperation<'static> {
        VmOperation {
            vm: self.vm,
            task,
            name: "checkpoint",
        }
    }

    fn volume(&self) -> VolumeRef {
        VolumeRef::new(self.sr_uuid, self.image_uuid.to_string())
    }

    fn begin_live(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let row = draft.read(vm::CLASS, self.vm)?;
        self.on = row.get(vm::RESIDENT_ON).as_ref();
        self.host = uuid_of_host(draft.db(), self.on)?;
        self.paused = row.get(vm::POWER_STATE).as_str() == vm_rules::PAUSED;
        self.sr = rules::suspend_sr(draft.db(), &row, self.on)?;
        self.size = rules::suspend_size(&row);
        let request = domain_request::build(draft.db(), self.vm, self.on, task.as_uuid())?;
        self.request = Some(Box::new(request));
        Ok(())
    }

    fn begin_suspended(&mut self, draft: &mut Draft<'_>) -> Result<(), ApiError> {
        let row = draft.read(vm::CLASS, self.vm)?;
        let image = row.get(vm::SUSPEND_VDI).as_ref();
        self.sr = draft.read(vdi_class::CLASS, image)?.get(vdi_class::SR).as_ref();
        self.present = Some(volume_of(draft.db(), image)?);
        let on = pool_domain::decide::storage::host_for(draft.db(), self.sr)?;
        self.host = uuid_of_host(draft.db(), on)?;
        Ok(())
    }

    fn resume(&self) -> Option<HostCommand> {
        Some(HostCommand::ResumeDomain {
            request: self.request.clone()?,
            image: self.volume(),
            mode: if self.paused {
                StartMode::Paused
            } else {
                StartMode::Running
            },
        })
    }
}

/// The output that says why the VM did not come back.
const STAYED: &str = "stayed_suspended";

impl Operation for Checkpoint {
    const NAME: &'static str = "vm_checkpoint";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        vm_power::begin(draft, &self.operation(task))?;
        let row = draft.read(vm::CLASS, self.vm)?;
        self.vm_uuid = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", self.vm))?;
        let live = row.get(vm::POWER_STATE).as_str() != vm_rules::SUSPENDED;
        if live {
            self.begin_live(draft, task)?;
        } else {
            self.begin_suspended(draft)?;
        }
        self.sr_uuid = uuid_of_sr(draft.db(), self.sr)?;
        self.image = draft.facts().reference();
        self.image_uuid = draft.facts().uuid();
        self.snapshot = draft.facts().reference();
        for (_, image) in vm_snapshot::disks(draft, &row, &[]) {
            vdi::begin(draft, image, task, "snapshot")?;
            let uuid = draft.facts().uuid();
            let host = live.then_some(self.host);
            self.volumes.push(frozen(draft.db(), image, uuid, host)?);
            self.disks.push((image, draft.facts().reference()));
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![
            Box::new(AgentStep::<Checkpoint> {
                name: "make_image",
                ask: |cx| {
                    let op = &cx.operation;
                    let volume = VolumeRequest {
                        sr: op.sr_uuid,
                        uuid: op.image_uuid,
                        virtual_size: op.size,
                        purpose: "suspend".to_owned(),
                    };
                    let fill = match op.present.clone() {
                        Some(image) => VolumeFill::Volume(image),
                        None => VolumeFill::Nothing,
                    };
                    Some((op.host, HostCommand::VolumeCreate { volume, fill }))
                },
                undo: |cx| {
                    let volume = cx.operation.volume();
                    Some((cx.operation.host, HostCommand::VolumeDestroy { volume }))
                },
                wait: Duration::from_secs(1800),
            }),
            Box::new(SaveMemory),
            Box::new(Freeze),
            Box::new(GoOn),
        ]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let row = draft.read(vm::CLASS, self.vm)?;
        let HostReply::Volume(facts) = reply(outputs, "make_image")? else {
            return Err(ApiError::internal("the image of the memory is not known"));
        };
        self.image_row(draft, &facts);
        if let Some(reason) = crate::operation::read_output::<String>(outputs, STAYED) {
            // Its memory is the only thing left of it: it goes to the VM, which can be resumed later.
            tracing::warn!(vm = %self.vm, reason, "a VM did not go on after a checkpoint and stays suspended");
            for (image, _) in &self.disks {
                vdi::end(draft, *image, task);
            }
            vm_power::commit_suspended(draft, &self.operation(task), self.image);
            return Err(ApiError::new(
                "VM_CHECKPOINT_RESUME_FAILED",
                [self.vm.to_string()],
            ));
        }
        let stand_for = frozen_rows(draft, task, &self.disks, &self.volumes, outputs)?;
        vm_snapshot::made(
            draft,
            &NewSnapshot {
                vm: self.vm,
                reference: self.snapshot,
                label: &self.label,
                disks: &stand_for,
                memory: self.image,
                metadata: &metadata(&row),
                scheduled: self.scheduled,
            },
        )?;
        if self.request.is_some() {
            vm_power::commit_live(draft, &self.operation(task), self.on, self.paused);
        } else {
            vm_power::abort(draft, &self.operation(task), None);
        }
        message::about_vm(draft, self.vm, "VM_CHECKPOINTED", "checkpointed");
        Ok(self.snapshot.into())
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        for (image, _) in &self.disks {
            vdi::end(draft, *image, task);
        }
        vm_power::abort(draft, &self.operation(task), None);
    }
}

impl Checkpoint {
    fn image_row(&self, draft: &mut Draft<'_>, facts: &VolumeFacts) {
        image_row(draft, self.image, self.sr, self.image_uuid, facts, self.vm);
    }
}

impl MakesVolumes for Checkpoint {
    fn volumes(&self) -> &[NewVolume] {
        &self.volumes
    }
}

impl Freezes for Checkpoint {
    fn open_in(&self) -> Option<&OpenIn> {
        // Nothing has them open while the VM is suspended.
        None
    }
}

/// Suspends the VM into the image.
struct SaveMemory;

#[async_trait]
impl Step<Cx<Checkpoint>> for SaveMemory {
    fn name(&self) -> &'static str {
        "save_memory"
    }

    async fn run(&self, cx: &Cx<Checkpoint>) -> Result<(), StepError> {
        let op = &cx.operation;
        if op.request.is_none() {
            return Ok(());
        }
        let command = HostCommand::SuspendDomain {
            vm: op.vm_uuid,
            image: op.volume(),
        };
        let id = cx.command_id("save_memory");
        let saved = cx
            .ops
            .agents
            .call(op.host, id, command, Duration::from_secs(1800))
            .await;
        match saved {
            Ok(_) => Ok(()),
            Err(failure) if failure.is_fenced => Err(StepError::LeadershipLost),
            Err(failure) => {
                tracing::info!(error = %failure.text, "a VM was not suspended for its checkpoint");
                Err(ApiError::new("VM_CHECKPOINT_SUSPEND_FAILED", [op.vm.to_string()]).into())
            }
        }
    }

    async fn undo(&self, cx: &Cx<Checkpoint>) -> Result<(), StepError> {
        let op = &cx.operation;
        let Some(resume) = op.resume() else { return Ok(()) };
        let look = HostCommand::DomainState { vm: op.vm_uuid };
        let wait = Duration::from_secs(20);
        match cx.ops.agents.call(op.host, Uuid::new_v4(), look, wait).await {
            // It was never suspended.
            Ok(HostReply::Domain(Some(domain))) if domain.state.is_live() => return Ok(()),
            Ok(_) => {}
            Err(failure) => return Err(step_error(failure)),
        }
        let id = cx.command_id("undo save_memory");
        let back = cx
            .ops
            .agents
            .call(op.host, id, resume, Duration::from_secs(600))
            .await;
        back.map(|_| ()).map_err(step_error)
    }
}

/// Brings the VM back from the image. If that fails the VM stays suspended: nothing before is undone, since the image
/// is all that is left of the guest's memory.
struct GoOn;

#[async_trait]
impl Step<Cx<Checkpoint>> for GoOn {
    fn name(&self) -> &'static str {
        "go_on"
    }

    async fn run(&self, cx: &Cx<Checkpoint>) -> Result<(), StepError> {
        let op = &cx.operation;
        let Some(resume) = op.resume() else { return Ok(()) };
        let id = cx.command_id("go_on");
        let back = cx
            .ops
            .agents
            .call(op.host, id, resume, Duration::from_secs(600))
            .await;
        match back {
            Ok(_) => {}
            Err(failure) if failure.is_fenced => return Err(StepError::LeadershipLost),
            Err(failure) => cx.leave(STAYED, &failure.text),
        }
        Ok(())
    }

    async fn undo(&self, _: &Cx<Checkpoint>) -> Result<(), StepError> {
        Ok(())
    }

    fn is_point_of_no_return(&self) -> bool {
        true
    }
}
