//! Changes to a VM that reach into its guest while it runs: the balloon's target, processors in use.

use proto_types::generated::{vm, vm_metrics};
use proto_types::{ApiError, Bytes, Ref};

use crate::decide::operation;
use crate::decide::vm::{self as settings, MemoryLimits};
use crate::draft::Draft;
use crate::vm_rules;

/// What is to be told to the guest's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveChange<T> {
    /// The host the guest runs on.
    pub host: Ref,
    /// The new value.
    pub value: T,
}

/// Begins a change of memory limits. Says which balloon target the guest's host is to set; nothing if the VM is not
/// running.
///
/// # Errors
/// The static limits need a halted VM, the dynamic ones one that is halted or runs; the limits must be in order.
pub fn begin_memory(
    draft: &mut Draft<'_>,
    reference: Ref,
    task: Ref,
    limits: MemoryLimits,
) -> Result<Option<LiveChange<Bytes>>, ApiError> {
    let row = draft.read(vm::CLASS, reference)?;
    settings::check_memory(draft.db(), &row, limits)?;
    operation::begin(
        draft,
        reference,
        vm::CURRENT_OPERATIONS,
        task,
        "changing_dynamic_range",
    );
    let runs = row.get(vm::POWER_STATE).as_str() == vm_rules::RUNNING;
    let host = row.get(vm::RESIDENT_ON).as_ref();
    Ok((runs && !host.is_null()).then_some(LiveChange {
        host,
        value: Bytes::from_i64(limits.dynamic_max),
    }))
}

/// The limits hold now.
///
/// # Errors
/// `HANDLE_INVALID` if the VM has gone.
pub fn commit_memory(
    draft: &mut Draft<'_>,
    reference: Ref,
    task: Ref,
    limits: MemoryLimits,
) -> Result<(), ApiError> {
    draft.read(vm::CLASS, reference)?;
    end(draft, reference, task);
    settings::write_memory(draft, reference, limits);
    Ok(())
}

/// Begins a change of the number of processors in use.
///
/// # Errors
/// `VM_BAD_POWER_STATE` unless it runs; `INVALID_VALUE [nvcpu, value]` unless `1 <= count <= VCPUs_max`.
pub fn begin_vcpus(
    draft: &mut Draft<'_>,
    reference: Ref,
    task: Ref,
    count: i64,
) -> Result<LiveChange<u32>, ApiError> {
    let row = settings::admitted(draft, reference, "changing_VCPUs_live")?;
    let most = row.get(vm::VCPUS_MAX).as_int();
    let value = u32::try_from(count)
        .ok()
        .filter(|n| *n >= 1 && count <= most)
        .ok_or_else(|| ApiError::new("INVALID_VALUE", ["nvcpu".to_owned(), count.to_string()]))?;
    operation::begin(
        draft,
        reference,
        vm::CURRENT_OPERATIONS,
        task,
        "changing_VCPUs_live",
    );
    Ok(LiveChange {
        host: row.get(vm::RESIDENT_ON).as_ref(),
        value,
    })
}

/// The guest has so many processors now, and will start with as many.
///
/// # Errors
/// `HANDLE_INVALID` if the VM has gone.
pub fn commit_vcpus(draft: &mut Draft<'_>, reference: Ref, task: Ref, count: u32) -> Result<(), ApiError> {
    let row = draft.read(vm::CLASS, reference)?;
    end(draft, reference, task);
    draft.set(reference, vm::VCPUS_AT_STARTUP, i64::from(count));
    draft.set(
        row.get(vm::METRICS).as_ref(),
        vm_metrics::VCPUS_NUMBER,
        i64::from(count),
    );
    Ok(())
}

/// Takes the mark away.
pub fn end(draft: &mut Draft<'_>, reference: Ref, task: Ref) {
    operation::end(draft, reference, vm::CURRENT_OPERATIONS, task);
}
