//! What tunnels of other hosts, and of this one's own API, end at: migrations, consoles, volumes.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use node_commands::{CommandError, CommandErrorKind, VolumeRef};
use node_hypervisor::{DiskFormat, DiskSource};
use node_storage::Access;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::agent::Agent;
use crate::convert;
use crate::serial::SerialPort;
use crate::tunnel::{TunnelStream, TunnelTarget, VolumeTunnel, carry, connect_local};

/// Which socket of an expected domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IncomingEnd {
    /// The hypervisor's.
    Control,
    /// The memory's.
    Memory,
}

/// The near end of a tunnel, connected.
pub struct Opened {
    pub(crate) near: TunnelStream,
    pub(crate) stop: CancellationToken,
    /// The VM whose place is kept for as long as its tunnels last.
    pub(crate) place: Option<Uuid>,
}

impl Opened {
    fn of(near: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + 'static) -> Opened {
        Opened {
            near: Box::pin(near),
            stop: CancellationToken::new(),
            place: None,
        }
    }

    /// The connection alone, for a console or a volume of this very host.
    pub fn into_stream(self) -> TunnelStream {
        self.near
    }
}

fn none(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, what.to_owned())
}

impl Agent {
    /// Connects to the near end of a tunnel.
    ///
    /// # Errors
    /// `NotFound` if there is no such thing on this host; else what connecting says.
    pub async fn open_tunnel(&self, vm: Uuid, target: TunnelTarget) -> io::Result<Opened> {
        match target {
            TunnelTarget::Control => self.open_incoming(vm, IncomingEnd::Control).await,
            TunnelTarget::Memory => self.open_incoming(vm, IncomingEnd::Memory).await,
            TunnelTarget::Screen => self.open_screen(vm).await,
            TunnelTarget::Serial => self.open_serial(vm).await,
            TunnelTarget::Volume(volume) => self.open_volume_tunnel(volume).await,
        }
    }

    /// Carries an accepted tunnel until it ends, or what it ends at is given up.
    pub async fn carry_tunnel(&self, near: Opened, far: TunnelStream) {
        near.stop.run_until_cancelled(carry(near.near, far)).await;
        if let Some(vm) = near.place {
            self.tunnel_ended(vm).await;
        }
    }

    async fn consoles_of(&self, vm: Uuid) -> io::Result<node_hypervisor::ConsoleEndpoints> {
        let found = self.inner.hypervisor.consoles(vm).await;
        found.map_err(|error| match error.kind() {
            node_hypervisor::ErrorKind::NoSuchDomain => none("the domain is not on this host"),
            _ => io::Error::other(error.chain()),
        })
    }

    async fn open_screen(&self, vm: Uuid) -> io::Result<Opened> {
        let socket = self.consoles_of(vm).await?.vnc_socket;
        let socket = socket.ok_or_else(|| none("the domain has no screen"))?;
        Ok(Opened::of(UnixStream::connect(socket).await?))
    }

    async fn open_serial(&self, vm: Uuid) -> io::Result<Opened> {
        let port = self.consoles_of(vm).await?.serial_pty;
        let port = port.ok_or_else(|| none("the domain has no serial port that can be joined"))?;
        Ok(Opened::of(SerialPort::open(&port)?))
    }

    /// Serves a volume as NBD over one connection: the server lives as long as that does.
    async fn open_volume_tunnel(&self, asked: VolumeTunnel) -> io::Result<Opened> {
        let refused = |error: CommandError| io::Error::new(io::ErrorKind::PermissionDenied, error.text);
        self.inner.fence.admit(asked.term).await.map_err(refused)?;
        let access = if asked.writable {
            Access::Write
        } else {
            Access::Read
        };
        let unserved = |error: CommandError| match error.kind {
            CommandErrorKind::SrNotPlugged => none(&error.text),
            _ => io::Error::other(error.text),
        };
        let ServedVolume {
            stream,
            child,
            served,
        } = self.serve_volume(&asked.volume, access).await.map_err(unserved)?;
        let mut opened = Opened::of(stream);
        let stop = CancellationToken::new();
        opened.stop = stop.clone();
        let agent = self.clone();
        tokio::spawn(async move {
            agent.attend(child, &asked, stop).await;
            drop(served);
        });
        Ok(opened)
    }

    /// Has a volume served to this node alone. Whoever has waited for the server's end releases the volume.
    pub(crate) async fn serve_volume(
        &self,
        volume: &VolumeRef,
        access: Access,
    ) -> Result<ServedVolume, CommandError> {
        let source = self
            .plugged(volume.sr)?
            .resolve(&volume.location, access)
            .await
            .map_err(convert::storage)?;
        let served = self.inner.served.begin(volume);
        match self.serve(&source, access).await {
            Ok((stream, child)) => Ok(ServedVolume {
                stream,
                child,
                served,
            }),
            Err(error) => {
                self.release_unless_held(volume).await;
                Err(convert::files("serve a volume", &error))
            }
        }
    }

