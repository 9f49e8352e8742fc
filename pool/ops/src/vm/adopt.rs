//! A domain that somebody else started on a host becomes a VM of the pool, as it runs.
//!
//! ```text
//! what is it? ──► repositories of its images, scanned ──► its rows ──► the host takes it over ──► it is live
//!                                                              └── failure: the host gives it back, the rows go
//! ```
//! The rows are there before the host takes it over: a domain of the pool without a row is ended as a stray.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use node_commands::{DiskRequest, HostCommand, HostReply};
use node_hypervisor::{DeviceNumbers, DiskKind, DiskSource, ForeignDomain};
use pool_domain::decide::adopt::{self, Running, RunningCard, RunningDisk};
use pool_domain::decide::vm_power::{self, VmOperation};
use pool_domain::{Database, Draft, query};
use pool_saga::{Step, StepError};
use proto_types::generated::{pbd, sr, vdi, vm};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::{AgentStep, UNCONFIRMED};
use crate::core::{Ops, uuid_of_host};
use crate::domain_request::disk_request;
use crate::operation::{Cx, Operation, Outputs};
use crate::parts::run_part;
use crate::storage::sr::{CreateSr, SrParams, WorkOnSr};

/// How long a host may take to say what runs on it.
const WAIT: Duration = Duration::from_secs(30);
/// The output with the [`ForeignDomain`].
const DOMAIN: &str = "domain";
/// A repository of one of these types has its images in a folder that is there already.
const IN_FOLDERS: &[&str] = &["file", "ext", "iso", "nfs"];

/// The live domains of a host that the pool did not start.
///
/// # Errors
/// `HANDLE_INVALID`; `HOST_OFFLINE` and the like.
pub async fn foreign(ops: &Ops, host: Ref) -> Result<Vec<ForeignDomain>, ApiError> {
    let host = uuid_of_host(&ops.pool.snapshot(), host)?;
    let answer = ops
        .agents
        .call(host, Uuid::new_v4(), HostCommand::ListForeign, WAIT)
        .await;
    match answer.map_err(|failure| failure.api)? {
        HostReply::Foreign(domains) => Ok(domains),
        _ => Err(ApiError::internal("the host did not say what runs on it")),
    }
}

/// A domain on one line for programs: uuid, name, bytes of memory, virtual processors, disks, network interfaces, and why it
/// cannot be taken over if so, separated by tabs.
pub fn line(domain: &ForeignDomain) -> String {
    let plain = |text: &str| text.replace(|c: char| c.is_control(), " ");
    [
        domain.uuid.to_string(),
        plain(&domain.name),
        domain.memory.maximum.get().to_string(),
        domain.vcpus.maximum.to_string(),
        domain.disks.len().to_string(),
        domain.nics.len().to_string(),
        plain(&domain.obstacles.join("; ")),
    ]
    .join("\t")
}

/// Takes a domain over.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Adopt {
    host: Ref,
    host_uuid: Uuid,
    domain: Uuid,
}

impl Adopt {
    /// The domain by its uuid, on the host where it runs.
    pub fn new(host: Ref, domain: Uuid) -> Adopt {
        Adopt {
            host,
            host_uuid: Uuid::nil(),
            domain,
        }
    }

    fn operation(&self, vm: Ref, task: Ref) -> VmOperation<'_> {
        let name = "start";
        VmOperation { vm, task, name }
    }

    /// Its row, while this operation is at work on it.
    fn entered(&self, db: &Database, task: Ref) -> Option<Ref> {
        let row = db.by_uuid(vm::CLASS, &self.domain.to_string())?;
        let held = row.get(vm::CURRENT_OPERATIONS).get(&task.to_string()).is_some();
        held.then_some(row.reference)
    }
}

