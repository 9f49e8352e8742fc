//! `VM.suspend`: the memory goes to an image on the suspend SR.

use std::time::Duration;

use node_commands::{HostCommand, HostReply, VolumeFacts, VolumeFill, VolumeRef, VolumeRequest};
use pool_domain::Draft;
use pool_domain::decide::vdi::{self, NewVdi};
use pool_domain::decide::vm as rules;
use pool_domain::decide::vm_power::{self, VmOperation};
use pool_saga::Step;
use proto_types::generated::{vdi as vdi_class, vm};
use proto_types::{ApiError, Bytes, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::{AgentStep, nothing, reply};
use crate::core::uuid_of_host;
use crate::operation::{Cx, Operation, Outputs};

/// Suspends a VM.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Suspend {
    vm: Ref,
    vm_uuid: Uuid,
    host: Uuid,
    sr: Ref,
    sr_uuid: Uuid,
    image: Ref,
    image_uuid: Uuid,
    size: Bytes,
}

impl Suspend {
    /// Of this VM.
    pub fn new(vm: Ref) -> Suspend {
        Suspend {
            vm,
            vm_uuid: Uuid::nil(),
            host: Uuid::nil(),
            sr: Ref::NULL,
            sr_uuid: Uuid::nil(),
            image: Ref::NULL,
            image_uuid: Uuid::nil(),
            size: Bytes(0),
        }
    }

    fn operation(&self, task: Ref) -> VmOperation<'static> {
        VmOperation {
            vm: self.vm,
            task,
            name: "suspend",
        }
    }

    fn volume(&self, cx: &Cx<Suspend>) -> VolumeRef {
        let made: Option<HostReply> = cx.left("make_image");
        let location = match made {
            Some(HostReply::Volume(facts)) => facts.location,
            _ => self.image_uuid.to_string(),
        };
        VolumeRef::new(self.sr_uuid, location)
    }
}

impl Operation for Suspend {
    const NAME: &'static str = "vm_suspend";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        vm_power::begin(draft, &self.operation(task))?;
        let row = draft.read(vm::CLASS, self.vm)?;
        let on = row.get(vm::RESIDENT_ON).as_ref();
        self.host = uuid_of_host(draft.db(), on)?;
        self.vm_uuid = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", self.vm))?;
        self.sr = rules::suspend_sr(draft.db(), &row, on)?;
        let storage = pool_domain::query::find(draft.db(), proto_types::generated::sr::CLASS, self.sr)?;
        self.sr_uuid =
            Uuid::try_parse(storage.uuid()).map_err(|_| ApiError::handle_invalid("SR", self.sr))?;
        self.image = draft.facts().reference();
        self.image_uuid = draft.facts().uuid();
        self.size = rules::suspend_size(&row);
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![
            Box::new(AgentStep::<Suspend> {
                name: "make_image",
                ask: |cx| {
                    let op = &cx.operation;
                    let volume = VolumeRequest {
                        sr: op.sr_uuid,
                        uuid: op.image_uuid,
                        virtual_size: op.size,
                        purpose: "suspend".to_owned(),
                    };
                    Some((
                        op.host,
                        HostCommand::VolumeCreate {
                            volume,
                            fill: VolumeFill::Nothing,
                        },
                    ))
                },
                undo: |cx| {
                    let volume = cx.operation.volume(cx);
                    Some((cx.operation.host, HostCommand::VolumeDestroy { volume }))
                },
                wait: Duration::from_secs(120),
            }),
            Box::new(AgentStep::<Suspend> {
                name: "save_memory",
                ask: |cx| {
                    let image = cx.operation.volume(cx);
                    Some((
                        cx.operation.host,
                        HostCommand::SuspendDomain {
                            vm: cx.operation.vm_uuid,
                            image,
                        },
                    ))
                },
                undo: nothing,
                wait: Duration::from_secs(1800),
            }),
        ]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        vm_power::check_held(draft, &self.operation(task))?;
        let HostReply::Volume(facts) = reply(outputs, "make_image")? else {
            return Err(ApiError::internal("the suspend image is not known"));
        };
        image_row(draft, self.image, self.sr, self.image_uuid, &facts, self.vm);
        vm_power::commit_suspended(draft, &self.operation(task), self.image);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vm_power::abort(draft, &self.operation(task), None);
    }
}

/// Makes the row of an image that holds the memory of a VM.
pub fn image_row(draft: &mut Draft<'_>, image: Ref, storage: Ref, uuid: Uuid, facts: &VolumeFacts, of: Ref) {
    let label = draft
        .db()
        .of_class(vm::CLASS, of)
        .map_or_else(String::new, |v| v.get(vm::NAME_LABEL).as_str().to_owned());
    let new = NewVdi {
        sr: storage,
        uuid: uuid.to_string(),
        virtual_size: facts.virtual_size.as_i64(),
        utilisation: facts.physical_utilisation.as_i64(),
        fields: vec![
            (vdi_class::NAME_LABEL, "Suspend image".into()),
            (
                vdi_class::NAME_DESCRIPTION,
                format!("Suspend image of {label}").into(),
            ),
            (vdi_class::TYPE, "suspend".into()),
        ],
    };
    vdi::made(draft, image, new);
    draft.set(image, vdi_class::LOCATION, facts.location.as_str());
}
