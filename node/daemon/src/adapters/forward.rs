//! Passes calls of the local socket on to the leader.

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use gateway_codec::Limits;
use gateway_server::Format;
use gateway_server::api::ports::{Forwarder, Leader};
use pool_raft::Pool;
use proto_types::ApiError;
use proto_wire::channel::{Lane, Peers};
use proto_wire::pool::ForwardRequest;
use proto_wire::pool::pool_client::PoolClient;
use tonic::Status;
use tonic::transport::Channel;

/// No local call waits longer for the leader than this; event.from may wait for an hour.
const LONGEST: Duration = Duration::from_secs(2 * 3600);

/// A longer answer of the leader is not taken, in bytes: no client here would.
const LARGEST_ANSWER: usize = Limits::LISTING.bytes;

/// Why a leader's answer did not come.
enum Missed {
    /// The leader was not reached, or its answer broke off.
    Broken(Status),
    /// It is too long.
    TooLarge,
}

impl From<Status> for Missed {
    fn from(status: Status) -> Missed {
        Missed::Broken(status)
    }
}

async fn ask(mut client: PoolClient<Channel>, request: ForwardRequest) -> Result<Bytes, Missed> {
    let mut pieces = client.forward(request).await?.into_inner();
    let mut whole = BytesMut::from(pieces.message().await?.unwrap_or_default().body);
    while let Some(piece) = pieces.message().await? {
        if whole.len().saturating_add(piece.body.len()) > LARGEST_ANSWER {
            return Err(Missed::TooLarge);
        }
        whole.extend_from_slice(&piece.body);
    }
    Ok(whole.freeze())
}

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
        let client = PoolClient::new(channel).max_decoding_message_size(proto_wire::LARGEST_MESSAGE);
        let request = ForwardRequest {
            json: format == Format::Json,
            body,
        };
        let mut leadership = self.pool.leadership();
        // A leader whose host has died says nothing more: the call ends when another is elected, not when TCP gives up.
        let replaced = leadership.wait_for(|now| now.leader.as_ref().is_some_and(|l| l.host != leader.host));
        let answer = tokio::select! {
            answer = tokio::time::timeout(LONGEST, ask(client, request)) => answer,
            _ = replaced => {
                tracing::info!("the leader was replaced during a local call");
                return Err(ApiError::bare("HOST_STILL_BOOTING"));
            }
        };
        match answer {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(Missed::TooLarge)) => Err(ApiError::internal("the leader's answer is too large")),
            Ok(Err(Missed::Broken(status))) => {
                tracing::info!(code = %status.code(), "the leader did not take a local call");
                Err(ApiError::bare("HOST_STILL_BOOTING"))
            }
            Err(_) => Err(ApiError::internal("the leader did not answer in time")),
        }
    }
}
