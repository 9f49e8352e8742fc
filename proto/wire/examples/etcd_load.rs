//! Load on etcd: clients that put without a pause over gRPC, and a report of rate and latency as JSON. The peer of
//! `https_load` in `cargo xtask bench writes`.
#![allow(clippy::print_stdout, reason = "a command")]

use std::time::{Duration, Instant};

use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use tonic_prost::ProstCodec;

/// etcd's `PutRequest`, as far as it is needed. Source: etcd's `rpc.proto`.
#[derive(Clone, PartialEq, prost::Message)]
struct Put {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// Its answer; nothing of it is looked at.
#[derive(Clone, PartialEq, prost::Message)]
struct PutReply {}

/// Where etcd listens, over TLS if a file with the certificate to trust is named.
fn endpoint(target: String, trusted: Option<&str>) -> Result<Endpoint, Box<dyn std::error::Error>> {
    let endpoint = Endpoint::from_shared(target)?;
    let Some(file) = trusted else {
        return Ok(endpoint);
    };
    let certificate = Certificate::from_pem(std::fs::read(file)?);
    Ok(endpoint.tls_config(ClientTlsConfig::new().ca_certificate(certificate))?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let target = words
        .next()
        .ok_or("target, clients, seconds, and a certificate to trust")?;
    let clients: usize = words.next().ok_or("clients")?.parse()?;
    let seconds: f64 = words.next().ok_or("seconds")?.parse()?;
    let trusted = words.next();
    let endpoint = endpoint(target, trusted.as_deref())?;
    let begin = Instant::now() + Duration::from_secs(1);
    let end = begin + Duration::from_secs_f64(seconds);
    let mut workers = Vec::new();
    for number in 0..clients {
        let channel = endpoint.connect().await?;
        workers.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            let mut grpc = tonic::client::Grpc::new(channel);
            let request = Put {
                key: format!("vm-{number}").into_bytes(),
                value: vec![b'x'; 64],
            };
            while Instant::now() < end {
                let before = Instant::now();
                grpc.ready().await.map_err(|e| e.to_string())?;
                let codec: ProstCodec<Put, PutReply> = ProstCodec::default();
                let path = PathAndQuery::from_static("/etcdserverpb.KV/Put");
                grpc.unary(tonic::Request::new(request.clone()), path, codec)
                    .await
                    .map_err(|e| e.to_string())?;
                if before >= begin {
                    latencies.push(before.elapsed());
                }
            }
            Ok::<_, String>(latencies)
        }));
    }
    let mut all = Vec::new();
    for worker in workers {
        all.extend(worker.await??);
    }
    all.sort_unstable();
    let at = |percent: usize| {
        let index = (all.len() * percent / 100).min(all.len().saturating_sub(1));
        all.get(index).map_or(0.0, Duration::as_secs_f64) * 1000.0
    };
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    let rate = all.len() as f64 / seconds;
    println!(
        r#"{{"per_second": {rate}, "p50_ms": {}, "p99_ms": {}, "errors": 0}}"#,
        at(50),
        at(99)
    );
    Ok(())
}
