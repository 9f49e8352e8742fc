//! `VDI.update`, `VDI.introduce`: what the storage says of a disk; `VDI.resize_online`: a disk grows under its guest.

use std::time::Duration;

use node_commands::{HostCommand, HostReply, VolumeRef};
use pool_domain::decide::storage as repositories;
use pool_domain::decide::vdi::{self, NewVdi};
use pool_domain::{Draft, query, vdi_rules};
use pool_saga::Step;
use proto_types::generated::vdi as class;
use proto_types::{ApiError, Bytes, Field, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::{AgentStep, nothing, reply};
use crate::core::{Ops, uuid_of_host};
use crate::domain_request::volume_of;
use crate::operation::{Cx, Operation, Outputs};
use crate::storage::vdi::uuid_of_sr;
use crate::vm::freeze::{domain_of, number_of};

/// Has the storage say what a disk is, and writes that down.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LookAtVdi {
    /// The disk; null for one that is not known yet.
    vdi: Ref,
    sr: Ref,
    host: Uuid,
    volume: Option<VolumeRef>,
    /// Fields of the new row, by name.
    fields: Vec<(String, Value)>,
}

impl LookAtVdi {
    /// `VDI.update`.
    pub fn update(vdi: Ref) -> LookAtVdi {
        LookAtVdi {
            vdi,
            sr: Ref::NULL,
            host: Uuid::nil(),
            volume: None,
            fields: Vec::new(),
        }
    }

    /// `VDI.introduce`: the fields of the record.
    pub fn introduce(fields: Vec<(Field, Value)>) -> LookAtVdi {
        LookAtVdi {
            fields: fields
                .into_iter()
                .map(|(f, v)| (f.def().name.to_owned(), v))
                .collect(),
            ..LookAtVdi::update(Ref::NULL)
        }
    }

    fn given(&self, name: &str) -> Value {
        self.fields
            .iter()
            .find(|(n, _)| n == name)
            .map_or(Value::Void, |(_, v)| v.clone())
    }

    fn row_fields(&self) -> Vec<(Field, Value)> {
        self.fields
            .iter()
            .filter_map(|(name, value)| {
                let index = class::CLASS.def().field(name)?;
                let field = Field {
                    class: class::CLASS,
                    index,
                };
                Some((field, value.clone()))
            })
            .filter(|(f, _)| {
                ![
                    class::UUID,
                    class::SR,
                    class::LOCATION,
                    class::VIRTUAL_SIZE,
                    class::PHYSICAL_UTILISATION,
                    class::MANAGED,
                    class::SNAPSHOT_TIME,
                ]
                .contains(f)
            })
            .collect()
    }
}

impl Operation for LookAtVdi {
    const NAME: &'static str = "vdi_look";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        if self.vdi.is_null() {
            self.sr = self.given("SR").as_ref();
            let (location, uuid) = (self.given("location"), self.given("uuid"));
            vdi_rules::supports(draft.db(), self.sr, "introduce")?;
            vdi::check_unknown(draft, self.sr, location.as_str(), uuid.as_str())?;
            self.volume = Some(VolumeRef::new(
                uuid_of_sr(draft.db(), self.sr)?,
                location.as_str(),
            ));
        } else {
            vdi::begin(draft, self.vdi, task, "update")?;
            self.sr = draft.read(class::CLASS, self.vdi)?.get(class::SR).as_ref();
            self.volume = Some(volume_of(draft.db(), self.vdi)?);
        }
        self.host = uuid_of_host(draft.db(), repositories::host_for(draft.db(), self.sr)?)?;
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(AgentStep::<LookAtVdi> {
            name: "look",
            ask: |cx| {
                let volume = cx.operation.volume.clone()?;
                Some((cx.operation.host, HostCommand::VolumeStat { volume }))
            },
            undo: nothing,
            wait: Duration::from_secs(60),
        })]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let HostReply::Volume(facts) = reply(outputs, "look")? else {
            return Err(ApiError::internal("the host did not say what it found"));
        };
        let (size, used) = (facts.virtual_size.as_i64(), facts.physical_utilisation.as_i64());
        if !self.vdi.is_null() {
            vdi::end(draft, self.vdi, task);
            draft.update(
                self.vdi,
                vec![
                    (class::VIRTUAL_SIZE, size.into()),
                    (class::PHYSICAL_UTILISATION, used.into()),
                    (class::MISSING, false.into()),
                ],
            );
            return Ok(Value::Void);
        }
        let (location, uuid) = (self.given("location"), self.given("uuid"));
        vdi::check_unknown(draft, self.sr, location.as_str(), uuid.as_str())?;
        let uuid = match uuid.as_str() {
            "" => facts
                .uuid
                .map_or_else(|| draft.facts().uuid_text(), |u| u.to_string()),
            given => given.to_owned(),
        };
        let reference = draft.facts().reference();
        let new = NewVdi {
            sr: self.sr,
            uuid,
            virtual_size: size,
            utilisation: used,
            fields: self.row_fields(),
        };
        vdi::made(draft, reference, new);
        draft.set(reference, class::LOCATION, location);
        Ok(reference.into())
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vdi::end(draft, self.vdi, task);
    }
}

