//! Raft's requests and replies to and from protobuf.

use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, StreamAppendError, TransferLeaderError,
    TransferLeaderRequest, VoteRequest, VoteResponse,
};
use pool_store::convert::{
    entry_from_wire, entry_to_wire, log_id_from_wire, log_id_to_wire, vote_from_wire, vote_to_wire,
};
use pool_store::{LogId, TypeConfig, Vote};
use proto_wire::raft;
use proto_wire::raft::append_reply::Result as AppendResult;
use proto_wire::raft::transfer_reply::Result as TransferResult;
use proto_wire::stored;
use proto_wire::value::Malformed;

pub(crate) type StreamResult = Result<Option<LogId>, StreamAppendError<TypeConfig>>;

fn vote(wire: Option<&stored::Vote>) -> Result<Vote, Malformed> {
    wire.map(vote_from_wire).ok_or(Malformed::Missing("vote"))
}

fn log_id(wire: Option<&stored::LogId>) -> Option<LogId> {
    wire.map(log_id_from_wire)
}

fn matched(at: Option<LogId>) -> raft::Matched {
    raft::Matched {
        at: at.as_ref().map(log_id_to_wire),
    }
}

pub(crate) fn append_to_wire(request: &AppendEntriesRequest<TypeConfig>) -> raft::AppendRequest {
    raft::AppendRequest {
        vote: Some(vote_to_wire(&request.vote)),
        previous: request.prev_log_id.as_ref().map(log_id_to_wire),
        entries: request.entries.iter().map(entry_to_wire).collect(),
        committed: request.leader_commit.as_ref().map(log_id_to_wire),
    }
}

pub(crate) fn append_from_wire(
    wire: raft::AppendRequest,
) -> Result<AppendEntriesRequest<TypeConfig>, Malformed> {
    Ok(AppendEntriesRequest {
        vote: vote(wire.vote.as_ref())?,
        prev_log_id: log_id(wire.previous.as_ref()),
        entries: wire
            .entries
            .into_iter()
            .map(entry_from_wire)
            .collect::<Result<_, _>>()?,
        leader_commit: log_id(wire.committed.as_ref()),
    })
}

fn append_reply(result: AppendResult) -> raft::AppendReply {
    raft::AppendReply { result: Some(result) }
}

pub(crate) fn appended_to_wire(response: &AppendEntriesResponse<TypeConfig>) -> raft::AppendReply {
    append_reply(match response {
        AppendEntriesResponse::Success => AppendResult::Success(matched(None)),
        AppendEntriesResponse::PartialSuccess(at) => AppendResult::Partial(matched(*at)),
        AppendEntriesResponse::Conflict => AppendResult::Conflict(matched(None)),
        AppendEntriesResponse::HigherVote(vote) => AppendResult::HigherVote(vote_to_wire(vote)),
    })
}

pub(crate) fn appended_from_wire(
    wire: &raft::AppendReply,
) -> Result<AppendEntriesResponse<TypeConfig>, Malformed> {
    Ok(match wire.result.as_ref().ok_or(Malformed::Missing("result"))? {
        AppendResult::Success(_) => AppendEntriesResponse::Success,
        AppendResult::Partial(at) => AppendEntriesResponse::PartialSuccess(log_id(at.at.as_ref())),
        AppendResult::Conflict(_) => AppendEntriesResponse::Conflict,
        AppendResult::HigherVote(vote) => AppendEntriesResponse::HigherVote(vote_from_wire(vote)),
    })
}

pub(crate) fn streamed_to_wire(result: &StreamResult) -> raft::AppendReply {
    append_reply(match result {
        Ok(at) => AppendResult::Success(matched(*at)),
        Err(StreamAppendError::Conflict(at)) => AppendResult::Conflict(matched(Some(*at))),
        Err(StreamAppendError::HigherVote(vote)) => AppendResult::HigherVote(vote_to_wire(vote)),
    })
}

