//! Things of which there may be one only, by a name that is no reference.

use proto_types::generated::pool;

use crate::draft::Draft;

/// To be called where something is made whose name must be unique: of two decisions that do so at once, one is decided
/// again, and sees what the other has made.
pub(crate) fn one_at_a_time(draft: &mut Draft<'_>) {
    if let Some(row) = draft.db().only(pool::CLASS).map(|p| p.reference) {
        draft.note(row);
        draft.touch(row);
    }
}
