//! `VM.provision`: makes the disks that a template asks for.

use pool_domain::Draft;
use pool_domain::decide::storage as repositories;
use pool_domain::decide::vm_provision::{self, DiskPlan, MadeDisk};
use pool_domain::xml::disks::DiskWish;
use pool_saga::Step;
use proto_types::generated::vdi;
use proto_types::{ApiError, Bytes, Ref, Value};
use serde::{Deserialize, Serialize};

use crate::core::uuid_of_host;
use crate::domain_request::volume_of;
use crate::operation::{Cx, Operation, Outputs};
use crate::storage::vdi::uuid_of_sr;
use crate::storage::volumes::{MakeVolumes, MakesVolumes, NewVolume, Source, made};

/// Provisions a clone of a template.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Provision {
    vm: Ref,
    disks: Vec<Disk>,
    volumes: Vec<NewVolume>,
}

/// A disk to make, in the form kept in the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Disk {
    vdi: Ref,
    sr: Ref,
    device: String,
    size: i64,
    bootable: bool,
    kind: String,
}

impl Provision {
    /// Of this VM.
    pub fn new(vm: Ref) -> Provision {
        Provision {
            vm,
            disks: Vec::new(),
            volumes: Vec::new(),
        }
    }
}

impl Operation for Provision {
    const NAME: &'static str = "vm_provision";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        for plan in vm_provision::begin(draft, self.vm, task)? {
            let host = repositories::host_for(draft.db(), plan.sr)?;
            let source = match draft.db().of_class(vdi::CLASS, plan.image).cloned() {
                None => Source::Blank,
                Some(image) => {
                    let volume = volume_of(draft.db(), plan.image)?;
                    if image.get(vdi::SR).as_ref() == plan.sr {
                        Source::Clone(volume)
                    } else {
                        Source::Copy(volume)
                    }
                }
            };
            self.volumes.push(NewVolume {
                host: uuid_of_host(draft.db(), host)?,
                sr: uuid_of_sr(draft.db(), plan.sr)?,
                uuid: draft.facts().uuid(),
                source,
                size: Bytes::from_i64(plan.wish.size),
            });
            self.disks.push(Disk {
                vdi: draft.facts().reference(),
                sr: plan.sr,
                device: plan.wish.device,
                size: plan.wish.size,
                bootable: plan.wish.bootable,
                kind: plan.wish.kind,
            });
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(MakeVolumes)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let facts = made(outputs)?;
        let disks = self
            .disks
            .iter()
            .zip(&self.volumes)
            .zip(facts)
            .map(|((disk, volume), facts)| MadeDisk {
                plan: DiskPlan {
                    wish: DiskWish {
                        device: disk.device.clone(),
                        size: disk.size,
                        sr: String::new(),
                        bootable: disk.bootable,
                        kind: disk.kind.clone(),
                        image: String::new(),
                    },
                    sr: disk.sr,
                    image: Ref::NULL,
                },
                vdi: disk.vdi,
                uuid: volume.uuid.to_string(),
                virtual_size: facts.virtual_size.as_i64(),
                utilisation: facts.physical_utilisation.as_i64(),
            });
        vm_provision::commit(draft, self.vm, task, disks.collect())?;
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vm_provision::abort(draft, self.vm, task);
    }
}

impl MakesVolumes for Provision {
    fn volumes(&self) -> &[NewVolume] {
        &self.volumes
    }
}
