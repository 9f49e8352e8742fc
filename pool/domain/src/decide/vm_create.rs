//! Making and removing VM records.

use proto_types::generated::{vif, vm, vm_metrics, vtpm};
use proto_types::{ApiError, DateTime, Field, Ref, Value};

use crate::decide::vm::MemoryLimits;
use crate::decide::{generic, vbd};
use crate::draft::Draft;
use crate::{placement, vm_rules};

/// Makes a VM from a record.
///
/// # Errors
/// `MEMORY_CONSTRAINT_VIOLATION`, `INVALID_VALUE [field, value]`, `INTERNAL_ERROR` for missing members.
pub fn create(draft: &mut Draft<'_>, record: &Value) -> Result<Ref, ApiError> {
    let mut fields = generic::fields_of(vm::CLASS, record)?;
    let given = |field: Field| {
        fields
            .iter()
            .find(|(f, _)| *f == field)
            .map_or(Value::Void, |(_, v)| v.clone())
    };
    let state = given(vm::POWER_STATE);
    let suspended = state.as_str() == vm_rules::SUSPENDED && !given(vm::SUSPEND_VDI).as_ref().is_null();
    if state.as_str() == vm_rules::SUSPENDED {
        if !suspended {
            return Err(ApiError::new("INVALID_VALUE", ["suspend_VDI", "OpaqueRef:NULL"]));
        }
        if given(vm::LAST_BOOTED_RECORD).as_str().is_empty() {
            return Err(ApiError::new("INVALID_VALUE", ["last_booted_record", ""]));
        }
        if given(vm::LAST_BOOT_CPU_FLAGS)
            .as_map()
            .is_none_or(|m| m.is_empty())
        {
            return Err(ApiError::new("INVALID_VALUE", ["last_boot_CPU_flags", "()"]));
        }
    }
    MemoryLimits {
        static_min: given(vm::MEMORY_STATIC_MIN).as_int(),
        static_max: given(vm::MEMORY_STATIC_MAX).as_int(),
        dynamic_min: given(vm::MEMORY_DYNAMIC_MIN).as_int(),
        dynamic_max: given(vm::MEMORY_DYNAMIC_MAX).as_int(),
    }
    .check()?;
    let (most, startup) = (
        given(vm::VCPUS_MAX).as_int(),
        given(vm::VCPUS_AT_STARTUP).as_int(),
    );
    if most < 1 {
        return Err(ApiError::new(
            "INVALID_VALUE",
            ["VCPUs_max".to_owned(), most.to_string()],
        ));
    }
    if startup < 1 || startup > most {
        return Err(ApiError::new(
            "INVALID_VALUE",
            ["VCPUs_at_startup".to_owned(), startup.to_string()],
        ));
    }
    let mut other = given(vm::OTHER_CONFIG).as_map().cloned().unwrap_or_default();
    other
        .entry("mac_seed".into())
        .or_insert_with(|| draft.facts().uuid_text().into());
    let domain_type = match given(vm::DOMAIN_TYPE).as_str() {
        "unspecified" | "" => domain_type(given(vm::HVM_BOOT_POLICY).as_str()),
        _ => "",
    };
    let mut platform = given(vm::PLATFORM).as_map().cloned().unwrap_or_default();
    if domain_type == "hvm" || given(vm::DOMAIN_TYPE).as_str() == "hvm" {
        platform
            .entry("device-model".into())
            .or_insert_with(|| device_model(&given(vm::HVM_BOOT_PARAMS)).into());
    }
    let target = given(vm::MEMORY_DYNAMIC_MAX);
    fields.retain(|(f, _)| *f != vm::OTHER_CONFIG && *f != vm::POWER_STATE && *f != vm::MEMORY_TARGET);
    fields.push((vm::OTHER_CONFIG, Value::Map(other)));
    fields.push((vm::MEMORY_TARGET, target));
    fields.push((
        vm::POWER_STATE,
        if suspended { state } else { vm_rules::HALTED.into() },
    ));
    if !domain_type.is_empty() {
        fields.retain(|(f, _)| *f != vm::DOMAIN_TYPE);
        fields.push((vm::DOMAIN_TYPE, domain_type.into()));
    }
    let metrics = new_metrics(draft, most);
    let computed = [
        vm::METRICS,
        vm::DOMID,
        vm::UUID,
        vm::PLATFORM,
        vm::MEMORY_OVERHEAD,
    ];
    fields.retain(|(f, _)| !computed.contains(f));
    fields.push((vm::PLATFORM, Value::Map(platform)));
    fields.push((vm::MEMORY_OVERHEAD, placement::OVERHEAD_PER_VM.into()));
    fields.push((vm::METRICS, metrics.into()));
    fields.push((vm::DOMID, Value::Int(-1)));
    let reference = draft.insert(vm::CLASS, fields);
    Ok(reference)
}

