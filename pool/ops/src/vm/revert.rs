//! `VM.revert`: a VM goes back to a snapshot.

use std::time::Duration;

use async_trait::async_trait;
use node_commands::{HostCommand, VolumeRef};
use pool_domain::decide::vdi::{self, NewVdi};
use pool_domain::decide::vm_snapshot::{self, Restored};
use pool_domain::decide::{message, operation as marks, storage as repositories, vm_power};
use pool_domain::{Draft, vdi_rules, vm_rules};
use pool_saga::{Step, StepError};
use proto_types::generated::{vbd, vdi as vdi_class, vm};
use proto_types::{ApiError, Bytes, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::{AgentStep, nothing};
use crate::core::uuid_of_host;
use crate::domain_request::volume_of;
use crate::operation::{Cx, Operation, Outputs};
use crate::storage::vdi::uuid_of_sr;
use crate::storage::volumes::{MakeVolumes, MakesVolumes, NewVolume, Source, made};
use crate::vm::snapshot::kept_fields;

/// Takes a VM back to a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Revert {
    snapshot: Ref,
    vm: Ref,
    vm_uuid: Uuid,
    /// Where it runs now, and is to be ended.
    host: Option<Uuid>,
    /// Frozen disk, old disk, new disk; in the order of `volumes`.
    disks: Vec<(Ref, Ref, Ref)>,
    /// The copy of the memory comes last.
    volumes: Vec<NewVolume>,
    memory: Option<(Ref, Ref)>,
    /// What goes when all is there.
    old: Vec<(Uuid, VolumeRef)>,
}

impl Revert {
    /// To this snapshot.
    pub fn new(snapshot: Ref) -> Revert {
        Revert {
            snapshot,
            vm: Ref::NULL,
            vm_uuid: Uuid::nil(),
            host: None,
            disks: Vec::new(),
            volumes: Vec::new(),
            memory: None,
            old: Vec::new(),
        }
    }

    fn begin_target(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let row = draft.read(vm::CLASS, self.vm)?;
        if let Some((holder, current)) = row
            .get(vm::CURRENT_OPERATIONS)
            .as_map()
            .and_then(|m| m.iter().next())
        {
            return Err(ApiError::new(
                "OTHER_OPERATION_IN_PROGRESS",
                ["VM", &self.vm.to_string(), current.as_str(), holder.as_str()],
            ));
        }
        if let Some(reason) = row.get(vm::BLOCKED_OPERATIONS).get("revert") {
            return Err(ApiError::new(
                "OPERATION_BLOCKED",
                [self.vm.to_string(), reason.to_owned()],
            ));
        }
        vdi::check_not_blocked(draft, &row)?;
        self.vm_uuid = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", self.vm))?;
        let on = row.get(vm::RESIDENT_ON).as_ref().some();
        self.host = on.map(|on| uuid_of_host(draft.db(), on)).transpose()?;
        // The memory of a suspended one is of no use any more.
        if let Some(image) = row.get(vm::SUSPEND_VDI).as_ref().some()
            && let Ok(volume) = volume_of(draft.db(), image)
        {
            let storage = draft.read(vdi_class::CLASS, image)?.get(vdi_class::SR).as_ref();
            let at = repositories::host_for(draft.db(), storage)?;
            self.old.push((uuid_of_host(draft.db(), at)?, volume));
        }
        marks::begin(draft, self.vm, vm::CURRENT_OPERATIONS, task, "reverting");
        Ok(())
    }

    fn copy(&mut self, draft: &Draft<'_>, image: Ref, make: fn(VolumeRef) -> Source) -> Result<(), ApiError> {
        let db = draft.db();
        let storage = pool_domain::query::find(db, vdi_class::CLASS, image)?
            .get(vdi_class::SR)
            .as_ref();
        let at = repositories::host_for(db, storage)?;
        let source = volume_of(db, image)?;
        self.volumes.push(NewVolume {
            host: uuid_of_host(db, at)?,
            sr: uuid_of_sr(db, storage)?,
            uuid: draft.facts().uuid(),
            source: make(source),
            size: Bytes(0),
        });
        Ok(())
    }

    /// Refuses to take a disk away that somebody else uses.
    fn check_old(&self, draft: &mut Draft<'_>, old: Ref) -> Result<(), ApiError> {
        let row = draft.read(vdi_class::CLASS, old)?;
        let used = vdi_rules::active(draft.db(), &row).any(|drive| drive.get(vbd::VM).as_ref() != self.vm);
        if used {
            return Err(ApiError::new(
                "VDI_IN_USE",
                [old.to_string(), "destroy".to_owned()],
            ));
        }
        Ok(())
    }
}

