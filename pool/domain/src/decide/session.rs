//! Sessions: log-in, log-out, ageing.

use std::collections::BTreeSet;

use proto_types::generated::{host, session, task};
use proto_types::{ApiError, DateTime, Ref};

use crate::database::Database;
use crate::draft::Draft;
use crate::row::Row;

/// How many sessions there may be and for how long they may idle.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Most sessions at once of one user, or of one program of the superuser's; the least recently active gives way.
    pub most: usize,
    /// Seconds of idleness after which a session ends.
    pub idle_seconds: i64,
}

/// All sessions together may be so many times those of one user.
const USERS: usize = 5;

impl Default for SessionLimits {
    /// XenServer 4.1: 200 sessions, 24 hours.
    fn default() -> Self {
        SessionLimits {
            most: 200,
            idle_seconds: 86_400,
        }
    }
}

/// Who logs in.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// User name.
    pub user: String,
    /// The user as a subject; null for the local superuser, to whom no role applies.
    pub subject: Ref,
    /// The subject's identifier; empty for the local superuser.
    pub sid: String,
    /// The client's own name for itself.
    pub originator: String,
    /// The host that took the log-in.
    pub host: Ref,
}

/// Makes a session and drops those that are too old or too many. One that has work in hand is the last to go.
pub fn login(draft: &mut Draft<'_>, new: NewSession, limits: SessionLimits) -> Ref {
    let now = draft.facts().now;
    let db = draft.db();
    let mut kept: Vec<(bool, DateTime, Ref)> = Vec::new();
    let mut dropped: Vec<Ref> = Vec::new();
    let mut own: BTreeSet<Ref> = BTreeSet::new();
    for row in db.rows(session::CLASS) {
        let active = row.get(session::LAST_ACTIVE).as_time();
        if now.0.saturating_sub(active.0) > limits.idle_seconds {
            dropped.push(row.reference);
            continue;
        }
        kept.push((is_at_work(db, row), active, row.reference));
        let sid = row.get(session::AUTH_USER_SID).as_str();
        let same_program = row.get(session::ORIGINATOR).as_str() == new.originator;
        if sid == new.sid && (!sid.is_empty() || same_program) {
            own.insert(row.reference);
        }
    }
    kept.sort_unstable();
    let surplus = |count: usize, most: usize| count.saturating_add(1).saturating_sub(most.max(1));
    let of_own = surplus(own.len(), limits.most);
    let of_all = surplus(
        kept.len().saturating_sub(of_own),
        limits.most.saturating_mul(USERS),
    );
    let oldest = kept.iter().map(|(_, _, reference)| *reference);
    dropped.extend(oldest.clone().filter(|r| own.contains(r)).take(of_own));
    let others: Vec<Ref> = oldest.filter(|r| !dropped.contains(r)).take(of_all).collect();
    dropped.extend(others);
    for reference in dropped {
        draft.delete(reference);
    }
    draft.insert(
        session::CLASS,
        vec![
            (session::THIS_HOST, new.host.into()),
            (session::LAST_ACTIVE, now.into()),
            (session::VALIDATION_TIME, now.into()),
            (session::IS_LOCAL_SUPERUSER, new.sid.is_empty().into()),
            (session::SUBJECT, new.subject.into()),
            (session::AUTH_USER_SID, new.sid.into()),
            (session::AUTH_USER_NAME, new.user.into()),
            (session::ORIGINATOR, new.originator.into()),
        ],
    )
}

/// Whether a task of the session has not ended.
fn is_at_work(db: &Database, row: &Row) -> bool {
    row.get(session::TASKS).as_refs().into_iter().any(|t| {
        db.of_class(task::CLASS, t)
            .is_some_and(|t| t.get(task::STATUS).as_str() == "pending")
    })
}

/// Ends a session.
///
/// # Errors
/// `SESSION_INVALID` if there is none.
pub fn logout(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    check(draft.db(), reference)?;
    draft.delete(reference);
    Ok(())
}

/// Says whether a session exists.
///
/// # Errors
/// `SESSION_INVALID [session]`.
pub fn check(db: &Database, reference: Ref) -> Result<(), ApiError> {
    match db.of_class(session::CLASS, reference) {
        Some(_) => Ok(()),
        None => Err(ApiError::new("SESSION_INVALID", [reference.to_string()])),
    }
}

/// Notes when sessions were last used.
pub fn note_activity(draft: &mut Draft<'_>, used: &[(Ref, DateTime)]) {
    for (reference, at) in used {
        let known = draft.db().of_class(session::CLASS, *reference);
        if known.is_some_and(|s| s.get(session::LAST_ACTIVE).as_time() < *at) {
            draft.set(*reference, session::LAST_ACTIVE, *at);
        }
    }
}

/// Sessions that have idled for too long at `now`.
pub fn expired(db: &Database, now: DateTime, limits: SessionLimits) -> Vec<Ref> {
    db.rows(session::CLASS)
        .filter(|s| now.0.saturating_sub(s.get(session::LAST_ACTIVE).as_time().0) > limits.idle_seconds)
        .map(|s| s.reference)
        .collect()
}

/// The address of the host a session should be told to go to.
pub fn address_of(db: &Database, on: Ref) -> String {
    db.of_class(host::CLASS, on)
        .map_or_else(String::new, |h| h.get(host::ADDRESS).as_str().to_owned())
}
