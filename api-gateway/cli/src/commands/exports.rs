//! Files from the pool: VMs, disks, the database, logs.

use std::path::PathBuf;

use proto_types::Value;

use super::Table;
use super::snapshots;
use crate::client::Object;
use crate::context::Context;
use crate::failure::Failure;
use crate::select::{self, Also, Several, What};
use crate::transfer::{Transfer, Way};
use crate::transport::Peer;

/// The commands.
pub const TABLE: Table = &[
    ("vm-export", vm_export),
    ("template-export", template_export),
    ("snapshot-export-to-template", snapshot_export),
    ("vdi-export", vdi_export),
    ("pool-dump-database", dump_database),
    ("audit-log-get", audit_log),
    ("blob-get", blob_get),
    ("host-backup", |cx| {
        of_host(cx, "file-name", "/host_backup", "host backup download")
    }),
    ("host-logs-download", logs),
    ("host-get-system-status", system_status),
    ("pool-retrieve-wlb-report", wlb_report),
    ("pool-retrieve-wlb-diagnostics", wlb_diagnostics),
];

/// The file that a parameter names.
fn file(cx: &Context<'_>, parameter: &str) -> Result<PathBuf, Failure> {
    cx.params.required(parameter).map(PathBuf::from)
}

fn vm_export(cx: &mut Context<'_>) -> Result<(), Failure> {
    let name = cx.params.required("filename")?.to_owned();
    let own = [
        "filename",
        "metadata",
        "compress",
        "preserve-power-state",
        "include-snapshots",
        "excluded-device-types",
        "task-uuid",
        "progress",
    ];
    let mut number = 0;
    select::each(cx, What::Vms(Also::Nothing), Several::IfTold, &own, |cx, vm| {
        number += 1;
        // Each further VM has its number behind the name.
        let file = if number > 1 {
            format!("{name}{number}")
        } else {
            name.clone()
        };
        export(cx, vm, &file)
    })?;
    Ok(())
}

fn template_export(cx: &mut Context<'_>) -> Result<(), Failure> {
    let uuid = cx.params.required("template-uuid")?;
    let template = cx.client.object("VM", &cx.client.by_uuid("VM", uuid)?)?;
    if !template.truth("is_a_template") {
        return Err(Failure::cli(format!(
            "This operation can only be performed on a VM template. {uuid} is not a VM template."
        )));
    }
    let file = cx.params.required("filename")?.to_owned();
    export(cx, &template, &file)
}

fn snapshot_export(cx: &mut Context<'_>) -> Result<(), Failure> {
    let snapshot = snapshots::named(cx)?;
    let file = cx.params.required("filename")?.to_owned();
    export(cx, &snapshot, &file)
}

