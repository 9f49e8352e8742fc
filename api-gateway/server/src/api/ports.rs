//! What the API needs of the rest of the node.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use pool_domain::Database;
use pool_ops::transfer::Placed;
use proto_types::ApiError;
use tokio::io::{AsyncRead, AsyncWrite};
use uuid::Uuid;

use crate::service::Format;

/// The leader as far as this node knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leader {
    /// Its host's uuid.
    pub host: Uuid,
    /// Its address for clients: no scheme, no port.
    pub address: String,
}

/// Who leads this node's pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// This node, for certain.
    Leader,
    /// Another one.
    Follower(Leader),
    /// Nobody that this node knows of.
    Unknown,
}

/// Leadership and reads.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// Who leads.
    fn role(&self) -> Role;
    /// A state that holds every write acknowledged before; `Err` with the role if this node does not lead.
    async fn read(&self) -> Result<Database, Role>;
    /// The latest state this node knows, for checks of a follower.
    fn snapshot(&self) -> Database;
}

/// The way to the leader.
#[async_trait]
pub trait Forwarder: Send + Sync {
    /// Has the leader answer a call as local root, and returns the body of its answer.
    ///
    /// # Errors
    /// `HOST_STILL_BOOTING` and the like if the leader is not reached.
    async fn forward(&self, leader: Leader, format: Format, body: Bytes) -> Result<Bytes, ApiError>;
}

/// One connection, whatever carries it.
pub trait Duplex: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> Duplex for T {}
/// A connection to something on a host.
pub type HostStream = Pin<Box<dyn Duplex>>;

/// Which console of a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsoleKind {
    /// Its screen, which speaks RFB.
    Screen,
    /// Its serial port.
    Serial,
}

/// The way to what runs on hosts.
#[async_trait]
pub trait HostStreams: Send + Sync {
    /// Connects to a console of a VM that runs on a host.
    ///
    /// # Errors
    /// `NotFound` if the VM has no such console there; else the host is not reached in time.
    async fn console(&self, host: Uuid, vm: Uuid, kind: ConsoleKind) -> io::Result<HostStream>;

    /// Connects to a volume, which speaks NBD. It is open for as long as the connection lasts.
    ///
    /// # Errors
    /// `NotFound` if it is not there; else it cannot be opened, or the host is not reached in time.
    async fn volume(&self, placed: &Placed, access: VolumeAccess) -> io::Result<HostStream>;

    /// A folder of this host for files that come and go.
    fn spool(&self) -> PathBuf;

    /// Opens a qcow2 image in that folder for reading, as NBD.
    ///
    /// # Errors
    /// If it cannot be opened.
    async fn image(&self, path: &Path) -> io::Result<HostStream>;
}

/// What a volume is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VolumeAccess {
    /// Reading only.
    Read,
    /// Reading and writing.
    Write,
}
