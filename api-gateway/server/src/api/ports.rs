//! What the API needs of the rest of the node.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use pool_domain::transaction::Origin as History;
use pool_domain::{Database, Index, Row};
use pool_ops::transfer::Placed;
use proto_types::{ApiError, DateTime};
use tokio::io::{AsyncRead, AsyncWrite};
use uuid::Uuid;

use crate::service::{Format, Health};

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
    /// Waits two seconds at most for a leader to be known.
    async fn read(&self) -> Result<Database, Role>;
    /// The latest state this node knows, for checks of a follower.
    fn snapshot(&self) -> Database;
    /// Waits until this node knows more than what the log has up to an index. Cancel-safe.
    async fn changed(&self, seen: Index);
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

/// Another pool that this host is to join. Holds a secret: no `Debug`.
pub struct OtherPool {
    /// Address of its master.
    pub address: String,
    /// A superuser there.
    pub user: String,
    /// The password.
    pub password: String,
    /// Join even if the hosts are not alike.
    pub force: bool,
    /// The rows to bring along.
    pub rows: Vec<Arc<Row>>,
}

/// Who belongs to the pool.
#[async_trait]
pub trait Membership: Send + Sync {
    /// Takes this host, alone in its pool until now, into another. Its node starts anew as a member there, soon after
    /// this returns.
    ///
    /// # Errors
    /// `JOINING_HOST_CONNECTION_FAILED` if the other master is not reached, else its refusal; this host then stays as
    /// it was.
    async fn join(&self, other: OtherPool) -> Result<(), ApiError>;

    /// Waits until a host whose rows have been removed counts no more for the pool's majority.
    ///
    /// # Errors
    /// When too few others answer; it is tried again in the background.
    async fn wait_removed(&self, host: Uuid) -> Result<(), ApiError>;

    /// Makes a token by which one host can join the pool within some minutes. A secret.
    ///
    /// # Errors
    /// When this node leads no more.
    async fn join_token(&self) -> Result<String, ApiError>;

    /// Shows clients of this host a certificate of the pool again, in place of an operator's own. Needs no leader.
    ///
    /// # Errors
    /// When the files cannot be changed.
    async fn drop_certificate(&self) -> Result<(), ApiError>;

    /// Makes another certificate authority of the pool. Hosts take it up by themselves, also those that are away now, once
    /// they are back; the old one goes when all of them have.
    ///
    /// # Errors
    /// `OPERATION_NOT_ALLOWED` while an older one is still in use by some host.
    async fn rotate_authority(&self, origin: History) -> Result<(), ApiError>;

    /// Hands leadership to a host; returns when it leads.
    ///
    /// # Errors
    /// `HOST_OFFLINE [host]` if it does not keep up; this node leads on.
    async fn hand_over(&self, host: Uuid) -> Result<(), ApiError>;
}

/// What this host can do when the pool has lost its majority.
#[async_trait]
pub trait Survival: Send + Sync {
    /// Whether this host runs guests by a lease only.
    fn is_armed(&self) -> bool;

    /// Lets this host run its guests without one. Whoever asks for it vouches that nobody else starts them.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` if the watchdog could not be told.
    fn disarm(&self) -> Result<(), ApiError>;

    /// Makes this host the only one that votes. Its node starts anew soon after this returns. What the majority has
    /// acknowledged and this host has not heard of is lost.
    ///
    /// # Errors
    /// `OPERATION_NOT_ALLOWED` if a leader is found after all.
    async fn stand_alone(&self) -> Result<(), ApiError>;

    /// Gives this host's copy of the pool up and follows the host at an address. The node starts anew soon after this
    /// returns.
    ///
    /// # Errors
    /// `OPERATION_NOT_ALLOWED` if no host of the pool is known by that address.
    async fn follow(&self, address: &str) -> Result<(), ApiError>;

    /// On the leader: tells hosts that do not belong to the majority any more to follow this one. Says which obeyed.
    async fn recall(&self) -> Vec<Uuid>;
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

/// How figures are written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FiguresForm {
    /// rrdtool's XML.
    Xml,
    /// The same in JSON.
    Json,
}

/// Which rows are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FiguresQuery {
    /// From this second on; a negative number counts back from the newest.
    pub start: i64,
    /// Seconds that rows should at least be apart.
    pub interval: i64,
    /// Name of the function by which rows were made; any other text means all of them.
    pub function: String,
    /// Rows of the host too.
    pub with_host: bool,
    /// Rows of these VMs; `None` means all that run here.
    pub vms: Option<Vec<Uuid>>,
}

/// What is counted on this host.
#[async_trait]
pub trait HostFigures: Send + Sync {
    /// Rows since a moment.
    async fn updates(&self, query: FiguresQuery, form: FiguresForm) -> String;
    /// All archives of this host, once it has been counted.
    async fn host_archives(&self, form: FiguresForm) -> Option<String>;
    /// Whether a VM is counted here now.
    fn has_vm(&self, vm: Uuid) -> bool;
    /// All archives of a VM, from here or from any host that has some.
    async fn vm_archives(&self, vm: Uuid, form: FiguresForm) -> Option<String>;
    /// The last sample in Prometheus' form: content type and text.
    fn exposition(&self) -> (&'static str, String);
    /// Whether this node can do its part.
    fn health(&self) -> Health;
}

/// Where the audit trail is kept.
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// Appends a line, which ends with its end of line.
    async fn append(&self, line: String);
    /// Lines of all hosts since a moment, oldest first, as they come.
    async fn read(&self, since: DateTime) -> BoxStream<'static, io::Result<Bytes>>;
}
