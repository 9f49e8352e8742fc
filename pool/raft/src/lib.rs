//! The pool as one replicated state machine: propose, read, watch, change members.
//!
//! ```text
//! propose ─► Raft ─► log of a quorum ─► apply ─► answer      read_barrier ─► lease fresh? ─► Database
//!                └─► gRPC over mTLS ─► the other members                       else a round to a quorum
//! ```
//! With pool-store this is the only crate that names openraft. It runs on threads of its own that go before
//! others, so that a busy API does not cost heartbeats.
#![forbid(unsafe_code)]

mod cut;
mod handle;
mod leader;
mod membership;
mod network;
mod runtime;
mod server;
mod start;
mod status;
mod survive;
mod type_config;
mod wire;

pub use cut::Cut;
pub use handle::{
    InitialiseError, LARGEST_TRANSACTION, Member, NotLeader, PROPOSE_DEADLINE, Pool, ProposeError,
};
pub use leader::Leadership;
pub use membership::MembershipError;
pub use server::RaftService;
pub use start::{RaftConfig, StartError, start};
pub use status::{MemberStatus, Role, Standing, Status};
pub use survive::{SurviveError, Survived, bar, barred, survive_alone};
