//! Changes to a VM that reach into its guest while it runs: the balloon's target, processors in use.

use proto_types::generated::{vm, vm_metrics};
use proto_types::{ApiError, Bytes, Ref, Value};

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

/// How virtual CPUs share a host's processors, as `VCPUs_params` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// Share against others, 256 being usual.
    pub weight: Option<u32>,
    /// Most time, in hundredths of one processor; 0 is no limit.
    pub cap: Option<u32>,
    /// Processors to run on; empty means all.
    pub mask: Vec<u32>,
}

/// Reads `VCPUs_params`. Keys that mean nothing here are passed over.
///
/// # Errors
/// `INVALID_VALUE [key, value]` for a weight, cap or mask that cannot be read.
pub fn tuning(params: &Value) -> Result<Tuning, ApiError> {
    let bad = |key: &str, value: &str| ApiError::new("INVALID_VALUE", [key, value]);
    let number = |key: &str, least: u32, most: u32| {
        params
            .get(key)
            .map(|text| {
                let read = text.trim().parse().ok().filter(|n| (least..=most).contains(n));
                read.ok_or_else(|| bad(key, text))
            })
            .transpose()
    };
    let mask = params.get("mask").unwrap_or_default();
    let processors = mask.split(',').map(str::trim).filter(|part| !part.is_empty());
    Ok(Tuning {
        weight: number("weight", 1, 65_535)?,
        cap: number("cap", 0, 1_000_000)?,
        mask: processors
            .map(|part| part.parse().map_err(|_| bad("mask", mask)))
            .collect::<Result<_, _>>()?,
    })
}

/// Begins a change of one setting of the processors.
///
/// # Errors
/// `VM_BAD_POWER_STATE` unless it runs; `INVALID_VALUE [key, value]`.
pub fn begin_tuning(
    draft: &mut Draft<'_>,
    reference: Ref,
    task: Ref,
    (key, value): (&str, &str),
) -> Result<LiveChange<Tuning>, ApiError> {
    let row = settings::admitted(draft, reference, "changing_VCPUs_live")?;
    let mut params = row.get(vm::VCPUS_PARAMS).as_map().cloned().unwrap_or_default();
    params.insert(key.into(), value.into());
    let wanted = tuning(&Value::Map(params))?;
    operation::begin(
        draft,
        reference,
        vm::CURRENT_OPERATIONS,
        task,
        "changing_VCPUs_live",
    );
    Ok(LiveChange {
        host: row.get(vm::RESIDENT_ON).as_ref(),
        value: wanted,
    })
}

/// The setting holds now, and at later starts.
///
/// # Errors
/// `HANDLE_INVALID` if the VM has gone.
pub fn commit_tuning(
    draft: &mut Draft<'_>,
    reference: Ref,
    task: Ref,
    (key, value): (&str, &str),
) -> Result<(), ApiError> {
    draft.read(vm::CLASS, reference)?;
    end(draft, reference, task);
    draft.put_key(reference, vm::VCPUS_PARAMS, key, value);
    Ok(())
}

/// Takes the mark away.
pub fn end(draft: &mut Draft<'_>, reference: Ref, task: Ref) {
    operation::end(draft, reference, vm::CURRENT_OPERATIONS, task);
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn shares_of_processors_are_read_or_refused_by_name() {
        let read = |pairs: &[(&str, &str)]| tuning(&Value::string_map(pairs.iter().copied()));
        let found = read(&[("weight", "512"), ("cap", "0"), ("mask", "0, 3"), ("other", "x")]).unwrap();
        assert_eq!(
            (found.weight, found.cap, found.mask),
            (Some(512), Some(0), vec![0, 3])
        );
        assert_eq!(read(&[]).unwrap(), Tuning::default());
        for (key, value) in [("weight", "0"), ("weight", "x"), ("cap", "-1"), ("mask", "0,a")] {
            let refused = read(&[(key, value)]).unwrap_err();
            assert_eq!(refused.description(), ["INVALID_VALUE", key, value]);
        }
    }
}
