//! `VM.pool_migrate`: the copy is made first, the switch-over is one log entry.
//!
//! What follows what is the table in `migration::phase`; [`drive`] carries its actions out and turns what hosts answer
//! into its events.

mod drive;
mod hosts;
mod turn;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use migration::{MigrationPlan, PoolDefaults};
use node_commands::DomainRequest;
use pool_domain::decide::management;
use pool_domain::decide::vm_power::{self, VmOperation, Way};
use pool_domain::{Database, Draft};
use pool_saga::{Step, StepError};
use proto_types::generated::{host, pool, tarn_member, task, vm, vm_metrics};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::core::uuid_of_host;
use crate::domain_request;
use crate::operation::{Cx, Operation, Outputs, read_output};

/// Moves a live VM to another host of the pool that sees its disks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Migrate {
    vm: Ref,
    target: Ref,
    #[serde(default)]
    source: Ref,
    #[serde(default)]
    plan: MigrationPlan,
    vm_uuid: Uuid,
    source_uuid: Uuid,
    target_uuid: Uuid,
    address: String,
    port: u16,
    request: Option<Box<DomainRequest>>,
    /// When the destination had booted, if it is known: one that boots anew has lost what ran there.
    #[serde(default)]
    target_booted: Option<i64>,
    #[serde(default = "usual_patience")]
    patience: Duration,
}

/// How long a host may be silent before the other one is asked to settle the matter alone.
fn usual_patience() -> Duration {
    Duration::from_secs(60)
}

impl Migrate {
    /// Of this VM to this host.
    pub fn new(vm: Ref, target: Ref, plan: MigrationPlan) -> Migrate {
        Migrate {
            vm,
            target,
            source: Ref::NULL,
            plan,
            vm_uuid: Uuid::nil(),
            source_uuid: Uuid::nil(),
            target_uuid: Uuid::nil(),
            address: String::new(),
            port: 0,
            request: None,
            target_booted: None,
            patience: usual_patience(),
        }
    }

    /// Of this VM to this host, with the options of the API's call.
    ///
    /// # Errors
    /// `INVALID_VALUE [option, value]`.
    pub fn with_options(
        db: &Database,
        vm: Ref,
        target: Ref,
        options: &BTreeMap<String, String>,
    ) -> Result<Migrate, ApiError> {
        Ok(Migrate::new(
            vm,
            target,
            MigrationPlan::from_options(options, defaults(db))?,
        ))
    }

    /// As [`Migrate::new`], with what the pool says of all migrations.
    pub fn by_default(db: &Database, vm: Ref, target: Ref) -> Migrate {
        Migrate::new(vm, target, MigrationPlan::by_default(defaults(db)))
    }

    /// The same with another patience for silent hosts.
    pub fn patient_for(self, patience: Duration) -> Migrate {
        Migrate { patience, ..self }
    }

    fn operation(&self, task: Ref) -> VmOperation<'static> {
        VmOperation {
            vm: self.vm,
            task,
            name: "pool_migrate",
        }
    }

    fn way(&self) -> Way {
        Way {
            source: self.source,
            target: self.target,
        }
    }

    fn is_to_itself(&self) -> bool {
        self.source_uuid == self.target_uuid
    }
}

fn defaults(db: &Database) -> PoolDefaults {
    PoolDefaults {
        compress: db
            .only(pool::CLASS)
            .is_some_and(|p| p.get(pool::MIGRATION_COMPRESSION).as_bool()),
    }
}

impl Operation for Migrate {
    const NAME: &'static str = "vm_pool_migrate";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        self.source = vm_power::begin_migration(draft, &self.operation(task), self.target)?;
        self.source_uuid = uuid_of_host(draft.db(), self.source)?;
        self.target_uuid = uuid_of_host(draft.db(), self.target)?;
        let row = draft.read(vm::CLASS, self.vm)?;
        self.vm_uuid = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", self.vm))?;
        self.address = match self.plan.network {
            Some(network) => management::address_on(draft.db(), network, self.target)?,
            None => {
                let host_row = draft.read(host::CLASS, self.target)?;
                host_row.get(host::ADDRESS).as_str().to_owned()
            }
        };
        self.target_booted = draft
            .read(host::CLASS, self.target)?
            .get(host::OTHER_CONFIG)
            .get("boot_time")
            .and_then(|text| text.trim_end_matches('.').parse().ok());
        self.port = draft
            .db()
            .rows(tarn_member::CLASS)
            .find(|m| m.get(tarn_member::HOST).as_ref() == self.target)
            .and_then(|m| u16::try_from(m.get(tarn_member::GRPC_PORT).as_int()).ok())
            .ok_or_else(|| ApiError::new("HOST_OFFLINE", [self.target.to_string()]))?;
        let request = domain_request::build(draft.db(), self.vm, self.target, task.as_uuid())?;
        self.request = Some(Box::new(request));
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(Move)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) -> Result<Value, ApiError> {
        if self.is_to_itself() {
            vm_power::abort_migration(draft, &self.operation(task), self.target);
        } else {
            vm_power::commit_migration(draft, &self.operation(task), self.way())?;
            tell_figures(draft, self.vm, task, outputs);
        }
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, outputs: &Outputs) {
        vm_power::abort_migration(draft, &self.operation(task), self.target);
        tell_figures(draft, self.vm, task, outputs);
    }

    fn is_cancellable() -> bool {
        true
    }
}

/// The output under which the source's last figures are left.
const FIGURES: &str = "figures";

/// What a migration came to, for clients: in the task's and the VM metrics' `other_config`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Figures {
    /// The guest's pause.
    #[serde(default)]
    downtime: Option<Duration>,
    /// From the source's beginning to its end.
    #[serde(default)]
    elapsed: Duration,
    /// Bytes carried over.
    #[serde(default)]
    carried: u64,
    /// Bytes that the guest was found to write in a second, if that was measured.
    #[serde(default)]
    dirty_rate: Option<u64>,
}

fn tell_figures(draft: &mut Draft<'_>, guest: Ref, task_ref: Ref, outputs: &Outputs) {
    let Some(figures) = read_output::<Figures>(outputs, FIGURES) else {
        return;
    };
    let mut told = vec![
        ("tarn_migration_ms", figures.elapsed.as_millis().to_string()),
        ("tarn_migration_bytes", figures.carried.to_string()),
    ];
    told.extend(
        figures
            .downtime
            .map(|d| ("tarn_migration_downtime_ms", d.as_millis().to_string())),
    );
    told.extend(
        figures
            .dirty_rate
            .map(|rate| ("tarn_migration_dirty_bytes_per_s", rate.to_string())),
    );
    let metrics = draft
        .db()
        .of_class(vm::CLASS, guest)
        .map_or(Ref::NULL, |v| v.get(vm::METRICS).as_ref());
    for (key, value) in told {
        draft.put_key(task_ref, task::OTHER_CONFIG, key, value.as_str());
        draft.put_key(metrics, vm_metrics::OTHER_CONFIG, key, value.as_str());
    }
}

/// The whole way through the table of phases.
struct Move;

#[async_trait]
impl Step<Cx<Migrate>> for Move {
    fn name(&self) -> &'static str {
        "move"
    }

    async fn run(&self, cx: &Cx<Migrate>) -> Result<(), StepError> {
        if cx.operation.is_to_itself() {
            return Ok(());
        }
        drive::Drive::of(cx).to_the_end().await
    }

    /// The phases have left nothing to undo.
    async fn undo(&self, _: &Cx<Migrate>) -> Result<(), StepError> {
        Ok(())
    }
}
