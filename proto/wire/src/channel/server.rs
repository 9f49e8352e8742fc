//! The accepting side: TLS handshakes beside one another, each with a time-out.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;
use tonic::{Request, Status};
use uuid::Uuid;

use super::credentials::Credentials;
use super::trust::distrust;
use crate::ca;

/// How long a peer may take for the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Handshakes under way at once; more wait in the kernel's queue.
const HANDSHAKES: usize = 64;

/// Who is at the other end.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// Address of the connection's other end.
    pub address: SocketAddr,
    /// The host its certificate names; `None` if it showed none (a host that wants to join).
    pub host: Option<Uuid>,
}

/// The host that sent a request, by its certificate.
///
/// # Errors
/// `UNAUTHENTICATED` if the peer showed no certificate of this pool.
#[allow(clippy::result_large_err, reason = "tonic's own type for a refused call")]
pub fn peer_host<T>(request: &Request<T>) -> Result<Uuid, Status> {
    request
        .extensions()
        .get::<PeerInfo>()
        .and_then(|peer| peer.host)
        .ok_or_else(|| Status::unauthenticated("a certificate of this pool is needed"))
}

/// What is read of a connection at once. TLS by itself asks the kernel for one record of 16 KiB after another: six thousand
/// times for 100 MB of a guest's memory.
pub(super) const READ_AT_ONCE: usize = 256 * 1024;

/// A connection whose handshake is done.
pub struct PeerStream {
    inner: TlsStream<BufReader<TcpStream>>,
    info: PeerInfo,
}

impl Connected for PeerStream {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> PeerInfo {
        self.info.clone()
    }
}

impl AsyncRead for PeerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for PeerStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }
}

/// Connections as they become ready; ends the accepting when dropped. For tonic's `serve_with_incoming`.
pub struct Incoming {
    ready: mpsc::Receiver<PeerStream>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Stream for Incoming {
    type Item = io::Result<PeerStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(cx).map(|stream| stream.map(Ok))
    }
}

/// What was said of whom lately: a node that is refused tries again many times a second.
#[derive(Default)]
struct Said(Mutex<HashMap<IpAddr, Instant>>);

/// Addresses that are spoken of in that time.
const MOST_SPOKEN_OF: usize = 64;
/// How often one address is spoken of.
const SPOKEN_OF: Duration = Duration::from_secs(60);

impl Said {
    fn say(&self, address: IpAddr, why: &str) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.retain(|_, at| at.elapsed() < SPOKEN_OF);
        if said.len() < MOST_SPOKEN_OF && said.insert(address, Instant::now()).is_none() {
            tracing::warn!(%address, why, "a connection was refused");
        }
    }
}

/// Accepts connections on a listener until the result is dropped. Needs a tokio runtime.
///
/// A peer that sends garbage, is too slow, or shows a foreign certificate is disconnected; others do not notice.
pub fn accept(listener: TcpListener, credentials: Credentials) -> Incoming {
    let (sender, ready) = mpsc::channel(16);
    let accepting = tokio::spawn(async move {
        let places = Arc::new(Semaphore::new(HANDSHAKES));
        let said = Arc::<Said>::default();
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let (stream, address) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, as a rule: give others time to close some.
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let acceptor = TlsAcceptor::from(Arc::clone(&credentials.current().server));
            let (sender, said) = (sender.clone(), Arc::clone(&said));
            tokio::spawn(async move {
                let _place = place;
                let _ = stream.set_nodelay(true);
                let stream = BufReader::with_capacity(READ_AT_ONCE, stream);
                match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                    Ok(Ok(inner)) => {
                        let host = inner
                            .get_ref()
                            .1
                            .peer_certificates()
                            .and_then(|chain| chain.first())
                            .and_then(ca::host_of);
                        let _ = sender
                            .send(PeerStream {
                                inner,
                                info: PeerInfo { address, host },
                            })
                            .await;
                    }
                    Ok(Err(error)) => match distrust(&error) {
                        Some(why) => said.say(address.ip(), why),
                        None => tracing::debug!(%address, %error, "handshake failed"),
                    },
                    Err(_) => tracing::debug!(%address, "handshake took too long"),
                }
            });
        }
    });
    Incoming { ready, accepting }
}