impl Operation for Adopt {
    const NAME: &'static str = "vm_adopt";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        self.host_uuid = uuid_of_host(draft.db(), self.host)?;
        adopt::check(draft.db(), &self.domain.to_string())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![
            Box::new(Look),
            Box::new(FindImages),
            Box::new(Enter),
            Box::new(AgentStep::<Adopt> {
                name: "take_over",
                ask: |cx| {
                    let db = cx.ops.pool.snapshot();
                    let disks = disks(&db, cx.operation.entered(&db, cx.task)?).ok()?;
                    let command = HostCommand::AdoptDomain {
                        vm: cx.operation.domain,
                        start_id: cx.task.as_uuid(),
                        disks,
                    };
                    Some((cx.operation.host_uuid, command))
                },
                undo: |cx| {
                    let vm = cx.operation.domain;
                    Some((cx.operation.host_uuid, HostCommand::DisownDomain { vm }))
                },
                wait: Duration::from_secs(60),
            }),
        ]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        let entered = self
            .entered(draft.db(), task)
            .ok_or_else(|| ApiError::internal("the VM was not entered"))?;
        vm_power::commit_live(draft, &self.operation(entered, task), self.host, false);
        Ok(entered.into())
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) {
        let Some(entered) = self.entered(draft.db(), task) else {
            return;
        };
        if outputs.contains_key(UNCONFIRMED) {
            // The host may have taken it over and does not answer. Without a row it would be ended as a stray.
            vm_power::commit_live(draft, &self.operation(entered, task), self.host, false);
        } else {
            adopt::withdraw(draft, entered, self.host, task);
        }
    }
}

/// The disks of a VM, as it would be started with them.
fn disks(db: &Database, reference: Ref) -> Result<Vec<DiskRequest>, ApiError> {
    let row = query::find(db, vm::CLASS, reference)?;
    let mut requests = Vec::new();
    for drive in row.get(vm::VBDS).as_refs() {
        if let Some(drive) = db.of_class(proto_types::generated::vbd::CLASS, drive) {
            requests.extend(disk_request(db, drive)?);
        }
    }
    Ok(requests)
}

/// Asks the host what it is.
struct Look;

#[async_trait]
impl Step<Cx<Adopt>> for Look {
    fn name(&self) -> &'static str {
        "look"
    }

    async fn run(&self, cx: &Cx<Adopt>) -> Result<(), StepError> {
        let all = foreign(&cx.ops, cx.operation.host).await?;
        let wanted = cx.operation.domain;
        let domain = all
            .into_iter()
            .find(|domain| domain.uuid == wanted)
            .ok_or_else(|| ApiError::new("UUID_INVALID", ["VM".to_owned(), wanted.to_string()]))?;
        if !domain.obstacles.is_empty() {
            return Err(ApiError::new("OPERATION_NOT_ALLOWED", [domain.obstacles.join("; ")]).into());
        }
        cx.leave(DOMAIN, &domain);
        Ok(())
    }

    async fn undo(&self, _: &Cx<Adopt>) -> Result<(), StepError> {
        Ok(())
    }
}

fn domain(cx: &Cx<Adopt>) -> Result<ForeignDomain, ApiError> {
    cx.left(DOMAIN)
        .ok_or_else(|| ApiError::internal("the domain is not known"))
}

/// Sees to it that each image is one of a repository's that is plugged on the host. Repositories that were made for it stay.
struct FindImages;

#[async_trait]
impl Step<Cx<Adopt>> for FindImages {
    fn name(&self) -> &'static str {
        "find_images"
    }

    async fn run(&self, cx: &Cx<Adopt>) -> Result<(), StepError> {
        let host = cx.operation.host;
        for disk in domain(cx)?.disks {
            let DiskSource::File { path, .. } = &disk.source else {
                continue;
            };
            if image(&cx.ops.pool.snapshot(), host, path).is_some() {
                continue;
            }
            let folder = path.parent().and_then(Path::to_str);
            let folder = folder.ok_or_else(|| ApiError::internal("an image has no folder"))?;
            let found = repository(&cx.ops.pool.snapshot(), host, folder);
            let storage = match found {
                Some(storage) => storage,
                None => {
                    let create = CreateSr::new(
                        host,
                        Value::string_map([("location", folder)]),
                        params(folder, disk.kind),
                    );
                    run_part(cx, "SR.create", create).await?.as_ref()
                }
            };
            run_part(cx, "SR.scan", WorkOnSr::scan(storage)).await?;
            if image(&cx.ops.pool.snapshot(), host, path).is_none() {
                let text = format!("{} is no image that its repository knows", path.display());
                return Err(ApiError::new("OPERATION_NOT_ALLOWED", [text]).into());
            }
        }
        Ok(())
    }

    async fn undo(&self, _: &Cx<Adopt>) -> Result<(), StepError> {
        Ok(())
    }
}

