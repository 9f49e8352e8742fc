//! What every operation has at hand: the pool, the hosts, and a way to decide.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pool_domain::transaction::Origin;
use pool_domain::{Database, Draft, Facts, Outcome};
use proto_types::generated::host;
use proto_types::{ApiError, DateTime, Ref, Value};
use uuid::Uuid;

use crate::ports::{HostAgents, OfTerm, PoolError, PoolPort};
use crate::transfer::Transfers;
use crate::turns::{Turn, Turns};

/// How often a decision is made again after a lost race.
const RACES: usize = 64;
/// How often an unanswered proposal is repeated.
const REPEATS: usize = 3;

/// The pool, the hosts, and what encodes a result for a task. Cheap to copy.
#[derive(Clone)]
pub struct Ops {
    /// The replicated pool.
    pub pool: Arc<dyn PoolPort>,
    /// The hosts' agents.
    pub agents: Arc<dyn HostAgents>,
    /// Work of this node's HTTP handlers that waits for its operation.
    pub transfers: Arc<Transfers>,
    /// Turns at rows that many want to write at once.
    pub turns: Arc<Turns>,
    /// Encodes a result as `task.result` has it.
    pub encode: fn(&Value) -> String,
}

/// The clock as decisions get it.
pub fn now() -> DateTime {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    DateTime(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

impl Ops {
    /// Decides and writes. A lost race is decided again on the newer state, when it is its turn; an unanswered proposal is
    /// repeated under the same request id.
    ///
    /// # Errors
    /// The decision's refusal; `HOST_IS_SLAVE` or `HOST_STILL_BOOTING` if this node does not lead.
    pub async fn decide<T: Send>(
        &self,
        origin: &Origin,
        mut decision: impl FnMut(&mut Draft<'_>) -> Result<T, ApiError> + Send,
    ) -> Result<(T, Database), ApiError> {
        let mut db = self.pool.snapshot();
        let mut turn: Option<Turn> = None;
        for _ in 0..RACES {
            let (transaction, result) = {
                let facts = Facts::new(now(), Uuid::new_v4);
                let mut draft = Draft::new(&db, &facts);
                let result = decision(&mut draft)?;
                if draft.is_empty() {
                    return Ok((result, db));
                }
                (draft.finish(Uuid::new_v4(), origin.clone()), result)
            };
            if turn.is_none()
                && let Some(row) = self.turns.wanted(transaction.reads.iter().map(|(row, _)| *row))
            {
                turn = Some(self.turns.take(row).await);
                db = self.pool.snapshot();
                continue;
            }
            let mut repeats = 0;
            let (outcome, after) = loop {
                match self.pool.propose(transaction.clone()).await {
                    Ok(answer) => break answer,
                    Err(PoolError::Unknown) if repeats < REPEATS => repeats += 1,
                    Err(error) => return Err(error.into()),
                }
            };
            match outcome {
                Outcome::Applied(_) => return Ok((result, after)),
                Outcome::Conflict(row) if turn.as_ref().is_none_or(|turn| turn.row() != row) => {
                    // One turn at a time: whoever had one and waited for another could be waited for in a ring.
                    drop(turn.take());
                    turn = Some(self.turns.take(row).await);
                    db = self.pool.snapshot();
                }
                // Somebody who was under way already has won.
                Outcome::Conflict(_) => db = after,
            }
        }
        Err(ApiError::internal("the object changes too often; try again"))
    }

    /// The same, with hosts asked under the term of this moment only.
    ///
    /// Part of an operation that has its own (see `run_part`) takes the term of its own beginning.
    pub(crate) fn in_this_term(&self) -> Ops {
        Ops {
            agents: OfTerm::now(&self.agents),
            ..self.clone()
        }
    }

    /// The uuid of a host, by which its agent is called.
    ///
    /// # Errors
    /// `HANDLE_INVALID`.
    pub fn host_uuid(&self, reference: Ref) -> Result<Uuid, ApiError> {
        uuid_of_host(&self.pool.snapshot(), reference)
    }
}

/// The uuid of a host, by which its agent is called.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn uuid_of_host(db: &Database, reference: Ref) -> Result<Uuid, ApiError> {
    let row = pool_domain::query::find(db, host::CLASS, reference)?;
    Uuid::try_parse(row.uuid()).map_err(|_| ApiError::handle_invalid("host", reference))
}

/// The origin of what the pool does by itself.
pub fn own(activity: &str) -> Origin {
    Origin {
        user: String::new(),
        method: activity.to_owned(),
        trace: String::new(),
    }
}
