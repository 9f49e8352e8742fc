//! Objects for certificates: when another one is another object, and what is refused.

use uuid::Uuid;

use super::*;
use crate::facts::Facts;
use crate::transaction::Origin;
use crate::{Outcome, apply};

fn facts(print: &str) -> CertificateFacts {
    CertificateFacts {
        not_before: DateTime(10),
        not_after: DateTime(20),
        sha256: print.to_owned(),
        sha1: print.to_owned(),
    }
}

fn decide<T>(
    db: &mut Database,
    decision: impl FnOnce(&mut Draft<'_>) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let mut numbers = u128::from(db.applied()) << 32;
    let mut next = move || {
        numbers += 1;
        Uuid::from_u128(numbers)
    };
    let first = next();
    let facts = Facts::new(DateTime(15), next);
    let mut draft = Draft::new(db, &facts);
    let value = decision(&mut draft)?;
    let transaction = draft.finish(first, Origin::default());
    let (outcome, _) = apply::apply(db, db.applied().saturating_add(1), &transaction);
    assert!(matches!(outcome, Outcome::Applied(_)));
    Ok(value)
}

fn prints(db: &Database, kind: &str) -> Vec<String> {
    rows(db, kind)
        .map(|r| r.get(certificate::FINGERPRINT).as_str().to_owned())
        .collect()
}

#[test]
fn another_certificate_of_a_host_is_another_object() {
    let mut db = Database::default();
    let host = Ref::from_uuid(Uuid::from_u128(7));
    for kind in [OF_API, OF_NODE] {
        decide(&mut db, |d| Ok(shown(d, host, kind, &facts("a")))).unwrap();
    }
    let first = rows(&db, OF_NODE).next().unwrap().reference;
    decide(&mut db, |d| Ok(shown(d, host, OF_NODE, &facts("a")))).unwrap();
    assert_eq!(rows(&db, OF_NODE).next().unwrap().reference, first);
    // The API shows the same one, so that both change.
    decide(&mut db, |d| Ok(renewed(d, host, &facts("b")))).unwrap();
    assert_eq!(
        (prints(&db, OF_API), prints(&db, OF_NODE)),
        (vec!["b".into()], vec!["b".into()])
    );
    assert_ne!(rows(&db, OF_NODE).next().unwrap().reference, first);
    // An operator's own stays.
    decide(&mut db, |d| Ok(shown(d, host, OF_API, &facts("own")))).unwrap();
    decide(&mut db, |d| Ok(renewed(d, host, &facts("c")))).unwrap();
    assert_eq!(
        (prints(&db, OF_API), prints(&db, OF_NODE)),
        (vec!["own".into()], vec!["c".into()])
    );
    decide(&mut db, |d| Ok(forget_host(d, host))).unwrap();
    assert_eq!(db.count(certificate::CLASS), 0);
}

#[test]
fn what_is_trusted_is_installed_once_and_taken_away_with_its_text() {
    let mut db = Database::default();
    decide(&mut db, |d| Ok(authorities(d, &[facts("own")]))).unwrap();
    decide(&mut db, |d| install(d, "a.pem", &facts("x"), "text")).unwrap();
    let again = decide(&mut db, |d| install(d, "a.pem", &facts("y"), "text"));
    assert_eq!(
        again.unwrap_err().description(),
        ["CERTIFICATE_ALREADY_EXISTS", "a.pem"]
    );
    for bad in ["", ".hidden", "../x", "a b", "-x"] {
        let refused = decide(&mut db, |d| install(d, bad, &facts("z"), "text"));
        assert_eq!(refused.unwrap_err().code, "CERTIFICATE_NAME_INVALID");
    }
    assert_eq!(installed(&db), ["a.pem"]);
    assert_eq!(files(&db).0, [("a.pem".to_owned(), "text".to_owned())]);
    let own = decide(&mut db, |d| uninstall(d, OWN_AUTHORITY, Missing::Refused));
    assert_eq!(own.unwrap_err().code, "CERTIFICATE_DOES_NOT_EXIST");
    decide(&mut db, |d| uninstall(d, "a.pem", Missing::Refused)).unwrap();
    decide(&mut db, |d| uninstall(d, "a.pem", Missing::Fine)).unwrap();
    assert!(installed(&db).is_empty() && files(&db).0.is_empty());
    assert_eq!(db.count(tarn_setting::CLASS), 0);
    // The pool's own authority is another object when it changes.
    decide(&mut db, |d| Ok(authorities(d, &[facts("next"), facts("own")]))).unwrap();
    decide(&mut db, |d| Ok(authorities(d, &[facts("next")]))).unwrap();
    assert_eq!(prints(&db, OF_AUTHORITY), ["next"]);
}

#[test]
fn a_certificate_for_a_purpose_is_known_by_its_print() {
    let mut db = Database::default();
    let purpose = Value::strings(["licensing"]);
    let row = decide(&mut db, |d| install_for(d, false, &facts("p"), "text", &purpose)).unwrap();
    let again = decide(&mut db, |d| install_for(d, false, &facts("p"), "text", &purpose));
    assert_eq!(
        again.unwrap_err().description(),
        ["TRUSTED_CERTIFICATE_ALREADY_EXISTS", "p"]
    );
    assert_eq!(*db.get(row).unwrap().get(certificate::PURPOSE), purpose);
    decide(&mut db, |d| uninstall_row(d, row)).unwrap();
    let host = Ref::from_uuid(Uuid::from_u128(7));
    decide(&mut db, |d| Ok(shown(d, host, OF_API, &facts("a")))).unwrap();
    let shown = rows(&db, OF_API).next().unwrap().reference;
    let refused = decide(&mut db, |d| uninstall_row(d, shown)).unwrap_err();
    assert_eq!(
        refused.description(),
        ["NOT_TRUSTED_CERTIFICATE", &shown.to_string()]
    );
}

#[test]
fn revocation_lists_have_names() {
    let mut db = Database::default();
    decide(&mut db, |d| install_list(d, "b.crl", "2")).unwrap();
    decide(&mut db, |d| install_list(d, "a.crl", "1")).unwrap();
    assert_eq!(lists(&db), ["a.crl", "b.crl"]);
    let again = decide(&mut db, |d| install_list(d, "a.crl", "3"));
    assert_eq!(again.unwrap_err().description(), ["CRL_ALREADY_EXISTS", "a.crl"]);
    decide(&mut db, |d| uninstall_list(d, "a.crl")).unwrap();
    let gone = decide(&mut db, |d| uninstall_list(d, "a.crl"));
    assert_eq!(gone.unwrap_err().description(), ["CRL_DOES_NOT_EXIST", "a.crl"]);
}
