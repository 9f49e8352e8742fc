//! `VM.clone` and `VM.copy`.

use std::collections::BTreeMap;

use pool_domain::Draft;
use pool_domain::decide::storage as repositories;
use pool_domain::decide::{message, vdi, vm_clone};
use pool_saga::Step;
use proto_types::generated::{sr, vdi as class, vm};
use proto_types::{ApiError, Bytes, Ref, Value};
use serde::{Deserialize, Serialize};

use crate::core::uuid_of_host;
use crate::domain_request::volume_of;
use crate::operation::{Cx, Operation, Outputs};
use crate::storage::vdi::uuid_of_sr;
use crate::storage::volumes::{MakeVolumes, MakesVolumes, NewVolume, Source, made};

/// Clones a VM or template with its disks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CloneVm {
    source: Ref,
    label: String,
    /// For a copy: the SR that takes the disks, or null for each its own. `None`: thin clones.
    copy_to: Option<Ref>,
    vm: Ref,
    /// Old image, new image, its SR; in the order of `volumes`.
    disks: Vec<(Ref, Ref, Ref)>,
    volumes: Vec<NewVolume>,
}

impl CloneVm {
    /// `VM.clone`.
    pub fn new(source: Ref, label: &str) -> CloneVm {
        CloneVm {
            source,
            label: label.to_owned(),
            copy_to: None,
            vm: Ref::NULL,
            disks: Vec::new(),
            volumes: Vec::new(),
        }
    }

    /// `VM.copy`.
    pub fn copy(source: Ref, label: &str, sr: Ref) -> CloneVm {
        CloneVm {
            copy_to: Some(sr),
            ..CloneVm::new(source, label)
        }
    }
}

impl Operation for CloneVm {
    const NAME: &'static str = "vm_clone";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let name = if self.copy_to.is_some() { "copy" } else { "clone" };
        self.vm = draft.facts().reference();
        let memory = draft.read(vm::CLASS, self.source)?.get(vm::SUSPEND_VDI).as_ref();
        for image in vm_clone::begin(draft, self.source, task, name)? {
            let row = draft.read(class::CLASS, image)?;
            let own = row.get(class::SR).as_ref();
            let wanted = self
                .copy_to
                .filter(|s| draft.db().of_class(sr::CLASS, *s).is_some());
            let storage = wanted.unwrap_or(own);
            let is_library = draft
                .db()
                .of_class(sr::CLASS, storage)
                .is_some_and(|s| s.get(sr::CONTENT_TYPE).as_str() == "iso");
            if is_library {
                return Err(ApiError::new(
                    "OPERATION_NOT_ALLOWED",
                    ["Cannot copy a VM's disks to an ISO SR"],
                ));
            }
            vdi::begin(draft, image, task, name)?;
            vdi::check_can_create(draft.db(), storage)?;
            let host = repositories::plugged_hosts(draft.db(), storage)
                .into_iter()
                .find(|h| pool_domain::placement::has_plugged(draft.db(), own, *h))
                .ok_or_else(|| ApiError::new("SR_HAS_NO_PBDS", [own.to_string()]))?;
            let volume = volume_of(draft.db(), image)?;
            self.disks.push((image, draft.facts().reference(), storage));
            self.volumes.push(NewVolume {
                host: uuid_of_host(draft.db(), host)?,
                sr: uuid_of_sr(draft.db(), storage)?,
                uuid: draft.facts().uuid(),
                source: if memory == image {
                    Source::Memory(volume)
                } else if self.copy_to.is_some() {
                    Source::Copy(volume)
                } else {
                    Source::Clone(volume)
                },
                size: Bytes(0),
            });
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(MakeVolumes)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let mut stand_for: BTreeMap<Ref, Ref> = BTreeMap::new();
        for (((old, new, storage), volume), facts) in self.disks.iter().zip(&self.volumes).zip(made(outputs)?)
        {
            let source = draft.read(class::CLASS, *old)?;
            vdi::made(
                draft,
                *new,
                vdi::NewVdi {
                    sr: *storage,
                    uuid: volume.uuid.to_string(),
                    virtual_size: facts.virtual_size.as_i64(),
                    utilisation: facts.physical_utilisation.as_i64(),
                    fields: vdi::inherited(&source),
                },
            );
            draft.set(*new, class::LOCATION, facts.location.as_str());
            vdi::end(draft, *old, task);
            stand_for.insert(*old, *new);
        }
        vm_clone::made(draft, self.source, self.vm, &self.label, &stand_for)?;
        vm_clone::end(draft, self.source, task);
        message::about_vm(draft, self.source, "VM_CLONED", "cloned");
        Ok(self.vm.into())
    }

    fn is_cancellable() -> bool {
        true
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        for (old, _, _) in &self.disks {
            vdi::end(draft, *old, task);
        }
        vm_clone::end(draft, self.source, task);
    }
}

impl MakesVolumes for CloneVm {
    fn volumes(&self) -> &[NewVolume] {
        &self.volumes
    }
}
