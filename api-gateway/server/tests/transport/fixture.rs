//! A server whose service echoes, and a client that sends raw bytes.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_server::transfer::{Broken, Reply, Request, reply};
use gateway_server::{
    ApiService, CallHeaders, CallReply, Format, GatewayConfig, Origin, ServerHandle, ServerIdentity,
    TransportLimits, serve,
};
use rustls_pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

pub use crate::client::{Client, PATIENCE, make_certificate, within};

/// Answers `<origin> <format> <body>`, except for bodies that ask for something else.
pub struct Echo {
    /// Calls with the body `wait` take one permit each before they answer.
    pub gate: Semaphore,
    /// One permit for each call with the body `wait` that has arrived.
    pub waiting: Semaphore,
}

#[async_trait]
impl ApiService for Echo {
    fn health(&self) -> gateway_server::Health {
        gateway_server::Health {
            is_healthy: false,
            words: "as it was asked".to_owned(),
        }
    }

    async fn call(&self, origin: Origin, headers: CallHeaders, format: Format, body: Bytes) -> CallReply {
        match &*body {
            b"wait" => {
                self.waiting.add_permits(1);
                self.gate.acquire().await.expect("never closed").forget();
            }
            b"panic" => unreachable!("as asked"),
            b"huge" => return CallReply::xml(vec![b'x'; 64 << 20]),
            _ => {}
        }
        let origin = match origin {
            Origin::Tcp(_) => "tcp",
            Origin::LocalRoot { .. } => "root",
        };
        let task = headers.task_id().unwrap_or("-").to_owned();
        let mut text = format!("{origin} {format:?} {task} ").into_bytes();
        text.extend_from_slice(&body);
        let mut reply = match format {
            Format::XmlRpc => CallReply::xml(text),
            Format::Json => CallReply::json(text),
        };
        reply.headers.push(("x-extra", "yes".to_owned()));
        reply
    }

    /// `/export`: a stream in pieces. `/import`: an answer before the body, then how long that was. `/console`: an echo.
    async fn transfer(&self, mut request: Request) -> Result<Reply, Broken> {
        match request.head.uri.path() {
            "/export" => {
                let pieces = futures::stream::iter((0..5).map(|n| Ok(Bytes::from(vec![b'0' + n; 3]))));
                Ok(reply::stream("application/octet-stream", pieces))
            }
            "/import" => {
                let work = async move {
                    let mut count = 0;
                    let end = loop {
                        match request.body.next().await {
                            Ok(Some(piece)) => count += piece.len(),
                            Ok(None) => break "whole".to_owned(),
                            Err(error) => break format!("{:?}", error.kind()),
                        }
                    };
                    Ok(Bytes::from(format!("{count} {end}")))
                };
                Ok(reply::stream("text/plain", futures::stream::once(work)))
            }
            "/console" => {
                let (near, far) = tokio::io::duplex(4096);
                tokio::spawn(async move {
                    let (mut from, mut to) = tokio::io::split(near);
                    tokio::io::copy(&mut from, &mut to).await
                });
                request.tunnel.carry(far);
                Ok(reply::connected())
            }
            "/vncsnapshot" => Err(Broken),
            _ => Ok(reply::page(hyper::StatusCode::NOT_IMPLEMENTED)),
        }
    }
}

/// A server of its own for one test.
pub struct Server {
    pub handle: ServerHandle,
    pub echo: Arc<Echo>,
    pub identity: ServerIdentity,
    pub shutdown: CancellationToken,
    pub folder: tempfile::TempDir,
    pub certificate: CertificateDer<'static>,
}

impl Server {
    pub async fn start(limits: TransportLimits) -> Server {
        let (pem, key, certificate) = make_certificate();
        let identity = ServerIdentity::from_pem(pem.as_bytes(), key.as_bytes()).expect("a good pair");
        let echo = Arc::new(Echo {
            gate: Semaphore::new(0),
            waiting: Semaphore::new(0),
        });
        let shutdown = CancellationToken::new();
        let folder = tempfile::tempdir().expect("make folder");
        let any = "127.0.0.1:0".parse().expect("an address");
        let config = GatewayConfig {
            https: any,
            http: Some(any),
            unix: vec![folder.path().join("one/api"), folder.path().join("two")],
            identity: identity.clone(),
            limits,
        };
        let handle = serve(config, echo.clone(), shutdown.clone())
            .await
            .expect("listen");
        Server {
            handle,
            echo,
            identity,
            shutdown,
            folder,
            certificate,
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("one/api")
    }

    pub async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.handle.https_addr).await.expect("connect")
    }

    pub async fn client(&self) -> Client<TlsStream<TcpStream>> {
        self.try_client(&self.certificate).await.expect("handshake")
    }

    pub async fn try_client(
        &self,
        trusted: &CertificateDer<'static>,
    ) -> std::io::Result<Client<TlsStream<TcpStream>>> {
        Client::connect(self.handle.https_addr, trusted).await
    }

    /// A call over a connection of its own works.
    pub async fn serves_others(&self) {
        let answer = self.client().await.post("/", "hello").await;
        assert_eq!(answer.body, "tcp XmlRpc - hello");
    }
}
