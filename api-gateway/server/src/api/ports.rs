//! What the API needs of the rest of the node.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use pool_domain::{Database, Row};
use proto_types::ApiError;
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

    /// Hands leadership to a host; returns when it leads.
    ///
    /// # Errors
    /// `HOST_OFFLINE [host]` if it does not keep up; this node leads on.
    async fn hand_over(&self, host: Uuid) -> Result<(), ApiError>;
}
