//! Changed-block tracking: `VDI.enable_cbt`, `disable_cbt`, `data_destroy`, `list_changed_blocks`.

use std::time::Duration;

use node_commands::{HostCommand, HostReply, VolumeRef};
use pool_domain::Draft;
use pool_domain::decide::{storage as repositories, vdi};
use pool_saga::Step;
use proto_types::generated::vdi as class;
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::{AgentStep, nothing, reply};
use crate::core::uuid_of_host;
use crate::domain_request::volume_of;
use crate::operation::{Cx, Operation, Outputs};
use crate::storage::vdi::uuid_of_sr;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Verb {
    Enable,
    Disable,
    DestroyData,
    /// Since this earlier snapshot.
    List(Ref),
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Verb::Enable => "enable_cbt",
            Verb::Disable => "disable_cbt",
            Verb::DestroyData => "data_destroy",
            Verb::List(_) => "list_changed_blocks",
        }
    }
}

/// Something about the changes of a disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TrackVdi {
    verb: Verb,
    vdi: Ref,
    host: Uuid,
    volume: Option<VolumeRef>,
    since: Option<VolumeRef>,
}

impl TrackVdi {
    fn new(verb: Verb, vdi: Ref) -> TrackVdi {
        TrackVdi {
            verb,
            vdi,
            host: Uuid::nil(),
            volume: None,
            since: None,
        }
    }

    /// `VDI.enable_cbt`; a disk that is tracked stays so.
    pub fn enable(vdi: Ref) -> TrackVdi {
        TrackVdi::new(Verb::Enable, vdi)
    }

    /// `VDI.disable_cbt`.
    pub fn disable(vdi: Ref) -> TrackVdi {
        TrackVdi::new(Verb::Disable, vdi)
    }

    /// `VDI.data_destroy`; a disk without data stays so.
    pub fn destroy_data(vdi: Ref) -> TrackVdi {
        TrackVdi::new(Verb::DestroyData, vdi)
    }

    /// `VDI.list_changed_blocks`.
    pub fn list(from: Ref, to: Ref) -> TrackVdi {
        TrackVdi::new(Verb::List(from), to)
    }
}

impl Operation for TrackVdi {
    const NAME: &'static str = "vdi_track";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let since = match self.verb {
            Verb::List(from) => Some(draft.read(class::CLASS, from)?),
            Verb::Enable | Verb::Disable | Verb::DestroyData => None,
        };
        vdi::begin(draft, self.vdi, task, self.verb.name())?;
        let row = draft.read(class::CLASS, self.vdi)?;
        let done = match self.verb {
            Verb::Enable => row.get(class::CBT_ENABLED).as_bool(),
            Verb::Disable => !row.get(class::CBT_ENABLED).as_bool(),
            Verb::DestroyData => row.get(class::TYPE).as_str() == vdi::WITHOUT_DATA,
            Verb::List(_) => false,
        };
        if done {
            return Ok(());
        }
        if self.verb == Verb::DestroyData {
            vdi::check_data_unused(draft.db(), &row)?;
        }
        let storage = row.get(class::SR).as_ref();
        self.host = uuid_of_host(draft.db(), repositories::host_for(draft.db(), storage)?)?;
        self.volume = Some(volume_of(draft.db(), self.vdi)?);
        if let Some(earlier) = since {
            // The storage knows none of another repository, and says so.
            let sr = uuid_of_sr(draft.db(), storage)?;
            self.since = Some(VolumeRef::new(sr, earlier.get(class::LOCATION).as_str()));
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(AgentStep::<TrackVdi> {
            name: "track",
            ask: |cx| {
                let op = &cx.operation;
                let volume = op.volume.clone()?;
                let command = match (op.verb, op.since.clone()) {
                    (Verb::Enable, _) => HostCommand::VolumeTrack { volume },
                    (Verb::Disable, _) => HostCommand::VolumeUntrack { volume },
                    (Verb::DestroyData, _) => HostCommand::VolumeDestroyData { volume },
                    (Verb::List(_), since) => HostCommand::VolumeChanges {
                        volume,
                        since: since?,
                    },
                };
                Some((op.host, command))
            },
            undo: nothing,
            wait: Duration::from_secs(300),
        })]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        vdi::end(draft, self.vdi, task);
        if self.volume.is_none() {
            return Ok(Value::Void);
        }
        match self.verb {
            Verb::Enable | Verb::Disable => {
                draft.set(self.vdi, class::CBT_ENABLED, self.verb == Verb::Enable);
            }
            Verb::DestroyData => draft.update(
                self.vdi,
                vec![
                    (class::TYPE, vdi::WITHOUT_DATA.into()),
                    (class::PHYSICAL_UTILISATION, 0_i64.into()),
                ],
            ),
            Verb::List(_) => {
                let HostReply::Blocks(blocks) = reply(outputs, "track")? else {
                    return Err(ApiError::internal("the host did not say what has changed"));
                };
                return Ok(blocks.into());
            }
        }
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vdi::end(draft, self.vdi, task);
    }
}
