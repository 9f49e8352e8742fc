//! A client that sends raw bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// No step of a test takes longer.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A certificate for `localhost` and its key in PEM, and the certificate alone.
pub fn make_certificate() -> (String, String, CertificateDer<'static>) {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("make certificate");
    (
        issued.cert.pem(),
        issued.signing_key.serialize_pem(),
        issued.cert.der().clone(),
    )
}

/// Fails the test instead of letting it hang.
pub async fn within<T>(step: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, step)
        .await
        .expect("the step took too long")
}

/// One answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case, in the order of the wire.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// One connection.
pub struct Client<S>(pub S);

impl Client<TlsStream<TcpStream>> {
    /// Connects to a server that has this certificate.
    pub async fn connect(
        to: SocketAddr,
        trusted: &CertificateDer<'static>,
    ) -> std::io::Result<Client<TlsStream<TcpStream>>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(trusted.clone()).expect("a good certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions of the provider")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let tcp = TcpStream::connect(to).await.expect("connect");
        let handshake = TlsConnector::from(Arc::new(config)).connect(name, tcp);
        within(handshake).await.map(Client)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub async fn send(&mut self, text: &str) {
        within(self.0.write_all(text.as_bytes())).await.expect("send");
        within(self.0.flush()).await.expect("flush");
    }

    pub async fn post(&mut self, path: &str, body: &str) -> Answer {
        self.send(&format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
        self.answer().await
    }

    /// Reads one answer by its `Content-Length`.
    pub async fn answer(&mut self) -> Answer {
        self.answer_if_any().await.expect("an answer")
    }

    /// The same; `None` if the server closes the connection instead.
    pub async fn answer_if_any(&mut self) -> Option<Answer> {
        let mut text = vec![within(self.0.read_u8()).await.ok()?];
        while !text.ends_with(b"\r\n\r\n") {
            text.push(within(self.0.read_u8()).await.expect("receive head"));
        }
        let head = String::from_utf8(text).expect("text");
        let mut lines = head.lines();
        let status = lines
            .next()
            .and_then(|l| l.split(' ').nth(1))
            .and_then(|s| s.parse().ok())
            .expect("status");
        let headers: Vec<_> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers
            .iter()
            .find(|(n, _)| n == "content-length")
            .map_or(0, |(_, v)| v.parse().expect("length"));
        let mut body = vec![0; length];
        within(self.0.read_exact(&mut body)).await.expect("receive body");
        Some(Answer {
            status,
            headers,
            body: String::from_utf8(body).expect("text"),
        })
    }

    /// The server has closed the connection, or does so soon.
    pub async fn is_closed(&mut self) {
        let mut rest = Vec::new();
        // Closed in order or torn down: both will do.
        let _ = within(self.0.read_to_end(&mut rest)).await;
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    }
}
