//! Starts the VMs that are to start by themselves after a host has booted.

use pool_domain::decide::host_life;
use proto_types::Ref;

use crate::core::{Ops, own};
use crate::operation::{Call, run};
use crate::vm::start::StartVm;

/// Starts them one after another, in their order. What cannot start is left, and said.
pub async fn start_all(ops: &Ops, master: Ref) {
    for vm in host_life::starts_by_itself(&ops.pool.snapshot()) {
        let call = Call {
            label: "VM.start".to_owned(),
            host: master,
            origin: own("auto_poweron"),
            ..Call::default()
        };
        match run(ops, StartVm::new(vm, "start", None, false), call).await {
            Ok(_) => tracing::info!(%vm, "started by itself"),
            // Another host's boot may have had it started meanwhile.
            Err(error) if error.code == "VM_BAD_POWER_STATE" => {}
            Err(error) => tracing::warn!(%vm, %error, "could not start by itself"),
        }
    }
}
