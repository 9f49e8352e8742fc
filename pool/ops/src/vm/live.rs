//! Changes that reach into a running guest: `set_memory_dynamic_range` and its kin, `set_VCPUs_number_live`.

use std::time::Duration;

use async_trait::async_trait;
use node_commands::{CommandErrorKind, HostCommand};
use node_hypervisor::CpuTuning;
use pool_domain::Draft;
use pool_domain::decide::vm::MemoryLimits;
use pool_domain::decide::vm_live;
use pool_saga::{Step, StepError};
use proto_types::generated::vm;
use proto_types::{ApiError, Bytes, Ref, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::agent_step::{AgentStep, step_error};
use crate::core::uuid_of_host;
use crate::operation::{Cx, Operation, Outputs};

/// Longest wait for a host. A guest is told of its new target; it may take its time to follow.
const WAIT: Duration = Duration::from_secs(30);

/// Sets memory limits of a VM that is halted or runs; a running guest's balloon gets its new target.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetMemory {
    vm: Ref,
    wish: MemoryWish,
    limits: Option<[i64; 4]>,
    vm_uuid: Uuid,
    told: Option<(Uuid, Bytes)>,
    before: Bytes,
}

/// Which limits are to be changed; what is not named stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryWish {
    /// Least ever.
    pub static_min: Option<i64>,
    /// Most ever.
    pub static_max: Option<i64>,
    /// Least now.
    pub dynamic_min: Option<i64>,
    /// Most now.
    pub dynamic_max: Option<i64>,
}

impl MemoryWish {
    fn applied(self, now: MemoryLimits) -> MemoryLimits {
        MemoryLimits {
            static_min: self.static_min.unwrap_or(now.static_min),
            static_max: self.static_max.unwrap_or(now.static_max),
            dynamic_min: self.dynamic_min.unwrap_or(now.dynamic_min),
            dynamic_max: self.dynamic_max.unwrap_or(now.dynamic_max),
        }
    }
}

impl SetMemory {
    /// Of this VM.
    pub fn new(vm: Ref, wish: MemoryWish) -> SetMemory {
        SetMemory {
            vm,
            wish,
            limits: None,
            vm_uuid: Uuid::nil(),
            told: None,
            before: Bytes(0),
        }
    }

    fn limits(&self) -> Result<MemoryLimits, ApiError> {
        let [static_min, static_max, dynamic_min, dynamic_max] = self
            .limits
            .ok_or_else(|| ApiError::internal("the operation has not begun"))?;
        Ok(MemoryLimits {
            static_min,
            static_max,
            dynamic_min,
            dynamic_max,
        })
    }
}

impl Operation for SetMemory {
    const NAME: &'static str = "vm_set_memory";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let row = draft.read(vm::CLASS, self.vm)?;
        let before = MemoryLimits::of(&row);
        let limits = self.wish.applied(before);
        self.limits = Some([
            limits.static_min,
            limits.static_max,
            limits.dynamic_min,
            limits.dynamic_max,
        ]);
        self.before = Bytes::from_i64(before.dynamic_max);
        self.vm_uuid = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", self.vm))?;
        let live = vm_live::begin_memory(draft, self.vm, task, limits)?;
        self.told = live
            .map(|change| Ok::<_, ApiError>((uuid_of_host(draft.db(), change.host)?, change.value)))
            .transpose()?;
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(AgentStep::<SetMemory> {
            name: "set_target",
            ask: |cx| {
                let (host, target) = cx.operation.told?;
                let vm = cx.operation.vm_uuid;
                Some((host, HostCommand::SetMemoryTarget { vm, target }))
            },
            undo: |cx| {
                let (host, _) = cx.operation.told?;
                let (vm, target) = (cx.operation.vm_uuid, cx.operation.before);
                Some((host, HostCommand::SetMemoryTarget { vm, target }))
            },
            wait: WAIT,
        })]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        vm_live::commit_memory(draft, self.vm, task, self.limits()?)?;
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vm_live::end(draft, self.vm, task);
    }
}

/// Sets how many processors a running guest has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetVcpus {
    vm: Ref,
    wanted: i64,
    vm_uuid: Uuid,
    host: Uuid,
    count: u32,
}

impl SetVcpus {
    /// Of this VM.
    pub fn new(vm: Ref, wanted: i64) -> SetVcpus {
        SetVcpus {
            vm,
            wanted,
            vm_uuid: Uuid::nil(),
            host: Uuid::nil(),
            count: 0,
        }
    }
}

