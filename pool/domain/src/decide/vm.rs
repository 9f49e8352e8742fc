//! VM settings that need more than a plain write.

use proto_types::generated::{pool, vm, vm_metrics};
use proto_types::{ApiError, Bytes, Field, Ref, Value};

use crate::draft::Draft;
use crate::placement;
use crate::vm_rules;

/// Reads a VM and checks that it admits an operation.
///
/// # Errors
/// `HANDLE_INVALID`, or the operation's first obstacle.
pub fn admitted(
    draft: &mut Draft<'_>,
    reference: Ref,
    operation: &str,
) -> Result<std::sync::Arc<crate::row::Row>, ApiError> {
    let row = draft.read(vm::CLASS, reference)?;
    vm_rules::check(draft.db(), &row, operation)?;
    Ok(row)
}

/// Makes a VM a template or a template a VM.
///
/// # Errors
/// As for the operation `make_into_template`; a control domain is `OPERATION_NOT_ALLOWED`.
pub fn set_is_a_template(draft: &mut Draft<'_>, reference: Ref, template: bool) -> Result<(), ApiError> {
    let row = draft.read(vm::CLASS, reference)?;
    if row.get(vm::IS_A_TEMPLATE).as_bool() == template {
        return Ok(());
    }
    if template {
        vm_rules::check(draft.db(), &row, "make_into_template")?;
        if row.get(vm::HA_RESTART_PRIORITY).as_str() == "restart" && row.get(vm::HA_ALWAYS_RUN).as_bool() {
            return Err(ApiError::new("VM_IS_PROTECTED", [reference.to_string()]));
        }
    } else {
        let metrics = row.get(vm::METRICS).as_ref();
        let now = draft.facts().now;
        draft.set(metrics, vm_metrics::INSTALL_TIME, now);
    }
    draft.set(reference, vm::IS_A_TEMPLATE, template);
    if template {
        // A template is no place for what only a guest has.
        for usb in row.get(vm::VUSBS).as_refs() {
            draft.delete(usb);
        }
        draft.set(reference, vm::GROUPS, Value::Set(Vec::new()));
    } else {
        draft.set(reference, vm::IS_DEFAULT_TEMPLATE, false);
    }
    Ok(())
}

/// The four memory limits of a VM, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryLimits {
    /// Least ever.
    pub static_min: i64,
    /// Most ever.
    pub static_max: i64,
    /// Least now.
    pub dynamic_min: i64,
    /// Most now.
    pub dynamic_max: i64,
}

impl MemoryLimits {
    /// The limits a VM has.
    pub fn of(row: &crate::row::Row) -> MemoryLimits {
        MemoryLimits {
            static_min: row.get(vm::MEMORY_STATIC_MIN).as_int(),
            static_max: row.get(vm::MEMORY_STATIC_MAX).as_int(),
            dynamic_min: row.get(vm::MEMORY_DYNAMIC_MIN).as_int(),
            dynamic_max: row.get(vm::MEMORY_DYNAMIC_MAX).as_int(),
        }
    }

    /// Checks `static_min <= dynamic_min <= dynamic_max <= static_max`.
    ///
    /// # Errors
    /// `MEMORY_CONSTRAINT_VIOLATION [text]`.
    pub fn check(self) -> Result<(), ApiError> {
        let ordered = 0 <= self.static_min
            && self.static_min <= self.dynamic_min
            && self.dynamic_min <= self.dynamic_max
            && self.dynamic_max <= self.static_max;
        if ordered {
            Ok(())
        } else {
            Err(ApiError::new(
                "MEMORY_CONSTRAINT_VIOLATION",
                ["Memory limits must satisfy: static_min <= dynamic_min <= dynamic_max <= static_max"],
            ))
        }
    }
}

/// Says whether a VM may be given these memory limits now.
///
/// # Errors
/// The static limits need a halted VM, the dynamic ones one that is halted or runs; the limits must be in order.
pub fn check_memory(
    db: &crate::Database,
    row: &crate::row::Row,
    limits: MemoryLimits,
) -> Result<(), ApiError> {
    let before = MemoryLimits::of(row);
    let is_static = before.static_min != limits.static_min || before.static_max != limits.static_max;
    let operation = if is_static {
        "changing_static_range"
    } else {
        "changing_dynamic_range"
    };
    vm_rules::check(db, row, operation)?;
    limits.check()
}

