//! Changes of power state: how each begins, and what the rows say when it has ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto_types::generated::{console, host, tarn_saga, vbd, vdi, vif, vm, vm_metrics};
use proto_types::{ApiError, Ref, Value};

use crate::database::Database;
use crate::decide::{boot_record, guest, ha, message, operation, usb, vdi as disks, vtpm};
use crate::draft::Draft;
use crate::placement;
use crate::row::Row;
use crate::vm_rules;

/// A VM operation in progress: which VM, by which task, under which operation name.
#[derive(Clone, Debug)]
pub struct VmOperation<'a> {
    /// The VM.
    pub vm: Ref,
    /// The task that runs it.
    pub task: Ref,
    /// Name in `vm_operations`.
    pub name: &'a str,
}

/// Begins an operation on a VM that stays where it is.
///
/// # Errors
/// `HANDLE_INVALID`, or the operation's first obstacle.
pub fn begin(draft: &mut Draft<'_>, op: &VmOperation<'_>) -> Result<(), ApiError> {
    let row = super::vm::admitted(draft, op.vm, op.name)?;
    if matches!(op.name, "suspend" | "checkpoint") {
        disks::check_not_blocked(draft, &row)?;
    }
    operation::begin(draft, op.vm, vm::CURRENT_OPERATIONS, op.task, op.name);
    Ok(())
}

/// Begins a start or resume: chooses the host (or checks the wanted one) and sets memory aside there.
///
/// # Errors
/// As [`begin`]; `NO_HOSTS_AVAILABLE`, or the reason why the wanted host cannot; `VDI_IN_USE [vdi]` if a disk
/// is open for writing elsewhere.
pub fn begin_on_host(
    draft: &mut Draft<'_>,
    op: &VmOperation<'_>,
    wanted: Option<Ref>,
) -> Result<Ref, ApiError> {
    let row = super::vm::admitted(draft, op.vm, op.name)?;
    let chosen = match wanted {
        Some(host_ref) => {
            let host_row = draft.read(host::CLASS, host_ref)?;
            placement::can_run(draft.db(), &row, &host_row)?;
            host_ref
        }
        None => placement::choose(draft.db(), &row)?,
    };
    let drives = row.get(vm::VBDS).as_refs();
    disks::check_at_rest(draft, &drives)?;
    for reference in drives {
        let Some(disk) = draft.db().of_class(vbd::CLASS, reference).cloned() else {
            continue;
        };
        disks::check_sharing(draft.db(), &disk)?;
        draft.set(reference, vbd::RESERVED, true);
        let image = disk.get(vbd::VDI).as_ref();
        if !image.is_null() {
            // Two VMs that start at once with one disk: the second must see the first's claim.
            draft.note(image);
            draft.touch(image);
        }
    }
    if !op.name.starts_with("resume") {
        // What is resumed has what it had when it was suspended: none.
        usb::set_aside(draft, &row, chosen)?;
    }
    operation::begin(draft, op.vm, vm::CURRENT_OPERATIONS, op.task, op.name);
    let on_host = if op.name.starts_with("resume") {
        "vm_resume"
    } else {
        "vm_start"
    };
    operation::begin(draft, chosen, host::CURRENT_OPERATIONS, op.task, on_host);
    draft.set(op.vm, vm::SCHEDULED_TO_BE_RESIDENT_ON, chosen);
    if !ha::is_protected(&row) {
        // A VM that must run has its room set aside already.
        ha::guard_start(draft, &row)?;
    }
    Ok(chosen)
}

/// Says whether an operation still has its VM.
///
/// # Errors
/// `OPERATION_NOT_ALLOWED` once somebody has said that the VM is down (`host.declare_dead`, `VM.power_state_reset`): what
/// the operation comes to changes nothing of it any more.
pub fn check_held(draft: &Draft<'_>, op: &VmOperation<'_>) -> Result<(), ApiError> {
    if operation::is_noted(draft, op.vm, vm::CURRENT_OPERATIONS, op.task) {
        Ok(())
    } else {
        let text = "The VM was said to be down while the operation was at work on it";
        Err(ApiError::new("OPERATION_NOT_ALLOWED", [text]))
    }
}

