//! Passes calls of the local socket on to the leader.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use gateway_server::Format;
use gateway_server::api::ports::{Forwarder, Leader};
use pool_raft::Pool;
use proto_types::ApiError;
use proto_wire::channel::{Lane, Peers};
use proto_wire::pool::ForwardRequest;
use proto_wire::pool::pool_client::PoolClient;

/// No local call waits longer for the leader than this; event.from may wait for an hour.
const LONGEST: Duration = Duration::from_secs(2 * 3600);

/// The way to the leader.
pub struct ForwardAdapter {
    /// Channels to other nodes.
    pub peers: Peers,
    /// Where members are.
    pub pool: Pool,
}

#[async_trait]
impl Forwarder for ForwardAdapter {
    async fn forward(&self, leader: Leader, format: Format, body: Bytes) -> Result<Bytes, ApiError> {
        let member = self
            .pool
            .members()
            .into_iter()
            .map(|(m, _)| m)
            .find(|m| m.host == leader.host);
        let Some(member) = member else {
            return Err(ApiError::bare("HOST_STILL_BOOTING"));
        };
        let channel = self
            .peers
            .channel(member.host, &member.address, member.port, Lane::Agent);
        let mut client = PoolClient::new(channel).max_decoding_message_size(proto_wire::LARGEST_MESSAGE);
        let request = ForwardRequest {
            json: format == Format::Json,
            body,
        };
        let mut leadership = self.pool.leadership();
        // A leader whose host has died says nothing more: the call ends when another is elected, not when TCP gives up.
        let replaced = leadership.wait_for(|now| now.leader.as_ref().is_some_and(|l| l.host != leader.host));
        let answer = tokio::select! {
            answer = tokio::time::timeout(LONGEST, client.forward(request)) => answer,
            _ = replaced => {
                tracing::info!("the leader was replaced during a local call");
                return Err(ApiError::bare("HOST_STILL_BOOTING"));
            }
        };
        match answer {
            Ok(Ok(reply)) => Ok(reply.into_inner().body),
            Ok(Err(status)) => {
                tracing::info!(code = %status.code(), "the leader did not take a local call");
                Err(ApiError::bare("HOST_STILL_BOOTING"))
            }
            Err(_) => Err(ApiError::internal("the leader did not answer in time")),
        }
    }
}
