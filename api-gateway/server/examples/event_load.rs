//! Clients that wait in `event.from` while others write: how long it takes from a write to each client that is to hear of it,
//! as JSON.
//!
//! A write puts the moment into its VM's label, where the clients find it again.
#![allow(clippy::print_stdout, reason = "a command")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Parser;
use https::{find, read_answer, trusting_config};
use rustls_pki_types::ServerName;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

#[path = "load/https.rs"]
mod https;

/// Has clients wait for events while there are writes.
#[derive(Clone, Parser)]
struct Options {
    /// Address of the server.
    #[arg(long)]
    target: SocketAddr,
    /// A session.
    #[arg(long)]
    session: String,
    /// A file with references of VMs, one a line, that are written to in turn.
    #[arg(long)]
    vms: PathBuf,
    /// Clients. Each waits for one of the VMs, or with `--all` for every VM.
    #[arg(long, default_value_t = 200)]
    clients: usize,
    /// Every client waits for every VM.
    #[arg(long)]
    all: bool,
    /// Writes a second.
    #[arg(long, default_value_t = 100.0)]
    writes: f64,
    /// Seconds that count.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Seconds before that.
    #[arg(long, default_value_t = 2.0)]
    warmup: f64,
}

/// What stands before the moment in a label.
const MARK: &str = "moment-";

struct Wire {
    stream: TlsStream<TcpStream>,
    target: SocketAddr,
    answer: Vec<u8>,
}

impl Wire {
    async fn open(target: SocketAddr, connector: &TlsConnector) -> anyhow::Result<Wire> {
        let stream = TcpStream::connect(target).await.context("connect")?;
        stream.set_nodelay(true)?;
        let stream = connector.connect(ServerName::from(target.ip()), stream).await?;
        Ok(Wire {
            stream,
            target,
            answer: Vec::with_capacity(64 << 10),
        })
    }

    /// Sends a call; its parameters are XML. The answer is kept.
    async fn call(&mut self, method: &str, params: &[String]) -> anyhow::Result<()> {
        let params: String = params
            .iter()
            .map(|value| format!("<param><value>{value}</value></param>"))
            .collect();
        let body = format!(
            "<?xml version='1.0'?><methodCall><methodName>{method}</methodName><params>{params}</params></methodCall>"
        );
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
            self.target,
            body.len()
        );
        self.stream
            .write_all(&[head.as_bytes(), body.as_bytes()].concat())
            .await?;
        self.stream.flush().await?;
        let wait = read_answer(&mut self.stream, &mut self.answer, b"Success");
        let good = tokio::time::timeout(Duration::from_secs(60), wait).await??;
        ensure!(good, "{method} failed: {}", String::from_utf8_lossy(&self.answer));
        Ok(())
    }
}

/// The text from the end of `before` to the next `<`.
fn after<'a>(text: &'a [u8], before: &str) -> Option<&'a [u8]> {
    let from = find(text, before.as_bytes())? + before.len();
    let rest = text.get(from..)?;
    rest.get(..find(rest, b"<")?)
}

/// The numbers behind each mark.
fn moments(text: &[u8]) -> Vec<u64> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = find(rest, MARK.as_bytes()) {
        rest = &rest[at + MARK.len()..];
        let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        found.extend(
            std::str::from_utf8(&rest[..digits])
                .ok()
                .and_then(|d| d.parse::<u64>().ok()),
        );
    }
    found
}

/// Waits for events until the end, and says how long each took that was written while it counted.
async fn wait(
    options: Options,
    connector: TlsConnector,
    wanted: String,
    zero: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let end = Duration::from_secs_f64(options.warmup + options.seconds);
    let counts_from = Duration::from_secs_f64(options.warmup);
    let mut wire = Wire::open(options.target, &connector).await?;
    let list = format!("<array><data><value>{wanted}</value></data></array>");
    // The first answer tells what there is.
    let mut token = String::new();
    let mut found = Vec::new();
    while zero.elapsed() < end {
        let params = [
            options.session.clone(),
            list.clone(),
            token.clone(),
            "<double>1</double>".to_owned(),
        ];
        wire.call("event.from", &params).await?;
        let now = zero.elapsed();
        let next = after(&wire.answer, "<name>token</name><value>").context("no token")?;
        let is_first = token.is_empty();
        token = String::from_utf8(next.to_vec())?;
        if is_first {
            continue;
        }
        for micros in moments(&wire.answer) {
            let written = Duration::from_micros(micros);
            if written >= counts_from && written < end {
                found.push(now.saturating_sub(written));
            }
        }
    }
    Ok(found)
}

/// Writes to the VMs in turn, at a steady rate, and says how long each write took.
async fn write(
    options: Options,
    connector: TlsConnector,
    vms: Vec<String>,
    zero: Instant,
) -> anyhow::Result<Vec<Duration>> {
    let end = Duration::from_secs_f64(options.warmup + options.seconds);
    let pause = Duration::from_secs_f64(1.0 / options.writes);
    let mut wire = Wire::open(options.target, &connector).await?;
    let mut tick = tokio::time::interval(pause);
    let mut took = Vec::new();
    for vm in vms.iter().cycle() {
        tick.tick().await;
        let began = zero.elapsed();
        if began >= end {
            break;
        }
        let label = format!("{MARK}{}", began.as_micros());
        wire.call("VM.set_name_label", &[options.session.clone(), vm.clone(), label])
            .await?;
        took.push(zero.elapsed().saturating_sub(began));
    }
    Ok(took)
}

/// Milliseconds that so many per cent of the times are below.
fn at(times: &[Duration], percent: usize) -> f64 {
    let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(index).map_or(f64::NAN, |t| t.as_secs_f64() * 1000.0)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let vms: Vec<String> = std::fs::read_to_string(&options.vms)
        .context("read the VMs")?
        .lines()
        .map(str::to_owned)
        .collect();
    ensure!(!vms.is_empty(), "no VMs");
    let connector = TlsConnector::from(Arc::new(trusting_config()?));
    let zero = Instant::now();
    let waiting: Vec<_> = (0..options.clients)
        .map(|number| {
            let wanted = match options.all {
                true => "VM".to_owned(),
                false => format!("VM/{}", vms[number % vms.len()]),
            };
            tokio::spawn(wait(options.clone(), connector.clone(), wanted, zero))
        })
        .collect();
    let mut writes = write(options.clone(), connector, vms, zero)
        .await
        .context("write")?;
    let mut told = Vec::new();
    for client in waiting {
        told.extend(client.await.context("join")?.context("a client that waits")?);
    }
    told.sort_unstable();
    writes.sort_unstable();
    println!(
        "{}",
        serde_json::json!({
            "clients": options.clients, "writes": writes.len(), "deliveries": told.len(), "errors": 0,
            "write_p50_ms": at(&writes, 50), "write_p99_ms": at(&writes, 99),
            "p50_ms": at(&told, 50), "p99_ms": at(&told, 99), "max_ms": at(&told, 100),
            "per_second": told.iter().map(|_| 1.0).sum::<f64>() / options.seconds,
        })
    );
    Ok(())
}
