//! `/import`: the disks of an archive's VMs are made and filled, then the records are made, all at once.

use std::collections::BTreeMap;

use node_commands::VolumeRef;
use pool_domain::Draft;
use pool_domain::decide::import::{self, DiskInArchive, Import};
use pool_domain::decide::storage as repositories;
use pool_domain::decide::vdi::{self, NewVdi};
use pool_saga::Step;
use proto_types::generated::{task as tasks, vdi as class};
use proto_types::{ApiError, Bytes, Field, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Carries, Carry, Placed};
use crate::core::uuid_of_host;
use crate::operation::{Cx, Operation, Outputs};
use crate::storage::vdi::uuid_of_sr;
use crate::storage::volumes::{MakeVolumes, MakesVolumes, NewVolume, Source, made};

/// Makes VMs of an archive.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportVms {
    import: Import,
    sr: Ref,
    disks: Vec<DiskInArchive>,
    images: Vec<Ref>,
    volumes: Vec<NewVolume>,
}

impl ImportVms {
    /// The archive's records, its disks in the order in which they come, and the SR that takes them.
    pub fn new(import: Import, disks: Vec<DiskInArchive>, sr: Ref) -> ImportVms {
        ImportVms {
            import,
            sr,
            disks,
            images: Vec::new(),
            volumes: Vec::new(),
        }
    }
}

/// Fields of an image that come from the archive.
const KEPT: &[&str] = &[
    "name_label",
    "name_description",
    "type",
    "sharable",
    "read_only",
    "other_config",
    "tags",
    "xenstore_data",
];

impl Operation for ImportVms {
    const NAME: &'static str = "vm_import";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        import::check(draft, &self.import)?;
        if self.disks.is_empty() {
            return Ok(());
        }
        vdi::check_can_create(draft.db(), self.sr)?;
        let host = uuid_of_host(draft.db(), repositories::host_for(draft.db(), self.sr)?)?;
        let sr = uuid_of_sr(draft.db(), self.sr)?;
        for disk in &self.disks {
            self.images.push(draft.facts().reference());
            self.volumes.push(NewVolume {
                host,
                sr,
                uuid: draft.facts().uuid(),
                source: Source::Blank,
                size: Bytes::from_i64(disk.size),
            });
        }
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(MakeVolumes), Box::new(Carry)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let mut stands_for = BTreeMap::new();
        let facts = made(outputs)?;
        for (((disk, image), volume), fact) in
            self.disks.iter().zip(&self.images).zip(&self.volumes).zip(facts)
        {
            vdi::made(
                draft,
                *image,
                NewVdi {
                    sr: self.sr,
                    uuid: volume.uuid.to_string(),
                    virtual_size: fact.virtual_size.as_i64(),
                    utilisation: fact.physical_utilisation.as_i64(),
                    fields: self.kept(disk.reference),
                },
            );
            draft.set(*image, class::LOCATION, fact.location.as_str());
            stands_for.insert(disk.reference, *image);
        }
        let vms = import::make(draft, &self.import, &stands_for)?;
        draft.put_key(task, tasks::OTHER_CONFIG, "object_creation", "complete");
        Ok(Value::refs(vms))
    }

    fn abort(&self, _: &mut Draft<'_>, _: Ref, _: &Outputs) {}

    fn is_cancellable() -> bool {
        true
    }

    fn explains_cancel() -> bool {
        true
    }
}

impl ImportVms {
    fn kept(&self, image: Ref) -> Vec<(Field, Value)> {
        let object = self
            .import
            .objects
            .iter()
            .find(|object| object.reference == image);
        KEPT.iter()
            .filter_map(|name| {
                let value = object?.record.member(name)?.clone();
                let index = class::CLASS.def().field(name)?;
                Some((
                    Field {
                        class: class::CLASS,
                        index,
                    },
                    value,
                ))
            })
            .collect()
    }
}

impl MakesVolumes for ImportVms {
    fn volumes(&self) -> &[NewVolume] {
        &self.volumes
    }
}

impl Carries for ImportVms {
    fn placed(&self, outputs: &Outputs) -> Vec<Placed> {
        let facts = made(outputs).unwrap_or_default();
        let volumes: Vec<(Uuid, VolumeRef)> = self
            .volumes
            .iter()
            .zip(facts)
            .map(|(volume, fact)| (volume.host, VolumeRef::new(volume.sr, fact.location)))
            .collect();
        super::export::placed(&volumes)
    }
}
