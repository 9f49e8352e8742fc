//! What the API needs of the rest of the node.

use async_trait::async_trait;
use bytes::Bytes;
use pool_domain::Database;
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
