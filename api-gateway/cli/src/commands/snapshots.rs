//! Snapshots of VMs.

use proto_types::Value;

use super::{Table, disks};
use crate::client::{NULL, Object, text_of};
use crate::context::Context;
use crate::failure::Failure;
use crate::tasks;

/// The commands.
pub const TABLE: Table = &[
    ("snapshot-clone", clone),
    ("snapshot-copy", copy),
    ("snapshot-revert", revert),
    ("snapshot-destroy", destroy),
    ("snapshot-reset-powerstate", reset),
    ("snapshot-disk-list", disk_list),
];

/// The snapshot that `snapshot-uuid` or `uuid` names.
///
/// # Errors
/// When neither is given, or it is no snapshot.
pub fn named(cx: &Context<'_>) -> Result<Object, Failure> {
    let uuid = cx.params.get("snapshot-uuid").or_else(|| cx.params.get("uuid"));
    let uuid = uuid.ok_or_else(|| Failure::cli("Required parameter not found: snapshot-uuid or uuid."))?;
    let snapshot = cx.client.object("VM", &cx.client.by_uuid("VM", uuid)?)?;
    if !snapshot.truth("is_a_snapshot") {
        return Err(Failure::cli(format!(
            "This operation can only be performed on a VM snapshot. {uuid} is not a VM snapshot."
        )));
    }
    Ok(snapshot)
}

fn clone(cx: &mut Context<'_>) -> Result<(), Failure> {
    duplicate(cx, "VM.clone", None)
}

fn copy(cx: &mut Context<'_>) -> Result<(), Failure> {
    let sr = cx
        .named_if_given("SR", "sr-uuid")?
        .unwrap_or_else(|| NULL.to_owned());
    duplicate(cx, "VM.copy", Some(sr))
}

fn duplicate(cx: &mut Context<'_>, message: &str, sr: Option<String>) -> Result<(), Failure> {
    let name = Value::str(cx.params.required("new-name-label")?);
    let snapshot = named(cx)?;
    let mut args = vec![Value::str(&snapshot.reference), name];
    args.extend(sr.map(Value::str));
    let made = text_of(&tasks::run(cx, message, &args)?);
    if let Some(text) = cx.params.get("new-name-description") {
        cx.client
            .call("VM.set_name_description", &[Value::str(&made), Value::str(text)])?;
    }
    cx.print_uuid("VM", &made)
}

fn revert(cx: &mut Context<'_>) -> Result<(), Failure> {
    let snapshot = named(cx)?;
    tasks::run(cx, "VM.revert", &[Value::str(&snapshot.reference)]).map(|_| ())
}

fn destroy(cx: &mut Context<'_>) -> Result<(), Failure> {
    let snapshot = named(cx)?;
    let this = [Value::str(&snapshot.reference)];
    if snapshot.text("power_state") != "Halted" {
        cx.client.call("VM.hard_shutdown", &this)?;
    }
    cx.client.call("VM.destroy", &this).map(|_| ())
}

fn reset(cx: &mut Context<'_>) -> Result<(), Failure> {
    cx.demand_force()?;
    let snapshot = named(cx)?;
    cx.client
        .call("VM.power_state_reset", &[Value::str(&snapshot.reference)])
        .map(|_| ())
}

fn disk_list(cx: &mut Context<'_>) -> Result<(), Failure> {
    let snapshot = named(cx)?;
    disks::list_of(cx, &snapshot, disks::Drive::Disk)
}
