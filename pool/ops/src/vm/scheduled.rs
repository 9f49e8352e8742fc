//! Snapshots by a schedule (class `VMSS`): of each VM of it, one after another, and those that are too many go.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use node_commands::{MachineReply, MachineVerb};
use pool_domain::decide::message::{self, Notice};
use pool_domain::decide::{snapshot_schedule, vm_create};
use pool_domain::{Database, Draft, vm_rules};
use pool_saga::{Step, StepError};
use proto_types::generated::{vbd, vm, vmss};
use proto_types::{ApiError, DateTime, Ref, Value};
use serde::{Deserialize, Serialize};

use crate::core::{Ops, now, own};
use crate::machine;
use crate::operation::{Call, Cx, Operation, Outputs, run};
use crate::parts::{go_on, run_part};
use crate::storage::vdi::ChangeVdi;
use crate::vm::checkpoint::Checkpoint;
use crate::vm::snapshot::SnapshotVm;

/// A slot that is older when it is found is missed: nobody wants the snapshots of a night at noon.
const LATE: i64 = 15 * 60;
/// How long another operation on a VM is waited for, as long as a move may take.
const BUSY: Duration = Duration::from_secs(3600);
/// How often it is looked meanwhile.
const LOOK: Duration = Duration::from_secs(1);

/// Takes the snapshots of a schedule once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TakeScheduled {
    schedule: Ref,
    /// The time of the schedule that has come, if it is that; a client asks without.
    slot: Option<DateTime>,
    name: String,
    uuid: String,
    with_memory: bool,
    retained: i64,
    began: DateTime,
    vms: Vec<Ref>,
}

impl TakeScheduled {
    /// Of this schedule, because a client wants it.
    pub fn now(schedule: Ref) -> TakeScheduled {
        TakeScheduled {
            schedule,
            slot: None,
            name: String::new(),
            uuid: String::new(),
            with_memory: false,
            retained: 0,
            began: DateTime::EPOCH,
            vms: Vec::new(),
        }
    }

    fn due(schedule: Ref, slot: DateTime) -> TakeScheduled {
        TakeScheduled {
            slot: Some(slot),
            ..TakeScheduled::now(schedule)
        }
    }

    /// The name of a VM's snapshot, by which this run knows what it has done already.
    fn label(&self, machine: &str) -> String {
        format!("{machine} {} {}", self.name, self.began)
    }
}

impl Operation for TakeScheduled {
    const NAME: &'static str = "scheduled_snapshots";

    fn begin(&mut self, draft: &mut Draft<'_>, _: Ref) -> Result<(), ApiError> {
        let row = draft.read(vmss::CLASS, self.schedule)?;
        if self
            .slot
            .is_some_and(|slot| row.get(vmss::LAST_RUN_TIME).as_time() >= slot)
        {
            return Err(ApiError::internal("the schedule has run since"));
        }
        self.name = row.get(vmss::NAME_LABEL).as_str().to_owned();
        self.uuid = row.uuid().to_owned();
        self.with_memory = row.get(vmss::TYPE).as_str() == "checkpoint";
        self.retained = row.get(vmss::RETAINED_SNAPSHOTS).as_int();
        self.vms = row.get(vmss::VMS).as_refs();
        self.began = draft.facts().now;
        draft.set(self.schedule, vmss::LAST_RUN_TIME, self.began);
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(VmByVm)]
    }

    fn commit(&self, draft: &mut Draft<'_>, _: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        let failed = failures(outputs);
        tell(draft, self, &failed);
        Ok(Value::from(if failed.is_empty() { "True" } else { "False" }))
    }

    fn abort(&self, _: &mut Draft<'_>, _: Ref, _: &Outputs) {}

    fn is_cancellable() -> bool {
        true
    }
}

/// VMs of which no snapshot was taken, with the reason.
type Failures = BTreeMap<Ref, String>;

fn failures(outputs: &Outputs) -> Failures {
    outputs
        .get(VmByVm.name())
        .and_then(|left| serde_json::from_value(left.clone()).ok())
        .unwrap_or_default()
}