impl Operation for Revert {
    const NAME: &'static str = "vm_revert";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let snapshot = draft.read(vm::CLASS, self.snapshot)?;
        vm_rules::check(draft.db(), &snapshot, "revert")?;
        let target = vm_snapshot::target(draft, &snapshot);
        if target.is_null() {
            // It comes back under its uuid.
            self.vm = draft.facts().reference();
        } else {
            self.vm = target;
            self.begin_target(draft, task)?;
        }
        marks::begin(draft, self.snapshot, vm::CURRENT_OPERATIONS, task, "revert");
        for (frozen, old) in vm_snapshot::disks_to_restore(draft, &snapshot) {
            vdi::begin(draft, frozen, task, "clone")?;
            if !old.is_null() {
                self.check_old(draft, old)?;
                let storage = draft.read(vdi_class::CLASS, old)?.get(vdi_class::SR).as_ref();
                // The VM's own host lets go of it first.
                let at = match self.host {
                    Some(host) => host,
                    None => uuid_of_host(draft.db(), repositories::host_for(draft.db(), storage)?)?,
                };
                self.old.push((at, volume_of(draft.db(), old)?));
            }
            self.copy(draft, frozen, Source::Clone)?;
            self.disks.push((frozen, old, draft.facts().reference()));
        }
        if let Some(image) = snapshot.get(vm::SUSPEND_VDI).as_ref().some() {
            draft.read(vdi_class::CLASS, image)?;
            self.copy(draft, image, Source::Memory)?;
            self.memory = Some((image, draft.facts().reference()));
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![
            Box::new(MakeVolumes),
            Box::new(AgentStep::<Revert> {
                name: "end_domain",
                ask: |cx| {
                    let op = &cx.operation;
                    Some((op.host?, HostCommand::DestroyDomain { vm: op.vm_uuid }))
                },
                undo: nothing,
                wait: Duration::from_secs(120),
            }),
            Box::new(RemoveOld),
        ]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let snapshot = draft.read(vm::CLASS, self.snapshot)?;
        let facts = made(outputs)?;
        let images = self.disks.iter().map(|(frozen, _, new)| (*frozen, *new));
        for (((frozen, new), volume), facts) in images.chain(self.memory).zip(&self.volumes).zip(facts) {
            let source = draft.read(vdi_class::CLASS, frozen)?;
            let row = NewVdi {
                sr: source.get(vdi_class::SR).as_ref(),
                uuid: volume.uuid.to_string(),
                virtual_size: facts.virtual_size.as_i64(),
                utilisation: facts.physical_utilisation.as_i64(),
                fields: vdi::inherited(&source),
            };
            vdi::made(draft, new, row);
            draft.set(new, vdi_class::LOCATION, facts.location.as_str());
            vdi::end(draft, frozen, task);
        }
        if draft.db().of_class(vm::CLASS, self.vm).is_some() {
            vm_power::halted(draft, self.vm);
        }
        let restored: Vec<Restored> = self
            .disks
            .iter()
            .map(|(frozen, old, new)| Restored {
                frozen: *frozen,
                old: *old,
                new: *new,
            })
            .collect();
        let memory = self.memory.map_or(Ref::NULL, |(_, new)| new);
        vm_snapshot::revert(
            draft,
            (self.snapshot, self.vm),
            &restored,
            memory,
            kept_fields(&snapshot),
        )?;
        self.end(draft, task);
        message::about_vm(draft, self.vm, "VM_SNAPSHOT_REVERTED", "reverted to a snapshot");
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        for (frozen, _, _) in &self.disks {
            vdi::end(draft, *frozen, task);
        }
        self.end(draft, task);
    }
}

impl Revert {
    fn end(&self, draft: &mut Draft<'_>, task: Ref) {
        for reference in [self.vm, self.snapshot] {
            marks::end(draft, reference, vm::CURRENT_OPERATIONS, task);
        }
    }
}

impl MakesVolumes for Revert {
    fn volumes(&self) -> &[NewVolume] {
        &self.volumes
    }
}

/// Takes the disks away that the copies stand for. From here on it only goes forward; one that stays costs space, and
/// shows as a disk at the next scan.
struct RemoveOld;

#[async_trait]
impl Step<Cx<Revert>> for RemoveOld {
    fn name(&self) -> &'static str {
        "remove_old"
    }

    async fn run(&self, cx: &Cx<Revert>) -> Result<(), StepError> {
        for (host, volume) in &cx.operation.old {
            let id = cx.command_id(&format!("remove {}", volume.location));
            let command = HostCommand::VolumeDestroy {
                volume: volume.clone(),
            };
            let gone = cx
                .ops
                .agents
                .call(*host, id, command, Duration::from_secs(120))
                .await;
            match gone {
                Ok(_) => {}
                Err(failure) if failure.is_fenced => return Err(StepError::LeadershipLost),
                Err(failure) => {
                    tracing::warn!(location = volume.location, error = %failure.text, "an old disk stays behind");
                }
            }
        }
        Ok(())
    }

    async fn undo(&self, _: &Cx<Revert>) -> Result<(), StepError> {
        Ok(())
    }

    fn is_point_of_no_return(&self) -> bool {
        true
    }
}
