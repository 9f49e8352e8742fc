//! The pool's certificate authorities: one signs; older ones are trusted until every host has a certificate of the new one.

use proto_types::generated::{host, tarn_authority, tarn_member};
use proto_types::{ApiError, DateTime, Ref};

use crate::database::Database;
use crate::decide::{learner, setting};
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
    let follows = |uuid: &str| setting::get(db, &key(uuid)) == Some(signs.as_str());
    let all_follow = db.rows(host::CLASS).all(|h| follows(h.uuid()))
        && learner::all(db).all(|node| follows(node.get(tarn_member::LEARNER).as_str()));
    if !older.is_empty() && all_follow {
        for row in older {
            draft.note(row);
            draft.delete(row);
        }
    }
}

#[cfg(test)]
mod test {
    use uuid::Uuid;

    use super::*;
    use crate::decide::host::MemberFacts;
    use crate::transaction::Origin;
    use crate::{Facts, apply};

    fn decide<T>(db: &mut Database, decision: impl FnOnce(&mut Draft<'_>) -> T) -> T {
        let mut number = u128::from(db.applied()) << 32;
        let facts = Facts::new(DateTime(1), move || {
            number += 1;
            Uuid::from_u128(number)
        });
        let mut draft = Draft::new(db, &facts);
        let value = decision(&mut draft);
        let id = Uuid::from_u128(1 << 100 | u128::from(db.applied()));
        let transaction = draft.finish(id, Origin::default());
        apply::apply(db, db.applied().saturating_add(1), &transaction);
        value
    }

    #[test]
    fn an_older_authority_stays_until_every_host_has_renewed() {
        let mut db = Database::default();
        let hosts = ["one", "two"];
        decide(&mut db, |d| {
            for uuid in hosts {
                d.insert(host::CLASS, vec![(host::UUID, uuid.into())]);
            }
            succeed(d, ("first", "key"), DateTime(9)).unwrap();
        });
        let first = active(&db).unwrap().reference;
        // Alone it stays, although no host has a note.
        decide(&mut db, retire);
        assert_eq!(all(&db).len(), 1);
        decide(&mut db, |d| succeed(d, ("second", "key"), DateTime(9)).unwrap());
        let second = active(&db).unwrap().reference;
        assert_eq!(all(&db).last().unwrap().reference, second);
        let third = decide(&mut db, |d| succeed(d, ("third", "key"), DateTime(9)));
        assert_eq!(third.unwrap_err().code, "OPERATION_NOT_ALLOWED");
        decide(&mut db, |d| signed(d, "one", second));
        decide(&mut db, |d| signed(d, "two", first));
        decide(&mut db, retire);
        assert_eq!(all(&db).len(), 2, "a host that is away has not renewed");
        decide(&mut db, |d| signed(d, "two", second));
        decide(&mut db, |d| {
            learner::admit(d, "three", "192.0.2.3", &MemberFacts::default()).unwrap()
        });
        decide(&mut db, retire);
        assert_eq!(all(&db).len(), 2, "a node that only learns has not renewed");
        decide(&mut db, |d| learner::forget(d, "three").unwrap());
        let again = decide(&mut db, |d| learner::forget(d, "three"));
        assert_eq!(again.unwrap_err().code, "UUID_INVALID");
        decide(&mut db, retire);
        assert_eq!(
            all(&db).iter().map(|row| row.reference).collect::<Vec<_>>(),
            [second]
        );
        decide(&mut db, |d| succeed(d, ("third", "key"), DateTime(9)).unwrap());
    }
}