fn tell(draft: &mut Draft<'_>, run: &TakeScheduled, failed: &Failures) {
    let notice = |name, priority, body| Notice {
        name,
        priority,
        cls: "VMSS",
        object: &run.uuid,
        body,
    };
    if failed.is_empty() {
        let body = format!("The snapshots of '{}' were taken", run.name);
        message::add(draft, &notice("VMSS_SNAPSHOT_SUCCEEDED", 5, body));
        return;
    }
    let told = failed.iter().map(|(machine, reason)| {
        let label = draft.db().of_class(vm::CLASS, *machine);
        let label = label.map_or("a VM that has gone", |row| row.get(vm::NAME_LABEL).as_str());
        format!("'{label}': {reason}")
    });
    let told: Vec<String> = told.collect();
    let body = format!("Snapshots of '{}' were not taken: {}", run.name, told.join("; "));
    message::add(draft, &notice("VMSS_SNAPSHOT_FAILED", 3, body));
}

/// Takes the snapshots. What was taken stays taken, also when another leader goes through the VMs again.
struct VmByVm;

#[async_trait]
impl Step<Cx<TakeScheduled>> for VmByVm {
    fn name(&self) -> &'static str {
        "vms"
    }

    async fn run(&self, cx: &Cx<TakeScheduled>) -> Result<(), StepError> {
        let mut failed = Failures::new();
        let count = u32::try_from(cx.operation.vms.len()).unwrap_or(u32::MAX);
        for (machine, done) in cx.operation.vms.iter().zip(1_u32..) {
            go_on(cx)?;
            if let Err(error) = one(cx, *machine).await {
                if error.code == "HOST_STILL_BOOTING" {
                    return Err(StepError::LeadershipLost);
                }
                tracing::info!(%machine, %error, "a scheduled snapshot was not taken");
                failed.insert(*machine, error.to_string());
            }
            cx.progress(f64::from(done) / f64::from(count) * 0.99).await;
        }
        cx.leave(self.name(), &failed);
        Ok(())
    }

    async fn undo(&self, _: &Cx<TakeScheduled>) -> Result<(), StepError> {
        Ok(())
    }
}

async fn one(cx: &Cx<TakeScheduled>, machine: Ref) -> Result<(), ApiError> {
    let run = &cx.operation;
    // Also for a snapshot that an earlier leader has begun for this run.
    until_idle(cx, machine).await?;
    let db = cx.ops.pool.snapshot();
    let Some(row) = db.of_class(vm::CLASS, machine) else {
        return Ok(());
    };
    let label = run.label(row.get(vm::NAME_LABEL).as_str());
    if !has_snapshot(&db, machine, &label) {
        if run.with_memory && snapshot_schedule::has_memory(&db, machine) {
            run_part(cx, "VM.checkpoint", Checkpoint::new(machine, &label).scheduled()).await?;
        } else {
            let part = SnapshotVm::new(machine, &label, Vec::new()).scheduled();
            run_part(cx, "VM.snapshot", part).await?;
        }
    }
    let db = cx.ops.pool.snapshot();
    for old in snapshot_schedule::too_many(&db, machine, run.retained) {
        remove(cx, old).await?;
    }
    Ok(())
}

async fn until_idle(cx: &Cx<TakeScheduled>, machine: Ref) -> Result<(), ApiError> {
    let until = tokio::time::Instant::now() + BUSY;
    loop {
        let db = cx.ops.pool.snapshot();
        match db
            .of_class(vm::CLASS, machine)
            .map(|row| vm_rules::check_idle(row))
        {
            None | Some(Ok(())) => return Ok(()),
            Some(Err(error)) if tokio::time::Instant::now() >= until => return Err(error),
            Some(Err(_)) => {}
        }
        go_on(cx)?;
        tokio::time::sleep(LOOK).await;
    }
}

fn has_snapshot(db: &Database, machine: Ref, label: &str) -> bool {
    let Some(row) = db.of_class(vm::CLASS, machine) else {
        return false;
    };
    row.get(vm::SNAPSHOTS)
        .as_refs()
        .into_iter()
        .filter_map(|snapshot| db.of_class(vm::CLASS, snapshot))
        .any(|snapshot| snapshot.get(vm::NAME_LABEL).as_str() == label)
}

