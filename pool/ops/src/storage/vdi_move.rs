//! `VDI.pool_migrate`: a disk goes to another repository, in the running guest too.
//!
//! ```text
//! blank volume there ──► mirror until both are equal ──► the guest goes over ──► the old volume goes, the rows change
//!        └───────── failure: thrown away, the guest has noticed nothing ┘           only forward
//! ```
//! Once the two are in step they stay so until the guest goes over, so that a guest that ends in between has lost nothing
//! in either: from then on it only goes forward. A disk that no guest has open is copied.

use std::time::Duration;

use async_trait::async_trait;
use node_commands::{CommandErrorKind, HostCommand, MirrorRequest, VolumeRef};
use node_hypervisor::ErrorKind;
use pool_domain::decide::storage as repositories;
use pool_domain::decide::vdi::NewVdi;
use pool_domain::decide::vdi_move;
use pool_domain::{Draft, placement};
use pool_saga::{Step, StepError};
use proto_types::generated::vdi as class;
use proto_types::{ApiError, Bytes, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::step_error;
use crate::core::uuid_of_host;
use crate::domain_request::volume_of;
use crate::long_command::{Broken, LongCommand};
use crate::operation::{Cx, Operation, Outputs};
use crate::storage::vdi::uuid_of_sr;
use crate::storage::volumes::{FACTS, MakeVolumes, MakesVolumes, NewVolume, Source, made};
use crate::vm::freeze::{domain_of, number_of};

/// Moves a disk to another repository.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RelocateVdi {
    vdi: Ref,
    sr: Ref,
    /// The row to come.
    new: Ref,
    owner: Ref,
    host: Uuid,
    volume: Option<VolumeRef>,
    volumes: Vec<NewVolume>,
    /// The domain that has it open, and the disk's number there.
    open: Option<(Uuid, u16)>,
}

impl RelocateVdi {
    /// This disk to this repository.
    pub fn new(vdi: Ref, sr: Ref) -> RelocateVdi {
        RelocateVdi {
            vdi,
            sr,
            new: Ref::NULL,
            owner: Ref::NULL,
            host: Uuid::nil(),
            volume: None,
            volumes: Vec::new(),
            open: None,
        }
    }
}

impl MakesVolumes for RelocateVdi {
    fn volumes(&self) -> &[NewVolume] {
        &self.volumes
    }
}

impl Operation for RelocateVdi {
    const NAME: &'static str = "vdi_pool_migrate";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let owner = vdi_move::begin(draft, self.vdi, self.sr, task)?;
        let row = draft.read(class::CLASS, self.vdi)?;
        let (own, uuid) = (row.get(class::SR).as_ref(), draft.facts().uuid());
        self.new = draft.facts().reference();
        self.owner = owner.vm;
        let volume = volume_of(draft.db(), self.vdi)?;
        let source = if owner.on.is_null() {
            let host = repositories::plugged_hosts(draft.db(), self.sr)
                .into_iter()
                .find(|h| placement::has_plugged(draft.db(), own, *h))
                .ok_or_else(|| ApiError::new("SR_HAS_NO_PBDS", [own.to_string()]))?;
            self.host = uuid_of_host(draft.db(), host)?;
            Source::Copy(volume.clone())
        } else {
            let domain =
                domain_of(draft.db(), owner.vm)?.ok_or_else(|| ApiError::handle_invalid("VM", owner.vm))?;
            self.host = domain.host;
            self.open = Some((domain.vm, number_of(draft.db(), owner.drive)?));
            Source::Blank
        };
        self.volume = Some(volume);
        self.volumes = vec![NewVolume {
            host: self.host,
            sr: uuid_of_sr(draft.db(), self.sr)?,
            uuid,
            source,
            size: Bytes::from_i64(row.get(class::VIRTUAL_SIZE).as_int()),
        }];
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![
            Box::new(MakeVolumes),
            Box::new(Mirror),
            Box::new(GoOver),
            Box::new(DropOld),
        ]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let facts = made(outputs)?;
        let (Some(fact), Some(volume)) = (facts.first(), self.volumes.first()) else {
            return Err(ApiError::internal("no volume was made"));
        };
        vdi_move::end(draft, self.vdi, self.owner, task);
        let described = NewVdi {
            sr: self.sr,
            uuid: volume.uuid.to_string(),
            virtual_size: fact.virtual_size.as_i64(),
            utilisation: fact.physical_utilisation.as_i64(),
            fields: Vec::new(),
        };
        vdi_move::moved(draft, self.vdi, self.new, described)?;
        draft.set(self.new, class::LOCATION, fact.location.as_str());
        Ok(self.new.into())
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vdi_move::end(draft, self.vdi, self.owner, task);
    }

    fn is_cancellable() -> bool {
        true
    }
}

/// What the host is asked for, if a guest has the disk open.
fn request(cx: &Cx<RelocateVdi>) -> Option<MirrorRequest> {
    let op = &cx.operation;
    let (vm, userdevice) = op.open?;
    let facts = cx.left::<Vec<node_commands::VolumeFacts>>(FACTS)?;
    let (made, volume) = (facts.first()?, op.volumes.first()?);
    Some(MirrorRequest {
        vm,
        userdevice,
        from: op.volume.clone()?,
        to: VolumeRef::new(volume.sr, made.location.clone()),
    })
}

