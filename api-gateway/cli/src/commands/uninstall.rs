//! Removing VMs, templates and snapshots together with the disks that are theirs alone.

use proto_types::Value;

use super::Table;
use super::snapshots;
use crate::client::{NULL, Object};
use crate::context::Context;
use crate::failure::Failure;
use crate::select::{self, Also, Several, What};

/// The commands.
pub const TABLE: Table = &[
    ("vm-uninstall", vms),
    ("template-uninstall", template),
    ("snapshot-uninstall", snapshot),
];

/// The key of `VBD.other_config` that says: the disk goes with the VM.
const OWNER: &str = "owner";

/// A VM that is to go and what goes with it.
struct Doomed {
    vm: Object,
    disks: Vec<Object>,
    memory: Option<Object>,
}

fn vms(cx: &mut Context<'_>) -> Result<(), Failure> {
    let what = What::Vms(Also::Nothing);
    let mut all = select::each(cx, what, Several::IfTold, &[], |_, vm| Ok(vm.clone()))?;
    let snapshots: Vec<String> = all.iter().flat_map(|vm| vm.texts("snapshots")).collect();
    for snapshot in snapshots {
        all.push(cx.client.object("VM", &snapshot)?);
    }
    remove(cx, all)
}

fn template(cx: &mut Context<'_>) -> Result<(), Failure> {
    let uuid = cx.params.required("template-uuid")?;
    let template = cx.client.object("VM", &cx.client.by_uuid("VM", uuid)?)?;
    if !template.truth("is_a_template") {
        return Err(Failure::cli(format!(
            "This operation can only be performed on a VM template. {uuid} is not a VM template."
        )));
    }
    remove(cx, vec![template])
}

fn snapshot(cx: &mut Context<'_>) -> Result<(), Failure> {
    let snapshot = snapshots::named(cx)?;
    remove(cx, vec![snapshot])
}

fn remove(cx: &mut Context<'_>, vms: Vec<Object>) -> Result<(), Failure> {
    let mut doomed = Vec::new();
    for vm in vms {
        doomed.push(found(cx, vm)?);
    }
    cx.out.line("The following items are about to be destroyed");
    for each in &doomed {
        let vm = &each.vm;
        cx.out
            .line(&format!("VM : {} ({})", vm.text("uuid"), vm.text("name_label")));
        for disk in each.disks.iter().chain(&each.memory) {
            let shared = disk.texts("VBDs").len() > 1;
            let warning = if shared {
                " ** WARNING: disk is shared by other VMs"
            } else {
                ""
            };
            cx.out.line(&format!(
                "VDI: {} ({}) {warning}",
                disk.text("uuid"),
                disk.text("name_label")
            ));
        }
    }
    if cx.params.truth("force")? || cx.user_says_yes() {
        for each in &doomed {
            destroy(cx, each)?;
        }
        cx.out.line("All objects destroyed");
    }
    Ok(())
}

fn found(cx: &Context<'_>, vm: Object) -> Result<Doomed, Failure> {
    let mut disks = Vec::new();
    for vbd in vm.texts("VBDs") {
        let Some(vbd) = there(cx.client.object("VBD", &vbd))? else {
            continue;
        };
        let owned = vbd.map("other_config").iter().any(|(key, _)| key == OWNER);
        if owned && vbd.text("VDI") != NULL {
            disks.extend(there(cx.client.object("VDI", vbd.text("VDI")))?);
        }
    }
    let memory = match vm.text("suspend_VDI") {
        "" | NULL => None,
        vdi => there(cx.client.object("VDI", vdi))?,
    };
    Ok(Doomed { vm, disks, memory })
}

/// An object that may have gone in the meantime.
fn there(object: Result<Object, Failure>) -> Result<Option<Object>, Failure> {
    match object {
        Ok(object) => Ok(Some(object)),
        Err(failure) if failure.is_gone() => Ok(None),
        Err(other) => Err(other),
    }
}

fn destroy(cx: &Context<'_>, doomed: &Doomed) -> Result<(), Failure> {
    let vm = Value::str(&doomed.vm.reference);
    let state = cx.client.text("VM.get_power_state", std::slice::from_ref(&vm))?;
    if state != "Halted" {
        cx.client.call("VM.hard_shutdown", std::slice::from_ref(&vm))?;
    }
    cx.client.call("VM.destroy", &[vm])?;
    for disk in &doomed.disks {
        cx.client.call("VDI.destroy", &[Value::str(&disk.reference)])?;
    }
    if let Some(memory) = &doomed.memory {
        // Shutting a suspended VM down has done this already.
        let _ = cx.client.call("VDI.destroy", &[Value::str(&memory.reference)]);
    }
    Ok(())
}
