//! VMs.

use pool_domain::decide::{vbd, vif, vm, vm_create};
use pool_domain::{placement, query, vm_rules};
use pool_ops::vm::checkpoint::Checkpoint;
use pool_ops::vm::clone::CloneVm;
use pool_ops::vm::migrate::Migrate;
use pool_ops::vm::power::{Change, ChangePower};
use pool_ops::vm::provision::Provision;
use pool_ops::vm::revert::Revert;
use pool_ops::vm::snapshot::SnapshotVm;
use pool_ops::vm::start::StartVm;
use pool_ops::vm::stop::{CleanShutdown, HardShutdown, SHUTDOWN_SECONDS};
use pool_ops::vm::suspend::Suspend;
use proto_types::generated::{host, vbd as vbd_class, vif as vif_class, vm as class};
use proto_types::{ApiError, Args, Ref, Value};

use super::{Handler, Scope, Table, Work, job};

/// The messages.
pub const TABLE: Table = &[
    (
        "VM.create",
        Handler::Write(|d, _, args| vm_create::create(d, args.at(0)?).map(Value::from)),
    ),
    (
        "VM.destroy",
        Handler::Write(|d, _, args| vm_create::destroy(d, args.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "VM.clone",
        Handler::Run(|_, a| job(CloneVm::new(a.reference(0)?, a.text(1)?))),
    ),
    (
        // The name of VM.clone before it had one: the copy's name follows from its own.
        "VM.csvm",
        Handler::Run(|db, a| {
            let this = a.reference(0)?;
            let label = query::find(db, class::CLASS, this)?
                .get(class::NAME_LABEL)
                .as_str();
            job(CloneVm::new(this, &format!("{label}-cloned-suspended")))
        }),
    ),
    (
        "VM.copy",
        Handler::Run(|_, a| job(CloneVm::copy(a.reference(0)?, a.text(1)?, a.reference(2)?))),
    ),
    (
        "VM.snapshot",
        Handler::Run(|_, a| {
            let without = a.at(2)?.as_refs();
            job(SnapshotVm::new(a.reference(0)?, a.text(1)?, without))
        }),
    ),
    (
        "VM.checkpoint",
        Handler::Run(|_, a| job(Checkpoint::new(a.reference(0)?, a.text(1)?))),
    ),
    (
        "VM.revert",
        Handler::Run(|_, a| job(Revert::new(a.reference(0)?))),
    ),
    (
        "VM.provision",
        Handler::Run(|_, a| job(Provision::new(a.reference(0)?))),
    ),
    (
        "VM.start",
        Handler::Run(|_, a| job(StartVm::new(a.reference(0)?, "start", None, a.truth(1)?))),
    ),
    (
        "VM.start_on",
        Handler::Run(|_, a| {
            job(StartVm::new(
                a.reference(0)?,
                "start_on",
                Some(a.reference(1)?),
                a.truth(2)?,
            ))
        }),
    ),
    (
        "VM.resume",
        Handler::Run(|_, a| job(StartVm::new(a.reference(0)?, "resume", None, a.truth(1)?))),
    ),
    (
        "VM.resume_on",
        Handler::Run(|_, a| {
            job(StartVm::new(
                a.reference(0)?,
                "resume_on",
                Some(a.reference(1)?),
                a.truth(2)?,
            ))
        }),
    ),
    (
        "VM.pause",
        Handler::Run(|_, a| job(ChangePower::new(a.reference(0)?, Change::Pause))),
    ),
    (
        "VM.unpause",
        Handler::Run(|_, a| job(ChangePower::new(a.reference(0)?, Change::Unpause))),
    ),
    (
        "VM.suspend",
        Handler::Run(|_, a| job(Suspend::new(a.reference(0)?))),
    ),
    (
        "VM.clean_shutdown",
        Handler::Run(|_, a| job(CleanShutdown::new(a.reference(0)?, SHUTDOWN_SECONDS))),
    ),
    ("VM.hard_shutdown", Handler::Run(hard_shutdown)),
    (
        "VM.clean_reboot",
        Handler::Run(|_, a| job(ChangePower::new(a.reference(0)?, Change::CleanReboot))),
    ),
    ("VM.hard_reboot", Handler::Run(hard_reboot)),
    ("VM.pool_migrate", Handler::Run(pool_migrate)),
    ("VM.assert_can_boot_here", Handler::Read(assert_can_boot_here)),
    (
        "VM.get_possible_hosts",
        Handler::Read(|s, a| {
            Ok(Value::refs(placement::possible_hosts(
                s.db,
                query::find(s.db, class::CLASS, a.reference(0)?)?,
            )))
        }),
    ),
    (
        "VM.assert_operation_valid",
        Handler::Read(|s, a| {
            let row = query::find(s.db, class::CLASS, a.reference(0)?)?;
            vm_rules::check(s.db, row, a.text(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "VM.update_allowed_operations",
        Handler::Read(|s, a| query::find(s.db, class::CLASS, a.reference(0)?).map(|_| Value::Void)),
    ),
    ("VM.get_allowed_VBD_devices", Handler::Read(allowed_vbd_devices)),
    ("VM.get_allowed_VIF_devices", Handler::Read(allowed_vif_devices)),
    (
        "VM.set_is_a_template",
        Handler::Write(|d, _, a| {
            vm::set_is_a_template(d, a.reference(0)?, a.truth(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "VM.set_VCPUs_max",
        Handler::Write(|d, _, a| {
            vm::set_vcpus(d, a.reference(0)?, class::VCPUS_MAX, a.int(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "VM.set_VCPUs_at_startup",
        Handler::Write(|d, _, a| {
            vm::set_vcpus(d, a.reference(0)?, class::VCPUS_AT_STARTUP, a.int(1)?).map(|()| Value::Void)
        }),
    ),
];

/// A halted VM is down already.
fn hard_shutdown(db: &pool_domain::Database, args: &Args) -> Result<Work, ApiError> {
    let this = args.reference(0)?;
    let row = query::find(db, class::CLASS, this)?;
    let halted = row.get(class::POWER_STATE).as_str() == vm_rules::HALTED;
    if halted && !row.get(class::IS_A_TEMPLATE).as_bool() {
        return Ok(Work::Nothing(Value::Void));
    }
    job(HardShutdown::new(this))
}

/// A halted VM is started.
fn hard_reboot(db: &pool_domain::Database, args: &Args) -> Result<Work, ApiError> {
    let this = args.reference(0)?;
    let row = query::find(db, class::CLASS, this)?;
    if row.get(class::POWER_STATE).as_str() == vm_rules::HALTED {
        return job(StartVm::new(this, "start", None, false));
    }
    job(ChangePower::new(this, Change::HardReboot))
}

fn pool_migrate(db: &pool_domain::Database, args: &Args) -> Result<Work, ApiError> {
    query::find(db, class::CLASS, args.reference(0)?)?;
    query::find(db, host::CLASS, args.reference(1)?)?;
    let options = args
        .at(2)?
        .as_map()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_str().to_owned()))
        .collect();
    job(Migrate::with_options(
        db,
        args.reference(0)?,
        args.reference(1)?,
        &options,
    )?)
}

fn assert_can_boot_here(scope: &Scope<'_>, args: &Args) -> Result<Value, ApiError> {
    let row = query::find(scope.db, class::CLASS, args.reference(0)?)?;
    let on = query::find(scope.db, host::CLASS, args.reference(1)?)?;
    placement::can_run(scope.db, row, on).map(|()| Value::Void)
}

fn allowed_vbd_devices(scope: &Scope<'_>, args: &Args) -> Result<Value, ApiError> {
    let row = query::find(scope.db, class::CLASS, args.reference(0)?)?;
    let taken = devices(scope, &row.get(class::VBDS).as_refs(), vbd_class::USERDEVICE);
    Ok(vm::free_devices(&taken, vbd::MOST_DEVICES))
}

fn allowed_vif_devices(scope: &Scope<'_>, args: &Args) -> Result<Value, ApiError> {
    let row = query::find(scope.db, class::CLASS, args.reference(0)?)?;
    let taken = devices(scope, &row.get(class::VIFS).as_refs(), vif_class::DEVICE);
    Ok(vm::free_devices(&taken, vif::MOST_DEVICES))
}

fn devices(scope: &Scope<'_>, of: &[Ref], field: proto_types::Field) -> Vec<String> {
    of.iter()
        .filter_map(|r| scope.db.of_class(field.class, *r))
        .map(|row| row.get(field).as_str().to_owned())
        .collect()
}
