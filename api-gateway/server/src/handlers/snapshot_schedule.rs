//! Schedules of snapshots.

use pool_domain::decide::{generic, snapshot_schedule};
use pool_ops::vm::scheduled::TakeScheduled;
use proto_types::Value;
use proto_types::generated::vmss as class;

use super::{Handler, Table, job};

/// The messages.
pub const TABLE: Table = &[
    (
        "VMSS.create",
        Handler::Write(|d, _, a| snapshot_schedule::create(d, a.at(0)?).map(Value::from)),
    ),
    (
        "VMSS.destroy",
        Handler::Write(|d, _, a| snapshot_schedule::destroy(d, a.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "VMSS.set_frequency",
        Handler::Write(|d, _, a| {
            snapshot_schedule::set_frequency(d, a.reference(0)?, a.text(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "VMSS.set_schedule",
        Handler::Write(|d, _, a| {
            snapshot_schedule::set_schedule(d, a.reference(0)?, a.at(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "VMSS.add_to_schedule",
        Handler::Write(|d, _, a| {
            snapshot_schedule::set_key(d, a.reference(0)?, a.text(1)?, Some(a.text(2)?)).map(|()| Value::Void)
        }),
    ),
    (
        "VMSS.remove_from_schedule",
        Handler::Write(|d, _, a| {
            snapshot_schedule::set_key(d, a.reference(0)?, a.text(1)?, None).map(|()| Value::Void)
        }),
    ),
    (
        "VMSS.set_retained_snapshots",
        Handler::Write(|d, _, a| {
            snapshot_schedule::set_retained(d, a.reference(0)?, a.int(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "VMSS.set_type",
        Handler::Write(|d, _, a| {
            snapshot_schedule::set_type(d, a.reference(0)?, a.text(1)?).map(|()| Value::Void)
        }),
    ),
    (
        "VMSS.set_last_run_time",
        Handler::Write(|d, _, a| {
            let (field, value) = (class::LAST_RUN_TIME, a.at(1)?.clone());
            generic::set(d, class::CLASS, field.index, a.reference(0)?, value).map(|()| Value::Void)
        }),
    ),
    (
        "VMSS.snapshot_now",
        Handler::Run(|_, a| job(TakeScheduled::now(a.reference(0)?))),
    ),
    (
        "VM.set_snapshot_schedule",
        Handler::Write(|d, _, a| {
            snapshot_schedule::assign(d, a.reference(0)?, a.reference(1)?).map(|()| Value::Void)
        }),
    ),
];
