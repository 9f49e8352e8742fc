//! Storage repositories and disks.

use gateway_codec::WireValue;
use proto_types::Value;

use super::Table;
use super::vms::with_defaults;
use crate::client::{NULL, Object, pairs, text_of};
use crate::context::Context;
use crate::failure::Failure;
use crate::{tasks, values};

/// The commands.
pub const TABLE: Table = &[
    ("sr-create", sr_create),
    ("sr-probe", sr_probe),
    ("sr-probe-ext", sr_probe_ext),
    ("vdi-create", vdi_create),
    ("vdi-introduce", vdi_introduce),
    ("vdi-resize", vdi_resize),
    ("vdi-copy", vdi_copy),
    ("vdi-clone", vdi_clone),
    ("vdi-pool-migrate", vdi_pool_migrate),
    ("vbd-create", vbd_create),
    ("vbd-unplug", vbd_unplug),
];

fn text<'a>(cx: &Context<'a>, name: &str) -> &'a str {
    cx.params.get(name).unwrap_or_default()
}

fn map(cx: &Context<'_>, name: &str) -> Value {
    let pairs = cx.params.map(name);
    Value::string_map(pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())))
}

/// The host that works for an SR: the one named, or the master if it does not matter.
fn host(cx: &Context<'_>, master_will_do: bool) -> Result<Value, Failure> {
    if let Some(host) = cx.named_if_given("host", "host-uuid")? {
        return Ok(Value::str(host));
    }
    let hosts = cx.client.call("host.get_all", &[])?;
    let alone = matches!(&hosts, WireValue::Array(all) if all.len() == 1);
    if alone || master_will_do {
        return cx.client.master().map(Value::str);
    }
    Err(Failure::cli("Required parameter not found: host-uuid"))
}

fn sr_create(cx: &mut Context<'_>) -> Result<(), Failure> {
    let shared = cx.params.truth("shared")?;
    let mut config = cx.params.map("device-config");
    for (key, value) in &mut config {
        // What is too long or too secret for a command line comes from a file.
        if let Some(plain) = key.strip_suffix("-filename") {
            let read = std::fs::read_to_string(&*value);
            *value = read.map_err(|_| Failure::cli(format!("File not found: {value}")))?;
            *key = plain.to_owned();
        }
    }
    let size = match cx.params.get("physical-size") {
        Some(size) => values::bytes("physical-size", size)?,
        None => 0,
    };
    let args = [
        host(cx, shared)?,
        Value::string_map(config.iter().map(|(k, v)| (k.as_str(), v.as_str()))),
        Value::Int(size),
        Value::str(cx.params.required("name-label")?),
        Value::str(text(cx, "name-description")),
        Value::str(cx.params.required("type")?),
        Value::str(text(cx, "content-type")),
        Value::Bool(shared),
        map(cx, "sm-config"),
    ];
    let sr = cx.client.text("SR.create", &args)?;
    let uuid = cx.client.uuid("SR", &sr)?;
    cx.out.line(&uuid);
    Ok(())
}

fn probe(cx: &Context<'_>, message: &str) -> Result<WireValue, Failure> {
    let args = [
        host(cx, true)?,
        map(cx, "device-config"),
        Value::str(cx.params.required("type")?),
        map(cx, "sm-config"),
    ];
    cx.client.call(message, &args)
}

fn sr_probe(cx: &mut Context<'_>) -> Result<(), Failure> {
    let found = text_of(&probe(cx, "SR.probe")?);
    cx.out.value(&found);
    Ok(())
}

