//! Domains that the pool did not start.

use node_hypervisor::{DeviceNumbers, Domain, HypervisorError, Result};
use uuid::Uuid;

use crate::domain::SimDomain;
use crate::host::Shared;

/// Makes one the pool's.
pub(crate) fn adopt(shared: &Shared, vm: Uuid, operation: &str, numbers: &DeviceNumbers) -> Result<Domain> {
    let mut state = shared.state();
    if let Some(there) = state.domains.get(&vm) {
        if there.carried.spec.operation == operation {
            return Ok(there.overview());
        }
        return Err(HypervisorError::AlreadyExists {
            vm,
            by: Some(there.carried.spec.operation.clone()),
        });
    }
    let taken = state
        .foreign
        .remove(&vm)
        .ok_or(HypervisorError::NoSuchDomain { vm })?;
    let id = state.next_id();
    let domain = SimDomain::boot(id, &taken.spec(operation, numbers), taken.state);
    let overview = domain.overview();
    state.domains.insert(vm, domain);
    Ok(overview)
}

/// What would start one again: these are their own definition.
pub(crate) fn definition(shared: &Shared, vm: Uuid) -> Option<String> {
    serde_json::to_string(shared.state().foreign.get(&vm)?).ok()
}

/// Gives one back as it was defined.
pub(crate) fn disown(shared: &Shared, vm: Uuid, definition: Option<&str>) -> Result<()> {
    let mut state = shared.state();
    let Some(text) = definition.filter(|_| state.domains.contains_key(&vm)) else {
        return Ok(());
    };
    let was = serde_json::from_str(text).map_err(|source| HypervisorError::Failed {
        operation: "disown",
        source: source.into(),
    })?;
    state.domains.remove(&vm);
    state.foreign.insert(vm, was);
    Ok(())
}
