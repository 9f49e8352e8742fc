//! Files to the pool: VMs, disks, the database, updates.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use proto_types::Value;

use super::Table;
use super::exports::peer_of;
use crate::client::{text_of, texts};
use crate::context::Context;
use crate::failure::Failure;
use crate::seed::{self, SeedFile};
use crate::select::{self, Several, What};
use crate::transfer::{Transfer, Way};

/// The commands.
pub const TABLE: Table = &[
    ("vm-import", vm_import),
    ("vdi-import", vdi_import),
    ("pool-restore-database", restore_database),
    ("host-restore", host_restore),
    ("blob-put", blob_put),
    ("patch-upload", patch_upload),
    ("update-upload", update_upload),
    ("pool-sync-bundle", sync_bundle),
];

fn file(cx: &Context<'_>, parameter: &str) -> Result<PathBuf, Failure> {
    cx.params.required(parameter).map(PathBuf::from)
}

/// The storage asked for, or else the pool's default.
fn storage(cx: &Context<'_>, none: &str) -> Result<String, Failure> {
    if let Some(sr) = cx.named_if_given("SR", "sr-uuid")? {
        return Ok(sr);
    }
    let uuid = cx.client.default_sr()?.ok_or_else(|| Failure::cli(none))?;
    cx.client.by_uuid("SR", &uuid)
}

/// Says something on standard error and ends.
fn refuse<T>(cx: &mut Context<'_>, text: &str) -> Result<T, Failure> {
    cx.out.complain(text);
    Err(Failure::Exit(1))
}

fn vm_import(cx: &mut Context<'_>) -> Result<(), Failure> {
    let sr = storage(cx, "No SR specified and Pool default SR is null")?;
    let (restore, force) = (cx.params.truth("preserve")?, cx.params.truth("force")?);
    let (metadata, dry_run) = (cx.params.truth("metadata")?, cx.params.truth("dry-run")?);
    if cx.params.has("url") && cx.params.has("filename") {
        let text = "Invalid arguments. The 'url' and 'filename' parameters should not both be specified.";
        return refuse(cx, text);
    }
    if !matches!(cx.params.get("type"), None | Some("default" | "XenServer")) {
        return convert(cx, &sr);
    }
    if let Some(url) = cx.params.get("url") {
        let args = [
            Value::str(url),
            Value::str(&sr),
            Value::Bool(restore),
            Value::Bool(force),
        ];
        let vms = texts(&cx.client.call("VM.import", &args)?);
        seed(cx, &vms, &sr)?;
        return print_vms(cx, &vms);
    }
    let name = PathBuf::from(cx.params.required("filename")?);
    if dry_run && !metadata {
        return refuse(cx, "Only metadata import function support dry-run");
    }
    let path = if metadata { "/import_metadata" } else { "/import" };
    let disks = cx.params.map("vdi");
    let disks: Vec<(String, String)> = disks
        .into_iter()
        .map(|(from, to)| (format!("vdi:{from}"), to))
        .collect();
    let label = name
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let mut transfer = Transfer::new(Way::Up(name), path, "VM import")
        .with("name_label", label)
        .with("restore", restore.to_string())
        .with("force", force.to_string())
        .with("dry_run", dry_run.to_string())
        .with("sr_id", sr.as_str());
    for (from, to) in &disks {
        transfer = transfer.with(from, to);
    }
    transfer.task = cx.named_if_given("task", "task-uuid")?;
    let vms = texts(&transfer.run(cx)?);
    if vms.is_empty() && dry_run {
        cx.out.line("xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx");
        return Ok(());
    }
    seed(cx, &vms, &sr)?;
    print_vms(cx, &vms)
}

/// Names of the files of a seed, which are also the parameters that lead to them.
const SEEDS: &[&str] = &["user-data", "meta-data", "network-config", "vendor-data"];

