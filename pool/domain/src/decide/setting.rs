//! Settings of the pool that have no place in the API, by name.

use proto_types::generated::tarn_setting;

use crate::database::Database;
use crate::decide::unique;
use crate::draft::Draft;

/// The value of a setting.
pub fn get<'a>(db: &'a Database, key: &str) -> Option<&'a str> {
    db.rows(tarn_setting::CLASS)
        .find(|s| s.get(tarn_setting::KEY).as_str() == key)
        .map(|s| s.get(tarn_setting::VALUE).as_str())
}

/// Sets a setting, or takes it away. Of two decisions that put one setting at once, one is decided again: it may rest on
/// what the setting was.
pub fn put(draft: &mut Draft<'_>, key: &str, value: Option<&str>) {
    let found = draft
        .db()
        .rows(tarn_setting::CLASS)
        .find(|s| s.get(tarn_setting::KEY).as_str() == key)
        .map(|s| s.reference);
    if let Some(row) = found {
        draft.note(row);
    }
    match (found, value) {
        (Some(row), Some(value)) => draft.set(row, tarn_setting::VALUE, value),
        (Some(row), None) => draft.delete(row),
        (None, Some(value)) => {
            unique::one_at_a_time(draft);
            draft.insert(
                tarn_setting::CLASS,
                vec![
                    (tarn_setting::KEY, key.into()),
                    (tarn_setting::VALUE, value.into()),
                ],
            );
        }
        (None, None) => {}
    }
}