/// Takes an operation's marks away. The VM, if the operation still had it.
fn end_marks(draft: &mut Draft<'_>, op: &VmOperation<'_>, on: Option<Ref>) -> Option<Arc<Row>> {
    let held = check_held(draft, op).is_ok();
    operation::end(draft, op.vm, vm::CURRENT_OPERATIONS, op.task);
    if let Some(on) = on {
        operation::end(draft, on, host::CURRENT_OPERATIONS, op.task);
    }
    draft.db().of_class(vm::CLASS, op.vm).filter(|_| held).cloned()
}

/// Takes back what [`begin`] and [`begin_on_host`] wrote; the VM is as it was.
pub fn abort(draft: &mut Draft<'_>, op: &VmOperation<'_>, on: Option<Ref>) {
    let Some(row) = end_marks(draft, op, on) else {
        return;
    };
    draft.set(op.vm, vm::SCHEDULED_TO_BE_RESIDENT_ON, Ref::NULL);
    for reference in row.get(vm::VBDS).as_refs() {
        draft.set(reference, vbd::RESERVED, false);
    }
    usb::give_back(draft, &row);
}

/// The VM runs on a host now (or stands paused there).
pub fn commit_live(draft: &mut Draft<'_>, op: &VmOperation<'_>, on: Ref, paused: bool) {
    let Some(row) = end_marks(draft, op, Some(on)) else {
        return;
    };
    let fresh_boot = row.get(vm::POWER_STATE).as_str() == vm_rules::HALTED;
    let now = draft.facts().now;
    let state = if paused {
        vm_rules::PAUSED
    } else {
        vm_rules::RUNNING
    };
    let fields = vec![
        (vm::POWER_STATE, state.into()),
        (vm::RESIDENT_ON, on.into()),
        (vm::SCHEDULED_TO_BE_RESIDENT_ON, Ref::NULL.into()),
        (vm::SUSPEND_VDI, Ref::NULL.into()),
        (vm::DOMID, Value::Int(next_domid(draft, on))),
    ];
    draft.update(op.vm, fields);
    ha::runs(draft, &row);
    if fresh_boot {
        let metrics = row.get(vm::METRICS).as_ref();
        draft.update(
            metrics,
            vec![
                (vm_metrics::START_TIME, now.into()),
                (vm_metrics::VCPUS_NUMBER, row.get(vm::VCPUS_AT_STARTUP).clone()),
            ],
        );
        draft.set(op.vm, vm::LAST_BOOTED_RECORD, boot_record::take(&row));
        guest::forget(draft, op.vm);
    }
    for reference in row.get(vm::VBDS).as_refs() {
        let Some(disk) = draft.db().of_class(vbd::CLASS, reference).cloned() else {
            continue;
        };
        let device = disks::device_name(disk.get(vbd::USERDEVICE).as_str());
        draft.update(
            reference,
            vec![
                (vbd::CURRENTLY_ATTACHED, true.into()),
                (vbd::RESERVED, false.into()),
                (vbd::DEVICE, device.into()),
            ],
        );
    }
    for reference in row.get(vm::VIFS).as_refs() {
        draft.set(reference, vif::CURRENTLY_ATTACHED, true);
    }
    usb::given(draft, &row);
    make_consoles(draft, op.vm, on);
    let place = message::host_in_words(draft.db(), on);
    if fresh_boot {
        message::about_vm(draft, op.vm, "VM_STARTED", &format!("started on host: {place}"));
    } else {
        message::about_vm(draft, op.vm, "VM_RESUMED", &format!("resumed on host: {place}"));
    }
}