/// Gives a VM made of an image for clouds a disk that tells it who it is.
fn seed(cx: &mut Context<'_>, vms: &[String], sr: &str) -> Result<(), Failure> {
    let mut files = Vec::new();
    for name in SEEDS {
        if let Some(path) = cx.params.get(name) {
            let content =
                std::fs::read(path).map_err(|error| Failure::cli(format!("Cannot read {path}: {error}")))?;
            files.push((*name, content));
        }
    }
    let ([vm], false) = (vms, files.is_empty()) else {
        return Ok(());
    };
    if files.iter().all(|(name, _)| *name != "meta-data") {
        // Without it none of the others is looked at.
        let id = cx.client.uuid("VM", vm)?;
        files.push(("meta-data", format!("instance-id: {id}\n").into_bytes()));
    }
    let files: Vec<SeedFile<'_>> = files
        .iter()
        .map(|(name, content)| SeedFile { name, content })
        .collect();
    let disk = seed::disk(&files)?;
    let vdi = cx.client.text("VDI.create", &[seed_record(sr, disk.len())])?;
    let drive = seed_drive(cx, vm, &vdi, disk);
    if drive.is_err() {
        let _ = cx.client.call("VDI.destroy", &[Value::str(&vdi)]);
    }
    drive
}

fn seed_drive(cx: &mut Context<'_>, vm: &str, vdi: &str, disk: Vec<u8>) -> Result<(), Failure> {
    let file = Scratch::of(&disk)?;
    Transfer::new(Way::Up(file.0.clone()), "/import_raw_vdi", "VDI import")
        .with("vdi", vdi)
        .run(cx)?;
    let free = texts(&cx.client.call("VM.get_allowed_VBD_devices", &[Value::str(vm)])?);
    let device = free.first().cloned().unwrap_or_default();
    let record = [
        ("VM", Value::str(vm)),
        ("VDI", Value::str(vdi)),
        ("userdevice", Value::from(device)),
        ("bootable", false.into()),
        ("mode", "RW".into()),
        ("type", "Disk".into()),
        ("unpluggable", true.into()),
        ("empty", false.into()),
        ("other_config", Value::string_map([("owner", "")])),
        ("qos_algorithm_type", "".into()),
        ("qos_algorithm_params", Value::empty_map()),
    ];
    cx.client.call("VBD.create", &[record_of(record)]).map(drop)
}

fn seed_record(sr: &str, size: usize) -> Value {
    record_of([
        ("SR", Value::str(sr)),
        (
            "virtual_size",
            Value::Int(i64::try_from(size).unwrap_or(i64::MAX)),
        ),
        ("type", "user".into()),
        ("sharable", false.into()),
        ("read_only", false.into()),
        ("name_label", "cidata".into()),
        ("name_description", "cloud-init's NoCloud".into()),
        ("other_config", Value::empty_map()),
    ])
}

fn record_of<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Record(
        members
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect(),
    )
}

/// A file for what must be uploaded from one; only its owner reads it, since seeds hold passwords.
struct Scratch(PathBuf);

