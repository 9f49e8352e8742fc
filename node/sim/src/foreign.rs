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
    state.adopted.insert(vm, taken);
    state.domains.insert(vm, domain);
    Ok(overview)
}

/// Gives one back.
pub(crate) fn disown(shared: &Shared, vm: Uuid) {
    let mut state = shared.state();
    if let Some(was) = state.adopted.remove(&vm)
        && state.domains.remove(&vm).is_some()
    {
        state.foreign.insert(vm, was);
    }
}
