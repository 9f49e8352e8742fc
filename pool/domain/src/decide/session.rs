//! Sessions: log-in, log-out, ageing.

use proto_types::generated::{host, session};
use proto_types::{ApiError, DateTime, Ref, Value};

use crate::database::Database;
use crate::draft::Draft;

/// How many sessions there may be and for how long they may idle.
#[derive(Clone, Copy, Debug)]
pub struct SessionLimits {
    /// Most sessions at once; the least recently active gives way.
    pub most: usize,
    /// Seconds of idleness after which a session ends.
    pub idle_seconds: i64,
}

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
    /// User name, empty on the local socket.
    pub user: String,
    /// Whether the role check is to be skipped: the local superuser.
    pub is_local_superuser: bool,
    /// The client's own name for itself.
    pub originator: String,
    /// Permissions of the user's roles; empty for the superuser.
    pub permissions: Vec<String>,
    /// The host that took the log-in.
    pub host: Ref,
}

/// Makes a session and drops those that are too old or too many.
pub fn login(draft: &mut Draft<'_>, new: NewSession, limits: SessionLimits) -> Ref {
    let now = draft.facts().now;
    let mut kept: Vec<(DateTime, Ref)> = Vec::new();
    let mut dropped: Vec<Ref> = Vec::new();
    for row in draft.db().rows(session::CLASS) {
        let active = row.get(session::LAST_ACTIVE).as_time();
        if now.0.saturating_sub(active.0) > limits.idle_seconds {
            dropped.push(row.reference);
        } else {
            kept.push((active, row.reference));
        }
    }
    kept.sort_unstable();
    let surplus = kept.len().saturating_add(1).saturating_sub(limits.most.max(1));
    dropped.extend(kept.iter().take(surplus).map(|(_, r)| *r));
    for reference in dropped {
        draft.delete(reference);
    }
    draft.insert(
        session::CLASS,
        vec![
            (session::THIS_HOST, new.host.into()),
            (session::LAST_ACTIVE, now.into()),
            (session::VALIDATION_TIME, now.into()),
            (session::IS_LOCAL_SUPERUSER, new.is_local_superuser.into()),
            (session::AUTH_USER_NAME, new.user.into()),
            (session::ORIGINATOR, new.originator.into()),
            (session::RBAC_PERMISSIONS, Value::strings(new.permissions)),
        ],
    )
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
