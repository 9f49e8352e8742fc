//! The answering side of consensus: the gRPC service that other members call.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use openraft::errors::RaftError;
use pool_store::{Assembler, Node, Progress, Store, Vote, Whole};
use proto_wire::LARGEST_MESSAGE;
use proto_wire::channel::peer_host;
use proto_wire::raft as pb;
use proto_wire::raft::raft_server::{Raft as RaftRpc, RaftServer};
use proto_wire::value::Malformed;
use tokio::time::Instant;
use tonic::{Request, Response, Status, Streaming};

use crate::cut::Cut;
use crate::leader::Heard;
use crate::network::SNAPSHOT_IDLE;
use crate::type_config::Raft;
use crate::wire;

/// Answers the other members. Made by [`crate::Pool::service`].
pub struct RaftService {
    raft: Raft,
    store: Store,
    cut: Cut,
    /// A node that has just started has forgotten how long it owes the leader its loyalty: until then it votes
    /// for nobody, or a leader could read by a lease that is none.
    votes_from: Instant,
    /// Members of a pool that this node has left behind: not heard unless they are of this one again.
    barred: Arc<BTreeSet<u64>>,
    /// Whatever a leader says shows that it lives.
    heard: Arc<Heard>,
}

/// Makes the service with the limits both sides agree on.
pub(crate) fn service(
    raft: Raft,
    store: Store,
    cut: Cut,
    votes_from: Instant,
    barred: Arc<BTreeSet<u64>>,
    heard: Arc<Heard>,
) -> RaftServer<RaftService> {
    RaftServer::new(RaftService {
        raft,
        store,
        cut,
        votes_from,
        barred,
        heard,
    })
    .max_decoding_message_size(LARGEST_MESSAGE)
    .max_encoding_message_size(LARGEST_MESSAGE)
}

fn malformed(error: &Malformed) -> Status {
    Status::invalid_argument(error.to_string())
}

/// A node that has stopped is as good as down: callers leave it alone for a while.
fn stopped(_: impl Sized) -> Status {
    Status::unavailable("consensus has stopped on this node")
}

fn raft_failed<E: std::error::Error>(error: RaftError<pool_store::TypeConfig, E>) -> Status {
    match error {
        RaftError::Fatal(fatal) => stopped(fatal),
        RaftError::APIError(error) => Status::internal(error.to_string()),
    }
}

/// Refuses a peer that speaks for another: what it claims must be of the host its certificate names.
fn speaks_for_itself(peer: u64, vote: &Vote) -> Result<(), Status> {
    if vote.leader_id().voted_for == peer {
        Ok(())
    } else {
        Err(Status::permission_denied("the vote is that of another host"))
    }
}

impl RaftService {
    /// The Raft id of the peer, unless this node is cut off or has failed.
    fn peer<T>(&self, request: &Request<T>) -> Result<u64, Status> {
        if self.cut.is_cut() {
            return Err(Status::unavailable("this node is cut off"));
        }
        if self.store.has_failed() {
            return Err(stopped(()));
        }
        let peer = peer_host(request).map(Node::id_of)?;
        if self.barred.contains(&peer) && !self.is_member(peer) {
            return Err(Status::permission_denied(
                "this node has left the pool that the caller is of",
            ));
        }
        Ok(peer)
    }

    fn is_member(&self, peer: u64) -> bool {
        crate::status::members(&self.raft)
            .iter()
            .any(|(member, _)| member.node_id == peer)
    }

