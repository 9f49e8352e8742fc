//! The agents of all hosts: this one's directly, the others' over the nodes' channel.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
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

use crate::adapters::cluster::DOUBT;
use crate::lease::Leases;

/// Between two looks at the lease of a host that is being waited for.
const LOOK: Duration = Duration::from_millis(250);
/// How long a host may take to ask for its first lease: it asks every second.
const ARMING: Duration = Duration::from_secs(5);

/// Reaches agents under this node's term.
pub struct Agents {
    own: Agent,
    peers: Peers,
    pool: Pool,
    leases: Arc<Leases>,
    clients: Mutex<HashMap<Uuid, (String, u16, AgentClient)>>,
}

impl Agents {
    /// Puts it together.
    pub fn new(own: Agent, peers: Peers, pool: Pool, leases: Arc<Leases>) -> Agents {
        Agents {
            own,
            peers,
            pool,
            leases,
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

    /// The term under which this node leads, as soon as it is sure of that or of a successor.
    async fn certain_term(&self) -> Option<u64> {
        let mut leadership = self.pool.leadership();
        let sure = leadership.wait_for(|now| now.is_me || now.leader.is_some());
        match tokio::time::timeout(DOUBT, sure).await {
            Ok(Ok(now)) => now.is_me.then_some(now.term),
            Ok(Err(_)) | Err(_) => None,
        }
    }

    /// This host's agent.
    pub fn own(&self) -> &Agent {
        &self.own
    }

    /// Whether a host's lease is over, so that it is taken to be down.
    pub fn is_given_up(&self, host: Uuid) -> bool {
        self.leases.is_over(host)
    }

    /// Returns once a host's lease is over.
    async fn lease_over(&self, host: Uuid) {
        while !self.leases.is_over(host) {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until a host runs guests by a lease, if it must.
    async fn may_run(&self, host: Uuid) -> bool {
        let deadline = tokio::time::Instant::now() + ARMING;
        while !self.leases.may_run(host) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if tokio::time::Instant::now() >= deadline || self.certain_term().await.is_none() {
                return false;
            }
        }
        true
    }

    /// The answer for a host whose lease is over: nothing runs there, so that what ends a guest is done and all else is
    /// not.
    fn given_up(&self, host: Uuid, command: &HostCommand) -> Result<HostReply, AgentFailure> {
        match command {
            HostCommand::DestroyDomain { .. }
            | HostCommand::CancelIncoming { .. }
            | HostCommand::MigrateAbort { .. } => Ok(HostReply::Done),
            HostCommand::DomainState { .. } | HostCommand::SettleLeftover { .. } => {
                Ok(HostReply::Domain(None))
            }
            HostCommand::ListDomains => Ok(HostReply::Domains(Vec::new())),
            _ => Err(AgentFailure {
                is_unknown: false,
                ..self.offline(host, "its lease is over".to_owned())
            }),
        }
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
        match self.certain_term().await {
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
        if self.certain_term().await != Some(term) {
            return Err(fenced(host, "this node does not lead in that term"));
        }
        if self.leases.is_over(host) {
            return self.given_up(host, &command);
        }
        if command.brings_a_guest() && !self.may_run(host).await {
            return Err(AgentFailure {
                is_unknown: false,
                ..self.offline(host, "it has no lease yet to run guests by".to_owned())
            });
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
        let answer = tokio::select! {
            answer = client.call(term, operation, &command, wait) => answer,
            () = self.lease_over(host) => return self.given_up(host, &command),
        };
        answer.map_err(|error| match error {
            AgentError::Command(error) => refused(host, &error),
            AgentError::Fenced { text, .. } => fenced(host, &text),
            AgentError::TimedOut { .. } | AgentError::Unreachable { .. } | AgentError::Unreadable { .. } => {
                let cause = error.source().map(|s| format!(": {s}")).unwrap_or_default();
                self.offline(host, format!("{error}{cause}"))
            }
        })
    }
}