impl Operation for SetVcpus {
    const NAME: &'static str = "vm_set_vcpus_live";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let change = vm_live::begin_vcpus(draft, self.vm, task, self.wanted)?;
        let row = draft.read(vm::CLASS, self.vm)?;
        self.vm_uuid = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", self.vm))?;
        self.host = uuid_of_host(draft.db(), change.host)?;
        self.count = change.value;
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(Plug)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        vm_live::commit_vcpus(draft, self.vm, task, self.count)?;
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vm_live::end(draft, self.vm, task);
    }
}

/// Tells the host. A guest that does not give a processor back keeps it: nothing is to be undone.
struct Plug;

#[async_trait]
impl Step<Cx<SetVcpus>> for Plug {
    fn name(&self) -> &'static str {
        "set_vcpus"
    }

    async fn run(&self, cx: &Cx<SetVcpus>) -> Result<(), StepError> {
        let op = &cx.operation;
        let command = HostCommand::SetVcpus {
            vm: op.vm_uuid,
            count: op.count,
        };
        let id = cx.command_id(self.name());
        match cx.ops.agents.call(op.host, id, command, WAIT).await {
            Ok(_) => Ok(()),
            // What the hypervisor or the guest refuses is the client's business, not a fault of ours.
            Err(failure) if matches!(failure.kind, Some(CommandErrorKind::Hypervisor(_))) => {
                Err(ApiError::new("OPERATION_NOT_ALLOWED", [failure.text]).into())
            }
            Err(failure) => Err(step_error(failure)),
        }
    }

    async fn undo(&self, _: &Cx<SetVcpus>) -> Result<(), StepError> {
        Ok(())
    }
}

/// Changes how a running guest's processors share those of its host: `add_to_VCPUs_params_live`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TuneVcpus {
    vm: Ref,
    key: String,
    value: String,
    vm_uuid: Uuid,
    host: Uuid,
    tuning: CpuTuning,
}

impl TuneVcpus {
    /// Of this VM, one setting.
    pub fn new(vm: Ref, key: &str, value: &str) -> TuneVcpus {
        TuneVcpus {
            vm,
            key: key.to_owned(),
            value: value.to_owned(),
            vm_uuid: Uuid::nil(),
            host: Uuid::nil(),
            tuning: CpuTuning::default(),
        }
    }
}

impl Operation for TuneVcpus {
    const NAME: &'static str = "vm_tune_vcpus_live";

    fn begin(&mut self, draft: &mut Draft<'_>, task: Ref) -> Result<(), ApiError> {
        let change = vm_live::begin_tuning(draft, self.vm, task, (&self.key, &self.value))?;
        let row = draft.read(vm::CLASS, self.vm)?;
        self.vm_uuid = Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("VM", self.vm))?;
        self.host = uuid_of_host(draft.db(), change.host)?;
        self.tuning = CpuTuning {
            weight: change.value.weight,
            cap: change.value.cap,
            mask: change.value.mask,
        };
        Ok(())
    }

    fn steps() -> Vec<Box<dyn Step<Cx<Self>>>> {
        vec![Box::new(Tune)]
    }

    fn commit(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) -> Result<Value, ApiError> {
        vm_live::commit_tuning(draft, self.vm, task, (&self.key, &self.value))?;
        Ok(Value::Void)
    }

    fn abort(&self, draft: &mut Draft<'_>, task: Ref, _: &Outputs) {
        vm_live::end(draft, self.vm, task);
    }
}

/// Tells the host. Shares that hold although they are written nowhere last until the guest ends.
struct Tune;

#[async_trait]
impl Step<Cx<TuneVcpus>> for Tune {
    fn name(&self) -> &'static str {
        "set_cpu_tuning"
    }

    async fn run(&self, cx: &Cx<TuneVcpus>) -> Result<(), StepError> {
        let op = &cx.operation;
        let command = HostCommand::SetCpuTuning {
            vm: op.vm_uuid,
            tuning: op.tuning.clone(),
        };
        let id = cx.command_id(self.name());
        match cx.ops.agents.call(op.host, id, command, WAIT).await {
            Ok(_) => Ok(()),
            Err(failure) if matches!(failure.kind, Some(CommandErrorKind::Hypervisor(_))) => {
                Err(ApiError::new("OPERATION_NOT_ALLOWED", [failure.text]).into())
            }
            Err(failure) => Err(step_error(failure)),
        }
    }

    async fn undo(&self, _: &Cx<TuneVcpus>) -> Result<(), StepError> {
        Ok(())
    }
}
