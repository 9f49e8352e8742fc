//! Disks and CDs of VMs.

use proto_types::{ApiError, Value};

use super::Table;
use super::vms::with_defaults;
use crate::client::{NULL, Object, texts};
use crate::context::Context;
use crate::failure::Failure;
use crate::generated::chosen;
use crate::records;
use crate::select::{self, Also, Several, What};

/// The commands.
pub const TABLE: Table = &[
    ("vm-disk-list", |cx| list(cx, Drive::Disk)),
    ("vm-cd-list", |cx| list(cx, Drive::Cd)),
    ("vm-disk-add", disk_add),
    ("vm-disk-remove", disk_remove),
    ("vm-cd-add", cd_add),
    ("vm-cd-remove", cd_remove),
    ("vm-cd-insert", cd_insert),
    ("vm-cd-eject", cd_eject),
    ("cd-list", cd_list),
];

/// What a VBD is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// A disk.
    Disk,
    /// A CD drive.
    Cd,
}

impl Drive {
    fn word(self) -> &'static str {
        match self {
            Drive::Disk => "Disk",
            Drive::Cd => "CD",
        }
    }
}

const GUESTS: What = What::Vms(Also::Nothing);

/// The VBDs of a VM.
fn vbds(cx: &Context<'_>, vm: &Object) -> Result<Vec<Object>, Failure> {
    vm.texts("VBDs")
        .iter()
        .map(|vbd| cx.client.object("VBD", vbd))
        .collect()
}

fn list(cx: &mut Context<'_>, drive: Drive) -> Result<(), Failure> {
    let own = ["vbd-params", "vdi-params"];
    select::each(cx, GUESTS, Several::IfTold, &own, |cx, vm| list_of(cx, vm, drive))?;
    Ok(())
}

/// Lists the disks or CDs of one VM, each with what is in it.
///
/// # Errors
/// As every call.
pub fn list_of(cx: &mut Context<'_>, vm: &Object, drive: Drive) -> Result<(), Failure> {
    let shown: &[&str] = match drive {
        Drive::Disk => &["uuid", "vm-name-label", "userdevice"],
        Drive::Cd => &["uuid", "vm-name-label", "userdevice", "empty"],
    };
    let vbd_fields = chosen(records::of_class("VBD"), cx.params.get("vbd-params"), shown);
    let shown = ["uuid", "name-label", "virtual-size", "sr-name-label"];
    let vdi_fields = chosen(records::of_class("VDI"), cx.params.get("vdi-params"), &shown);
    let of_drive = vbds(cx, vm)?
        .into_iter()
        .filter(|vbd| vbd.text("type") == drive.word());
    for (position, vbd) in of_drive.enumerate() {
        let name = format!("{} {position}", drive.word());
        cx.out.remark(&format!("{name} VBD:"));
        let rows = records::printed(cx.client, "VBD", &vbd_fields, &[&vbd], false)?;
        cx.out.table(&rows);
        if vbd.truth("empty") || vbd.text("VDI") == NULL {
            continue;
        }
        let vdi = cx.client.object("VDI", vbd.text("VDI"))?;
        cx.out.remark(&format!("{name} VDI:"));
        let rows = records::printed(cx.client, "VDI", &vdi_fields, &[&vdi], false)?;
        cx.out.table(&rows);
    }
    Ok(())
}

/// Makes a VBD and plugs it if the VM runs.
fn attach(cx: &Context<'_>, set: Vec<(&str, Value)>) -> Result<(), Failure> {
    let record = with_defaults("VBD", set);
    let vbd = cx.client.text("VBD.create", &[record])?;
    match cx.client.call("VBD.plug", &[Value::str(vbd)]) {
        // A VM that is off, or cannot take it now, has it at its next start.
        Ok(_) | Err(Failure::Api(_)) => Ok(()),
        Err(other) => Err(other),
    }
}

fn disk_add(cx: &mut Context<'_>) -> Result<(), Failure> {
    let size = cx.params.bytes("disk-size")?;
    let device = Value::str(cx.params.required("device")?);
    let sr = match cx.named_if_given("SR", "sr-uuid")? {
        Some(sr) => sr,
        None => {
            let none = || Failure::cli("No default Pool SR set; you must specify an SR on the commandline");
            let uuid = cx.client.default_sr()?.ok_or_else(none)?;
            cx.client.by_uuid("SR", &uuid)?
        }
    };
    let own = ["sr-uuid", "device", "disk-size"];
    select::each(cx, GUESTS, Several::IfTold, &own, |cx, vm| {
        let vdi = with_defaults(
            "VDI",
            vec![
                ("name_label", Value::str("Created by xe")),
                ("name_description", Value::str("Created by xe")),
                ("SR", Value::str(&sr)),
                ("virtual_size", Value::Int(size)),
                ("type", Value::str("user")),
                ("sm_config", Value::string_map([("vmhint", vm.text("uuid"))])),
            ],
        );
        let vdi = Value::str(cx.client.text("VDI.create", &[vdi])?);
        let attached = attach(
            cx,
            vec![
                ("VM", Value::str(&vm.reference)),
                ("VDI", vdi.clone()),
                ("userdevice", device.clone()),
                ("mode", Value::str("RW")),
                ("type", Value::str("Disk")),
                ("unpluggable", Value::Bool(true)),
                ("other_config", Value::string_map([("owner", "")])),
            ],
        );
        if attached.is_err() {
            // Nobody would ever find this disk again.
            let _ = cx.client.call("VDI.destroy", &[vdi]);
        }
        attached
    })?;
    Ok(())
}

