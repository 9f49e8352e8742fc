//! `vm-install`: a VM from a template.

use gateway_codec::WireValue;
use proto_types::Value;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, Writer};

use super::Table;
use crate::client::{Object, text_of, texts};
use crate::context::Context;
use crate::failure::Failure;
use crate::tasks;

/// The command.
pub const TABLE: Table = &[("vm-install", install)];

fn install(cx: &mut Context<'_>) -> Result<(), Failure> {
    let template = template(cx)?;
    if !template.truth("is_a_template") {
        return Err(Failure::cli("Can only install from templates"));
    }
    let name = cx.params.required("new-name-label")?.to_owned();
    let sr = storage(cx, &template)?;
    let disks_on = match &sr {
        Some(sr) => cx.client.uuid("SR", sr)?,
        None => match cx.client.default_sr()? {
            Some(uuid) => uuid,
            None if template.map("other_config").iter().any(|(key, _)| key == "disks") => {
                return Err(Failure::cli(
                    "Failed to find a valid default SR for the Pool. Please provide an sr-name-label or sr-uuid parameter.",
                ));
            }
            None => String::new(),
        },
    };
    let made = match &sr {
        Some(sr) => {
            let args = [Value::str(&template.reference), Value::str(&name), Value::str(sr)];
            tasks::run(cx, "VM.copy", &args)?
        }
        None => tasks::run(
            cx,
            "VM.clone",
            &[Value::str(&template.reference), Value::str(&name)],
        )?,
    };
    let vm = text_of(&made);
    match finish(cx, &template, &vm, sr.as_deref(), &disks_on) {
        Ok(()) => cx.print_uuid("VM", &vm),
        Err(failure) => {
            // Half a VM is of no use; that it cannot be removed is not what the user must hear of.
            let _ = cx.client.call("VM.destroy", &[Value::str(&vm)]);
            Err(failure)
        }
    }
}

/// Makes what was copied from the template a VM.
fn finish(
    cx: &mut Context<'_>,
    template: &Object,
    vm: &str,
    sr: Option<&str>,
    disks_on: &str,
) -> Result<(), Failure> {
    let this = Value::str(vm);
    let text = Value::str("Installed via xe CLI");
    cx.client.call("VM.set_name_description", &[this.clone(), text])?;
    let suspend_sr = sr.unwrap_or_else(|| template.text("suspend_SR"));
    cx.client
        .call("VM.set_suspend_SR", &[this.clone(), Value::str(suspend_sr)])?;
    place_disks(cx, vm, disks_on)?;
    vendor_device(cx, template, vm)?;
    tasks::run(cx, "VM.provision", std::slice::from_ref(&this))?;
    if let Some(host) = cx.named_if_given("host", "copy-bios-strings-from")? {
        cx.client
            .call("VM.copy_bios_strings", &[this, Value::str(host)])?;
    }
    Ok(())
}

/// The template that one of four parameters names.
fn template(cx: &Context<'_>) -> Result<Object, Failure> {
    let missing = |_| Failure::cli("Cannot find template");
    if let Some(uuid) = cx.params.get("template-uuid") {
        let reference = cx.client.by_uuid("VM", uuid).map_err(missing)?;
        return cx.client.object("VM", &reference);
    }
    let by_name = cx
        .params
        .get("template-name-label")
        .or_else(|| cx.params.get("template-name"));
    if let Some(name) = by_name {
        return named(cx, name);
    }
    let Some(either) = cx.params.get("template") else {
        return Err(Failure::cli(
            "Template must be specified by parameter 'template-uuid', 'template-name', 'template-name-label' or \
             'template'",
        ));
    };
    match cx.client.by_uuid("VM", either) {
        Ok(reference) => cx.client.object("VM", &reference),
        Err(failure) if failure.is_gone() => named(cx, either),
        Err(other) => Err(other),
    }
}

fn named(cx: &Context<'_>, name: &str) -> Result<Object, Failure> {
    let found = texts(&cx.client.call("VM.get_by_name_label", &[Value::str(name)])?);
    let mut templates = Vec::new();
    for reference in found {
        let vm = cx.client.object("VM", &reference)?;
        if vm.truth("is_a_template") {
            templates.push(vm);
        }
    }
    match (templates.pop(), templates.is_empty()) {
        (None, _) => Err(Failure::cli("No templates matched")),
        (Some(template), true) => Ok(template),
        (Some(_), false) => Err(Failure::cli("More than one matching template found")),
    }
}