    /// Opens a qcow2 image in the spool for reading, as NBD over one connection.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub async fn open_image(&self, path: &Path) -> io::Result<Opened> {
        let source = DiskSource::File {
            path: path.to_owned(),
            format: DiskFormat::Qcow2,
        };
        let (stream, mut child) = self.serve(&source, Access::Read).await?;
        tokio::spawn(async move { child.wait().await });
        Ok(Opened::of(stream))
    }

    /// A folder for files that come and go.
    pub fn spool_folder(&self) -> PathBuf {
        self.inner.settings.spool_dir()
    }

    async fn serve(&self, source: &DiskSource, access: Access) -> io::Result<(UnixStream, Child)> {
        let socket = self
            .spool_folder()
            .join(format!("{}.nbd", Uuid::new_v4().simple()));
        let opened = async {
            let child = serve(&self.inner.settings.qemu_nbd, source, access, &socket)?;
            // Waits for the socket, or for the server's own word that it cannot.
            connect(child, &socket).await
        }
        .await;
        let _ = tokio::fs::remove_file(&socket).await;
        opened
    }

    /// Waits for a volume's server to end; ends it when a newer term is seen.
    async fn attend(&self, mut child: Child, asked: &VolumeTunnel, stop: CancellationToken) {
        tokio::select! {
            _ = child.wait() => {}
            () = self.inner.fence.outdated(asked.term) => {
                stop.cancel();
                let _ = child.kill().await;
            }
        }
        self.release_unless_held(&asked.volume).await;
    }

    /// Waits until no server has a volume open any more: a server ends a moment after its client has gone.
    pub(crate) async fn until_not_served(&self, volume: &VolumeRef) {
        let ended = self.inner.served.ended(volume);
        if tokio::time::timeout(LINGERING, ended).await.is_err() {
            tracing::warn!(sr = %volume.sr, location = volume.location, "a volume is still served");
        }
    }

    pub(crate) async fn release_unless_held(&self, volume: &VolumeRef) {
        if self.inner.holdings.user_of_volume(volume).await.is_none() {
            self.release(volume).await;
        }
    }
}

/// How long a server may linger after its client has gone.
const LINGERING: std::time::Duration = std::time::Duration::from_secs(10);

/// The volumes that servers have open.
pub(crate) struct Served(watch::Sender<Vec<VolumeRef>>);

impl Default for Served {
    fn default() -> Self {
        Served(watch::Sender::new(Vec::new()))
    }
}

/// A volume that is served, until this is dropped.
pub(crate) struct Serving {
    served: watch::Sender<Vec<VolumeRef>>,
    volume: VolumeRef,
}

/// A volume that is served over one connection.
pub(crate) struct ServedVolume {
    /// The connection; the server ends soon after it.
    pub(crate) stream: UnixStream,
    /// The server.
    pub(crate) child: Child,
    /// To be kept until the server has ended.
    pub(crate) served: Serving,
}

impl Served {
    fn begin(&self, volume: &VolumeRef) -> Serving {
        self.0.send_modify(|all| all.push(volume.clone()));
        Serving {
            served: self.0.clone(),
            volume: volume.clone(),
        }
    }

    async fn ended(&self, volume: &VolumeRef) {
        // The sender lives as long as this does.
        let _ = self.0.subscribe().wait_for(|all| !all.contains(volume)).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.served.send_modify(|all| {
            if let Some(at) = all.iter().position(|v| *v == self.volume) {
                all.swap_remove(at);
            }
        });
    }
}

/// Starts the server of one volume. It ends when its one client has gone.
fn serve(
    program: &std::path::Path,
    source: &DiskSource,
    access: Access,
    socket: &std::path::Path,
) -> io::Result<Child> {
    let (name, format) = match source {
        DiskSource::File { path, format } | DiskSource::Block { path, format } => {
            (path.to_string_lossy().into_owned(), *format)
        }
        DiskSource::Network { url, format, .. } => (url.clone(), *format),
        DiskSource::Empty => return Err(none("an empty drive")),
    };
    let format = match format {
        DiskFormat::Raw => "raw",
        DiskFormat::Qcow2 => "qcow2",
        DiskFormat::Vhd => "vpc",
    };
    let mut command = Command::new(program);
    command
        .args(["--format", format, "--cache", "writeback", "--aio", "threads"])
        .args(["--discard", "unmap", "--detect-zeroes", "unmap", "--shared", "1"])
        .arg("--socket")
        .arg(socket);
    if access == Access::Read {
        command.arg("--read-only");
    }
    command
        .envs(source.environment())
        .arg(name)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

async fn connect(mut child: Child, socket: &std::path::Path) -> io::Result<(UnixStream, Child)> {
    let said = child.stderr.take();
    let stream = tokio::select! {
        stream = connect_local(socket) => stream?,
        _ = child.wait() => return Err(io::Error::other(first_words(said).await)),
    };
    // Nobody reads it any more, and a full pipe would block the server.
    if let Some(mut said) = said {
        tokio::spawn(async move { tokio::io::copy(&mut said, &mut tokio::io::sink()).await });
    }
    Ok((stream, child))
}

async fn first_words(said: Option<tokio::process::ChildStderr>) -> String {
    use tokio::io::AsyncReadExt;
    let mut text = Vec::new();
    if let Some(said) = said {
        let _ = said.take(2000).read_to_end(&mut text).await;
    }
    String::from_utf8_lossy(&text).trim().to_owned()
}
