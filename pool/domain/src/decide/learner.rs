//! Nodes that are no hosts: they take the pool's log in, at another site perhaps, and neither vote nor run anything.

use std::sync::Arc;

use proto_types::generated::{host, tarn_member};
use proto_types::{ApiError, Ref};

use crate::database::Database;
use crate::decide::authority;
use crate::decide::host::{MemberFacts, member_fields};
use crate::draft::Draft;
use crate::row::Row;

/// All of them.
pub fn all(db: &Database) -> impl Iterator<Item = &Arc<Row>> {
    db.rows(tarn_member::CLASS)
        .filter(|row| !row.get(tarn_member::LEARNER).as_str().is_empty())
}

/// The one with a uuid.
pub fn find<'a>(db: &'a Database, uuid: &str) -> Option<&'a Arc<Row>> {
    all(db).find(|row| row.get(tarn_member::LEARNER).as_str() == uuid)
}

/// Takes a node in that will learn; one that is there already may come from another address.
///
/// # Errors
/// `OPERATION_NOT_ALLOWED` if it is a host of the pool.
pub fn admit(
    draft: &mut Draft<'_>,
    uuid: &str,
    address: &str,
    member: &MemberFacts,
) -> Result<Ref, ApiError> {
    if draft.db().by_uuid(host::CLASS, uuid).is_some() {
        return Err(ApiError::new(
            "OPERATION_NOT_ALLOWED",
            ["This is a host of the pool, which has its log already"],
        ));
    }
    let joined = draft.facts().now;
    let mut fields = member_fields(Ref::NULL, address, member, joined);
    fields.push((tarn_member::LEARNER, uuid.into()));
    if let Some(there) = find(draft.db(), uuid).map(|row| row.reference) {
        draft.note(there);
        draft.update(there, fields);
        return Ok(there);
    }
    Ok(draft.insert(tarn_member::CLASS, fields))
}

/// Sends one away.
///
/// # Errors
/// `UUID_INVALID [learner, uuid]` if there is none.
pub fn forget(draft: &mut Draft<'_>, uuid: &str) -> Result<(), ApiError> {
    let row = find(draft.db(), uuid).map(|row| row.reference);
    let row = row.ok_or_else(|| ApiError::new("UUID_INVALID", ["learner", uuid]))?;
    draft.note(row);
    draft.delete(row);
    authority::forget_host(draft, uuid);
    Ok(())
}
