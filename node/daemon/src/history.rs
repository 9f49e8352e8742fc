//! `tarn history`: what was written, by whom and through which call, and taking it back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use proto_types::DateTime;
use proto_wire::channel::Lane;
use proto_wire::pool::pool_client::PoolClient;
use proto_wire::pool::{HistoryRequest, UndoRequest};
use serde_json::Value as Json;

use crate::redirect::follow;
use crate::{command, config};

/// How long the leader may be silent while it looks.
const SILENCE: Duration = Duration::from_secs(120);

/// What is asked.
#[derive(Args)]
pub struct Asked {
    /// From when on: a time such as 20261130T14:00:00Z, or how long ago, such as 90s, 5m, 2h, 1d.
    #[arg(long)]
    since: Option<String>,
    /// Until when, likewise.
    #[arg(long)]
    until: Option<String>,
    /// Only what this user wrote.
    #[arg(long, default_value = "")]
    user: String,
    /// Only what concerns the object with this uuid or reference.
    #[arg(long, default_value = "")]
    object: String,
    /// Also what the pool wrote for itself.
    #[arg(long)]
    all: bool,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// Settings.
    #[arg(long, default_value = "/etc/tarn/tarn.toml")]
    config: PathBuf,
}

/// What can be done with the past.
#[derive(Subcommand)]
pub enum HistoryCommand {
    /// Set back what one entry set, if it still is as the entry left it.
    Undo {
        /// The entry's number, as `tarn history` tells it.
        entry: u64,
        /// Only say what would be set.
        #[arg(long)]
        dry_run: bool,
        /// Settings.
        #[arg(long, default_value = "/etc/tarn/tarn.toml")]
        config: PathBuf,
    },
}

/// A moment as an operator writes it: a time, or how long ago.
///
/// # Errors
/// When it is neither.
pub fn moment(text: &str, now: DateTime) -> Result<DateTime> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        Some('d') => 86_400,
        _ => 0,
    };
    let number = text.get(..text.len().saturating_sub(1)).unwrap_or_default();
    match number.parse::<u32>() {
        Ok(number) if unit > 0 => Ok(DateTime(now.0 - i64::from(number) * unit)),
        _ => bail!("{text:?} is no time: such as 20261130T14:00:00Z, or 90s, 5m, 2h, 1d for so long ago"),
    }
}

/// Prints what was written.
///
/// # Errors
/// When no leader answers, or its history does not reach back so far.
pub async fn tell(asked: Asked) -> Result<()> {
    let now = pool_ops::core::now();
    let at = |text: &Option<String>| -> Result<i64> {
        text.as_deref().map_or(Ok(0), |text| Ok(moment(text, now)?.0))
    };
    let request = HistoryRequest {
        since: at(&asked.since)?,
        until: at(&asked.until)?,
        user: asked.user,
        object: asked.object,
        all: asked.all,
    };
    let (peers, first) = command::way_in(&config::load(&asked.config)?)?;
    let mut stream = follow(first, |at| {
        let channel = peers.channel(at.host, &at.address, at.port, Lane::Agent);
        let request = request.clone();
        async move { Ok(PoolClient::new(channel).history(request).await?.into_inner()) }
    })
    .await?;
    loop {
        let next = tokio::time::timeout(SILENCE, stream.message()).await;
        let next = next.context("the master stopped sending")?;
        let Some(entry) = next.map_err(|status| anyhow::anyhow!("{}", status.message()))? else {
            return Ok(());
        };
        if asked.json {
            command::print(&String::from_utf8_lossy(&entry.json))?;
        } else {
            command::print(&page(&serde_json::from_slice(&entry.json)?))?;
        }
    }
}

/// Takes one entry back.
///
/// # Errors
/// When no leader answers, or the pool refuses.
pub async fn run(command: HistoryCommand) -> Result<()> {
    let HistoryCommand::Undo {
        entry,
        dry_run,
        config,
    } = command;
    undo(&config, UndoRequest { entry, dry_run }).await
}

async fn undo(config: &Path, request: UndoRequest) -> Result<()> {
    let (peers, first) = command::way_in(&config::load(config)?)?;
    let reply = follow(first, |at| {
        let channel = peers.channel(at.host, &at.address, at.port, Lane::Agent);
        async move { Ok(PoolClient::new(channel).undo(request).await?.into_inner()) }
    })
    .await?;
    if !reply.refusal.is_empty() {
        bail!(
            "entry {} cannot be undone: {}",
            request.entry,
            reply.refusal.join(" ")
        );
    }
    let set: Vec<Json> = serde_json::from_slice(&reply.json)?;
    let lines: Vec<String> = set.iter().map(change).collect();
    let done = if request.dry_run {
        "would be set back"
    } else {
        "set back"
    };
    command::print(&format!("{}\n{done}", lines.join("\n")))
}

fn text<'a>(json: &'a Json, key: &str) -> &'a str {
    json.get(key).and_then(Json::as_str).unwrap_or_default()
}

fn page(entry: &Json) -> String {
    let number = |key: &str| entry.get(key).and_then(Json::as_i64).unwrap_or_default();
    let who = match text(entry, "user") {
        "" => "(the pool)",
        user => user,
    };
    let at = DateTime(number("at"));
    let mut lines = vec![format!(
        "{}  {at}  {who}  {}",
        number("entry"),
        text(entry, "call")
    )];
    let changes = entry.get("changes").and_then(Json::as_array);
    lines.extend(changes.into_iter().flatten().map(change));
    lines.join("\n")
}

/// One change, on a line.
fn change(json: &Json) -> String {
    let id = match text(json, "uuid") {
        "" => text(json, "ref"),
        uuid => uuid,
    };
    let name = match text(json, "name") {
        "" => String::new(),
        name => format!(" {name:?}"),
    };
    let what = match text(json, "what") {
        "set" => {
            let value = |key: &str| json.get(key).cloned().unwrap_or_default().to_string();
            format!("{}: {} -> {}", text(json, "field"), value("old"), value("new"))
        }
        other => other.to_owned(),
    };
    format!("    {} {id}{name} {what}", text(json, "class"))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_so_long_ago() {
        let now = DateTime(1_000_000);
        let at = |text: &str| moment(text, now).ok().map(|at| at.0);
        assert_eq!(at("90s"), Some(999_910));
        assert_eq!(at("2h"), Some(992_800));
        assert_eq!(at("19700101T00:01:00Z"), Some(60));
        for wrong in ["", "5", "m", "-5m", "yesterday", "5ä"] {
            assert_eq!(at(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_entry_is_told_on_lines() {
        let entry = serde_json::json!({
            "entry": 7, "at": 60, "user": "root", "call": "VM.set_name_label",
            "changes": [{"class": "VM", "ref": "OpaqueRef:1", "uuid": "u", "name": "www", "what": "set",
                         "field": "name_label", "old": "web", "new": "www"}],
        });
        assert_eq!(
            page(&entry),
            "7  19700101T00:01:00Z  root  VM.set_name_label\n    VM u \"www\" name_label: \"web\" -> \"www\""
        );
    }
}
