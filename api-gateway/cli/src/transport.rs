//! One HTTP connection to a host: over its Unix socket, over TLS, or plain.

mod trust;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HOST;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use crate::failure::Failure;
use crate::options::Options;

/// What requests carry.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Where a host listens for its own root: the name of now, then that of the first releases.
pub const SOCKETS: &[&str] = &["/var/lib/xcp/xapi", "/var/xapi/xapi"];

/// A host that is not there must not hang us.
const CONNECT_PATIENCE: Duration = Duration::from_secs(30);

/// A body of bytes that are all here.
pub fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Where a host listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// Its own root's socket: no credentials are asked for.
    Socket(PathBuf),
    /// A network address.
    Network {
        /// Name or address, without brackets.
        host: String,
        /// Port.
        port: u16,
        /// Without TLS.
        plain: bool,
    },
}

impl Peer {
    /// The peer that the options name; without any, this host's socket if it has one.
    pub fn of(options: &Options) -> Peer {
        let local = options
            .server
            .as_deref()
            .is_none_or(|s| s == "127.0.0.1" || s == "localhost");
        if local && options.port.is_none() {
            let socket = SOCKETS.iter().map(Path::new).find(|path| path.exists());
            if let Some(path) = socket {
                return Peer::Socket(path.to_owned());
            }
        }
        let host = options.server.clone().unwrap_or_else(|| "127.0.0.1".to_owned());
        Peer::Network {
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: options.port.unwrap_or(if options.plain { 80 } else { 443 }),
            plain: options.plain,
        }
    }

    /// The same way to another host.
    pub fn moved_to(&self, address: &str) -> Peer {
        let host = address.to_owned();
        match self {
            Peer::Socket(_) => Peer::Network {
                host,
                port: 443,
                plain: false,
            },
            Peer::Network { port, plain, .. } => Peer::Network {
                host,
                port: *port,
                plain: *plain,
            },
        }
    }

    /// What stands in the `Host` header.
    fn authority(&self) -> String {
        match self {
            Peer::Socket(_) => "localhost".to_owned(),
            Peer::Network { host, port, .. } if host.contains(':') => format!("[{host}]:{port}"),
            Peer::Network { host, port, .. } => format!("{host}:{port}"),
        }
    }
}

/// How to connect: what is trusted.
#[derive(Clone)]
pub struct Dialer {
    tls: Arc<ClientConfig>,
    debug: bool,
}

/// An open connection.
pub struct Connection {
    sender: SendRequest<Body>,
    authority: String,
    /// Carries the bytes of requests and answers.
    driver: tokio::task::JoinHandle<()>,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Dialer {
    /// Reads the certificates to trust.
    ///
    /// # Errors
    /// When a file of certificates was named and cannot be used.
    pub fn new(options: &Options) -> Result<Dialer, Failure> {
        Ok(Dialer {
            tls: Arc::new(trust::config(options.ca.as_deref())?),
            debug: options.debug,
        })
    }

    /// Connects.
    ///
    /// # Errors
    /// When nobody answers within half a minute, or the certificate is not to be trusted.
    pub async fn connect(&self, peer: &Peer) -> Result<Connection, Failure> {
        if self.debug {
            eprintln_debug(&format!("connecting to {peer:?}"));
        }
        let stream = tokio::time::timeout(CONNECT_PATIENCE, self.stream(peer)).await;
        let stream = stream.map_err(|_| unreachable(peer, "no answer in time"))??;
        let (sender, connection) = http1::Builder::new()
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(peer, error))?;
        let debug = self.debug;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await
                && debug
            {
                eprintln_debug(&format!("connection ended: {error}"));
            }
        });
        Ok(Connection {
            sender,
            authority: peer.authority(),
            driver,
        })
    }

    async fn stream(&self, peer: &Peer) -> Result<Box<dyn Stream>, Failure> {
        match peer {
            Peer::Socket(path) => {
                let stream = UnixStream::connect(path)
                    .await
                    .map_err(|error| unreachable(peer, error))?;
                Ok(Box::new(stream))
            }
            Peer::Network { host, port, plain } => {
                let stream = TcpStream::connect((host.as_str(), *port))
                    .await
                    .map_err(|error| unreachable(peer, error))?;
                stream
                    .set_nodelay(true)
                    .map_err(|error| unreachable(peer, error))?;
                if *plain {
                    return Ok(Box::new(stream));
                }
                let name = ServerName::try_from(host.clone()).map_err(|error| unreachable(peer, error))?;
                let stream = TlsConnector::from(Arc::clone(&self.tls))
                    .connect(name, stream)
                    .await;
                Ok(Box::new(stream.map_err(|error| unreachable(peer, error))?))
            }
        }
    }
}

/// What goes on, for who asked for it with `--debug`.
fn eprintln_debug(text: &str) {
    use std::io::Write;
    let _ = writeln!(io::stderr(), "{text}");
}

fn unreachable(peer: &Peer, why: impl std::fmt::Display) -> Failure {
    let whom = match peer {
        Peer::Socket(path) => path.display().to_string(),
        Peer::Network { .. } => peer.authority(),
    };
    Failure::contact(format!(
        "Unable to contact server. Please check server and port settings.\n({whom}: {why})"
    ))
}

impl Connection {
    /// Whether the other side has hung up.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn send(&mut self, mut request: Request<Body>) -> Result<Response<Incoming>, hyper::Error> {
        if let Ok(authority) = self.authority.parse() {
            request.headers_mut().insert(HOST, authority);
        }
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }

    /// Waits until everything of the last request has been sent, or the other side has hung up.
    pub async fn drained(self) {
        drop(self.sender);
        let _ = self.driver.await;
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_server_or_port_given_means_the_network() {
        let options = Options {
            server: Some("[2001:db8::1]".to_owned()),
            ..Options::default()
        };
        let peer = Peer::of(&options);
        assert_eq!(peer.authority(), "[2001:db8::1]:443");
        assert_eq!(peer.moved_to("192.0.2.7").authority(), "192.0.2.7:443");
        let options = Options {
            port: Some(8080),
            plain: true,
            ..Options::default()
        };
        assert_eq!(
            Peer::of(&options),
            Peer::Network {
                host: "127.0.0.1".to_owned(),
                port: 8080,
                plain: true
            }
        );
    }

    #[test]
    fn a_master_named_over_the_socket_is_reached_over_tls() {
        let socket = Peer::Socket(PathBuf::from("/var/xapi/xapi"));
        assert_eq!(socket.moved_to("192.0.2.7").authority(), "192.0.2.7:443");
    }
}
