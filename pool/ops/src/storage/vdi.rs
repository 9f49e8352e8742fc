//! `VDI.create`, `clone`, `copy`, `snapshot`, `resize`, `destroy`.

use std::time::Duration;

use node_commands::{HostCommand, HostReply, VolumeRef};
use pool_domain::decide::storage as repositories;
use pool_domain::decide::vdi::{self, NewVdi};
use pool_domain::{Database, Draft, query, vdi_rules};
use pool_saga::Step;
use proto_types::generated::{sr, vdi as class};
use proto_types::{ApiError, Bytes, Field, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::{AgentStep, nothing, reply};
use crate::core::uuid_of_host;
use crate::domain_request::volume_of;
use crate::operation::{Cx, Operation, Outputs};
use crate::storage::volumes::{MakesVolumes, NewVolume, Source, made};
use crate::vm::freeze::{Freeze, Freezes, OpenIn, domain_of, frozen, number_of};

/// Uuid of an SR.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn uuid_of_sr(db: &Database, storage: Ref) -> Result<Uuid, ApiError> {
    let row = query::find(db, sr::CLASS, storage)?;
    Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("SR", storage))
}

/// How an image is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Make {
    /// Blank, by `VDI.create`.
    Blank,
    /// By `VDI.clone`.
    Clone,
    /// By `VDI.copy`.
    Copy,
    /// By `VDI.snapshot`.
    Snapshot,
}

/// Makes an image.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MakeVdi {
    how: Make,
    /// The SR that takes it.
    sr: Ref,
    /// The image it begins as; null for a blank one.
    source: Ref,
    vdi: Ref,
    volumes: Vec<NewVolume>,
    /// Fields of the new row, by name.
    fields: Vec<(String, Value)>,
    /// The domain that has the source open.
    #[serde(default)]
    open: Option<OpenIn>,
}

impl MakeVdi {
    /// A blank image in an SR; `fields` are the record's.
    pub fn blank(sr: Ref, size: i64, fields: Vec<(Field, Value)>) -> MakeVdi {
        let fields = fields
            .into_iter()
            .map(|(f, v)| (f.def().name.to_owned(), v))
            .collect();
        let volume = NewVolume {
            host: Uuid::nil(),
            sr: Uuid::nil(),
            uuid: Uuid::nil(),
            source: Source::Blank,
            size: Bytes::from_i64(size),
        };
        MakeVdi {
            how: Make::Blank,
            sr,
            source: Ref::NULL,
            vdi: Ref::NULL,
            volumes: vec![volume],
            fields,
            open: None,
        }
    }

    /// An image that begins as another one; `sr` only matters for a copy.
    pub fn from(how: Make, source: Ref, sr: Ref) -> MakeVdi {
        MakeVdi {
            how,
            sr,
            source,
            vdi: Ref::NULL,
            volumes: Vec::new(),
            fields: Vec::new(),
            open: None,
        }
    }

    fn busy_as(&self) -> &'static str {
        match self.how {
            Make::Blank | Make::Clone => "clone",
            Make::Copy => "copy",
            Make::Snapshot => "snapshot",
        }
    }
}

impl MakeVdi {
    /// The guest goes on while its disk is frozen.
    fn begin_live(
        &mut self,
        draft: &mut Draft<'_>,
        drive: Ref,
        owner: Ref,
        uuid: Uuid,
    ) -> Result<(), ApiError> {
        let mut open = domain_of(draft.db(), owner)?.ok_or_else(|| ApiError::handle_invalid("VM", owner))?;
        open.numbers.push(number_of(draft.db(), drive)?);
        self.volumes = vec![frozen(draft.db(), self.source, uuid, Some(open.host))?];
        self.open = Some(open);
        Ok(())
    }
}