/// How long until a host that did not answer is asked again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Longest for one disk.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// Copies until both are equal; undone, the guest goes on with what it has.
struct Mirror;

#[async_trait]
impl Step<Cx<RelocateVdi>> for Mirror {
    fn name(&self) -> &'static str {
        "mirror"
    }

    async fn run(&self, cx: &Cx<RelocateVdi>) -> Result<(), StepError> {
        let Some(mirror) = request(cx) else { return Ok(()) };
        let job = cx.command_id("job");
        let mirroring = LongCommand {
            host: cx.operation.host,
            job,
            id: cx.command_id("mirror"),
            command: HostCommand::MirrorDisk { mirror, job },
            wait: LONGEST,
        };
        match mirroring.follow(cx, |done| done * 0.95).await {
            Ok(_) if cx.is_cancelled() => Err(Broken::CalledOff.step_error(cx)),
            Ok(_) => Ok(()),
            Err(Broken::Failed(failure)) if !failure.is_fenced => {
                tracing::info!(error = %failure.text, "a disk was not mirrored");
                Err(ApiError::new("MIRROR_FAILED", [cx.operation.vdi.to_string()]).into())
            }
            Err(broken) => Err(broken.step_error(cx)),
        }
    }

    async fn undo(&self, cx: &Cx<RelocateVdi>) -> Result<(), StepError> {
        let Some(mirror) = request(cx) else { return Ok(()) };
        let command = HostCommand::EndMirror { mirror };
        let id = cx.command_id("end mirror");
        match cx
            .ops
            .agents
            .call(cx.operation.host, id, command, Duration::from_secs(30))
            .await
        {
            Err(failure) if failure.is_fenced => Err(StepError::LeadershipLost),
            Err(failure) => Err(step_error(failure)),
            Ok(_) => Ok(()),
        }
    }
}

/// How long the host is asked to have the guest go over, while it does not answer.
const INSISTS: Duration = Duration::from_secs(600);

/// The guest goes over.
struct GoOver;

#[async_trait]
impl Step<Cx<RelocateVdi>> for GoOver {
    fn name(&self) -> &'static str {
        "go_over"
    }

    async fn run(&self, cx: &Cx<RelocateVdi>) -> Result<(), StepError> {
        let Some(mirror) = request(cx) else { return Ok(()) };
        let until = tokio::time::Instant::now() + INSISTS;
        loop {
            let command = HostCommand::PivotDisk {
                mirror: mirror.clone(),
            };
            let wait = Duration::from_secs(30);
            let answer = cx
                .ops
                .agents
                .call(cx.operation.host, Uuid::new_v4(), command, wait)
                .await;
            match answer {
                Ok(_) => return Ok(()),
                Err(failure) if failure.is_fenced => return Err(StepError::LeadershipLost),
                // It ended while the two were in step, or after it had gone over: all is in the new one.
                Err(failure)
                    if failure.kind == Some(CommandErrorKind::Hypervisor(ErrorKind::NoSuchDomain)) =>
                {
                    return Ok(());
                }
                // It may have gone over: what it writes then is in the new one only, which must not be thrown away.
                Err(failure) if failure.is_unknown && tokio::time::Instant::now() < until => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                // A host that has been silent for so long is down, with the guest: all is in the new one.
                Err(failure) if failure.is_unknown => return Ok(()),
                Err(failure) => {
                    tracing::info!(error = %failure.text, "a guest did not go over to its new disk");
                    return Err(ApiError::new("MIRROR_FAILED", [cx.operation.vdi.to_string()]).into());
                }
            }
        }
    }

    /// It has not gone over: the host said so.
    async fn undo(&self, _: &Cx<RelocateVdi>) -> Result<(), StepError> {
        Ok(())
    }
}

/// The old volume goes. One that does not is found by the next scan.
struct DropOld;

#[async_trait]
impl Step<Cx<RelocateVdi>> for DropOld {
    fn name(&self) -> &'static str {
        "drop_old"
    }

    async fn run(&self, cx: &Cx<RelocateVdi>) -> Result<(), StepError> {
        let Some(volume) = cx.operation.volume.clone() else {
            return Ok(());
        };
        let command = HostCommand::VolumeDestroy { volume };
        let id = cx.command_id("drop old");
        match cx
            .ops
            .agents
            .call(cx.operation.host, id, command, Duration::from_secs(60))
            .await
        {
            Err(failure) if failure.is_fenced => Err(StepError::LeadershipLost),
            Err(failure) => {
                tracing::warn!(error = %failure.text, "the old volume of a disk that has moved stays behind");
                Ok(())
            }
            Ok(_) => Ok(()),
        }
    }

    /// Never needed: it does not fail.
    async fn undo(&self, _: &Cx<RelocateVdi>) -> Result<(), StepError> {
        Ok(())
    }
}