impl Scratch {
    fn of(content: &[u8]) -> Result<Scratch, Failure> {
        let path = std::env::temp_dir().join(format!("xe-seed-{}", std::process::id()));
        let shown = path.display().to_string();
        let failed = |error| Failure::cli(format!("Cannot write {shown}: {error}"));
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        let scratch = Scratch(path);
        file.write_all(content).map_err(failed)?;
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn print_vms(cx: &mut Context<'_>, vms: &[String]) -> Result<(), Failure> {
    let uuids = vms
        .iter()
        .map(|vm| cx.client.uuid("VM", vm))
        .collect::<Result<Vec<_>, _>>()?;
    cx.out.line(&uuids.join(","));
    Ok(())
}

fn convert(cx: &mut Context<'_>, sr: &str) -> Result<(), Failure> {
    let config = cx.params.map("remote-config");
    let config = Value::string_map(config.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    let args = [
        Value::str(cx.params.required("type")?),
        Value::str(cx.params.required("host-username")?),
        Value::str(cx.params.required("host-password")?),
        Value::str(sr),
        config,
    ];
    cx.client.call("VM.import_convert", &args).map(|_| ())
}

fn vdi_import(cx: &mut Context<'_>) -> Result<(), Failure> {
    let vdi = cx.named("VDI", "uuid")?;
    let way = Way::Up(file(cx, "filename")?);
    let mut transfer = Transfer::new(way, "/import_raw_vdi", "VDI import").with("vdi", vdi);
    if let Some(format) = cx.params.get("format") {
        transfer = transfer.with("format", format);
    }
    transfer.run(cx).map(|_| ())
}

fn restore_database(cx: &mut Context<'_>) -> Result<(), Failure> {
    let dry_run = cx.params.has("dry-run");
    if !dry_run && !cx.params.has("force") {
        return Err(Failure::cli(
            "This operation will put the pool's objects back to what the backup says: halted VMs become what they were, \
             and those that it does not know are forgotten. This operation must be forced (use --force).",
        ));
    }
    let way = Way::Up(file(cx, "file-name")?);
    Transfer::new(way, "/pool/xmldbdump", "restore database")
        .with("dry_run", dry_run.to_string())
        .run(cx)?;
    let said = if dry_run {
        "Dry-run backup restore successful"
    } else {
        "The pool's objects are as the backup has them"
    };
    cx.out.value(said);
    Ok(())
}

fn host_restore(cx: &mut Context<'_>) -> Result<(), Failure> {
    let file = file(cx, "file-name")?;
    select::each(
        cx,
        What::Hosts,
        Several::Never,
        &["file-name", "progress"],
        |cx, host| {
            let mut transfer = Transfer::new(Way::Up(file.clone()), "/host_restore", "host backup upload");
            transfer.host = peer_of(cx, host);
            transfer.run(cx)
        },
    )?;
    Ok(())
}

fn blob_put(cx: &mut Context<'_>) -> Result<(), Failure> {
    let blob = cx.named("blob", "uuid")?;
    let label = format!("Blob PUT, ref={blob}");
    Transfer::new(Way::Up(file(cx, "filename")?), "/blob", label)
        .with("ref", blob)
        .run(cx)?;
    cx.out.line("Blob put succeeded");
    Ok(())
}

/// The disk of an update bears its name.
fn name_disk(cx: &Context<'_>, update: &str) -> Result<(), Failure> {
    let vdi = cx.client.text("pool_update.get_vdi", &[Value::str(update)])?;
    let name = cx
        .client
        .text("pool_update.get_name_label", &[Value::str(update)])?;
    let args = [Value::str(vdi), Value::str(format!("Update: {name}"))];
    cx.client.call("VDI.set_name_label", &args).map(|_| ())
}

fn patch_upload(cx: &mut Context<'_>) -> Result<(), Failure> {
    let pool = cx.client.pool()?;
    let sr = cx.client.text("pool.get_default_SR", &[Value::str(pool)])?;
    let way = Way::Up(file(cx, "file-name")?);
    let transfer = Transfer::new(way, "/pool_patch_upload", "host patch upload").with("sr_id", sr);
    let patch = text_of(&transfer.run(cx)?);
    let uuid = cx.client.uuid("pool_patch", &patch)?;
    let update = cx
        .client
        .text("pool_patch.get_pool_update", &[Value::str(&patch)])?;
    name_disk(cx, &update)?;
    cx.out.line(&uuid);
    Ok(())
}

fn update_upload(cx: &mut Context<'_>) -> Result<(), Failure> {
    let none = "No sr-uuid parameter was given, and the pool's default SR is unspecified or invalid. Please explicitly \
                specify the SR to use in the sr-uuid parameter, or set the pool's default SR.";
    let sr = storage(cx, none)?;
    let way = Way::Up(file(cx, "file-name")?);
    let transfer = Transfer::new(way, "/import_raw_vdi", "host patch upload").with("sr_id", sr);
    let vdi = Value::Str(text_of(&transfer.run(cx)?).into());
    let update = cx
        .client
        .text("pool_update.introduce", std::slice::from_ref(&vdi));
    if update.is_err() {
        // What was uploaded is no update: its disk serves nothing.
        let _ = cx.client.call("VDI.destroy", &[vdi]);
    }
    let update = update?;
    name_disk(cx, &update)?;
    let uuid = cx.client.uuid("pool_update", &update)?;
    cx.out.line(&uuid);
    Ok(())
}

fn sync_bundle(cx: &mut Context<'_>) -> Result<(), Failure> {
    let way = Way::Up(file(cx, "filename")?);
    Transfer::new(way, "/bundle", "upload bundle").run(cx).map(|_| ())
}