/// The storage that was asked for.
fn storage(cx: &Context<'_>, template: &Object) -> Result<Option<String>, Failure> {
    let (uuid, label) = (cx.params.get("sr-uuid"), cx.params.get("sr-name-label"));
    if template.truth("is_a_snapshot") && (uuid.is_some() || label.is_some()) {
        return Err(Failure::cli(
            "Do not use the sr-name-label or sr-uuid argument when installing from a snapshot. By default, it will \
             install each new disk on the same SR as the corresponding snapshot disks.",
        ));
    }
    let by_uuid = cx.named_if_given("SR", "sr-uuid")?;
    let Some(label) = label else {
        return Ok(by_uuid);
    };
    let named = texts(&cx.client.call("SR.get_by_name_label", &[Value::str(label)])?);
    match (by_uuid, named.as_slice()) {
        (_, []) => Err(Failure::cli("No SR with that name-label found")),
        (Some(sr), all) if all.contains(&sr) => Ok(Some(sr)),
        (Some(_), _) => Err(Failure::cli(
            "SR specified via sr-uuid doesn't have the name specified via sr-name-label",
        )),
        (None, [one]) => Ok(Some(one.clone())),
        (None, _) => Err(Failure::cli("Multiple SRs with that name-label found")),
    }
}

/// Says in the new VM's list of disks which storage they go on.
fn place_disks(cx: &Context<'_>, vm: &str, sr_uuid: &str) -> Result<(), Failure> {
    let other_config = cx.client.object("VM", vm)?.map("other_config");
    let Some((_, disks)) = other_config.into_iter().find(|(key, _)| key == "disks") else {
        return Ok(());
    };
    let placed = with_storage(&disks, sr_uuid)
        .map_err(|error| Failure::cli(format!("the template's list of disks does not read: {error}")))?;
    let this = Value::str(vm);
    cx.client.call(
        "VM.remove_from_other_config",
        &[this.clone(), Value::str("disks")],
    )?;
    let args = [this, Value::str("disks"), Value::str(placed)];
    cx.client.call("VM.add_to_other_config", &args).map(|_| ())
}

/// The list of disks with another storage in each.
fn with_storage(disks: &str, sr_uuid: &str) -> Result<String, quick_xml::Error> {
    let mut reader = Reader::from_str(disks);
    let mut writer = Writer::new(Vec::new());
    loop {
        match reader.read_event()? {
            Event::Eof => break,
            Event::Start(tag) => writer.write_event(Event::Start(placed(&tag, sr_uuid)?))?,
            Event::Empty(tag) => writer.write_event(Event::Empty(placed(&tag, sr_uuid)?))?,
            other => writer.write_event(other)?,
        }
    }
    Ok(String::from_utf8_lossy(&writer.into_inner()).into_owned())
}

fn placed<'a>(tag: &BytesStart<'a>, sr_uuid: &str) -> Result<BytesStart<'a>, quick_xml::Error> {
    if tag.name().as_ref() != "disk" {
        return Ok(tag.clone());
    }
    let mut changed = tag.clone();
    changed.clear_attributes();
    for attribute in tag.attributes() {
        let attribute = attribute?;
        if attribute.key.as_ref() == "sr" {
            changed.push_attribute(("sr", sr_uuid));
        } else {
            changed.push_attribute(attribute);
        }
    }
    Ok(changed)
}

/// Gives the VM the device that brings drivers, where the template recommends it and the pool has nothing against it.
fn vendor_device(cx: &Context<'_>, template: &Object, vm: &str) -> Result<(), Failure> {
    let pool = cx.client.pool()?;
    let against = cx.client.field("pool", &pool, "policy_no_vendor_device")?;
    let wanted = recommends(template.text("recommendations"), "has-vendor-device");
    let wanted = wanted && against != WireValue::Bool(true);
    let current = cx.client.field("VM", vm, "has_vendor_device")?;
    if current == WireValue::Bool(wanted) {
        return Ok(());
    }
    match cx
        .client
        .call("VM.set_has_vendor_device", &[Value::str(vm), Value::Bool(wanted)])
    {
        // It is a recommendation: a server that has no such device can still install the VM.
        Err(failure) if matches!(failure.code(), Some("NOT_IMPLEMENTED" | "LICENCE_RESTRICTION")) => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Whether recommendations say `true` of a field. What does not read recommends nothing.
fn recommends(xml: &str, field: &str) -> bool {
    let mut reader = Reader::from_str(xml);
    loop {
        let tag = match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => tag,
            Ok(Event::Eof) | Err(_) => return false,
            Ok(_) => continue,
        };
        let is = |name: &str, value: &str| {
            tag.attributes()
                .flatten()
                .any(|a| a.key.as_ref() == name && a.value.as_ref() == value)
        };
        if tag.name().as_ref() == "restriction" && is("field", field) {
            return is("value", "true");
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn disks_are_placed_and_nothing_else_changes() {
        let disks = "<provision><disk device=\"0\" size=\"8589934592\" sr=\"\" bootable=\"true\" type=\"system\"/></provision>";
        assert_eq!(
            with_storage(disks, "abc").unwrap(),
            "<provision><disk device=\"0\" size=\"8589934592\" sr=\"abc\" bootable=\"true\" type=\"system\"/></provision>"
        );
        assert!(with_storage("<provision><disk", "abc").is_err());
    }

    #[test]
    fn recommendations_are_found() {
        let xml = "<restrictions><restriction field=\"has-vendor-device\" value=\"true\"/></restrictions>";
        assert!(recommends(xml, "has-vendor-device"));
        assert!(!recommends(xml, "other"));
        assert!(!recommends("<a", "other"));
    }
}