/// A number that no VM on the host has had lately; domain ids mean nothing to QEMU but clients look at them.
fn next_domid(draft: &Draft<'_>, on: Ref) -> i64 {
    let highest = draft
        .db()
        .rows(vm::CLASS)
        .filter(|v| v.get(vm::RESIDENT_ON).as_ref() == on)
        .map(|v| v.get(vm::DOMID).as_int())
        .max()
        .unwrap_or(0);
    highest.max(0).saturating_add(1)
}

/// Gives a live VM its console rows on a host; those of another host go.
pub fn make_consoles(draft: &mut Draft<'_>, reference: Ref, on: Ref) {
    remove_consoles(draft, reference);
    let address = super::session::address_of(draft.db(), on);
    let Some(row) = draft.db().of_class(vm::CLASS, reference).cloned() else {
        return;
    };
    let protocols: &[&str] = if vm_rules::has_screen(&row) {
        &["rfb", "vt100"]
    } else {
        &["vt100"]
    };
    for protocol in protocols {
        let uuid = draft.facts().uuid_text();
        let location = format!("https://{}/console?uuid={uuid}", bracketed(&address));
        draft.insert(
            console::CLASS,
            vec![
                (console::UUID, uuid.into()),
                (console::PROTOCOL, (*protocol).into()),
                (console::LOCATION, location.into()),
                (console::VM, reference.into()),
            ],
        );
    }
}

/// IPv6 addresses go in brackets within a URL.
fn bracketed(address: &str) -> String {
    if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    }
}

fn remove_consoles(draft: &mut Draft<'_>, reference: Ref) {
    let rows = draft
        .db()
        .of_class(vm::CLASS, reference)
        .map(|v| v.get(vm::CONSOLES).as_refs())
        .unwrap_or_default();
    for row in rows {
        draft.delete(row);
    }
}

/// The VM is frozen or goes on, where it is.
pub fn commit_paused(draft: &mut Draft<'_>, op: &VmOperation<'_>, paused: bool) {
    let Some(row) = end_marks(draft, op, None) else {
        return;
    };
    let state = if paused {
        vm_rules::PAUSED
    } else {
        vm_rules::RUNNING
    };
    draft.set(op.vm, vm::POWER_STATE, state);
    let on = row.get(vm::RESIDENT_ON).as_ref();
    let place = message::host_in_words(draft.db(), on);
    let (name, what) = match op.name {
        "pause" => ("VM_PAUSED", "paused"),
        "unpause" => ("VM_UNPAUSED", "unpaused"),
        "hard_reboot" => ("VM_REBOOTED", "rebooted forcibly"),
        _ => ("VM_REBOOTED", "rebooted cleanly"),
    };
    message::about_vm(draft, op.vm, name, &format!("{what} on host: {place}"));
}

/// The VM has been shut down by the operation.
pub fn commit_shutdown(draft: &mut Draft<'_>, op: &VmOperation<'_>, forced: Forced) {
    if check_held(draft, op).is_err() {
        return;
    }
    abort(draft, op, None);
    halted(draft, op.vm);
    let what = match forced {
        Forced::No => "shutdown cleanly",
        Forced::Yes => "shutdown forcibly",
    };
    message::about_vm(draft, op.vm, "VM_SHUTDOWN", what);
}

/// Whether a guest was asked to go down or just ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forced {
    /// It went down by itself.
    No,
    /// It was ended.
    Yes,
}

/// The VM no longer runs anywhere: every device is detached, its place is free.
///
/// Also what a guest's own power-off, a crash, or the loss of its host comes to. Idempotent.
pub fn halted(draft: &mut Draft<'_>, reference: Ref) {
    let Some(row) = draft.db().of_class(vm::CLASS, reference).cloned() else {
        return;
    };
    vtpm::ended(draft, &row);
    detach_all(draft, &row);
    remove_consoles(draft, reference);
    guest::silent(draft, reference);
    let image = row.get(vm::SUSPEND_VDI).as_ref();
    draft.update(
        reference,
        vec![
            (vm::POWER_STATE, vm_rules::HALTED.into()),
            (vm::RESIDENT_ON, Ref::NULL.into()),
            (vm::SCHEDULED_TO_BE_RESIDENT_ON, Ref::NULL.into()),
            (vm::DOMID, Value::Int(-1)),
            (vm::REQUIRES_REBOOT, false.into()),
            (vm::HA_ALWAYS_RUN, false.into()),
            (vm::SUSPEND_VDI, Ref::NULL.into()),
        ],
    );
    if draft.db().of_class(vdi::CLASS, image).is_some() {
        draft.delete(image);
    }
}

