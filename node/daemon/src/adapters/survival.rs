//! The ways out when the majority is lost, for the API and for other nodes.

use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use futures::future::join_all;
use gateway_server::api::ports::Survival;
use node_agent::Agent;
use node_agent::guard::{NotTaken, clock};
use pool_raft::{Member, Pool};
use proto_types::ApiError;
use proto_types::generated::host;
use proto_wire::channel::{Lane, Peers};
use proto_wire::pool::FollowRequest;
use proto_wire::pool::pool_client::PoolClient;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::Config;
use crate::survival;

/// An election takes this long at most: who has no leader after it has no majority.
const ELECTION: Duration = Duration::from_secs(5);
/// How long one host may take to say whether it follows: it waits for what may be an election first.
const ANSWER: Duration = Duration::from_secs(10);
/// Between the answer to the client and the node's fresh start.
const FAREWELL: Duration = Duration::from_millis(500);

/// This node.
#[derive(Clone)]
pub struct SurvivalAdapter {
    /// The group.
    pub pool: Pool,
    /// This host.
    pub agent: Agent,
    /// The way to others.
    pub peers: Peers,
    /// Settings.
    pub config: Config,
    /// Has the node start anew.
    pub restart: CancellationToken,
}

impl SurvivalAdapter {
    /// Gives this host's copy of the pool up and follows another: at its next start, which is soon.
    ///
    /// # Errors
    /// When that cannot be written down, or guests run here by a lease.
    pub fn begin_following(&self, whom: Member) -> Result<()> {
        anyhow::ensure!(!self.agent.guard().is_armed(), "high availability is on here");
        let own = self.pool.node_id();
        let left = self
            .pool
            .members()
            .into_iter()
            .map(|(m, _)| m.node_id)
            .filter(|id| *id != own && *id != whom.node_id)
            .collect();
        survival::note_following(&self.config.node.state_dir, &whom, left)?;
        tracing::warn!(
            address = whom.address,
            "this host is to follow another: its node starts anew"
        );
        self.start_anew();
        Ok(())
    }

    fn start_anew(&self) {
        let restart = self.restart.clone();
        tokio::spawn(async move {
            tokio::time::sleep(FAREWELL).await;
            restart.cancel();
        });
    }

    /// Waits for what may be an election only.
    ///
    /// # Errors
    /// `OPERATION_NOT_ALLOWED` if there is a leader, or is one within [`ELECTION`].
    pub async fn without_leader(&self) -> Result<(), ApiError> {
        let mut leadership = self.pool.leadership();
        let found = leadership.wait_for(|now| now.leader.is_some());
        if tokio::time::timeout(ELECTION, found).await.is_ok() {
            return Err(ApiError::new("OPERATION_NOT_ALLOWED", ["The pool has a master"]));
        }
        Ok(())
    }
}

fn not_written(error: &anyhow::Error) -> ApiError {
    tracing::error!(error = format!("{error:#}"), "not written");
    ApiError::internal("it could not be written down what to do at the next start")
}

#[async_trait]
impl Survival for SurvivalAdapter {
    fn is_armed(&self) -> bool {
        self.agent.guard().is_armed()
    }

    fn disarm(&self) -> Result<(), ApiError> {
        tracing::warn!("high availability is turned off on this host by its operator");
        self.agent.guard().answered(clock(), None).map_err(|error| {
            tracing::error!(%error, "the lease was not taken away");
            match error {
                NotTaken::Lapsed => ApiError::new("OPERATION_NOT_ALLOWED", [error.to_string()]),
                NotTaken::NotWritten(_) => ApiError::internal("the watchdog could not be told"),
            }
        })
    }

    async fn stand_alone(&self) -> Result<(), ApiError> {
        self.without_leader().await?;
        survival::note_alone(&self.config.node.state_dir).map_err(|error| not_written(&error))?;
        tracing::warn!("this host is to go on alone: its node starts anew");
        self.start_anew();
        Ok(())
    }

    async fn follow(&self, address: &str) -> Result<(), ApiError> {
        let whom = self
            .pool
            .members()
            .into_iter()
            .map(|(m, _)| m)
            .find(|m| m.address == address && m.node_id != self.pool.node_id())
            .ok_or_else(|| {
                ApiError::new(
                    "OPERATION_NOT_ALLOWED",
                    ["No other host of the pool has that address"],
                )
            })?;
        self.without_leader().await?;
        self.begin_following(whom).map_err(|error| not_written(&error))
    }

    async fn recall(&self) -> Vec<Uuid> {
        let db = self.pool.snapshot();
        let members = self.pool.members();
        let port = self.config.listen.grpc.port();
        let request = FollowRequest {
            address: self.config.node.address.clone(),
            port: u32::from(port),
        };
        let left = db.rows(host::CLASS).filter_map(|h| {
            let uuid = Uuid::try_parse(h.uuid()).ok()?;
            let is_member = members.iter().any(|(m, _)| m.host == uuid);
            // Its port went with its membership: hosts of a pool listen on the same one.
            (!is_member).then(|| (uuid, h.get(host::ADDRESS).as_str().to_owned()))
        });
        let calls = left.map(|(uuid, address)| {
            let channel = self.peers.channel(uuid, &address, port, Lane::Agent);
            let request = request.clone();
            async move {
                let call = async move { PoolClient::new(channel).follow_me(request).await };
                match tokio::time::timeout(ANSWER, call).await {
                    Ok(Ok(_)) => Some(uuid),
                    Ok(Err(status)) => {
                        tracing::info!(host = %uuid, code = %status.code(), text = status.message(), "does not follow");
                        None
                    }
                    Err(_) => None,
                }
            }
        });
        join_all(calls).await.into_iter().flatten().collect()
    }
}
