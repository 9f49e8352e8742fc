//! Joining another pool, leaving this one, and handing leadership over.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_server::api::ports::{Membership, OtherPool};
use node_agent::Agent;
use node_commands::{HostCommand, HostReply};
use pool_domain::transaction::Origin;
use pool_ops::Ops;
use pool_raft::{MembershipError, Pool};
use pool_store::convert::row_to_wire;
use proto_types::ApiError;
use proto_types::generated::{host, pool};
use proto_wire::ca;
use proto_wire::channel::{Identity, Pinned};
use proto_wire::pool::JoinRequest;
use proto_wire::pool::pool_client::PoolClient;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::certificates::Keeper;
use crate::config::Config;
use crate::{certificates, identity, pool_service};

/// How long the other master may take to answer.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a change of the majority is waited for.
const CHANGE: Duration = Duration::from_secs(30);
/// How long a new master may take to write that it is.
const NOTE: Duration = Duration::from_secs(3);
/// How long a token holds that was asked for over the API.
const TOKEN_SECONDS: u64 = 600;
/// Between the answer to the client and the node's fresh start.
const FAREWELL: Duration = Duration::from_millis(500);

/// This node's place in the pool.
pub struct MembershipAdapter {
    /// The group.
    pub pool: Pool,
    /// This host.
    pub agent: Agent,
    /// Settings.
    pub config: Config,
    /// Has the node start anew.
    pub restart: CancellationToken,
    /// The pool, for what is decided here.
    pub ops: Ops,
    /// This host's certificates.
    pub keeper: Keeper,
}

impl MembershipAdapter {
    fn state_dir(&self) -> PathBuf {
        self.config.node.state_dir.clone()
    }

    /// Waits until the new master has written down that it is, so that whoever asks next reads it.
    async fn wait_master(&self, host: Uuid) {
        let uuid = host.to_string();
        let is_written = || {
            let db = self.pool.snapshot();
            let master = db.only(pool::CLASS).map(|p| p.get(pool::MASTER).as_ref());
            master.is_some_and(|m| db.of_class(host::CLASS, m).is_some_and(|h| h.uuid() == uuid))
        };
        let deadline = tokio::time::Instant::now() + NOTE;
        while !is_written() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn host_ref(&self, host: Uuid) -> String {
        let db = self.pool.snapshot();
        let row = db.by_uuid(host::CLASS, &host.to_string());
        row.map(|h| h.reference).unwrap_or_default().to_string()
    }
}

fn not_reached() -> ApiError {
    ApiError::bare("JOINING_HOST_CONNECTION_FAILED")
}

#[async_trait]
impl Membership for MembershipAdapter {
    async fn join(&self, other: OtherPool) -> Result<(), ApiError> {
        let own = self.agent.host();
        let reply = self
            .agent
            .execute(self.agent.term(), Uuid::new_v4(), HostCommand::Facts)
            .await;
        let Ok(HostReply::Facts(mut facts)) = reply else {
            return Err(ApiError::internal("this host does not say what it is"));
        };
        facts.host.hostname.clone_from(&self.config.node.name);
        let facts = serde_json::to_vec(&facts).map_err(|e| ApiError::internal(e.to_string()))?;
        let failed = |what: &str| ApiError::internal(format!("{what} failed on this host"));
        let key_pem = ca::make_key().map_err(|_| failed("making a key"))?;
        let request_pem = ca::make_request(&key_pem, own).map_err(|_| failed("making a request"))?;
        // The other master listens where this node would: the port is a setting of the deployment.
        let port = self.config.listen.grpc.port();
        let address: IpAddr = other.address.parse().map_err(|_| not_reached())?;
        let fingerprint = Pinned::first_sight(&address.to_string(), port)
            .await
            .map_err(|error| {
                tracing::info!(%error, address = %address, "the master to join was not reached");
                not_reached()
            })?;
        let channel = Pinned::channel(&address.to_string(), port, &fingerprint).map_err(|_| not_reached())?;
        let request = JoinRequest {
            secret: String::new(),
            host: Bytes::copy_from_slice(own.as_bytes()),
            request_pem,
            facts: facts.into(),
            address: self.config.node.address.clone(),
            grpc_port: u32::from(port),
            api_port: u32::from(self.config.listen.https.port()),
            user: other.user,
            password: other.password,
            force: other.force,
            rows: other.rows.iter().map(|row| row_to_wire(row)).collect(),
            replaces: false,
            learns: false,
        };
        let mut client = PoolClient::new(channel).max_decoding_message_size(proto_wire::LARGEST_MESSAGE);
        let reply = match tokio::time::timeout(ANSWER, client.join(request)).await {
            Ok(Ok(reply)) => reply.into_inner(),
            Ok(Err(status)) => {
                tracing::info!(code = %status.code(), "the master to join refused");
                return Err(ApiError::bare("JOINING_HOST_SERVICE_FAILED"));
            }
            Err(_) => return Err(not_reached()),
        };
        if let Some((code, params)) = reply.refusal.split_first() {
            return Err(ApiError {
                code: code.clone().into(),
                params: params.to_vec(),
            });
        }
        let identity = Identity {
            host: own,
            certificate_pem: reply.certificate_pem,
            key_pem,
            trust_pem: reply.trust_pem,
        };
        identity::save_next(&self.state_dir(), &identity).map_err(|error| {
            tracing::error!(%error, "the new identity was not written");
            failed("writing the new identity")
        })?;
        tracing::info!(address = %address, "joins another pool: the node starts anew");
        let restart = self.restart.clone();
        tokio::spawn(async move {
            tokio::time::sleep(FAREWELL).await;
            restart.cancel();
        });
        Ok(())
    }

    async fn wait_removed(&self, host: Uuid) -> Result<(), ApiError> {
        let member = self.pool.members().into_iter().find(|(m, _)| m.host == host);
        let Some((member, _)) = member else { return Ok(()) };
        let node_id = member.node_id;
        self.pool
            .remove_member(node_id, CHANGE)
            .await
            .map_err(|error| ApiError::internal(format!("the host still counts for the majority: {error}")))
    }

    async fn join_token(&self) -> Result<String, ApiError> {
        pool_service::join_token(&self.ops, &self.pool, TOKEN_SECONDS).await
    }

    async fn drop_certificate(&self) -> Result<(), ApiError> {
        self.keeper.drop_own().map_err(|error| {
            tracing::error!(error = format!("{error:#}"), "the certificate was not replaced");
            ApiError::internal("the certificate was not replaced")
        })?;
        // Whoever leads looks at this host anew.
        self.agent.tell_anew();
        Ok(())
    }

    async fn rotate_authority(&self, origin: Origin) -> Result<(), ApiError> {
        certificates::rotate(&self.ops, &origin).await
    }

    async fn hand_over(&self, host: Uuid) -> Result<(), ApiError> {
        let offline = || ApiError::new("HOST_OFFLINE", [self.host_ref(host)]);
        let member = self.pool.members().into_iter().find(|(m, _)| m.host == host);
        let (member, _) = member.ok_or_else(offline)?;
        match self.pool.transfer_leader(member.node_id, CHANGE).await {
            Ok(()) => {
                self.wait_master(host).await;
                Ok(())
            }
            Err(MembershipError::NotLeader { .. }) => Err(ApiError::bare("HOST_STILL_BOOTING")),
            Err(error) => {
                tracing::info!(%error, "leadership was not handed over");
                Err(offline())
            }
        }
    }
}