    fn may_vote(&self) -> Result<(), Status> {
        if Instant::now() < self.votes_from {
            return Err(Status::unavailable("this node has just started"));
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl RaftRpc for RaftService {
    type StreamAppendStream = Pin<Box<dyn Stream<Item = Result<pb::AppendReply, Status>> + Send + 'static>>;

    async fn append(&self, request: Request<pb::AppendRequest>) -> Result<Response<pb::AppendReply>, Status> {
        let peer = self.peer(&request)?;
        let append = wire::append_from_wire(request.into_inner()).map_err(|error| malformed(&error))?;
        speaks_for_itself(peer, &append.vote)?;
        self.heard.note();
        let response = self.raft.append_entries(append).await.map_err(raft_failed)?;
        Ok(Response::new(wire::appended_to_wire(&response)))
    }

    async fn stream_append(
        &self,
        request: Request<Streaming<pb::AppendRequest>>,
    ) -> Result<Response<Self::StreamAppendStream>, Status> {
        let peer = self.peer(&request)?;
        let heard = Arc::clone(&self.heard);
        let requests = request.into_inner().scan((), move |(), item| {
            // Whatever does not read ends the stream; the caller begins a new one.
            let append = item
                .and_then(|wire| wire::append_from_wire(wire).map_err(|error| malformed(&error)))
                .and_then(|append| speaks_for_itself(peer, &append.vote).map(|()| append));
            if append.is_ok() {
                heard.note();
            }
            std::future::ready(
                append
                    .inspect_err(|status| tracing::debug!(%status, "append stream ends"))
                    .ok(),
            )
        });
        let replies = self
            .raft
            .stream_append(requests.take_until(self.cut.when_cut()))
            .map(|result| match result {
                Ok(result) => Ok(wire::streamed_to_wire(&result)),
                Err(fatal) => Err(stopped(fatal)),
            })
            .take_until(self.cut.when_cut());
        Ok(Response::new(Box::pin(replies)))
    }

    async fn vote(&self, request: Request<pb::VoteRequest>) -> Result<Response<pb::VoteReply>, Status> {
        let peer = self.peer(&request)?;
        let ballot = wire::vote_request_from_wire(request.get_ref()).map_err(|error| malformed(&error))?;
        speaks_for_itself(peer, &ballot.vote)?;
        self.may_vote()?;
        let response = self.raft.vote(ballot).await.map_err(raft_failed)?;
        Ok(Response::new(wire::voted_to_wire(&response)))
    }

    async fn pre_vote(&self, request: Request<pb::VoteRequest>) -> Result<Response<pb::VoteReply>, Status> {
        let peer = self.peer(&request)?;
        let ballot = wire::vote_request_from_wire(request.get_ref()).map_err(|error| malformed(&error))?;
        speaks_for_itself(peer, &ballot.vote)?;
        self.may_vote()?;
        let response = self.raft.pre_vote(ballot).await.map_err(raft_failed)?;
        Ok(Response::new(wire::voted_to_wire(&response)))
    }

    async fn install_snapshot(
        &self,
        request: Request<Streaming<pb::SnapshotPart>>,
    ) -> Result<Response<pb::SnapshotReply>, Status> {
        let peer = self.peer(&request)?;
        let mut parts = request.into_inner();
        let mut assembler: Option<Box<Assembler>> = None;
        loop {
            let part = next_part(&mut parts, SNAPSHOT_IDLE).await?;
            // Building and hashing the whole at the end is work for a thread that may block.
            let so_far = assembler.take();
            let progress = tokio::task::spawn_blocking(move || match so_far {
                Some(so_far) => so_far.push(part),
                None => Assembler::begin(part).map(|begun| Progress::More(Box::new(begun))),
            })
            .await
            .map_err(|error| Status::internal(error.to_string()))?
            .map_err(|error| malformed(&error))?;
            match progress {
                Progress::More(more) => {
                    speaks_for_itself(peer, more.vote())?;
                    self.heard.note();
                    assembler = Some(more);
                }
                Progress::Whole(whole) => {
                    let Whole { vote, meta, data } = *whole;
                    speaks_for_itself(peer, &vote)?;
                    self.heard.note();
                    let snapshot = openraft::Snapshot { meta, snapshot: data };
                    let response = self
                        .raft
                        .install_full_snapshot(vote, snapshot)
                        .await
                        .map_err(stopped)?;
                    let vote = Some(pool_store::convert::vote_to_wire(&response.vote));
                    return Ok(Response::new(pb::SnapshotReply { vote }));
                }
            }
        }
    }

    async fn transfer_leader(
        &self,
        request: Request<pb::TransferRequest>,
    ) -> Result<Response<pb::TransferReply>, Status> {
        let peer = self.peer(&request)?;
        let transfer = wire::transfer_from_wire(request.get_ref()).map_err(|error| malformed(&error))?;
        speaks_for_itself(peer, transfer.from_leader())?;
        let response = self
            .raft
            .handle_transfer_leader(transfer)
            .await
            .map_err(stopped)?;
        Ok(Response::new(wire::transferred_to_wire(&response)))
    }
}

async fn next_part(
    parts: &mut Streaming<pb::SnapshotPart>,
    within: Duration,
) -> Result<pb::SnapshotPart, Status> {
    match tokio::time::timeout(within, parts.message()).await {
        Ok(part) => part?.ok_or_else(|| Status::invalid_argument("the snapshot ends too early")),
        Err(_) => Err(Status::deadline_exceeded("the snapshot stands still")),
    }
}
