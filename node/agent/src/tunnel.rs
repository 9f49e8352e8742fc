//! Bytes between the hypervisors of two hosts, carried by their nodes over their own channel.
//!
//! ```text
//! source: libvirt client, QEMU ─► Unix socket ─► forward ══ Tunnel RPC, mTLS ══► accept ─► Unix socket ─► libvirtd, QEMU
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use node_commands::{MigrationDestination, VolumeRef};
use proto_wire::channel::Peers;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::client;

/// How long a tunnel may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// Buffer for each direction.
const BUFFER: usize = 256 * 1024;

/// What is at a tunnel's far end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TunnelTarget {
    /// The hypervisor's own socket.
    Control,
    /// The socket on which a domain's memory is expected.
    Memory,
    /// The screen of a running domain.
    Screen,
    /// The serial port of a running domain.
    Serial,
    /// A volume, for as long as the tunnel lasts.
    Volume(VolumeTunnel),
}

/// A volume as a tunnel's far end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeTunnel {
    /// Which one.
    pub volume: VolumeRef,
    /// Whether it may be written.
    pub writable: bool,
    /// The caller's term: an older one than seen is refused, and the tunnel ends when a newer one is seen.
    pub term: u64,
}

/// One connection, whatever carries it.
pub trait Duplex: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}
/// One connection.
pub type TunnelStream = Pin<Box<dyn Duplex>>;

/// The way to other hosts.
#[async_trait]
pub trait TunnelDialer: Send + Sync {
    /// Connects to a socket of another host that expects the VM.
    ///
    /// # Errors
    /// If the host is not reached, or does not expect that VM.
    async fn dial(
        &self,
        destination: &MigrationDestination,
        vm: Uuid,
        target: TunnelTarget,
    ) -> io::Result<TunnelStream>;
}

/// The way over the nodes' channel.
#[derive(Clone)]
pub struct GrpcDialer {
    peers: Peers,
}

impl GrpcDialer {
    /// Uses these channels.
    pub fn new(peers: Peers) -> GrpcDialer {
        GrpcDialer { peers }
    }

    /// Connects to something on another host.
    ///
    /// # Errors
    /// `NotFound` if there is no such thing there; else the host is not reached in time, or refuses.
    pub async fn open(
        &self,
        host: Uuid,
        address: &str,
        port: u16,
        vm: Uuid,
        target: TunnelTarget,
    ) -> io::Result<TunnelStream> {
        let lane = proto_wire::channel::Lane::Tunnel;
        client::open_tunnel(self.peers.channel(host, address, port, lane), vm, target).await
    }
}

#[async_trait]
impl TunnelDialer for GrpcDialer {
    async fn dial(
        &self,
        destination: &MigrationDestination,
        vm: Uuid,
        target: TunnelTarget,
    ) -> io::Result<TunnelStream> {
        let (host, address) = (destination.host, &destination.address);
        self.open(host, address, destination.grpc_port, vm, target).await
    }
}

/// A Unix socket of this host whose connections go to another one. It closes, and cuts all of them, when dropped.
pub(crate) struct Forward {
    path: PathBuf,
    stop: CancellationToken,
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.stop.cancel();
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Forward {
    /// Begins to listen. The folder must be there; a socket left behind is replaced.
    pub(crate) fn listen(
        path: &Path,
        dialer: Arc<dyn TunnelDialer>,
        destination: MigrationDestination,
        vm: Uuid,
        target: TunnelTarget,
    ) -> io::Result<Forward> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        open_to_all(path)?;
        let stop = CancellationToken::new();
        let forward = Forward {
            path: path.to_owned(),
            stop: stop.clone(),
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(async move {
            loop {
                match listener.accept().await {
                    Ok((near, _)) => {
                        let (dialer, destination) = (Arc::clone(&dialer), destination.clone());
                        let target = target.clone();
                        let carry = async move {
                            match dialer.dial(&destination, vm, target.clone()).await {
                                Ok(far) => carry(Box::pin(near), far).await,
                                Err(error) => {
                                    tracing::warn!(%vm, ?target, %error, "no tunnel to the destination")
                                }
                            }
                        };
                        tokio::spawn(stop.clone().run_until_cancelled_owned(carry));
                    }
                    Err(error) => {
                        tracing::warn!(%vm, %error, "accept failed");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        }));
        Ok(forward)
    }
}

/// Lets the hypervisor's user connect; the folder, whose name nobody can guess, keeps others out.
fn open_to_all(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666))
}

/// Carries bytes both ways until both sides have ended.
pub(crate) async fn carry(mut near: TunnelStream, mut far: TunnelStream) {
    match tokio::io::copy_bidirectional_with_sizes(&mut near, &mut far, BUFFER, BUFFER).await {
        Ok((out, back)) => tracing::debug!(out, back, "tunnel ended"),
        Err(error) => tracing::debug!(%error, "tunnel broke"),
    }
}

/// Connects to a local socket, which may be about to appear.
pub(crate) async fn connect_local(path: &Path) -> io::Result<UnixStream> {
    let deadline = tokio::time::Instant::now() + CONNECT;
    loop {
        match UnixStream::connect(path).await {
            Ok(stream) => return Ok(stream),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) && tokio::time::Instant::now() < deadline =>
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) => return Err(error),
        }
    }
}
