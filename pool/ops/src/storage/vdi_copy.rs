//! `VDI.copy` into a disk that is there, or of what differs from a third one.

use std::time::Duration;

use async_trait::async_trait;
use node_commands::{HostCommand, HostReply, VolumeFacts, VolumeRef};
use pool_domain::decide::storage as repositories;
use pool_domain::decide::vdi::{self, NewVdi};
use pool_domain::{Draft, placement, vdi_rules};
use pool_saga::{Step, StepError};
use proto_types::generated::vdi as class;
use proto_types::{ApiError, Bytes, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::core::uuid_of_host;
use crate::domain_request::volume_of;
use crate::long_command::LongCommand;
use crate::operation::{Cx, Operation, Outputs, read_output};
use crate::storage::vdi::uuid_of_sr;
use crate::storage::volumes::{FACTS, MakeVolumes, MakesVolumes, NewVolume, Source, made};

/// Longest for one disk.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How long a host may take to give up a copy that is undone.
const GIVING_UP: Duration = Duration::from_secs(30);
/// The output with the [`VolumeFacts`] of the target.
const TARGET: &str = "target";

/// Writes a disk over another one, which is then as it was meant to be or, if this fails or is cancelled, partly so.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CopyOver {
    source: Ref,
    base: Ref,
    /// The disk that is written over; null makes a blank one in `sr`.
    into: Ref,
    sr: Ref,
    /// The row to come, if one comes.
    new: Ref,
    host: Uuid,
    from: Option<VolumeRef>,
    without: Option<VolumeRef>,
    target: Option<VolumeRef>,
    volumes: Vec<NewVolume>,
}

impl CopyOver {
    /// Null stands for no base, and for a new disk in the SR.
    pub fn new(source: Ref, sr: Ref, base: Ref, into: Ref) -> CopyOver {
        CopyOver {
            source,
            base,
            into,
            sr,
            new: Ref::NULL,
            host: Uuid::nil(),
            from: None,
            without: None,
            target: None,
            volumes: Vec::new(),
        }
    }

    /// The disks that are read.
    fn read(&self) -> impl Iterator<Item = Ref> {
        let base = (self.base != self.source).then_some(self.base);
        std::iter::once(self.source).chain(base.and_then(Ref::some))
    }

    fn begin_target(&mut self, draft: &mut Draft<'_>, task: Ref, size: i64) -> Result<(), ApiError> {
        let Some(into) = self.into.some() else {
            vdi::check_can_create(draft.db(), self.sr)?;
            self.new = draft.facts().reference();
            self.volumes = vec![NewVolume {
                host: Uuid::nil(),
                sr: uuid_of_sr(draft.db(), self.sr)?,
                uuid: draft.facts().uuid(),
                source: Source::Blank,
                size: Bytes::from_i64(size),
            }];
            return Ok(());
        };
        let row = draft.read(class::CLASS, into)?;
        let me = into.to_string();
        if row.get(class::READ_ONLY).as_bool() {
            return Err(ApiError::new("VDI_READONLY", [me]));
        }
        if vdi_rules::is_attached(draft.db(), &row) {
            return Err(ApiError::new("VDI_IN_USE", [me.as_str(), "copy"]));
        }
        if row.get(class::VIRTUAL_SIZE).as_int() < size {
            return Err(ApiError::new("VDI_TOO_SMALL", [me, size.to_string()]));
        }
        vdi::begin(draft, into, task, "update")?;
        self.sr = row.get(class::SR).as_ref();
        self.target = Some(volume_of(draft.db(), into)?);
        Ok(())
    }
}

