//! Load on an HTTPS server: some connections that post without a pause, and a report of rate and latency as JSON.
//!
//! The client does as little as it can, since it shares the processors with the server it measures.
#![allow(clippy::print_stdout, reason = "a command")]

use std::net::SocketAddr;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use https::{find, read_answer, trusting_config};
use rustls_pki_types::ServerName;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

#[path = "load/https.rs"]
mod https;

/// Posts the same bodies for some time over connections that stay open.
#[derive(Parser)]
struct Options {
    /// Address of the server.
    #[arg(long)]
    target: SocketAddr,
    /// Files that hold the bodies to post; connection i posts the i-th of them, from the start again after the last.
    #[arg(long, required = true)]
    request: Vec<PathBuf>,
    /// Path to post to.
    #[arg(long, default_value = "/")]
    path: String,
    /// Connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds that count.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Seconds before that.
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// Text in the bodies in whose place each request carries a number of its own, of the same length: so that every
    /// write is one.
    #[arg(long, default_value = "")]
    number_at: String,
    /// File to which is written, a line for each call that counts, when it ended in milliseconds from the first that could and how
    /// long it took in microseconds: to see what slow ones have in common.
    #[arg(long)]
    timeline: Option<PathBuf>,
    /// An answer without this text counts as an error.
    #[arg(long, default_value = "")]
    expect: String,
}

/// What one connection saw while it counted.
#[derive(Default)]
struct Seen {
    latencies: Vec<Duration>,
    /// When each call was sent.
    sent: Vec<Instant>,
    errors: u64,
    bytes: u64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let mut requests = Vec::new();
    let number_at = options.number_at.as_bytes();
    for file in &options.request {
        let body = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
        let mut request = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n",
            options.path,
            options.target,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(&body);
        let at = if number_at.is_empty() {
            None
        } else {
            Some(
                find(&request, number_at)
                    .with_context(|| format!("no place for a number in {}", file.display()))?,
            )
        };
        requests.push((request, at.map(|at| at..at + number_at.len())));
    }
    let connector = TlsConnector::from(Arc::new(trusting_config()?));
    let expect: Arc<[u8]> = options.expect.as_bytes().into();
    let begin = Instant::now() + Duration::from_secs_f64(options.warmup);
    let end = begin + Duration::from_secs_f64(options.seconds);
    let workers: Vec<_> = requests
        .iter()
        .cycle()
        .take(options.connections)
        .map(|request| {
            let (connector, request, expect) = (connector.clone(), request.clone(), Arc::clone(&expect));
            tokio::spawn(post_until(connector, options.target, request, expect, begin, end))
        })
        .collect();
    let mut all = Seen::default();
    for worker in workers {
        let seen = worker.await.context("join")?.context("connection")?;
        all.latencies.extend(seen.latencies);
        all.sent.extend(seen.sent);
        all.errors += seen.errors;
        all.bytes += seen.bytes;
    }
    if let Some(file) = &options.timeline {
        let mut lines = String::new();
        for (sent, took) in all.sent.iter().zip(&all.latencies) {
            let ended = (*sent + *took).duration_since(begin);
            lines.push_str(&format!(
                "{:.2} {}\n",
                ended.as_secs_f64() * 1000.0,
                took.as_micros()
            ));
        }
        std::fs::write(file, lines).with_context(|| format!("write {}", file.display()))?;
    }
    all.latencies.sort_unstable();
    let at = |percent: usize| {
        let index = (all.latencies.len() * percent / 100).min(all.latencies.len().saturating_sub(1));
        all.latencies
            .get(index)
            .map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    };
    let rate = all.latencies.iter().map(|_| 1.0).sum::<f64>() / options.seconds;
    println!(
        "{}",
        serde_json::json!({
            "connections": options.connections, "seconds": options.seconds, "requests": all.latencies.len(),
            "errors": all.errors, "bytes": all.bytes, "per_second": rate,
            "p50_ms": at(50), "p90_ms": at(90), "p99_ms": at(99), "max_ms": at(100),
        })
    );
    Ok(())
}

async fn post_until(
    connector: TlsConnector,
    target: SocketAddr,
    (mut request, number): (Vec<u8>, Option<Range<usize>>),
    expect: Arc<[u8]>,
    begin: Instant,
    end: Instant,
) -> anyhow::Result<Seen> {
    let stream = TcpStream::connect(target).await.context("connect")?;
    stream.set_nodelay(true)?;
    let mut stream = connector
        .connect(ServerName::from(target.ip()), stream)
        .await
        .context("handshake")?;
    let mut seen = Seen::default();
    let mut answer = Vec::with_capacity(64 << 10);
    for count in 0_u64.. {
        if let Some(place) = number.clone() {
            let text = format!("{count:0>width$}", width = place.len());
            request[place].copy_from_slice(text.as_bytes());
        }
        let sent = Instant::now();
        if sent >= end {
            return Ok(seen);
        }
        stream.write_all(&request).await.context("send")?;
        // What the socket did not take at once stays within TLS otherwise.
        stream.flush().await.context("send")?;
        let good = tokio::time::timeout(
            Duration::from_secs(60),
            read_answer(&mut stream, &mut answer, &expect),
        )
        .await
        .context("no answer in 60 s")?
        .context("receive")?;
        if sent < begin {
            continue;
        }
        if good {
            seen.latencies.push(sent.elapsed());
            seen.sent.push(sent);
        } else {
            seen.errors += 1;
        }
        seen.bytes += answer.len() as u64;
    }
    Ok(seen)
}
