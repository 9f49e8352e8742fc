//! `VM_appliance.start`, `clean_shutdown`, `hard_shutdown`, `shutdown`: group after group, in order.

use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use pool_domain::Draft;
use pool_domain::decide::appliance;
use pool_domain::vm_rules;
use pool_saga::{Step, StepError};
use proto_types::{ApiError, Ref, Value};
use serde::{Deserialize, Serialize};

use crate::operation::{Cx, Operation, Outputs};
use crate::parts::{go_on, is_down, run_part, whereabouts};
use crate::vm::start::StartVm;
use crate::vm::stop::{CleanShutdown, HardShutdown, SHUTDOWN_SECONDS, Shutdown};

/// Works on all VMs of an appliance.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkOnAppliance {
    appliance: Ref,
    name: String,
    paused: bool,
    groups: Vec<(Vec<Ref>, u64)>,
}

impl WorkOnAppliance {
    /// By the operation's name.
    pub fn new(appliance: Ref, name: &str, paused: bool) -> WorkOnAppliance {
        WorkOnAppliance {
            appliance,
            name: name.to_owned(),
            paused,
            groups: Vec::new(),
        }
    }
}

impl Operation for WorkOnAppliance {
    const NAME: &'static str = "vm_appliance";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let groups = appliance::begin(draft, self.appliance, task, &self.name)?;
        self.groups = groups.into_iter().map(|g| (g.vms, g.delay)).collect();
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(GroupByGroup)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        appliance::end(draft, self.appliance, task);
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        appliance::end(draft, self.appliance, task);
    }

    fn is_cancellable() -> bool {
        true
    }
}

/// Goes through the groups. What was done is done: VMs that are where they should be are left alone, also when another
/// leader goes through them again.
struct GroupByGroup;

impl GroupByGroup {
    async fn one(cx: &Cx<WorkOnAppliance>, vm: Ref) -> Result<(), ApiError> {
        let op = &cx.operation;
        if op.name == "start" {
            let halted = whereabouts(cx, vm).is_some_and(|(state, _)| state == vm_rules::HALTED);
            if halted {
                run_part(cx, "VM.start", StartVm::new(vm, "start", None, op.paused)).await?;
            }
            return Ok(());
        }
        if is_down(cx, vm) {
            return Ok(());
        }
        match op.name.as_str() {
            "clean_shutdown" => {
                let part = CleanShutdown::new(vm, SHUTDOWN_SECONDS);
                run_part(cx, "VM.clean_shutdown", part).await?;
            }
            "hard_shutdown" => {
                run_part(cx, "VM.hard_shutdown", HardShutdown::new(vm)).await?;
            }
            _ => {
                run_part(cx, "VM.shutdown", Shutdown::new(vm)).await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Step<Cx<WorkOnAppliance>> for GroupByGroup {
    fn name(&self) -> &'static str {
        "groups"
    }

    async fn run(&self, cx: &Cx<WorkOnAppliance>) -> Result<(), StepError> {
        let op = &cx.operation;
        let mut failed: Vec<Ref> = Vec::new();
        let count = u32::try_from(op.groups.len()).unwrap_or(u32::MAX);
        for (position, (vms, delay)) in (0u32..).zip(&op.groups) {
            go_on(cx)?;
            let ends = join_all(vms.iter().map(|vm| GroupByGroup::one(cx, *vm))).await;
            for (vm, end) in vms.iter().zip(ends) {
                if let Err(error) = end {
                    if error.code == "HOST_STILL_BOOTING" {
                        return Err(StepError::LeadershipLost);
                    }
                    tracing::info!(%vm, %error, operation = op.name, "a VM of an appliance failed");
                    failed.push(*vm);
                }
            }
            let done = position.saturating_add(1);
            cx.progress(f64::from(done) / f64::from(count.max(1)) * 0.99)
                .await;
            if done < count {
                wait(cx, Duration::from_secs(*delay)).await?;
            }
        }
        if failed.is_empty() {
            return Ok(());
        }
        let params = std::iter::once(op.name.clone()).chain(failed.iter().map(Ref::to_string));
        Err(ApiError::new("OPERATION_PARTIALLY_FAILED", params).into())
    }

    async fn undo(&self, _: &Cx<WorkOnAppliance>) -> Result<(), StepError> {
        Ok(())
    }
}

/// Waits, but not beyond a cancellation.
async fn wait(cx: &Cx<WorkOnAppliance>, time: Duration) -> Result<(), ApiError> {
    let until = tokio::time::Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        tokio::time::sleep(left.min(Duration::from_millis(250))).await;
        go_on(cx)?;
    }
}