/// The device model that clients expect to find named.
fn device_model(boot_params: &Value) -> &'static str {
    if boot_params.get("firmware") == Some("uefi") {
        "qemu-upstream-uefi"
    } else {
        "qemu-upstream-compat"
    }
}

/// The domain type that a boot policy stands for.
pub fn domain_type(boot_policy: &str) -> &'static str {
    if boot_policy.is_empty() { "pv" } else { "hvm" }
}

/// Makes the metrics row of a VM.
pub fn new_metrics(draft: &mut Draft<'_>, vcpus: i64) -> Ref {
    draft.insert(
        vm_metrics::CLASS,
        vec![
            (vm_metrics::VCPUS_NUMBER, vcpus.into()),
            (vm_metrics::START_TIME, DateTime::EPOCH.into()),
            (vm_metrics::INSTALL_TIME, DateTime::EPOCH.into()),
            (vm_metrics::LAST_UPDATED, draft.facts().now.into()),
            (vm_metrics::HVM, true.into()),
        ],
    )
}

/// Removes a VM with its drives, interfaces, consoles and metrics; its disks stay.
///
/// # Errors
/// `HANDLE_INVALID`; `VM_CANNOT_DELETE_DEFAULT_TEMPLATE [vm]`; `VM_BAD_POWER_STATE`, and so on.
pub fn destroy(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = draft.read(vm::CLASS, reference)?;
    if row.get(vm::IS_DEFAULT_TEMPLATE).as_bool() {
        return Err(ApiError::new(
            "VM_CANNOT_DELETE_DEFAULT_TEMPLATE",
            [reference.to_string()],
        ));
    }
    vm_rules::check(draft.db(), &row, "destroy")?;
    remove(draft, reference);
    Ok(())
}

/// Removes a VM's rows whatever its state.
pub fn remove(draft: &mut Draft<'_>, reference: Ref) {
    let Some(row) = draft.db().of_class(vm::CLASS, reference).cloned() else {
        return;
    };
    for child in row.get(vm::CHILDREN).as_refs() {
        draft.set(child, vm::PARENT, row.get(vm::PARENT).as_ref());
    }
    for drive in row.get(vm::VBDS).as_refs() {
        vbd::remove_row(draft, drive);
    }
    for module in row.get(vm::VTPMS).as_refs() {
        let contents = draft
            .db()
            .of_class(vtpm::CLASS, module)
            .map_or(Ref::NULL, |v| v.get(vtpm::CONTENTS).as_ref());
        draft.delete(contents);
    }
    for nic in row.get(vm::VIFS).as_refs() {
        let metrics = draft
            .db()
            .of_class(vif::CLASS, nic)
            .map_or(Ref::NULL, |v| v.get(vif::METRICS).as_ref());
        draft.delete(metrics);
    }
    for field in [vm::VIFS, vm::CONSOLES, vm::VGPUS, vm::VUSBS, vm::VTPMS] {
        for part in row.get(field).as_refs() {
            draft.delete(part);
        }
    }
    for blob in row.get(vm::BLOBS).as_map().into_iter().flat_map(|m| m.values()) {
        draft.delete(blob.as_ref());
    }
    super::uefi_mode::forget(draft, row.uuid());
    super::vtpm::forget(draft, row.uuid());
    draft.delete(row.get(vm::METRICS).as_ref());
    draft.delete(row.get(vm::GUEST_METRICS).as_ref());
    draft.delete(reference);
}
