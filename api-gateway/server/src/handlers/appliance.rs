//! Appliances: VMs that start and stop together.

use pool_domain::decide::{appliance, generic};
use pool_ops::appliance::WorkOnAppliance;
use proto_types::Value;
use proto_types::generated::vm_appliance as class;

use super::{Handler, Table, job};

/// The messages.
pub const TABLE: Table = &[
    (
        "VM_appliance.create",
        Handler::Write(|d, _, a| generic::create(d, class::CLASS, a.at(0)?).map(Value::from)),
    ),
    (
        "VM_appliance.destroy",
        Handler::Write(|d, _, a| appliance::destroy(d, a.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "VM_appliance.start",
        Handler::Run(|_, a| job(WorkOnAppliance::new(a.reference(0)?, "start", a.truth(1)?))),
    ),
    (
        "VM_appliance.clean_shutdown",
        Handler::Run(|_, a| job(WorkOnAppliance::new(a.reference(0)?, "clean_shutdown", false))),
    ),
    (
        "VM_appliance.hard_shutdown",
        Handler::Run(|_, a| job(WorkOnAppliance::new(a.reference(0)?, "hard_shutdown", false))),
    ),
    (
        "VM_appliance.shutdown",
        Handler::Run(|_, a| job(WorkOnAppliance::new(a.reference(0)?, "shutdown", false))),
    ),
];