fn disk_remove(cx: &mut Context<'_>) -> Result<(), Failure> {
    let device = cx.params.required("device")?.to_owned();
    select::each(cx, GUESTS, Several::IfTold, &["device"], |cx, vm| {
        let found = vbds(cx, vm)?
            .into_iter()
            .find(|vbd| vbd.text("userdevice") == device);
        let vbd = found.ok_or_else(|| Failure::cli("Disk not found"))?;
        cx.client.call("VBD.destroy", &[Value::str(&vbd.reference)])?;
        cx.client.call("VDI.destroy", &[Value::str(vbd.text("VDI"))])
    })?;
    Ok(())
}

/// The images of a name on storage for CDs.
fn images(cx: &Context<'_>, name: &str) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for vdi in texts(&cx.client.call("VDI.get_by_name_label", &[Value::str(name)])?) {
        if is_image(cx, &vdi)? {
            found.push(vdi);
        }
    }
    Ok(found)
}

fn is_image(cx: &Context<'_>, vdi: &str) -> Result<bool, Failure> {
    let sr = cx.client.text("VDI.get_SR", &[Value::str(vdi)])?;
    Ok(cx.client.text("SR.get_content_type", &[Value::str(sr)])? == "iso")
}

fn cd_add(cx: &mut Context<'_>) -> Result<(), Failure> {
    let name = cx.params.required("cd-name")?;
    let device = Value::str(cx.params.required("device")?);
    let Some(image) = images(cx, name)?.into_iter().next() else {
        return Err(Failure::cli(format!("CD {name} not found!")));
    };
    let own = ["cd-name", "device", "cd-location"];
    select::each(cx, GUESTS, Several::IfTold, &own, |cx, vm| {
        attach(
            cx,
            vec![
                ("VM", Value::str(&vm.reference)),
                ("VDI", Value::str(&image)),
                ("userdevice", device.clone()),
                ("mode", Value::str("RO")),
                ("type", Value::str("CD")),
                ("unpluggable", Value::Bool(true)),
            ],
        )
    })?;
    Ok(())
}

fn cd_remove(cx: &mut Context<'_>) -> Result<(), Failure> {
    let name = cx.params.required("cd-name")?.to_owned();
    select::each(cx, GUESTS, Several::IfTold, &["cd-name"], |cx, vm| {
        for vbd in vbds(cx, vm)? {
            let fits = match vbd.text("VDI") {
                "" | NULL => name == "<EMPTY>",
                vdi => {
                    is_image(cx, vdi)? && cx.client.text("VDI.get_name_label", &[Value::str(vdi)])? == name
                }
            };
            if fits {
                return cx
                    .client
                    .call("VBD.destroy", &[Value::str(&vbd.reference)])
                    .map(|_| ());
            }
        }
        Err(Failure::cli("Disk not found"))
    })?;
    Ok(())
}

fn cd_insert(cx: &mut Context<'_>) -> Result<(), Failure> {
    let name = cx.params.required("cd-name")?;
    let image = match images(cx, name)?.as_slice() {
        [] => return Err(Failure::cli(format!("CD {name} not found"))),
        [one] => one.clone(),
        _ => {
            return Err(Failure::cli(format!(
                "Multiple CDs named {name} found. Please use vbd-insert and specify uuids"
            )));
        }
    };
    select::each(cx, GUESTS, Several::IfTold, &["cd-name"], |cx, vm| {
        let drives: Vec<Object> = vbds(cx, vm)?
            .into_iter()
            .filter(|vbd| vbd.text("type") == "CD" && vbd.truth("empty"))
            .collect();
        match drives.as_slice() {
            [] => Err(ApiError::new("VM_NO_EMPTY_CD_VBD", [vm.reference.as_str()]).into()),
            [drive] => cx
                .client
                .call("VBD.insert", &[Value::str(&drive.reference), Value::str(&image)]),
            _ => Err(Failure::cli(
                "Two or more empty CD devices found. Please use vbd-insert",
            )),
        }
    })?;
    Ok(())
}

fn cd_eject(cx: &mut Context<'_>) -> Result<(), Failure> {
    select::each(cx, GUESTS, Several::IfTold, &[], |cx, vm| {
        let drives: Vec<Object> = vbds(cx, vm)?
            .into_iter()
            .filter(|vbd| vbd.text("type") == "CD")
            .collect();
        match drives.as_slice() {
            [] => Err(Failure::cli("No CDs found")),
            [drive] => cx.client.call("VBD.eject", &[Value::str(&drive.reference)]),
            _ => Err(Failure::cli("Two or more CDs found. Please use vbd-eject")),
        }
    })?;
    Ok(())
}

fn cd_list(cx: &mut Context<'_>) -> Result<(), Failure> {
    let fields = chosen(
        records::of_class("VDI"),
        cx.params.get("params"),
        &["name-label", "uuid"],
    );
    let srs = cx.client.objects("SR", "true")?;
    let images: Vec<String> = srs
        .iter()
        .filter(|sr| sr.text("content_type") == "iso")
        .flat_map(|sr| sr.texts("VDIs"))
        .collect();
    cx.client.expect_references("VDI", images.len())?;
    let mut vdis = Vec::new();
    for image in images {
        // Gone since, if it is not known.
        if let Some(record) = cx.client.known_record("VDI", &image) {
            vdis.push(Object {
                reference: image,
                record: (*record).clone(),
            });
        }
    }
    let vdis: Vec<&Object> = vdis.iter().collect();
    let rows = records::printed(cx.client, "VDI", &fields, &vdis, false)?;
    cx.out.table(&rows);
    Ok(())
}