fn sr_probe_ext(cx: &mut Context<'_>) -> Result<(), Failure> {
    let WireValue::Array(results) = probe(cx, "SR.probe_ext")? else {
        return Ok(());
    };
    let results: Vec<Object> = results
        .into_iter()
        .map(|record| Object {
            reference: String::new(),
            record,
        })
        .collect();
    let has_sr = |result: &&Object| matches!(result.record.member("sr"), Some(WireValue::Struct(_)));
    let srs: Vec<&Object> = results.iter().filter(has_sr).collect();
    if !srs.is_empty() {
        cx.out.remark("The following SRs were found:");
    }
    for (position, result) in srs.iter().enumerate() {
        cx.out.remark(&format!("SR {position}:"));
        let sr = result.record.member("sr").map(pairs).unwrap_or_default();
        let hyphened = sr
            .into_iter()
            .map(|(name, value)| (name.replace('_', "-"), value));
        cx.out.table(&[hyphened.collect()]);
        cx.out.remark(&format!("SR {position} configuration:"));
        cx.out.table(&[result.map("configuration")]);
        cx.out.remark(&format!("SR {position} extra information:"));
        cx.out.table(&[result.map("extra_info")]);
    }
    let groups = [
        (
            true,
            "Found the following complete configurations that can be used to create SRs:",
        ),
        (
            false,
            "Found the following incomplete configurations that may contain SRs:",
        ),
    ];
    for (complete, heading) in groups {
        let fits = |result: &&Object| !has_sr(result) && result.truth("complete") == complete;
        let group: Vec<&Object> = results.iter().filter(fits).collect();
        if !group.is_empty() {
            cx.out.remark(heading);
        }
        for (position, result) in group.iter().enumerate() {
            cx.out.remark(&format!("Configuration {position}:"));
            cx.out.table(&[result.map("configuration")]);
            cx.out
                .remark(&format!("Configuration {position} extra information:"));
            cx.out.table(&[result.map("extra_info")]);
        }
    }
    Ok(())
}

/// The types of disks that people make.
const TYPES: &[&str] = &["system", "user", "suspend", "crashdump"];

fn vdi_type(cx: &Context<'_>) -> Result<Value, Failure> {
    match cx.params.get("type") {
        None => Ok(Value::str("user")),
        Some(known) if TYPES.contains(&known) => Ok(Value::str(known)),
        Some(other) => Err(Failure::cli(format!("Unknown vdi type: {other}"))),
    }
}

fn vdi_create(cx: &mut Context<'_>) -> Result<(), Failure> {
    let sr = cx.named("SR", "sr-uuid")?;
    let tags: Vec<String> = cx.params.map("tags").into_iter().map(|(tag, _)| tag).collect();
    let record = with_defaults(
        "VDI",
        vec![
            ("name_label", Value::str(cx.params.required("name-label")?)),
            ("SR", Value::str(sr)),
            ("virtual_size", Value::Int(cx.params.bytes("virtual-size")?)),
            ("type", vdi_type(cx)?),
            ("sharable", Value::Bool(cx.params.truth("sharable")?)),
            ("sm_config", map(cx, "sm-config")),
            ("tags", Value::strings(tags)),
        ],
    );
    let vdi = cx.client.text("VDI.create", &[record])?;
    cx.print_uuid("VDI", &vdi)
}

fn vdi_introduce(cx: &mut Context<'_>) -> Result<(), Failure> {
    let args = [
        Value::str(cx.params.required("uuid")?),
        Value::str(text(cx, "name-label")),
        Value::str(text(cx, "name-description")),
        Value::str(cx.named("SR", "sr-uuid")?),
        vdi_type(cx)?,
        Value::Bool(cx.params.truth("sharable")?),
        Value::Bool(cx.params.truth("read-only")?),
        map(cx, "other-config"),
        Value::str(cx.params.required("location")?),
        map(cx, "xenstore-data"),
        map(cx, "sm-config"),
        Value::Bool(cx.params.truth("managed")?),
        Value::Int(0),
        Value::Int(0),
        Value::str(NULL),
        Value::Bool(false),
        Value::Time(proto_types::DateTime::EPOCH),
        Value::str(NULL),
    ];
    let vdi = cx.client.text("VDI.introduce", &args)?;
    cx.print_uuid("VDI", &vdi)
}

fn vdi_resize(cx: &mut Context<'_>) -> Result<(), Failure> {
    let vdi = Value::str(cx.named("VDI", "uuid")?);
    let size = Value::Int(cx.params.bytes("disk-size")?);
    let online = cx.params.get("online") == Some("true");
    let message = if online { "VDI.resize_online" } else { "VDI.resize" };
    cx.client.call(message, &[vdi, size]).map(|_| ())
}

fn vdi_copy(cx: &mut Context<'_>) -> Result<(), Failure> {
    let vdi = cx.named("VDI", "uuid")?;
    let base = cx.named_if_given("VDI", "base-vdi-uuid")?;
    let (sr, into) = match (
        cx.named_if_given("SR", "sr-uuid")?,
        cx.named_if_given("VDI", "into-vdi-uuid")?,
    ) {
        (Some(sr), None) => (Some(sr), None),
        (None, Some(into)) => (None, Some(into)),
        _ => {
            return Err(Failure::cli(
                "Please specify one but not both of: a destination sr-uuid (I will create a fresh VDI); or a \
                 destination into-vdi-uuid (I will copy the blocks into this VDI)",
            ));
        }
    };
    let or_null = |reference: Option<String>| Value::str(reference.as_deref().unwrap_or(NULL));
    let args = [Value::str(vdi), or_null(sr), or_null(base), or_null(into)];
    let copy = text_of(&tasks::run(cx, "VDI.copy", &args)?);
    cx.print_uuid("VDI", &copy)
}

