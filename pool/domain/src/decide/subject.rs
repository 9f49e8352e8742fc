//! Subjects and their roles. A session of a subject follows: it may do what the roles say now, and ends with the last.

use proto_types::generated::{session, subject};
use proto_types::{ApiError, Ref, Value};

use crate::access;
use crate::decide::{generic, unique};
use crate::draft::Draft;

/// Makes a subject without roles.
///
/// # Errors
/// `SUBJECT_ALREADY_EXISTS` if there is one with that identifier.
pub fn create(draft: &mut Draft<'_>, record: &Value) -> Result<Ref, ApiError> {
    let fields = generic::fields_of(subject::CLASS, record)?;
    let identifier = fields
        .iter()
        .find(|(field, _)| *field == subject::SUBJECT_IDENTIFIER)
        .map_or("", |(_, value)| value.as_str());
    if access::subject_of(draft.db(), identifier).is_some() {
        return Err(ApiError::bare("SUBJECT_ALREADY_EXISTS"));
    }
    unique::one_at_a_time(draft);
    let reference = draft.insert(subject::CLASS, fields);
    draft.set(reference, subject::ROLES, Value::Set(Vec::new()));
    Ok(reference)
}

/// Removes a subject; its sessions end.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn destroy(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    draft.read(subject::CLASS, reference)?;
    draft.delete(reference);
    follow(draft, reference);
    Ok(())
}

/// Gives a subject a role.
///
/// # Errors
/// `HANDLE_INVALID`; `ROLE_NOT_FOUND` if subjects cannot have it; `ROLE_ALREADY_EXISTS` if it has it.
pub fn add_role(draft: &mut Draft<'_>, reference: Ref, role: Ref) -> Result<(), ApiError> {
    let row = draft.read(subject::CLASS, reference)?;
    if access::role_of(role).is_none_or(|def| def.internal) {
        return Err(ApiError::bare("ROLE_NOT_FOUND"));
    }
    let mut roles = row.get(subject::ROLES).as_refs();
    if roles.contains(&role) {
        return Err(ApiError::bare("ROLE_ALREADY_EXISTS"));
    }
    roles.push(role);
    draft.set(reference, subject::ROLES, roles);
    follow(draft, reference);
    Ok(())
}

/// Takes a role from a subject; with the last one its sessions end.
///
/// # Errors
/// `HANDLE_INVALID`; `ROLE_NOT_FOUND` if it has it not.
pub fn remove_role(draft: &mut Draft<'_>, reference: Ref, role: Ref) -> Result<(), ApiError> {
    let row = draft.read(subject::CLASS, reference)?;
    let mut roles = row.get(subject::ROLES).as_refs();
    if !roles.contains(&role) {
        return Err(ApiError::bare("ROLE_NOT_FOUND"));
    }
    roles.retain(|held| *held != role);
    draft.set(reference, subject::ROLES, roles);
    follow(draft, reference);
    Ok(())
}

/// Ends the sessions of an identifier but one.
pub fn log_out(draft: &mut Draft<'_>, identifier: &str, but: Ref) {
    let ended: Vec<Ref> = draft
        .db()
        .rows(session::CLASS)
        .filter(|s| s.reference != but && s.get(session::AUTH_USER_SID).as_str() == identifier)
        .map(|s| s.reference)
        .collect();
    // The empty identifier is that of the local superuser, who is no subject.
    if !identifier.is_empty() {
        for reference in ended {
            draft.delete(reference);
        }
    }
}

/// Identifiers of those who have sessions, each once.
pub fn identifiers(db: &crate::Database) -> Vec<String> {
    let all: std::collections::BTreeSet<&str> = db
        .rows(session::CLASS)
        .map(|s| s.get(session::AUTH_USER_SID).as_str())
        .filter(|sid| !sid.is_empty())
        .collect();
    all.into_iter().map(str::to_owned).collect()
}

/// Sessions of a subject that may do something else now are stamped; those that may do nothing any more end.
fn follow(draft: &mut Draft<'_>, subject: Ref) {
    let sessions: Vec<Ref> = draft
        .db()
        .rows(session::CLASS)
        .filter(|s| s.get(session::SUBJECT).as_ref() == subject)
        .map(|s| s.reference)
        .collect();
    let ends = access::highest_role(draft.db(), subject).is_none();
    for reference in sessions {
        if ends {
            draft.delete(reference);
        } else {
            draft.touch(reference);
        }
    }
}