fn params(folder: &str, kind: DiskKind) -> SrParams {
    let (kind, content_type) = match kind {
        DiskKind::Disk => ("file", "user"),
        DiskKind::Cdrom => ("iso", "iso"),
    };
    SrParams {
        name_label: folder.to_owned(),
        name_description: "Images of VMs that were adopted".to_owned(),
        kind: kind.to_owned(),
        content_type: content_type.to_owned(),
        shared: false,
        sm_config: Value::empty_map(),
    }
}

/// The repository that has a folder, on a host.
fn repository(db: &Database, host: Ref, folder: &str) -> Option<Ref> {
    let plug = db.rows(pbd::CLASS).find(|plug| {
        let kind = db.of_class(sr::CLASS, plug.get(pbd::SR).as_ref());
        plug.get(pbd::HOST).as_ref() == host
            && plug.get(pbd::CURRENTLY_ATTACHED).as_bool()
            && plug
                .get(pbd::DEVICE_CONFIG)
                .get("location")
                .map(|l| l.trim_end_matches('/'))
                == Some(folder)
            && kind.is_some_and(|row| IN_FOLDERS.contains(&row.get(sr::TYPE).as_str()))
    })?;
    Some(plug.get(pbd::SR).as_ref())
}

/// The image that lies at a path of a host.
fn image(db: &Database, host: Ref, path: &Path) -> Option<Ref> {
    let storage = repository(db, host, path.parent()?.to_str()?)?;
    let name = path.file_name()?.to_str()?;
    // The pool's own are known by their uuid, which is the name without its ending.
    let stem = path.file_stem()?.to_str()?;
    let images = db.of_class(sr::CLASS, storage)?.get(sr::VDIS).as_refs();
    images.into_iter().find(|image| {
        db.of_class(vdi::CLASS, *image)
            .is_some_and(|row| [name, stem].contains(&row.get(vdi::LOCATION).as_str()))
    })
}

/// Enters it as a VM that is about to start on the host.
struct Enter;

#[async_trait]
impl Step<Cx<Adopt>> for Enter {
    fn name(&self) -> &'static str {
        "enter"
    }

    async fn run(&self, cx: &Cx<Adopt>) -> Result<(), StepError> {
        let db = cx.ops.pool.snapshot();
        let (host, task) = (cx.operation.host, cx.task);
        let running = running(&db, host, &domain(cx)?)?;
        if cx.operation.entered(&db, task).is_some() {
            // Before a change of leader.
            return Ok(());
        }
        let mut refused = None;
        let written = cx
            .write(|d| {
                let made = adopt::enter(d, &running, host, task);
                refused = made.as_ref().err().cloned();
                made.map(drop)
            })
            .await;
        written.map_err(|lost| refused.map_or(lost, StepError::from))
    }

    /// With the end of the operation, when the host has answered.
    async fn undo(&self, _: &Cx<Adopt>) -> Result<(), StepError> {
        Ok(())
    }
}

fn running(db: &Database, host: Ref, domain: &ForeignDomain) -> Result<Running, ApiError> {
    let numbers = DeviceNumbers::of(domain);
    let mut disks = Vec::new();
    for disk in &domain.disks {
        let Some(number) = numbers.disks.get(&disk.target) else {
            continue;
        };
        let found = match &disk.source {
            DiskSource::File { path, .. } => image(db, host, path)
                .ok_or_else(|| ApiError::internal(format!("{} is in no repository", path.display())))?,
            _ => Ref::NULL,
        };
        disks.push(RunningDisk {
            number: number.0,
            image: found,
            is_drive: disk.kind == DiskKind::Cdrom,
            read_only: disk.read_only,
        });
    }
    let cards = domain
        .nics
        .iter()
        .filter_map(|nic| {
            Some(RunningCard {
                number: numbers.nics.get(&nic.mac)?.0,
                mac: nic.mac.clone(),
                bridge: nic.bridge.clone(),
            })
        })
        .collect();
    Ok(Running {
        uuid: domain.uuid.to_string(),
        name: domain.name.clone(),
        description: domain.description.clone(),
        memory: domain.memory.maximum,
        memory_now: domain.memory.target,
        processors: i64::from(domain.vcpus.maximum),
        processors_now: i64::from(domain.vcpus.at_startup),
        uefi: domain.uefi.is_some(),
        disks,
        cards,
    })
}