fn vdi_clone(cx: &mut Context<'_>) -> Result<(), Failure> {
    let vdi = cx.named("VDI", "uuid")?;
    let made = cx
        .client
        .text("VDI.clone", &[Value::str(vdi), map(cx, "driver-params")])?;
    for (name, message) in [
        ("new-name-label", "VDI.set_name_label"),
        ("new-name-description", "VDI.set_name_description"),
    ] {
        if let Some(value) = cx.params.get(name) {
            cx.client.call(message, &[Value::str(&made), Value::str(value)])?;
        }
    }
    cx.print_uuid("VDI", &made)
}

fn vdi_pool_migrate(cx: &mut Context<'_>) -> Result<(), Failure> {
    let args = [
        Value::str(cx.named("VDI", "uuid")?),
        Value::str(cx.named("SR", "sr-uuid")?),
        Value::string_map(
            cx.params
                .get("dest-img-format")
                .map(|format| ("dest_img_format", format)),
        ),
    ];
    let moved = text_of(&tasks::run(cx, "VDI.pool_migrate", &args)?);
    cx.print_uuid("VDI", &moved)
}

fn vbd_create(cx: &mut Context<'_>) -> Result<(), Failure> {
    let vm = cx.named("VM", "vm-uuid")?;
    let vdi = cx.named_if_given("VDI", "vdi-uuid")?;
    let mode = match cx.params.get("mode").map(str::to_lowercase).as_deref() {
        None | Some("rw") => "RW",
        Some("ro") => "RO",
        Some(other) => {
            return Err(Failure::cli(format!(
                "Unknown mode: {other} (should be \"ro\" or \"rw\")"
            )));
        }
    };
    let ty = match cx.params.get("type").map(str::to_lowercase).as_deref() {
        None | Some("disk") => "Disk",
        Some("cd") => "CD",
        Some("floppy") => "Floppy",
        Some(other) => {
            return Err(Failure::cli(format!(
                "Unknown type: {other} (should be \"cd\", \"disk\" or \"floppy\")"
            )));
        }
    };
    let empty = vdi.is_none();
    if empty && ty == "Disk" {
        return Err(Failure::cli("Empty VBDs can only be made for type=CD"));
    }
    let record = with_defaults(
        "VBD",
        vec![
            ("VM", Value::str(vm)),
            ("VDI", Value::str(vdi.as_deref().unwrap_or(NULL))),
            ("userdevice", Value::str(cx.params.required("device")?)),
            ("bootable", Value::Bool(cx.params.truth("bootable")?)),
            ("mode", Value::str(mode)),
            ("type", Value::str(ty)),
            (
                "unpluggable",
                Value::Bool(cx.params.truth_or("unpluggable", true)?),
            ),
            ("empty", Value::Bool(empty)),
        ],
    );
    let vbd = cx.client.text("VBD.create", &[record])?;
    cx.print_uuid("VBD", &vbd)
}

/// How often a disk that the guest would not let go of is looked at.
const LOOK: std::time::Duration = std::time::Duration::from_secs(5);

fn vbd_unplug(cx: &mut Context<'_>) -> Result<(), Failure> {
    let vbd = cx.named("VBD", "uuid")?;
    let patience = match cx.params.get("timeout") {
        Some(seconds) => values::float("timeout", seconds)?.max(0.0),
        None => 0.0,
    };
    let began = std::time::Instant::now();
    let message = if cx.params.truth("force")? {
        "VBD.unplug_force"
    } else {
        "VBD.unplug"
    };
    let failure = match cx.client.call(message, &[Value::str(&vbd)]) {
        Err(failure) if failure.code() == Some("DEVICE_DETACH_REJECTED") => failure,
        other => return other.map(|_| ()),
    };
    while began.elapsed().as_secs_f64() < patience {
        std::thread::sleep(LOOK);
        if cx.client.field("VBD", &vbd, "currently_attached")? == WireValue::Bool(false) {
            return Ok(());
        }
    }
    Err(failure)
}
