//! A step that makes several volumes, for operations that clone or provision.

use std::time::Duration;

use async_trait::async_trait;
use node_commands::{HostCommand, HostReply, VolumeFacts, VolumeFill, VolumeRef, VolumeRequest};
use pool_saga::{Step, StepError};
use proto_types::{ApiError, Bytes};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::step_error;
use crate::long_command::LongCommand;
use crate::operation::{Cx, Operation, Outputs, read_output};

/// A volume to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewVolume {
    /// The host that makes it.
    pub host: Uuid,
    /// Its repository.
    pub sr: Uuid,
    /// Its uuid.
    pub uuid: Uuid,
    /// What it begins as.
    pub source: Source,
    /// The size the guest sees; a clone that is smaller is grown to it.
    pub size: Bytes,
}

/// What a new volume begins as.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Source {
    /// Zeroes.
    Blank,
    /// A thin clone, in the same repository.
    Clone(VolumeRef),
    /// A full copy.
    Copy(VolumeRef),
    /// A frozen state, in the same repository.
    Snapshot(VolumeRef),
    /// A full copy of an image of memory, in the form that the hypervisor reads.
    Memory(VolumeRef),
}

/// An operation that makes volumes.
pub trait MakesVolumes: Operation {
    /// Which ones.
    fn volumes(&self) -> &[NewVolume];
}

/// The output with a [`VolumeFacts`] for each.
pub const FACTS: &str = "volumes";

/// What was made, in the order asked for.
///
/// # Errors
/// `INTERNAL_ERROR` if the step has not run.
pub fn made(outputs: &Outputs) -> Result<Vec<VolumeFacts>, ApiError> {
    read_output(outputs, FACTS).ok_or_else(|| ApiError::internal("the volumes made are not known"))
}

/// Makes them one after another; undone, none is left.
pub struct MakeVolumes;

#[async_trait]
impl<O: MakesVolumes> Step<Cx<O>> for MakeVolumes {
    fn name(&self) -> &'static str {
        "make_volumes"
    }

    async fn run(&self, cx: &Cx<O>) -> Result<(), StepError> {
        let mut facts = Vec::new();
        let volumes = cx.operation.volumes();
        for (position, volume) in volumes.iter().enumerate() {
            let wait = match volume.source {
                Source::Copy(_) | Source::Memory(_) => Duration::from_secs(4 * 3600),
                Source::Blank | Source::Clone(_) | Source::Snapshot(_) => Duration::from_secs(120),
            };
            let id = cx.command_id(&format!("make_volumes {}", volume.uuid));
            let parts = (position, volumes.len());
            let reply = watched(cx, volume, (id, wait), parts).await?;
            let HostReply::Volume(mut made) = reply else {
                return Err(ApiError::internal("the host did not say what it made").into());
            };
            if made.virtual_size < volume.size {
                let resize = HostCommand::VolumeResize {
                    volume: VolumeRef::new(volume.sr, made.location.clone()),
                    virtual_size: volume.size,
                };
                let id = cx.command_id(&format!("resize {}", volume.uuid));
                let reply = cx
                    .ops
                    .agents
                    .call(volume.host, id, resize, wait)
                    .await
                    .map_err(step_error)?;
                if let HostReply::Volume(grown) = reply {
                    made = grown;
                }
            }
            facts.push(made);
            if volumes.len() > 1 {
                #[allow(clippy::cast_precision_loss, reason = "a handful of disks")]
                cx.progress((position + 1) as f64 / (volumes.len() + 1) as f64)
                    .await;
            }
        }
        cx.leave(FACTS, &facts);
        Ok(())
    }

    async fn undo(&self, cx: &Cx<O>) -> Result<(), StepError> {
        for volume in cx.operation.volumes() {
            let command = HostCommand::VolumeDestroy {
                volume: VolumeRef::new(volume.sr, volume.uuid.to_string()),
            };
            let id = cx.command_id(&format!("remove {}", volume.uuid));
            match cx
                .ops
                .agents
                .call(volume.host, id, command, Duration::from_secs(20))
                .await
            {
                Ok(_) => {}
                Err(failure) if failure.is_fenced => return Err(StepError::LeadershipLost),
                // A volume without a record is found by the next scan.
                Err(failure) => {
                    tracing::warn!(volume = %volume.uuid, error = %failure.text, "a volume stays behind")
                }
            }
        }
        Ok(())
    }
}

/// Has a volume made; the client sees how far a copy is, and may call it off.
async fn watched<O: MakesVolumes>(
    cx: &Cx<O>,
    volume: &NewVolume,
    (id, wait): (Uuid, Duration),
    (position, count): (usize, usize),
) -> Result<HostReply, StepError> {
    let command = command(volume);
    if !matches!(volume.source, Source::Copy(_)) {
        let agents = &cx.ops.agents;
        return agents
            .call(volume.host, id, command, wait)
            .await
            .map_err(step_error);
    }
    let copy = LongCommand {
        host: volume.host,
        job: volume.uuid,
        id,
        command,
        wait,
    };
    #[allow(clippy::cast_precision_loss, reason = "a handful of disks")]
    let part = |done: f64| (position as f64 + done) / count as f64;
    copy.follow(cx, part)
        .await
        .map_err(|broken| broken.step_error(cx))
}

fn command(volume: &NewVolume) -> HostCommand {
    let uuid = volume.uuid;
    match &volume.source {
        Source::Blank => HostCommand::VolumeCreate {
            volume: VolumeRequest {
                sr: volume.sr,
                uuid,
                virtual_size: volume.size,
                purpose: "user".to_owned(),
            },
            fill: VolumeFill::Nothing,
        },
        Source::Memory(source) => HostCommand::VolumeCreate {
            volume: VolumeRequest {
                sr: volume.sr,
                uuid,
                virtual_size: Bytes(0),
                purpose: "suspend".to_owned(),
            },
            fill: VolumeFill::Volume(source.clone()),
        },
        Source::Clone(source) => HostCommand::VolumeClone {
            source: source.clone(),
            uuid,
        },
        Source::Copy(source) => HostCommand::VolumeCopy {
            source: source.clone(),
            sr: volume.sr,
            uuid,
        },
        Source::Snapshot(source) => HostCommand::VolumeSnapshot {
            source: source.clone(),
            uuid,
        },
    }
}