/// Writes memory limits that have been checked.
pub fn write_memory(draft: &mut Draft<'_>, reference: Ref, limits: MemoryLimits) {
    draft.update(
        reference,
        vec![
            (vm::MEMORY_STATIC_MIN, limits.static_min.into()),
            (vm::MEMORY_STATIC_MAX, limits.static_max.into()),
            (vm::MEMORY_DYNAMIC_MIN, limits.dynamic_min.into()),
            (vm::MEMORY_DYNAMIC_MAX, limits.dynamic_max.into()),
            (vm::MEMORY_TARGET, limits.dynamic_max.into()),
        ],
    );
}

/// Sets the memory limits of a VM that is not running.
///
/// # Errors
/// As [`check_memory`].
pub fn set_memory(draft: &mut Draft<'_>, reference: Ref, limits: MemoryLimits) -> Result<(), ApiError> {
    let row = draft.read(vm::CLASS, reference)?;
    check_memory(draft.db(), &row, limits)?;
    write_memory(draft, reference, limits);
    Ok(())
}

/// Sets how many vCPUs a halted VM may have (`VCPUs_max`) or begins with (`VCPUs_at_startup`).
///
/// # Errors
/// `INVALID_VALUE [field, value]` unless `1 <= at_startup <= max`; `VM_BAD_POWER_STATE` unless halted.
pub fn set_vcpus(draft: &mut Draft<'_>, reference: Ref, field: Field, count: i64) -> Result<(), ApiError> {
    let row = admitted(draft, reference, "changing_VCPUs")?;
    let (startup, most) = if field == vm::VCPUS_MAX {
        (row.get(vm::VCPUS_AT_STARTUP).as_int(), count)
    } else {
        (count, row.get(vm::VCPUS_MAX).as_int())
    };
    if count < 1 || startup > most {
        return Err(ApiError::new(
            "INVALID_VALUE",
            [field.def().name.to_owned(), count.to_string()],
        ));
    }
    draft.set(reference, field, count);
    Ok(())
}

/// The SR that takes a VM's suspend image, among those `host` can reach.
///
/// # Errors
/// `VM_NO_SUSPEND_SR [vm]`.
pub fn suspend_sr(db: &crate::Database, row: &crate::row::Row, on: Ref) -> Result<Ref, ApiError> {
    use proto_types::generated::host;
    let of_pool = db
        .only(pool::CLASS)
        .map_or(Ref::NULL, |p| p.get(pool::SUSPEND_IMAGE_SR).as_ref());
    let of_host = db
        .of_class(host::CLASS, on)
        .map_or(Ref::NULL, |h| h.get(host::SUSPEND_IMAGE_SR).as_ref());
    let default = db
        .only(pool::CLASS)
        .map_or(Ref::NULL, |p| p.get(pool::DEFAULT_SR).as_ref());
    [row.get(vm::SUSPEND_SR).as_ref(), of_pool, of_host, default]
        .into_iter()
        .find(|sr| !sr.is_null() && placement::has_plugged(db, *sr, on))
        .ok_or_else(|| ApiError::new("VM_NO_SUSPEND_SR", [row.reference.to_string()]))
}

/// The size of a VM's suspend image: its memory and a fourth, and 100 MiB for the state of its devices.
///
/// Source: XenServer reserves about 1.26 times static_max and 100 MiB.
pub fn suspend_size(row: &crate::row::Row) -> Bytes {
    let memory = Bytes::from_i64(row.get(vm::MEMORY_STATIC_MAX).as_int()).get();
    Bytes(
        memory
            .saturating_add(memory / 4)
            .saturating_add(Bytes::mib(100).get()),
    )
}

/// Free device numbers of a VM, lowest first: those of `taken` are left out.
pub fn free_devices(taken: &[String], most: u16) -> Value {
    Value::strings((0..most).map(|n| n.to_string()).filter(|n| !taken.contains(n)))
}