impl Operation for CopyOver {
    const NAME: &'static str = "vdi_copy_over";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let disks: Vec<Ref> = self.read().collect();
        let mut needed = Vec::new();
        for disk in disks {
            vdi::begin(draft, disk, task, "copy")?;
            needed.push(draft.read(class::CLASS, disk)?.get(class::SR).as_ref());
        }
        let size = draft
            .read(class::CLASS, self.source)?
            .get(class::VIRTUAL_SIZE)
            .as_int();
        self.begin_target(draft, task, size)?;
        let host = repositories::plugged_hosts(draft.db(), self.sr)
            .into_iter()
            .find(|host| {
                needed
                    .iter()
                    .all(|sr| placement::has_plugged(draft.db(), *sr, *host))
            })
            .ok_or_else(|| ApiError::new("SR_HAS_NO_PBDS", [self.sr.to_string()]))?;
        self.host = uuid_of_host(draft.db(), host)?;
        for volume in &mut self.volumes {
            volume.host = self.host;
        }
        self.from = Some(volume_of(draft.db(), self.source)?);
        if !self.base.is_null() {
            self.without = Some(volume_of(draft.db(), self.base)?);
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(MakeVolumes), Box::new(WriteOver)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let written: VolumeFacts =
            read_output(outputs, TARGET).ok_or_else(|| ApiError::internal("the copy is not known"))?;
        let utilisation = written.physical_utilisation.as_i64();
        self.abort(draft, task, outputs);
        let (Some(volume), Some(fact)) = (self.volumes.first(), made(outputs)?.into_iter().next()) else {
            draft.set(self.into, class::PHYSICAL_UTILISATION, utilisation);
            return Ok(self.into.into());
        };
        let mut fields = match draft.db().of_class(class::CLASS, self.source) {
            Some(source) => vdi::inherited(source),
            None => Vec::new(),
        };
        fields.retain(|(f, _)| ![class::UUID, class::SR, class::VIRTUAL_SIZE, class::LOCATION].contains(f));
        let described = NewVdi {
            sr: self.sr,
            uuid: volume.uuid.to_string(),
            virtual_size: fact.virtual_size.as_i64(),
            utilisation,
            fields,
        };
        vdi::made(draft, self.new, described);
        draft.set(self.new, class::LOCATION, fact.location.as_str());
        Ok(self.new.into())
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        for disk in self.read().chain(self.into.some()) {
            vdi::end(draft, disk, task);
        }
    }

    fn is_cancellable() -> bool {
        true
    }
}

impl MakesVolumes for CopyOver {
    fn volumes(&self) -> &[NewVolume] {
        &self.volumes
    }
}

/// The host writes.
struct WriteOver;

fn job(cx: &Cx<CopyOver>) -> Uuid {
    cx.command_id("job")
}

fn target(cx: &Cx<CopyOver>) -> Option<VolumeRef> {
    let op = &cx.operation;
    if let Some(target) = &op.target {
        return Some(target.clone());
    }
    let facts = cx.left::<Vec<VolumeFacts>>(FACTS)?;
    Some(VolumeRef::new(
        op.volumes.first()?.sr,
        facts.first()?.location.clone(),
    ))
}

#[async_trait]
impl Step<Cx<CopyOver>> for WriteOver {
    fn name(&self) -> &'static str {
        "write_over"
    }

    async fn run(&self, cx: &Cx<CopyOver>) -> Result<(), StepError> {
        let op = &cx.operation;
        let (Some(source), Some(target)) = (op.from.clone(), target(cx)) else {
            return Err(ApiError::internal("the disks to copy are not known").into());
        };
        let command = HostCommand::VolumeCopyInto {
            source,
            target,
            base: op.without.clone(),
            job: job(cx),
        };
        let copy = LongCommand {
            host: op.host,
            job: job(cx),
            id: cx.command_id("write over"),
            command,
            wait: LONGEST,
        };
        match copy.follow(cx, |done| done * 0.99).await {
            Ok(HostReply::Volume(facts)) => {
                cx.leave(TARGET, &facts);
                Ok(())
            }
            Ok(_) => Err(ApiError::internal("the host did not say what it wrote").into()),
            Err(broken) => Err(broken.step_error(cx)),
        }
    }

    /// Nothing is taken back, but when this has ended nobody writes any more: an earlier leader may have asked for it.
    async fn undo(&self, cx: &Cx<CopyOver>) -> Result<(), StepError> {
        let (agents, host, job) = (&cx.ops.agents, cx.operation.host, job(cx));
        let until = tokio::time::Instant::now() + GIVING_UP;
        loop {
            let wait = Duration::from_secs(10);
            let cancel = HostCommand::JobCancel { job };
            let look = HostCommand::JobProgress { job };
            for command in [cancel, look] {
                match agents.call(host, Uuid::new_v4(), command, wait).await {
                    Ok(HostReply::Progress(None)) => return Ok(()),
                    Err(failure) if failure.is_fenced => return Err(StepError::LeadershipLost),
                    Ok(_) | Err(_) => {}
                }
            }
            if tokio::time::Instant::now() > until {
                // A host that is gone writes no more; its volumes' locks end with it.
                tracing::warn!(vdi = %cx.operation.into, "a copy that is undone did not end in time");
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
}
