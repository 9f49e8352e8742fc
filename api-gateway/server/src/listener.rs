//! Binds the endpoints of one host and accepts connections on them.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::http::connection::{self, Shared};
use crate::limits::{ConnectionCounter, Counted};
use crate::unix::BoundSocket;
use crate::{ApiService, Origin, ServerIdentity, TransportLimits, redirect};

/// Rest after a failed accept, which mostly means that there are no file descriptors left.
const ACCEPT_REST: Duration = Duration::from_millis(50);

/// Where and how to listen.
pub struct GatewayConfig {
    /// Address for HTTPS; port 0 picks one.
    pub https: SocketAddr,
    /// Address of the listener that redirects to HTTPS, if there is one.
    pub http: Option<SocketAddr>,
    /// Unix sockets.
    pub unix: Vec<PathBuf>,
    /// Certificate and key; keep a clone to replace them later.
    pub identity: ServerIdentity,
    /// Bounds.
    pub limits: TransportLimits,
}

/// The server could not begin to listen.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// An address is taken or not ours.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A Unix socket is taken or its folder cannot be written.
    #[error("cannot listen on {}", path.display())]
    Socket {
        /// The socket's path.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// A running server.
pub struct ServerHandle {
    /// The address bound for HTTPS.
    pub https_addr: SocketAddr,
    /// The address bound for redirects.
    pub http_addr: Option<SocketAddr>,
    workers: TaskTracker,
}

impl ServerHandle {
    /// Waits until every listener and connection has ended, after the shutdown was asked for: at most the drain time.
    pub async fn finished(&self) {
        self.workers.wait().await;
    }
}

/// Listens until `shutdown` is cancelled; then calls in progress may end within the drain time.
///
/// # Errors
/// [`GatewayError`] if an endpoint cannot be bound; then none is.
pub async fn serve(
    config: GatewayConfig,
    service: Arc<dyn ApiService>,
    shutdown: CancellationToken,
) -> Result<ServerHandle, GatewayError> {
    let (https, https_addr) = bind(config.https).await?;
    let http = match config.http {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let mut sockets = Vec::with_capacity(config.unix.len());
    for path in config.unix {
        let bound = BoundSocket::bind(&path).map_err(|source| GatewayError::Socket { path, source })?;
        sockets.push(Arc::new(bound));
    }
    let acceptor = Acceptor {
        counter: ConnectionCounter::new(&config.limits),
        shared: Arc::new(Shared {
            service,
            limits: config.limits,
            shutdown,
        }),
        workers: TaskTracker::new(),
    };
    let http_addr = http.as_ref().map(|(_, address)| *address);
    if let Some((listener, _)) = http {
        acceptor
            .workers
            .spawn(acceptor.clone().accept_plain(listener, https_addr.port()));
    }
    for socket in sockets {
        acceptor.workers.spawn(acceptor.clone().accept_local(socket));
    }
    acceptor
        .workers
        .spawn(acceptor.clone().accept_https(https, config.identity));
    acceptor.workers.close();
    tracing::info!(https = %https_addr, http = ?http_addr, "listening");
    Ok(ServerHandle {
        https_addr,
        http_addr,
        workers: acceptor.workers,
    })
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), GatewayError> {
    let failed = |source| GatewayError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// What the accept loops share.
#[derive(Clone)]
struct Acceptor {
    counter: ConnectionCounter,
    shared: Arc<Shared>,
    workers: TaskTracker,
}

impl Acceptor {
    async fn accept_https(self, listener: TcpListener, identity: ServerIdentity) {
        while let Some((stream, peer, counted)) = self.next_tcp(&listener).await {
            let acceptor = identity.acceptor();
            let shared = Arc::clone(&self.shared);
            self.workers.spawn(async move {
                let _counted = counted;
                let handshake = tokio::time::timeout(shared.limits.handshake, acceptor.accept(stream));
                let accepted = tokio::select! {
                    accepted = handshake => accepted,
                    () = shared.shutdown.cancelled() => return,
                };
                match accepted {
                    Ok(Ok(stream)) => connection::serve(stream, Origin::Tcp(peer), shared).await,
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
                    Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
                }
            });
        }
    }

    async fn accept_plain(self, listener: TcpListener, https_port: u16) {
        while let Some((stream, _, counted)) = self.next_tcp(&listener).await {
            let shared = Arc::clone(&self.shared);
            self.workers.spawn(async move {
                let _counted = counted;
                redirect::serve(stream, https_port, shared).await;
            });
        }
    }

    async fn accept_local(self, socket: Arc<BoundSocket>) {
        loop {
            let accepted = tokio::select! {
                accepted = socket.listener.accept() => accepted,
                () = self.shared.shutdown.cancelled() => return,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(ACCEPT_REST).await;
                continue;
            };
            let Some(caller) = stream.peer_cred().ok().filter(|caller| socket.admits(caller)) else {
                continue;
            };
            let Some(counted) = self.counter.enter(None) else {
                continue;
            };
            let shared = Arc::clone(&self.shared);
            self.workers.spawn(async move {
                let _counted = counted;
                connection::serve(stream, Origin::LocalRoot { pid: caller.pid() }, shared).await;
            });
        }
    }

    /// The next connection within the limits; nothing once the server stops.
    async fn next_tcp(&self, listener: &TcpListener) -> Option<(TcpStream, SocketAddr, Counted)> {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.shared.shutdown.cancelled() => return None,
            };
            match accepted {
                Ok((stream, peer)) => {
                    if !peer.ip().to_canonical().is_loopback() && !self.shared.service.admits_strangers() {
                        tracing::debug!(%peer, "the management is off");
                        continue;
                    }
                    let Some(counted) = self.counter.enter(Some(peer.ip())) else {
                        tracing::debug!(%peer, "too many connections");
                        continue;
                    };
                    // Answers are small and must not wait for acknowledgements.
                    if stream.set_nodelay(true).is_ok() {
                        return Some((stream, peer, counted));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
    }
}
