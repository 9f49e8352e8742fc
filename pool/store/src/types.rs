//! The types the consensus library is instantiated with.

use std::fmt;

use bytes::Bytes;
use pool_domain::{Outcome, Transaction};
use prost::Message;
use proto_wire::stored;
use proto_wire::value::Malformed;
use uuid::Uuid;

use crate::format;

openraft::declare_raft_types!(
    /// Transactions in, outcomes out; one leader per term, so that a term fences.
    pub TypeConfig:
        D = Command,
        R = Response,
        NodeId = u64,
        Node = Node,
        LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>,
);

/// A position in the log.
pub type LogId = openraft::alias::LogIdOf<TypeConfig>;
/// A vote.
pub type Vote = openraft::alias::VoteOf<TypeConfig>;
/// An entry of the log.
pub type Entry = openraft::alias::EntryOf<TypeConfig>;
/// Members and voters.
pub type Membership = openraft::Membership<u64, Node>;
/// Members and voters with the position that made them so.
pub type StoredMembership = openraft::alias::StoredMembershipOf<TypeConfig>;
/// What a snapshot stands for.
pub type SnapshotMeta = openraft::alias::SnapshotMetaOf<TypeConfig>;

/// A transaction in its encoded form: made once by the proposer, passed on as it is, read when applied.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    bytes: Bytes,
}

impl Command {
    /// Encodes a transaction.
    pub fn encode(transaction: &Transaction) -> Command {
        Command {
            bytes: format::transaction_to_wire(transaction).encode_to_vec().into(),
        }
    }

    /// Reads the transaction.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are no transaction, or name a class this build does not know.
    pub fn decode(&self) -> Result<Transaction, Malformed> {
        format::transaction_from_wire(stored::Transaction::decode(self.bytes.clone())?)
    }

    /// Takes bytes as they came.
    pub fn from_bytes(bytes: Bytes) -> Command {
        Command { bytes }
    }

    /// The encoded form.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Says whether there are no bytes, which is no transaction.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

// Transactions may hold secrets: logs show their size only.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Command({} bytes)", self.bytes.len())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What applying an entry answers to its proposer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What became of the transaction; `Applied` for entries that carry none.
    pub outcome: Outcome,
}

/// A member of the pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Its id in Raft, see [`Node::id_of`].
    pub node_id: u64,
    /// The host's uuid.
    pub host: Uuid,
    /// Where the other members reach it: an address or a name.
    pub address: String,
    /// Its node-to-node port.
    pub port: u16,
}

impl Node {
    /// Makes a member; its id follows from the host's uuid.
    pub fn new(host: Uuid, address: impl Into<String>, port: u16) -> Node {
        Node {
            node_id: Node::id_of(host),
            host,
            address: address.into(),
            port,
        }
    }

    /// The Raft id of a host: never 0, and the same wherever it is computed. A host that leaves a pool and
    /// comes back does so under a fresh uuid, since it has forgotten what it had promised.
    pub fn id_of(host: Uuid) -> u64 {
        let (high, low) = host.as_u64_pair();
        (high ^ low.rotate_left(32)).max(1)
    }
}
