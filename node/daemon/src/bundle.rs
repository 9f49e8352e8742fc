//! `tarn support-bundle`: what helps to find a fault, in one packed tar, without secrets.
//!
//! What cannot be had (the node is down, a program is missing) is noted in its place, so that a bundle can always be made.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use pool_domain::{Database, Row};
use proto_types::{DateTime, Field};
use serde_json::Value as Json;
use tar::{Builder, Header};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::config::{self, Config};
use crate::withheld::{self, NOTHING};
use crate::{backups, command};

/// The folder within the tar.
const FOLDER: &str = "tarn-support";
/// No program's output is taken beyond this.
const LARGEST: u64 = 16 * 1024 * 1024;
/// No program's complaint is taken beyond this.
const LONGEST_COMPLAINT: u64 = 64 * 1024;
/// No program is waited for longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is asked of the host.
const PROGRAMS: &[(&str, &[&str])] = &[
    (
        "journal.txt",
        &[
            "journalctl",
            "--unit",
            "tarn",
            "--lines",
            "50000",
            "--no-pager",
            "--output",
            "short-iso",
        ],
    ),
    (
        "unit.txt",
        &["systemctl", "status", "tarn", "--no-pager", "--lines", "0"],
    ),
    ("kernel.txt", &["uname", "-a"]),
    ("addresses.txt", &["ip", "-d", "address"]),
    ("routes.txt", &["ip", "route", "show", "table", "all"]),
    ("disks.txt", &["df", "-h"]),
    (
        "mounts.txt",
        &["findmnt", "--real", "--output", "TARGET,FSTYPE,SIZE,AVAIL"],
    ),
    ("domains.txt", &["virsh", "list", "--all"]),
    ("libvirt.txt", &["virsh", "version"]),
];

/// Writes a bundle.
///
/// # Errors
/// When the file cannot be written, or the settings do not read.
pub async fn write(settings: &Path, file: &Path) -> Result<()> {
    let config = config::load(settings)?;
    let mut parts: Vec<(&str, String)> = Vec::new();
    let status = command::own_status(&config).await;
    let page = match &status {
        Ok(status) => command::page_of(&config, status).await,
        Err(error) => Err(anyhow::anyhow!("{error:#}")),
    };
    parts.push(("status.json", noted(status.map(|s| s.to_string()))));
    parts.push(("status.txt", noted(page)));
    parts.push(("metrics.txt", noted(command::own_metrics(&config).await)));
    parts.push(("settings.toml", noted(settings_shown(&config))));
    parts.push(("database.json", noted(database(&config).await)));
    for (name, words) in PROGRAMS {
        parts.push((name, noted(said(words).await)));
    }
    let out = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)
        .with_context(|| format!("write {}", file.display()))?;
    pack(&parts, out).with_context(|| format!("write {}", file.display()))?;
    command::print(&format!("{}: look at it before you hand it on", file.display()))
}

fn noted(part: Result<String>) -> String {
    part.unwrap_or_else(|error| format!("not to be had: {error:#}\n"))
}

fn pack(parts: &[(&str, String)], out: std::fs::File) -> std::io::Result<()> {
    let mut tar = Builder::new(GzEncoder::new(out, Compression::default()));
    let now = u64::try_from(pool_ops::core::now().0).unwrap_or(0);
    for (name, text) in parts {
        let mut header = Header::new_gnu();
        header.set_size(u64::try_from(text.len()).unwrap_or(0));
        header.set_mode(0o600);
        header.set_mtime(now);
        tar.append_data(&mut header, format!("{FOLDER}/{name}"), text.as_bytes())?;
    }
    tar.into_inner()?.finish()?.sync_all()
}

/// The settings in force. Only an address can carry a password.
fn settings_shown(config: &Config) -> Result<String> {
    let mut config = config.clone();
    if let Some(endpoint) = &mut config.telemetry.otlp_endpoint
        && let (Some((scheme, rest)), true) = (endpoint.split_once("://"), endpoint.contains('@'))
    {
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        *endpoint = format!("{scheme}://{NOTHING}@{host}");
    }
    config::shown(&config)
}

/// What a program prints. One that fails says so below, with its complaint: what it printed until then may be nothing.
async fn said(words: &[&str]) -> Result<String> {
    let (program, args) = words.split_first().context("no program")?;
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("start {program}"))?;
    let output = child.stdout.take().context("read its output")?;
    let complaint = child.stderr.take().context("read its complaint")?;
    let (mut printed, mut complained) = (Vec::new(), Vec::new());
    let ended = async {
        let read = async { output.take(LARGEST).read_to_end(&mut printed).await };
        let heard = async {
            complaint
                .take(LONGEST_COMPLAINT)
                .read_to_end(&mut complained)
                .await
        };
        // A pipe that is not read to its end is closed here, so that the program ends too.
        let (read, heard) = tokio::join!(read, heard);
        read.and(heard)?;
        child.wait().await
    };
    let status = tokio::time::timeout(PATIENCE, ended).await;
    let end = match status {
        Ok(Ok(status)) if status.success() => return Ok(text_of(&printed)),
        Ok(Ok(status)) => status.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("not done after {} s", PATIENCE.as_secs()),
    };
    let (printed, complained) = (text_of(&printed), text_of(&complained));
    Ok(format!("{printed}\n{program} failed: {end}\n{complained}"))
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

async fn database(config: &Config) -> Result<String> {
    let bytes = backups::fetch(config, DateTime::EPOCH, backups::Teller::Leader).await?;
    let backup = pool_store::backup::read(&mut bytes.as_slice())?;
    let shown = tokio::task::spawn_blocking(move || shown(&backup.database)).await?;
    Ok(shown)
}

/// Every object that may be shown, one a line.
fn shown(db: &Database) -> String {
    let mut out = String::new();
    for row in db.all().filter(|row| !withheld::has(row.class)) {
        out.push_str(&object(db, row).to_string());
        out.push('\n');
    }
    out
}

fn object(db: &Database, row: &Row) -> Json {
    let mut fields = serde_json::Map::new();
    for (index, (def, value)) in (0_u16..).zip(row.class.def().fields.iter().zip(row.values.iter())) {
        let field = Field {
            class: row.class,
            index,
        };
        let value = withheld::shown(db, field, value);
        fields.insert(def.name.to_owned(), value);
    }
    serde_json::json!({"class": row.class.def().name, "ref": row.reference.to_string(), "fields": fields})
}

#[cfg(test)]
mod test {
    use super::*;

    #[tokio::test]
    async fn a_program_that_fails_does_not_look_like_one_that_says_nothing() {
        let quiet = said(&["sh", "-c", "echo well; echo aside >&2"]).await.unwrap();
        assert_eq!(quiet, "well\n");
        let failed = said(&["sh", "-c", "echo begun; echo no permission >&2; exit 3"])
            .await
            .unwrap();
        assert!(failed.starts_with("begun\n"), "{failed}");
        assert!(
            failed.contains("exit status: 3") && failed.contains("no permission"),
            "{failed}"
        );
        assert!(said(&["tarn-no-such-program"]).await.is_err());
    }
}
