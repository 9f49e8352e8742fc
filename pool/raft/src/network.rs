//! The calling side of consensus: openraft's network over gRPC.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult, TransferLeaderRequest,
    TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RaftNetworkFactory, RaftNetworkV2};
use pool_store::{Node, SnapshotData, TypeConfig, Vote};
use proto_wire::LARGEST_MESSAGE;
use proto_wire::channel::{Lane, Peers};
use proto_wire::raft::raft_client::RaftClient;
use proto_wire::value::Malformed;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::cut::Cut;
use crate::wire;

type RpcError = RPCError<TypeConfig>;
type Client = RaftClient<Channel>;

/// How long a snapshot may stand still before it is given up.
pub(crate) const SNAPSHOT_IDLE: Duration = Duration::from_secs(60);

/// How long a member is left alone that could not be reached or would not listen. openraft waits between the appends of a
/// stream, but begins the next stream at once when one does not come about: a thousand times a second.
const LEFT_ALONE: Duration = Duration::from_millis(100);

/// Where a member is by the newest configuration, if that is not where it is thought to be.
pub(crate) type Moved = Box<dyn Fn(u64, &Node) -> Option<Node> + Send + Sync>;

/// Makes the connection to each other member.
pub(crate) struct Network {
    pub(crate) peers: Peers,
    pub(crate) cut: Cut,
    /// How long an append may be unanswered before its stream is given up.
    pub(crate) append_timeout: Duration,
    /// Set once there is a configuration to look at.
    pub(crate) moved: Arc<OnceLock<Moved>>,
}

/// The connection to one other member. It follows the member when that gets another address: Raft keeps the connection
/// for as long as the member is one.
pub(crate) struct Connection {
    target: u64,
    node: Node,
    peers: Peers,
    moved: Arc<OnceLock<Moved>>,
    client: Client,
    bulk: Client,
    cut: Cut,
    append_timeout: Duration,
    /// When the next stream may be begun.
    next_stream: Instant,
}

impl RaftNetworkFactory<TypeConfig> for Network {
    type Network = Connection;

    async fn new_client(&mut self, target: u64, node: &Node) -> Connection {
        Connection {
            target,
            node: node.clone(),
            peers: self.peers.clone(),
            moved: Arc::clone(&self.moved),
            client: client(&self.peers, node, Lane::Raft),
            bulk: client(&self.peers, node, Lane::Snapshot),
            cut: self.cut.clone(),
            append_timeout: self.append_timeout,
            next_stream: Instant::now(),
        }
    }
}

fn client(peers: &Peers, node: &Node, lane: Lane) -> Client {
    let channel = peers.channel(node.host, &node.address, node.port, lane);
    Client::new(channel)
        .max_decoding_message_size(LARGEST_MESSAGE)
        .max_encoding_message_size(LARGEST_MESSAGE)
}

fn cut_off() -> RpcError {
    RPCError::Unreachable(Unreachable::from_string("this node is cut off"))
}

fn timed_out() -> RpcError {
    RPCError::Unreachable(Unreachable::from_string("no answer in time"))
}

/// A peer that is down or stopped is left alone for a while (openraft backs off from `Unreachable`).
fn failed(status: &Status) -> RpcError {
    match status.code() {
        Code::Unavailable
        | Code::DeadlineExceeded
        | Code::Cancelled
        | Code::Unknown
        | Code::PermissionDenied => RPCError::Unreachable(Unreachable::from_string(status)),
        _ => RPCError::Network(NetworkError::from_string(status)),
    }
}

fn malformed(error: &Malformed) -> RpcError {
    RPCError::Network(NetworkError::from_string(error))
}

impl Connection {
    /// Speaks to where the member is now.
    fn follow(&mut self) {
        let moved = self.moved.get().and_then(|moved| moved(self.target, &self.node));
        if let Some(node) = moved {
            tracing::info!(host = %node.host, address = node.address, port = node.port, "a member has moved");
            self.client = client(&self.peers, &node, Lane::Raft);
            self.bulk = client(&self.peers, &node, Lane::Snapshot);
            self.node = node;
        }
    }

    async fn call<T>(
        &mut self,
        within: Duration,
        call: impl AsyncFnOnce(&mut Client) -> Result<tonic::Response<T>, Status>,
    ) -> Result<T, RpcError> {
        if self.cut.is_cut() {
            return Err(cut_off());
        }
        self.follow();
        match tokio::time::timeout(within, call(&mut self.client)).await {
            Ok(Ok(_)) if self.cut.is_cut() => Err(cut_off()),
            Ok(Ok(reply)) => Ok(reply.into_inner()),
            Ok(Err(status)) => Err(failed(&status)),
            Err(_) => Err(timed_out()),
        }
    }
}

