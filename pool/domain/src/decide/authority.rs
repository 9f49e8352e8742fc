//! The pool's certificate authorities: one signs; older ones are trusted until every host has a certificate of the new one.

use proto_types::generated::{host, tarn_authority};
use proto_types::{ApiError, DateTime, Ref};

use crate::database::Database;
use crate::decide::setting;
use crate::draft::Draft;
use crate::row::Row;

/// Where it is noted which authority signed a host's certificate. Without a note it is the pool's first.
fn key(host_uuid: &str) -> String {
    format!("certificate-authority-of/{host_uuid}")
}

/// The authority that signs.
pub fn active(db: &Database) -> Option<&Row> {
    db.rows(tarn_authority::CLASS)
        .map(|row| &**row)
        .find(|row| row.get(tarn_authority::ACTIVE).as_bool())
}

/// All of them, the one that signs last.
pub fn all(db: &Database) -> Vec<&Row> {
    let mut all: Vec<&Row> = db.rows(tarn_authority::CLASS).map(|row| &**row).collect();
    all.sort_by_key(|row| (row.get(tarn_authority::ACTIVE).as_bool(), row.reference));
    all
}

/// Has another authority sign from now on: certificates and key, PEM.
///
/// # Errors
/// `OPERATION_NOT_ALLOWED` while an older one is still in use.
pub fn succeed(
    draft: &mut Draft<'_>,
    (certificate, key): (&str, &str),
    not_after: DateTime,
) -> Result<(), ApiError> {
    let before: Vec<Ref> = all(draft.db()).into_iter().map(|row| row.reference).collect();
    if before.len() > 1 {
        return Err(ApiError::new(
            "OPERATION_NOT_ALLOWED",
            ["Hosts are still taking up the certificate authority made last"],
        ));
    }
    for row in before {
        draft.note(row);
        draft.set(row, tarn_authority::ACTIVE, false);
    }
    draft.insert(
        tarn_authority::CLASS,
        vec![
            (tarn_authority::CERTIFICATE, certificate.into()),
            (tarn_authority::KEY, key.into()),
            (tarn_authority::NOT_AFTER, not_after.into()),
            (tarn_authority::ACTIVE, true.into()),
        ],
    );
    Ok(())
}

/// Notes who signed a host's newest certificate.
pub fn signed(draft: &mut Draft<'_>, host_uuid: &str, authority: Ref) {
    setting::put(draft, &key(host_uuid), Some(&authority.to_string()));
}

/// Removes the note about a host: the host goes.
pub fn forget_host(draft: &mut Draft<'_>, host_uuid: &str) {
    setting::put(draft, &key(host_uuid), None);
}

/// Removes the older authorities once every host has a certificate of the one that signs.
pub fn retire(draft: &mut Draft<'_>) {
    let db = draft.db();
    let Some(signs) = active(db).map(|row| row.reference) else {
        return;
    };
    let older: Vec<Ref> = db
        .rows(tarn_authority::CLASS)
        .map(|row| row.reference)
        .filter(|row| *row != signs)
        .collect();
    let signs = signs.to_string();
    let all_follow = db
        .rows(host::CLASS)
        .all(|h| setting::get(db, &key(h.uuid())) == Some(signs.as_str()));
    if !older.is_empty() && all_follow {
        for row in older {
            draft.note(row);
            draft.delete(row);
        }
    }
}
