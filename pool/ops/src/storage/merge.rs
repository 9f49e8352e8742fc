//! Takes away what snapshots leave behind: when one has gone, the parent that only it kept apart from the next is merged
//! into that one, in the running guest too. Nobody asks for it, and whoever wants one of the disks calls it off.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use node_commands::{HostCommand, HostReply, MergeFacts};
use pool_domain::decide::{storage as repositories, vdi as disks};
use pool_domain::{Draft, vdi_rules};
use pool_saga::{Step, StepError};
use proto_types::generated::{pool, sr, tarn_saga, vbd, vdi, vm};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::step_error;
use crate::core::{Ops, own, uuid_of_host};
use crate::operation::{Call, Cx, Operation, Outputs};
use crate::storage::vdi::uuid_of_sr;
use crate::vm::freeze::{domain_of, number_of};

/// The label of such tasks; an operation that meets one calls it off.
pub const LABEL: &str = "Merging what snapshots left behind";

/// Merges one parent into another.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Merge {
    sr: Ref,
    sr_uuid: Uuid,
    merge: MergeFacts,
    host: Uuid,
    domain: Option<(Uuid, u16)>,
    disks: Vec<Ref>,
}

impl Merge {
    /// In this repository.
    pub fn new(sr: Ref, merge: MergeFacts) -> Merge {
        Merge {
            sr,
            sr_uuid: Uuid::nil(),
            merge,
            host: Uuid::nil(),
            domain: None,
            disks: Vec::new(),
        }
    }

    /// The rows of the disks that build on the parent.
    fn find_disks(&mut self, draft: &mut Draft<'_>) -> Result<(), ApiError> {
        let row = draft.read(sr::CLASS, self.sr)?;
        let wanted: BTreeSet<&str> = self.merge.users.iter().map(String::as_str).collect();
        self.disks = row
            .get(sr::VDIS)
            .as_refs()
            .into_iter()
            .filter(|r| {
                draft
                    .db()
                    .of_class(vdi::CLASS, *r)
                    .is_some_and(|v| wanted.contains(v.get(vdi::LOCATION).as_str()))
            })
            .collect();
        if self.disks.len() == wanted.len() {
            return Ok(());
        }
        Err(not_now("a disk that builds on it is not known"))
    }
}

fn not_now(why: &str) -> ApiError {
    ApiError::internal(format!("not now: {why}"))
}

impl Operation for Merge {
    const NAME: &'static str = "sr_merge";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        self.sr_uuid = uuid_of_sr(draft.db(), self.sr)?;
        self.find_disks(draft)?;
        let mut open: BTreeSet<(Ref, Ref)> = BTreeSet::new();
        for image in self.disks.clone() {
            let row = draft.read(vdi::CLASS, image)?;
            for drive in vdi_rules::active(draft.db(), &row) {
                if drive.get(vbd::RESERVED).as_bool() {
                    return Err(not_now("a disk is about to be opened"));
                }
                open.insert((drive.reference, drive.get(vbd::VM).as_ref()));
            }
        }
        let mut open = open.into_iter();
        match (open.next(), open.next()) {
            (None, _) => {
                let on = repositories::host_for(draft.db(), self.sr)?;
                self.host = uuid_of_host(draft.db(), on)?;
            }
            (Some((drive, owner)), None) if !self.merge.is_volume => {
                let row = draft.read(vm::CLASS, owner)?;
                if pool_domain::vm_rules::is_busy(&row) {
                    return Err(not_now("its VM is busy"));
                }
                let domain = domain_of(draft.db(), owner)?.ok_or_else(|| not_now("its VM has gone"))?;
                self.host = domain.host;
                self.domain = Some((domain.vm, number_of(draft.db(), drive)?));
            }
            _ => return Err(not_now("VMs have it open")),
        }
        disks::block(draft, &self.disks, task)
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(Move)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        self.abort(draft, task, outputs);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        for image in &self.disks {
            disks::end(draft, *image, task);
        }
    }

    fn is_cancellable() -> bool {
        true
    }
}

/// Moves the bytes.
struct Move;

/// How often it is looked whether somebody wants a disk.
const LOOK_AGAIN: Duration = Duration::from_millis(300);
/// Longest for one merge; the storage itself notices when nothing moves any more.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

#[async_trait]
impl Step<Cx<Merge>> for Move {
    fn name(&self) -> &'static str {
        "move"
    }

    async fn run(&self, cx: &Cx<Merge>) -> Result<(), StepError> {
        let op = &cx.operation;
        let (agents, job) = (&cx.ops.agents, cx.command_id("job"));
        let command = HostCommand::MergeVolumes {
            sr: op.sr_uuid,
            merge: op.merge.clone(),
            domain: op.domain,
            job,
        };
        let mut merging = std::pin::pin!(agents.call(op.host, cx.command_id("move"), command, LONGEST));
        loop {
            tokio::select! {
                answer = &mut merging => return answer.map(|_| ()).map_err(step_error),
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            if cx.is_cancelled() {
                let cancel = HostCommand::JobCancel { job };
                let wait = Duration::from_secs(10);
                if let Err(failure) = agents.call(op.host, Uuid::new_v4(), cancel, wait).await {
                    tracing::info!(error = %failure.text, "a merge was not called off");
                }
            }
        }
    }

    async fn undo(&self, _: &Cx<Merge>) -> Result<(), StepError> {
        Ok(())
    }
}

/// Looks into every repository for what could go, and has it go, one after another.
pub async fn look(ops: Ops) {
    let db = ops.pool.snapshot();
    // A saga of an earlier leader goes on first.
    let under_way = db
        .rows(tarn_saga::CLASS)
        .any(|s| s.get(tarn_saga::OPERATION).as_str() == Merge::NAME);
    if under_way {
        return;
    }
    let repositories: Vec<Ref> = db
        .rows(sr::CLASS)
        .map(|s| s.reference)
        .filter(|s| vdi_rules::supports(&db, *s, "snapshot").is_ok())
        .collect();
    for storage in repositories {
        // Each merge changes what there is to merge.
        for _ in 0..64 {
            match merge_one(&ops, storage).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::debug!(sr = %storage, %error, "nothing is merged for now");
                    break;
                }
            }
        }
    }
}

/// Merges the first pair that can be merged now; whether there was one.
async fn merge_one(ops: &Ops, storage: Ref) -> Result<bool, ApiError> {
    let db = ops.pool.snapshot();
    let host = uuid_of_host(&db, repositories::host_for(&db, storage)?)?;
    let master = db
        .only(pool::CLASS)
        .map_or(Ref::NULL, |p| p.get(pool::MASTER).as_ref());
    let command = HostCommand::SrMerges {
        sr: uuid_of_sr(&db, storage)?,
    };
    let answer = ops
        .agents
        .call(host, Uuid::new_v4(), command, Duration::from_secs(30))
        .await
        .map_err(|failure| failure.api)?;
    let HostReply::Merges(found) = answer else {
        return Ok(false);
    };
    for merge in found {
        let call = Call {
            label: LABEL.to_owned(),
            origin: own("merge"),
            // Without a host it would count as a client's own task.
            host: master,
            ..Call::default()
        };
        let top = merge.top.clone();
        match crate::operation::run(ops, Merge::new(storage, merge), call).await {
            Ok(_) => {
                tracing::info!(sr = %storage, top, "merged what a snapshot had left behind");
                return Ok(true);
            }
            Err(error) => tracing::debug!(top, %error, "not merged"),
        }
    }
    Ok(false)
}