impl RaftNetworkV2<TypeConfig> for Connection {
    type SnapshotData = SnapshotData;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        let request = wire::append_to_wire(&rpc);
        let reply = self
            .call(option.hard_ttl(), async |client| client.append(request).await)
            .await?;
        wire::appended_from_wire(&reply).map_err(|error| malformed(&error))
    }

    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        _option: RPCOption,
    ) -> BoxFuture<'s, Result<BoxStream<'s, Result<StreamAppendResult<TypeConfig>, RpcError>>, RpcError>>
    where
        S: Stream<Item = AppendEntriesRequest<TypeConfig>> + OptionalSend + Unpin + 'static,
    {
        Box::pin(async move {
            let within = self.append_timeout;
            // Appends under way: while there are none, silence is no fault.
            let waiting = Arc::new(AtomicUsize::new(0));
            let sent = Arc::clone(&waiting);
            let requests = input
                .map(move |request| {
                    sent.fetch_add(1, Ordering::AcqRel);
                    wire::append_to_wire(&request)
                })
                .take_until(self.cut.when_cut());
            tokio::time::sleep_until(self.next_stream).await;
            let begun = self
                .call(within, async |client| client.stream_append(requests).await)
                .await;
            if begun.is_err() {
                self.next_stream = Instant::now() + LEFT_ALONE;
            }
            let replies = begun?;
            let cut = self.cut.clone();
            let replies = stream::unfold(Some(replies), move |replies| {
                let waiting = Arc::clone(&waiting);
                let cut = cut.clone();
                async move {
                    let mut replies = replies?;
                    let next = tokio::select! {
                        next = next_reply(&mut replies, &waiting, within) => next?,
                        () = cut.when_cut() => Err(cut_off()),
                    };
                    let last = !matches!(next, Ok(Ok(_)));
                    Some((next, (!last).then_some(replies)))
                }
            });
            Ok(Box::pin(replies) as BoxStream<'s, _>)
        })
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let request = wire::vote_request_to_wire(&rpc);
        let reply = self
            .call(option.hard_ttl(), async |client| client.vote(request).await)
            .await?;
        wire::voted_from_wire(&reply).map_err(|error| malformed(&error))
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        let request = wire::vote_request_to_wire(&rpc);
        let reply = self
            .call(option.hard_ttl(), async |client| client.pre_vote(request).await)
            .await?;
        wire::voted_from_wire(&reply).map_err(|error| malformed(&error))
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: openraft::alias::SnapshotOf<TypeConfig, SnapshotData>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        if self.cut.is_cut() {
            return Err(cut_off().into());
        }
        self.follow();
        let (sender, parts) = tokio::sync::mpsc::channel(4);
        // Encoding and hashing every row would hold up the heartbeats. Ends when the receiver is gone.
        tokio::task::spawn_blocking(move || {
            pool_store::parts(&vote, &snapshot.meta, &snapshot.snapshot, |part| {
                sender.blocking_send(part).is_ok()
            });
        });
        let mut bulk = self.bulk.clone();
        let requests = ReceiverStream::new(parts).take_until(self.cut.when_cut());
        // The other side gives up when nothing comes; that an answer comes is for keep-alive to watch.
        let reply = tokio::select! {
            reply = bulk.install_snapshot(requests) => reply.map_err(|status| StreamingError::from(failed(&status)))?,
            closed = cancel => return Err(StreamingError::Closed(closed)),
        };
        let vote = reply.into_inner().vote.ok_or(Malformed::Missing("vote"));
        match vote {
            Ok(vote) => Ok(SnapshotResponse::new(pool_store::convert::vote_from_wire(&vote))),
            Err(error) => Err(malformed(&error).into()),
        }
    }

    async fn transfer_leader(
        &mut self,
        req: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        let request = wire::transfer_to_wire(&req);
        let reply = self
            .call(option.hard_ttl(), async |client| {
                client.transfer_leader(request).await
            })
            .await?;
        wire::transferred_from_wire(&reply, &req).map_err(|error| malformed(&error))
    }
}

/// The next reply of an append stream; `None` at its end.
async fn next_reply(
    replies: &mut tonic::Streaming<proto_wire::raft::AppendReply>,
    waiting: &AtomicUsize,
    within: Duration,
) -> Option<Result<StreamAppendResult<TypeConfig>, RpcError>> {
    loop {
        match tokio::time::timeout(within, replies.message()).await {
            Ok(Ok(Some(reply))) => {
                waiting.fetch_sub(1, Ordering::AcqRel);
                return Some(wire::streamed_from_wire(&reply).map_err(|error| malformed(&error)));
            }
            Ok(Ok(None)) => return None,
            Ok(Err(status)) => return Some(Err(failed(&status))),
            Err(_) if waiting.load(Ordering::Acquire) == 0 => {}
            Err(_) => return Some(Err(timed_out())),
        }
    }
}
