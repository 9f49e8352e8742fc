//! What operations need of the rest of the node.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use node_commands::{CommandErrorKind, HostCommand, HostReply};
use pool_domain::{Database, Outcome, Transaction};
use proto_types::ApiError;
use uuid::Uuid;

/// The pool did not write a transaction, or may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// Another node leads; its address if it is known. Nothing was written.
    #[error("this node is not the leader")]
    NotLeader {
        /// The leader's address, without port.
        leader: Option<String>,
    },
    /// It may be written yet: ask again with the same request id.
    #[error("the outcome is not known")]
    Unknown,
    /// Nothing was written: one change of the pool may not be so large.
    #[error("{bytes} bytes are too much for one change")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
    /// This node has stopped serving.
    #[error("this node has stopped")]
    Stopped,
}

impl From<PoolError> for ApiError {
    fn from(error: PoolError) -> ApiError {
        match error {
            PoolError::NotLeader {
                leader: Some(address),
            } => ApiError::new("HOST_IS_SLAVE", [address]),
            PoolError::NotLeader { leader: None } => ApiError::bare("HOST_STILL_BOOTING"),
            PoolError::Unknown => {
                ApiError::internal("the pool did not confirm the change in time; it may have been made")
            }
            PoolError::TooLarge { .. } => ApiError::internal(error.to_string()),
            PoolError::Stopped => ApiError::internal("this node has stopped serving"),
        }
    }
}

/// The replicated pool as operations see it.
#[async_trait]
pub trait PoolPort: Send + Sync {
    /// The latest applied state.
    fn snapshot(&self) -> Database;

    /// Writes a transaction and answers with a state at or after it.
    ///
    /// # Errors
    /// See [`PoolError`].
    async fn propose(&self, transaction: Transaction) -> Result<(Outcome, Database), PoolError>;

    /// Says whether this node leads now and has applied all that came before.
    fn is_leader(&self) -> bool;
}

/// A host did not do what it was asked, or may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("host {host}: {text}")]
pub struct AgentFailure {
    /// The host's uuid.
    pub host: Uuid,
    /// For people.
    pub text: String,
    /// What a client is told.
    pub api: ApiError,
    /// The host may have done it: no answer came.
    pub is_unknown: bool,
    /// The host has heard of a later leader: this node must stop.
    pub is_fenced: bool,
    /// The host's own reason, if it answered.
    pub kind: Option<CommandErrorKind>,
}

/// The agents of all hosts.
#[async_trait]
pub trait HostAgents: Send + Sync {
    /// Has a host carry out a command under this node's term. The same operation id again is the same call.
    ///
    /// # Errors
    /// See [`AgentFailure`].
    async fn call(
        &self,
        host: Uuid,
        operation: Uuid,
        command: HostCommand,
        wait: Duration,
    ) -> Result<HostReply, AgentFailure>;

    /// The term under which this node leads now; `None` if it does not, or if there are no terms.
    fn term(&self) -> Option<u64> {
        None
    }

    /// As [`HostAgents::call`], under a term that the caller had before.
    ///
    /// # Errors
    /// Fenced if another term has begun since.
    async fn call_in(
        &self,
        term: u64,
        host: Uuid,
        operation: Uuid,
        command: HostCommand,
        wait: Duration,
    ) -> Result<HostReply, AgentFailure> {
        let _ = term;
        self.call(host, operation, command, wait).await
    }
}

/// The agents of all hosts under one term: when that is over, whatever holds this asks nothing more of any host.
pub(crate) struct OfTerm {
    agents: Arc<dyn HostAgents>,
    term: u64,
}

impl OfTerm {
    /// Under the term of this moment. Without terms, or without leadership, the agents are as they are.
    pub(crate) fn now(agents: &Arc<dyn HostAgents>) -> Arc<dyn HostAgents> {
        match agents.term() {
            Some(term) => Arc::new(OfTerm {
                agents: Arc::clone(agents),
                term,
            }),
            None => Arc::clone(agents),
        }
    }
}

#[async_trait]
impl HostAgents for OfTerm {
    async fn call(
        &self,
        host: Uuid,
        operation: Uuid,
        command: HostCommand,
        wait: Duration,
    ) -> Result<HostReply, AgentFailure> {
        self.agents
            .call_in(self.term, host, operation, command, wait)
            .await
    }

    fn term(&self) -> Option<u64> {
        self.agents.term()
    }

    async fn call_in(
        &self,
        term: u64,
        host: Uuid,
        operation: Uuid,
        command: HostCommand,
        wait: Duration,
    ) -> Result<HostReply, AgentFailure> {
        self.agents.call_in(term, host, operation, command, wait).await
    }
}