/// `VDI.checksum`: MD5 of all that a disk holds.
///
/// # Errors
/// `HANDLE_INVALID`; `VDI_IN_USE` while a VM writes it; the storage's own.
pub async fn checksum(ops: &Ops, reference: Ref) -> Result<String, ApiError> {
    let db = ops.pool.snapshot();
    let row = query::find(&db, class::CLASS, reference)?;
    vdi_rules::check(&db, row, "copy")?;
    let on = repositories::host_for(&db, row.get(class::SR).as_ref())?;
    let volume = volume_of(&db, reference)?;
    let answer = ops
        .agents
        .call(
            uuid_of_host(&db, on)?,
            Uuid::new_v4(),
            HostCommand::VolumeChecksum { volume },
            Duration::from_secs(4 * 3600),
        )
        .await
        .map_err(|failure| failure.api)?;
    match answer {
        HostReply::Checksum(sum) => Ok(sum),
        _ => Err(ApiError::internal("the host did not say what it read")),
    }
}

/// Grows a disk, whether or not a guest uses it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GrowVdi {
    vdi: Ref,
    size: Bytes,
    host: Uuid,
    volume: Option<VolumeRef>,
    /// The VM that has it open, and the number of its disk.
    open: Option<(Uuid, u16)>,
}

impl GrowVdi {
    /// To this size.
    pub fn new(vdi: Ref, size: i64) -> GrowVdi {
        GrowVdi {
            vdi,
            size: Bytes::from_i64(size),
            host: Uuid::nil(),
            volume: None,
            open: None,
        }
    }
}

impl Operation for GrowVdi {
    const NAME: &'static str = "vdi_grow";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        vdi::begin(draft, self.vdi, task, "resize_online")?;
        let row = draft.read(class::CLASS, self.vdi)?;
        self.volume = Some(volume_of(draft.db(), self.vdi)?);
        let domain = match vdi_rules::live_drive(draft.db(), &row) {
            Some((drive, owner)) => domain_of(draft.db(), owner)?
                .map(|domain| Ok::<_, ApiError>((domain, number_of(draft.db(), drive)?)))
                .transpose()?,
            None => None,
        };
        match domain {
            Some((domain, number)) => {
                self.host = domain.host;
                self.open = Some((domain.vm, number));
            }
            None => {
                let on = repositories::host_for(draft.db(), row.get(class::SR).as_ref())?;
                self.host = uuid_of_host(draft.db(), on)?;
            }
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(AgentStep::<GrowVdi> {
            name: "grow",
            ask: |cx| {
                let op = &cx.operation;
                let (volume, virtual_size) = (op.volume.clone()?, op.size);
                let command = match op.open {
                    Some((vm, userdevice)) => HostCommand::ResizeDisk {
                        vm,
                        userdevice,
                        volume,
                        virtual_size,
                    },
                    None => HostCommand::VolumeResize { volume, virtual_size },
                };
                Some((op.host, command))
            },
            undo: nothing,
            wait: Duration::from_secs(300),
        })]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        vdi::end(draft, self.vdi, task);
        if let HostReply::Volume(facts) = reply(outputs, "grow")? {
            draft.update(
                self.vdi,
                vec![
                    (class::VIRTUAL_SIZE, facts.virtual_size.as_i64().into()),
                    (
                        class::PHYSICAL_UTILISATION,
                        facts.physical_utilisation.as_i64().into(),
                    ),
                ],
            );
        }
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vdi::end(draft, self.vdi, task);
    }
}