/// Somebody's word that a VM is down. Whatever is at work on it has lost it, but for a migration: its guest may live on
/// the destination, so that nobody may start it before that has come to its end.
pub(super) fn given_up(draft: &mut Draft<'_>, reference: Ref) {
    let Some(row) = draft.db().of_class(vm::CLASS, reference).cloned() else {
        return;
    };
    draft.note(reference);
    let moving: BTreeMap<Value, Value> = row
        .get(vm::CURRENT_OPERATIONS)
        .as_map()
        .into_iter()
        .flatten()
        .filter(|(task, name)| name.as_str() == MIGRATION && is_driven(draft.db(), task.as_str()))
        .map(|(task, name)| (task.clone(), name.clone()))
        .collect();
    let goes_to = row.get(vm::SCHEDULED_TO_BE_RESIDENT_ON).as_ref();
    let moves = !moving.is_empty();
    draft.set(reference, vm::CURRENT_OPERATIONS, Value::Map(moving));
    halted(draft, reference);
    if moves {
        draft.set(reference, vm::SCHEDULED_TO_BE_RESIDENT_ON, goes_to);
    }
}

/// The name of a migration among a VM's operations.
const MIGRATION: &str = "pool_migrate";

/// Whether there is a saga that will end an operation.
fn is_driven(db: &Database, task: &str) -> bool {
    db.rows(tarn_saga::CLASS)
        .any(|saga| saga.get(tarn_saga::TASK).as_ref().to_string() == task)
}

/// The VM's memory lies in `image` now.
pub fn commit_suspended(draft: &mut Draft<'_>, op: &VmOperation<'_>, image: Ref) {
    let Some(row) = end_marks(draft, op, None) else {
        return;
    };
    detach_all(draft, &row);
    remove_consoles(draft, op.vm);
    draft.update(
        op.vm,
        vec![
            (vm::POWER_STATE, vm_rules::SUSPENDED.into()),
            (vm::RESIDENT_ON, Ref::NULL.into()),
            (vm::DOMID, Value::Int(-1)),
            (vm::SUSPEND_VDI, image.into()),
            (vm::HA_ALWAYS_RUN, false.into()),
        ],
    );
    let place = message::host_in_words(draft.db(), row.get(vm::RESIDENT_ON).as_ref());
    message::about_vm(
        draft,
        op.vm,
        "VM_SUSPENDED",
        &format!("suspended on host: {place}"),
    );
}

fn detach_all(draft: &mut Draft<'_>, row: &Row) {
    for reference in row.get(vm::VBDS).as_refs() {
        draft.update(
            reference,
            vec![
                (vbd::CURRENTLY_ATTACHED, false.into()),
                (vbd::RESERVED, false.into()),
                (vbd::CURRENT_OPERATIONS, Value::empty_map()),
            ],
        );
    }
    for reference in row.get(vm::VIFS).as_refs() {
        draft.update(
            reference,
            vec![
                (vif::CURRENTLY_ATTACHED, false.into()),
                (vif::CURRENT_OPERATIONS, Value::empty_map()),
            ],
        );
    }
    usb::give_back(draft, row);
}