impl Operation for MakeVdi {
    const NAME: &'static str = "vdi_make";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        self.vdi = draft.facts().reference();
        let uuid = draft.facts().uuid();
        if self.how == Make::Blank {
            vdi::check_can_create(draft.db(), self.sr)?;
            let host = uuid_of_host(draft.db(), repositories::host_for(draft.db(), self.sr)?)?;
            let sr_uuid = uuid_of_sr(draft.db(), self.sr)?;
            for volume in &mut self.volumes {
                (volume.host, volume.sr, volume.uuid) = (host, sr_uuid, uuid);
                if volume.size.get() == 0 {
                    return Err(ApiError::new("INVALID_VALUE", ["virtual_size", "0"]));
                }
            }
            return Ok(());
        }
        vdi::begin(draft, self.source, task, self.busy_as())?;
        let row = draft.read(class::CLASS, self.source)?;
        let own = row.get(class::SR).as_ref();
        if self.how != Make::Copy {
            self.sr = own;
        }
        vdi::check_can_create(draft.db(), self.sr)?;
        if let Some((drive, owner)) = vdi_rules::live_drive(draft.db(), &row)
            && self.how != Make::Copy
        {
            return self.begin_live(draft, drive, owner, uuid);
        }
        // A host that has both repositories; the first that has the target will do where they are the same.
        let hosts = repositories::plugged_hosts(draft.db(), self.sr);
        let host = hosts
            .into_iter()
            .find(|h| pool_domain::placement::has_plugged(draft.db(), own, *h))
            .ok_or_else(|| ApiError::new("SR_HAS_NO_PBDS", [own.to_string()]))?;
        let volume = volume_of(draft.db(), self.source)?;
        let source = match self.how {
            Make::Copy => Source::Copy(volume),
            Make::Snapshot => Source::Snapshot(volume),
            Make::Blank | Make::Clone => Source::Clone(volume),
        };
        self.volumes = vec![NewVolume {
            host: uuid_of_host(draft.db(), host)?,
            sr: uuid_of_sr(draft.db(), self.sr)?,
            uuid,
            source,
            size: Bytes(0),
        }];
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(Freeze)]
    }

    fn is_cancellable() -> bool {
        true
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let facts = made(outputs)?;
        let (Some(fact), Some(volume)) = (facts.first(), self.volumes.first()) else {
            return Err(ApiError::internal("no volume was made"));
        };
        let mut fields: Vec<(Field, Value)> = match draft.db().of_class(class::CLASS, self.source).cloned() {
            Some(source) if self.how == Make::Snapshot => vdi::of_snapshot(draft, &source),
            Some(source) => vdi::inherited(&source),
            None => Vec::new(),
        };
        for (name, value) in &self.fields {
            if let Some(index) = class::CLASS.def().field(name) {
                fields.push((
                    Field {
                        class: class::CLASS,
                        index,
                    },
                    value.clone(),
                ));
            }
        }
        fields.retain(|(f, _)| ![class::UUID, class::SR, class::VIRTUAL_SIZE, class::LOCATION].contains(f));
        vdi::made(
            draft,
            self.vdi,
            NewVdi {
                sr: self.sr,
                uuid: volume.uuid.to_string(),
                virtual_size: fact.virtual_size.as_i64(),
                utilisation: fact.physical_utilisation.as_i64(),
                fields,
            },
        );
        draft.set(self.vdi, class::LOCATION, fact.location.as_str());
        vdi::end(draft, self.source, task);
        Ok(self.vdi.into())
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vdi::end(draft, self.source, task);
    }
}

impl MakesVolumes for MakeVdi {
    fn volumes(&self) -> &[NewVolume] {
        &self.volumes
    }
}

impl Freezes for MakeVdi {
    fn open_in(&self) -> Option<&OpenIn> {
        self.open.as_ref()
    }
}

/// Grows an image or takes it away.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChangeVdi {
    vdi: Ref,
    /// The new size; `None` takes it away.
    size: Option<Bytes>,
    host: Uuid,
    volume: Option<VolumeRef>,
}

impl ChangeVdi {
    /// `VDI.resize`.
    pub fn resize(vdi: Ref, size: i64) -> ChangeVdi {
        ChangeVdi {
            vdi,
            size: Some(Bytes::from_i64(size)),
            host: Uuid::nil(),
            volume: None,
        }
    }

    /// `VDI.destroy`.
    pub fn destroy(vdi: Ref) -> ChangeVdi {
        ChangeVdi {
            vdi,
            size: None,
            host: Uuid::nil(),
            volume: None,
        }
    }
}

impl Operation for ChangeVdi {
    const NAME: &'static str = "vdi_change";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let name = if self.size.is_some() { "resize" } else { "destroy" };
        vdi::begin(draft, self.vdi, task, name)?;
        let row = draft.read(class::CLASS, self.vdi)?;
        let host = repositories::host_for(draft.db(), row.get(class::SR).as_ref())?;
        self.host = uuid_of_host(draft.db(), host)?;
        self.volume = Some(volume_of(draft.db(), self.vdi)?);
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(AgentStep::<ChangeVdi> {
            name: "change_volume",
            ask: |cx| {
                let op = &cx.operation;
                let volume = op.volume.clone()?;
                let command = match op.size {
                    Some(virtual_size) => HostCommand::VolumeResize { volume, virtual_size },
                    None => HostCommand::VolumeDestroy { volume },
                };
                Some((op.host, command))
            },
            undo: nothing,
            wait: Duration::from_secs(300),
        })]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        vdi::end(draft, self.vdi, task);
        if self.size.is_none() {
            vdi::removed(draft, self.vdi);
        } else if let HostReply::Volume(facts) = reply(outputs, "change_volume")? {
            draft.set(self.vdi, class::VIRTUAL_SIZE, facts.virtual_size.as_i64());
            draft.set(
                self.vdi,
                class::PHYSICAL_UTILISATION,
                facts.physical_utilisation.as_i64(),
            );
        }
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vdi::end(draft, self.vdi, task);
    }
}