pub(crate) fn streamed_from_wire(wire: &raft::AppendReply) -> Result<StreamResult, Malformed> {
    Ok(match wire.result.as_ref().ok_or(Malformed::Missing("result"))? {
        AppendResult::Success(at) | AppendResult::Partial(at) => Ok(log_id(at.at.as_ref())),
        AppendResult::Conflict(at) => {
            let at = log_id(at.at.as_ref()).ok_or(Malformed::Missing("position of the conflict"))?;
            Err(StreamAppendError::Conflict(at))
        }
        AppendResult::HigherVote(vote) => Err(StreamAppendError::HigherVote(vote_from_wire(vote))),
    })
}

pub(crate) fn vote_request_to_wire(request: &VoteRequest<TypeConfig>) -> raft::VoteRequest {
    raft::VoteRequest {
        vote: Some(vote_to_wire(&request.vote)),
        last: request.last_log_id.as_ref().map(log_id_to_wire),
        leadership_transfer: request.leadership_transfer,
    }
}

pub(crate) fn vote_request_from_wire(wire: &raft::VoteRequest) -> Result<VoteRequest<TypeConfig>, Malformed> {
    let mut request = VoteRequest::new(vote(wire.vote.as_ref())?, log_id(wire.last.as_ref()));
    request.leadership_transfer = wire.leadership_transfer;
    Ok(request)
}

pub(crate) fn voted_to_wire(response: &VoteResponse<TypeConfig>) -> raft::VoteReply {
    raft::VoteReply {
        vote: Some(vote_to_wire(&response.vote)),
        granted: response.vote_granted,
        last: response.last_log_id.as_ref().map(log_id_to_wire),
    }
}

pub(crate) fn voted_from_wire(wire: &raft::VoteReply) -> Result<VoteResponse<TypeConfig>, Malformed> {
    Ok(VoteResponse::new(
        vote(wire.vote.as_ref())?,
        log_id(wire.last.as_ref()),
        wire.granted,
    ))
}

pub(crate) fn transfer_to_wire(request: &TransferLeaderRequest<TypeConfig>) -> raft::TransferRequest {
    raft::TransferRequest {
        from: Some(vote_to_wire(request.from_leader())),
        to: *request.to_node_id(),
        last: request.last_log_id().map(log_id_to_wire),
    }
}

pub(crate) fn transfer_from_wire(
    wire: &raft::TransferRequest,
) -> Result<TransferLeaderRequest<TypeConfig>, Malformed> {
    Ok(TransferLeaderRequest::new(
        vote(wire.from.as_ref())?,
        wire.to,
        log_id(wire.last.as_ref()),
    ))
}

pub(crate) fn transferred_to_wire(
    response: &Result<(), TransferLeaderError<TypeConfig>>,
) -> raft::TransferReply {
    raft::TransferReply {
        result: Some(match response {
            Ok(()) => TransferResult::Accepted(stored::Nothing {}),
            Err(TransferLeaderError::VoteChanged { actual, .. }) => {
                TransferResult::VoteChanged(vote_to_wire(actual))
            }
            Err(TransferLeaderError::LogNotFlushed { actual, .. }) => {
                TransferResult::LogBehind(matched(*actual))
            }
        }),
    }
}

pub(crate) fn transferred_from_wire(
    wire: &raft::TransferReply,
    request: &TransferLeaderRequest<TypeConfig>,
) -> Result<Result<(), TransferLeaderError<TypeConfig>>, Malformed> {
    Ok(match wire.result.as_ref().ok_or(Malformed::Missing("result"))? {
        TransferResult::Accepted(_) => Ok(()),
        TransferResult::VoteChanged(actual) => Err(TransferLeaderError::VoteChanged {
            expected: *request.from_leader(),
            actual: vote_from_wire(actual),
        }),
        TransferResult::LogBehind(at) => Err(TransferLeaderError::LogNotFlushed {
            expected: request.last_log_id().copied(),
            actual: log_id(at.at.as_ref()),
        }),
    })
}