/// How an export is to be compressed.
fn compression(cx: &Context<'_>) -> Result<&'static str, Failure> {
    Ok(match cx.params.get("compress") {
        None | Some("false" | "none") => "false",
        Some("true" | "gzip") => "gzip",
        Some("zstd") => "zstd",
        Some(other) => {
            return Err(Failure::cli(format!(
                "Failed to parse parameter 'compress': expecting 'true', 'gzip', 'zstd' or 'false', got {other}"
            )));
        }
    })
}

fn export(cx: &mut Context<'_>, vm: &Object, file: &str) -> Result<(), Failure> {
    let metadata = cx.params.truth("metadata")?;
    let path = if metadata { "/export_metadata" } else { "/export" };
    let mut transfer = Transfer::new(Way::Down(PathBuf::from(file)), path, "Export of VM")
        .with("ref", &vm.reference)
        .with("use_compression", compression(cx)?)
        .with(
            "preserve_power_state",
            cx.params.truth("preserve-power-state")?.to_string(),
        )
        .with(
            "export_snapshots",
            cx.params.truth("include-snapshots")?.to_string(),
        );
    if metadata {
        let excluded = cx.params.get("excluded-device-types").unwrap_or_default();
        transfer = transfer.with("excluded_device_types", excluded);
    }
    transfer.description = vm.text("uuid").to_owned();
    transfer.task = cx.named_if_given("task", "task-uuid")?;
    transfer.run(cx)?;
    if !file.is_empty() {
        cx.out.line("Export succeeded");
    }
    Ok(())
}

fn vdi_export(cx: &mut Context<'_>) -> Result<(), Failure> {
    let vdi = cx.named("VDI", "uuid")?;
    let way = Way::Down(file(cx, "filename")?);
    let mut transfer = Transfer::new(way, "/export_raw_vdi", "VDI export").with("vdi", vdi);
    for name in ["format", "base"] {
        if let Some(value) = cx.params.get(name) {
            transfer = transfer.with(name, value);
        }
    }
    transfer.run(cx).map(|_| ())
}

fn dump_database(cx: &mut Context<'_>) -> Result<(), Failure> {
    let way = Way::Down(file(cx, "file-name")?);
    Transfer::new(way, "/pool/xmldbdump", "dump database")
        .run(cx)
        .map(|_| ())
}

fn audit_log(cx: &mut Context<'_>) -> Result<(), Failure> {
    let name = cx.params.required("filename")?.to_owned();
    let since = cx.params.get("since").unwrap_or_default().to_owned();
    let label = match since.as_str() {
        "" => format!("audit-log-get into file {name}"),
        since => format!("audit-log-get (since \"{since}\") into file {name}"),
    };
    let mut transfer = Transfer::new(Way::Down(PathBuf::from(&name)), "/audit_log", &label);
    if !since.is_empty() {
        transfer = transfer.with("since", since);
    }
    transfer.run(cx)?;
    cx.out.line(&format!("{label} succeeded"));
    Ok(())
}

fn blob_get(cx: &mut Context<'_>) -> Result<(), Failure> {
    let blob = cx.named("blob", "uuid")?;
    let label = format!("Obtaining blob, ref={blob}");
    Transfer::new(Way::Down(file(cx, "filename")?), "/blob", label)
        .with("ref", blob)
        .run(cx)?;
    cx.out.line("Blob get succeeded");
    Ok(())
}

/// Where a host answers for itself.
pub fn peer_of(cx: &Context<'_>, host: &Object) -> Option<Peer> {
    let own = cx
        .client
        .text("session.get_this_host", &[Value::str(cx.client.session())]);
    match own {
        Ok(own) if own == host.reference => None,
        _ => Some(cx.client.peer().moved_to(host.text("address"))),
    }
}

fn of_host(cx: &mut Context<'_>, parameter: &str, path: &str, label: &str) -> Result<(), Failure> {
    let file = file(cx, parameter)?;
    select::each(
        cx,
        What::Hosts,
        Several::Never,
        &[parameter, "progress"],
        |cx, host| {
            let mut transfer = Transfer::new(Way::Down(file.clone()), path, label);
            transfer.host = peer_of(cx, host);
            transfer.run(cx)
        },
    )?;
    Ok(())
}

fn logs(cx: &mut Context<'_>) -> Result<(), Failure> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seconds = now
        .ok()
        .and_then(|time| i64::try_from(time.as_secs()).ok())
        .unwrap_or(0);
    let default = format!("logs-{}", proto_types::DateTime(seconds));
    let name = cx.params.get("file-name").unwrap_or(&default).to_owned();
    let several = select::select(cx.client, cx.params, What::Hosts, &["file-name", "progress"])?.len() > 1;
    select::each(
        cx,
        What::Hosts,
        Several::IfTold,
        &["file-name", "progress"],
        |cx, host| {
            let file = if several {
                format!("{name}-{}", host.text("name_label"))
            } else {
                name.clone()
            };
            let way = Way::Down(PathBuf::from(file));
            let mut transfer = Transfer::new(way, "/host_logs_download", "host logs download");
            transfer.host = peer_of(cx, host);
            transfer.run(cx)
        },
    )?;
    Ok(())
}

fn system_status(cx: &mut Context<'_>) -> Result<(), Failure> {
    let file = file(cx, "filename")?;
    let output = cx.params.get("output").unwrap_or("tar.bz2").to_owned();
    if !["tar.bz2", "tar", "zip"].contains(&output.as_str()) {
        return Err(Failure::cli(
            "Invalid output format. Must be 'tar', 'zip' or 'tar.bz2'",
        ));
    }
    let entries = cx.params.get("entries").unwrap_or_default().to_owned();
    let own = ["filename", "entries", "output", "progress"];
    select::each(cx, What::Hosts, Several::IfTold, &own, |cx, host| {
        let mut transfer = Transfer::new(
            Way::Down(file.clone()),
            "/system-status",
            "system-status download",
        )
        .with("entries", &entries)
        .with("output", &output);
        transfer.host = peer_of(cx, host);
        transfer.run(cx)
    })?;
    Ok(())
}

fn wlb_report(cx: &mut Context<'_>) -> Result<(), Failure> {
    let report = cx.params.required("report")?.to_owned();
    let name = cx.params.get("filename").unwrap_or_default();
    let label = format!("WLB report: {report}");
    let own = cx.params.selectors(&["report", "filename", "progress"]);
    let mut transfer = Transfer::new(Way::Down(PathBuf::from(name)), "/wlb_report", label);
    transfer = transfer.with("report", report);
    for (key, value) in own {
        transfer = transfer.with(key, value);
    }
    transfer.run(cx)?;
    if cx.params.get("filename").is_some_and(|name| !name.is_empty()) {
        cx.out.line("Report generation succeeded");
    }
    Ok(())
}

fn wlb_diagnostics(cx: &mut Context<'_>) -> Result<(), Failure> {
    let name = cx.params.get("filename").unwrap_or_default();
    let label = "WLB diagnostics download";
    Transfer::new(Way::Down(PathBuf::from(name)), "/wlb_diagnostics", label).run(cx)?;
    Ok(())
}