/// Begins a migration: checks the VM and the target, and sets memory aside there.
///
/// # Errors
/// The operation's first obstacle; why the target cannot take the VM.
pub fn begin_migration(draft: &mut Draft<'_>, op: &VmOperation<'_>, target: Ref) -> Result<Ref, ApiError> {
    let row = super::vm::admitted(draft, op.vm, op.name)?;
    let host_row = draft.read(host::CLASS, target)?;
    disks::check_not_blocked(draft, &row)?;
    let source = row.get(vm::RESIDENT_ON).as_ref();
    if source != target {
        placement::can_run(draft.db(), &row, &host_row)?;
    }
    operation::begin(draft, op.vm, vm::CURRENT_OPERATIONS, op.task, op.name);
    operation::begin(draft, target, host::CURRENT_OPERATIONS, op.task, "vm_migrate");
    draft.set(op.vm, vm::SCHEDULED_TO_BE_RESIDENT_ON, target);
    Ok(source)
}

/// The hosts of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Where the guest was when it began.
    pub source: Ref,
    /// Where it goes.
    pub target: Ref,
}

/// The switch-over: from this entry on the VM is the target's. Nothing happens if it is already.
///
/// # Errors
/// `HANDLE_INVALID`; `OPERATION_NOT_ALLOWED` if the VM is a third host's by now, where it may run.
pub fn switch_over(draft: &mut Draft<'_>, vm_ref: Ref, way: Way) -> Result<(), ApiError> {
    let row = draft.read(vm::CLASS, vm_ref)?;
    let Way { source, target } = way;
    let home = row.get(vm::RESIDENT_ON).as_ref();
    if home == target {
        return Ok(());
    }
    // Given up with the source, which was said to be dead, and started nowhere since: a migration's mark keeps it.
    let is_given_up = home.is_null() && row.get(vm::POWER_STATE).as_str() == vm_rules::HALTED;
    if home != source && !is_given_up {
        let text = "The VM is neither on the migration's source nor on its destination";
        return Err(ApiError::new("OPERATION_NOT_ALLOWED", [text]));
    }
    let (from, to) = (
        message::host_in_words(draft.db(), source),
        message::host_in_words(draft.db(), target),
    );
    message::about_vm(
        draft,
        vm_ref,
        "VM_MIGRATED",
        &format!("migrated from host: {from} to host: {to}"),
    );
    let domid = next_domid(draft, target);
    let mut fields = vec![
        (vm::RESIDENT_ON, target.into()),
        (vm::SCHEDULED_TO_BE_RESIDENT_ON, Ref::NULL.into()),
        (vm::DOMID, Value::Int(domid)),
    ];
    if row.get(vm::POWER_STATE).as_str() == vm_rules::HALTED {
        // Its host was declared dead while the guest was on its way: it lives, and must not be started elsewhere.
        fields.push((vm::POWER_STATE, vm_rules::RUNNING.into()));
    }
    draft.update(vm_ref, fields);
    draft.touch(row.get(vm::METRICS).as_ref());
    make_consoles(draft, vm_ref, target);
    Ok(())
}

/// Ends a migration that has switched over.
///
/// # Errors
/// As [`switch_over`]; the migration's marks are gone then all the same.
pub fn commit_migration(draft: &mut Draft<'_>, op: &VmOperation<'_>, way: Way) -> Result<(), ApiError> {
    end_marks(draft, op, Some(way.target));
    switch_over(draft, op.vm, way)
}

/// Takes back what [`begin_migration`] wrote.
pub fn abort_migration(draft: &mut Draft<'_>, op: &VmOperation<'_>, target: Ref) {
    if end_marks(draft, op, Some(target)).is_some() {
        draft.set(op.vm, vm::SCHEDULED_TO_BE_RESIDENT_ON, Ref::NULL);
    }
}

/// What became of a VM whose domain its host reports as gone, by the VM's own wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestEnd {
    /// It stays down.
    Halt,
    /// It is to be started again.
    Restart,
}

/// What the VM's settings say should follow a guest-initiated end.
pub fn after(row: &Row, crashed: bool) -> GuestEnd {
    let wish = row
        .get(if crashed {
            vm::ACTIONS_AFTER_CRASH
        } else {
            vm::ACTIONS_AFTER_SHUTDOWN
        })
        .as_str();
    match wish {
        "restart" | "coredump_and_restart" | "rename_restart" => GuestEnd::Restart,
        _ => GuestEnd::Halt,
    }
}
