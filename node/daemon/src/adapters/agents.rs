//! The agents of all hosts: this one's directly, the others' over the nodes' channel.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use node_agent::{Agent, AgentClient, AgentError};
use node_commands::{CommandError, CommandErrorKind, HostCommand, HostReply};
use pool_ops::{AgentFailure, HostAgents};
use pool_raft::Pool;
use proto_types::ApiError;
use proto_types::generated::host;
use proto_wire::channel::Peers;
use uuid::Uuid;

/// Reaches agents under this node's term.
pub struct Agents {
    own: Agent,
    peers: Peers,
    pool: Pool,
    clients: Mutex<HashMap<Uuid, (String, u16, AgentClient)>>,
}

impl Agents {
    /// Puts it together.
    pub fn new(own: Agent, peers: Peers, pool: Pool) -> Agents {
        Agents {
            own,
            peers,
            pool,
            clients: Mutex::default(),
        }
    }

    /// The client of another host, by the newest word on where it is.
    pub fn client(&self, host: Uuid) -> Option<AgentClient> {
        let member = self
            .pool
            .members()
            .into_iter()
            .map(|(m, _)| m)
            .find(|m| m.host == host)?;
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((address, port, client)) = clients.get(&host)
            && *address == member.address
            && *port == member.port
        {
            return Some(client.clone());
        }
        let client = AgentClient::new(
            &self.peers,
            host,
            &member.address,
            member.port,
            crate::telemetry::hooks(),
        );
        clients.insert(host, (member.address, member.port, client.clone()));
        Some(client)
    }

    /// The term under which this node leads, if it does.
    pub fn term(&self) -> Option<u64> {
        let leadership = self.pool.leadership();
        let now = leadership.borrow();
        now.is_me.then_some(now.term)
    }

    /// This host's agent.
    pub fn own(&self) -> &Agent {
        &self.own
    }

    fn offline(&self, host: Uuid, text: String) -> AgentFailure {
        let db = self.pool.snapshot();
        let reference = db
            .by_uuid(host::CLASS, &host.to_string())
            .map(|h| h.reference)
            .unwrap_or_default();
        AgentFailure {
            host,
            text,
            api: ApiError::new("HOST_OFFLINE", [reference.to_string()]),
            is_unknown: true,
            is_fenced: false,
            kind: None,
        }
    }
}

fn refused(host: Uuid, error: &CommandError) -> AgentFailure {
    AgentFailure {
        host,
        text: error.text.clone(),
        api: error.to_api(),
        is_unknown: error.is_unknown(),
        is_fenced: error.kind == CommandErrorKind::Fenced,
        kind: Some(error.kind),
    }
}

fn fenced(host: Uuid, text: &str) -> AgentFailure {
    AgentFailure {
        host,
        text: text.to_owned(),
        api: ApiError::bare("HOST_STILL_BOOTING"),
        is_unknown: false,
        is_fenced: true,
        kind: None,
    }
}

#[async_trait]
impl HostAgents for Agents {
    async fn call(
        &self,
        host: Uuid,
        operation: Uuid,
        command: HostCommand,
        wait: Duration,
    ) -> Result<HostReply, AgentFailure> {
        match self.term() {
            Some(term) => self.call_in(term, host, operation, command, wait).await,
            None => Err(fenced(host, "this node does not lead")),
        }
    }

    fn term(&self) -> Option<u64> {
        Agents::term(self)
    }

    #[tracing::instrument(name = "host command", skip_all, fields(%host, verb = command.verb()))]
    async fn call_in(
        &self,
        term: u64,
        host: Uuid,
        operation: Uuid,
        command: HostCommand,
        wait: Duration,
    ) -> Result<HostReply, AgentFailure> {
        if self.term() != Some(term) {
            return Err(fenced(host, "this node does not lead in that term"));
        }
        if host == self.own.host() {
            let answer = tokio::time::timeout(wait, self.own.execute(term, operation, command)).await;
            return match answer {
                Ok(outcome) => outcome.map_err(|error| refused(host, &error)),
                Err(_) => Err(self.offline(host, format!("no answer within {wait:?}"))),
            };
        }
        let Some(client) = self.client(host) else {
            return Err(self.offline(host, "the host is no member of the pool".to_owned()));
        };
        client
            .call(term, operation, &command, wait)
            .await
            .map_err(|error| match error {
                AgentError::Command(error) => refused(host, &error),
                AgentError::Fenced { text, .. } => fenced(host, &text),
                AgentError::TimedOut { .. }
                | AgentError::Unreachable { .. }
                | AgentError::Unreadable { .. } => {
                    let cause = error.source().map(|s| format!(": {s}")).unwrap_or_default();
                    self.offline(host, format!("{error}{cause}"))
                }
            })
    }
}