/// Removes a snapshot with its disks and its memory.
async fn remove(cx: &Cx<TakeScheduled>, snapshot: Ref) -> Result<(), ApiError> {
    let db = cx.ops.pool.snapshot();
    let Some(row) = db.of_class(vm::CLASS, snapshot) else {
        return Ok(());
    };
    let disks = row
        .get(vm::VBDS)
        .as_refs()
        .into_iter()
        .filter_map(|drive| db.of_class(vbd::CLASS, drive))
        .filter(|drive| drive.get(vbd::TYPE).as_str() == "Disk")
        .map(|drive| drive.get(vbd::VDI).as_ref());
    let volumes: Vec<Ref> = disks
        .chain([row.get(vm::SUSPEND_VDI).as_ref()])
        .filter_map(Ref::some)
        .collect();
    let forget = |d: &mut Draft<'_>| vm_create::destroy(d, snapshot);
    cx.ops.decide(&own("scheduled snapshots"), forget).await?;
    for volume in volumes {
        match run_part(cx, "VDI.destroy", ChangeVdi::destroy(volume)).await {
            // Somebody else was faster.
            Err(error) if error.code == "HANDLE_INVALID" => {}
            other => drop(other?),
        }
    }
    Ok(())
}

/// What the leader remembers of schedules between two looks.
#[derive(Default)]
pub struct Schedules {
    /// When a schedule that has never run was seen first.
    first_seen: BTreeMap<Ref, DateTime>,
    /// The slot for which each was run, or found to be missed, last.
    settled: BTreeMap<Ref, DateTime>,
}

impl Schedules {
    /// Begins what is due. `me` is the host whose clock schedules go by: the leader's.
    pub async fn look(&mut self, ops: &Ops, me: Ref) {
        let db = ops.pool.snapshot();
        if db.count(vmss::CLASS) == 0 {
            return;
        }
        // It is the leader's own host, and the reign waits for the answer.
        let wait = Duration::from_secs(1);
        let Ok(MachineReply::Clock { ahead, .. }) = machine::ask(ops, me, MachineVerb::Clock, wait).await
        else {
            return;
        };
        for (schedule, slot) in self.due(&db, now(), i64::from(ahead)) {
            let is_late = now().0.saturating_sub(slot.0) > LATE;
            if is_late {
                missed(ops, schedule, slot).await;
                continue;
            }
            let (ops, call) = (ops.clone(), call(me));
            tokio::spawn(async move {
                if let Err(error) = run(&ops, TakeScheduled::due(schedule, slot), call).await {
                    tracing::info!(%schedule, %error, "a schedule was not run");
                }
            });
        }
    }

    /// Schedules whose time has come since they ran last, with that time, in UTC.
    fn due(&mut self, db: &Database, now: DateTime, ahead: i64) -> Vec<(Ref, DateTime)> {
        let mut due = Vec::new();
        let there = |reference: &Ref| db.of_class(vmss::CLASS, *reference).is_some();
        self.first_seen.retain(|reference, _| there(reference));
        self.settled.retain(|reference, _| there(reference));
        for row in db
            .rows(vmss::CLASS)
            .filter(|row| row.get(vmss::ENABLED).as_bool())
        {
            let schedule = row.reference;
            let ran = row.get(vmss::LAST_RUN_TIME).as_time();
            let since = match ran {
                // What was due before it existed is not.
                DateTime::EPOCH => *self.first_seen.entry(schedule).or_insert(now),
                ran => ran,
            };
            let local = DateTime(now.0.saturating_add(ahead));
            let Some(slot) = snapshot_schedule::last_slot(row, local) else {
                continue;
            };
            let slot = DateTime(slot.0.saturating_sub(ahead));
            let settled = self.settled.get(&schedule).is_some_and(|known| *known >= slot);
            if slot > since && !settled && !row.get(vmss::VMS).as_refs().is_empty() {
                self.settled.insert(schedule, slot);
                due.push((schedule, slot));
            }
        }
        due
    }
}

fn call(me: Ref) -> Call {
    Call {
        label: "VMSS.snapshot_now".to_owned(),
        host: me,
        origin: own("scheduled snapshots"),
        ..Call::default()
    }
}

async fn missed(ops: &Ops, schedule: Ref, slot: DateTime) {
    let origin = own("scheduled snapshots");
    let told = ops.decide(&origin, |d| {
        let Some(row) = d.db().of_class(vmss::CLASS, schedule).cloned() else {
            return Ok(());
        };
        let notice = Notice {
            name: "VMSS_SNAPSHOT_MISSED_EVENT",
            priority: 3,
            cls: "VMSS",
            object: row.uuid(),
            body: format!(
                "The snapshots of '{}' at {slot} were not taken",
                row.get(vmss::NAME_LABEL).as_str()
            ),
        };
        message::add(d, &notice);
        Ok(())
    });
    if let Err(error) = told.await {
        tracing::debug!(%error, "a missed schedule was not told of");
    }
}

#[cfg(test)]
mod test;
