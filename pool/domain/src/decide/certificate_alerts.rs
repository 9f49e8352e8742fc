//! Alerts about certificates that end soon, in XenServer's words.

use proto_types::generated::{certificate, host, message};
use proto_types::{DateTime, Ref};

use crate::decide::message::{self as notices, Notice};
use crate::draft::Draft;
use crate::row::Row;

/// Days that are left, the end of the alert's name, its priority.
const STAGES: &[(i64, &str, i64)] = &[
    (7, "EXPIRING_07", 1),
    (14, "EXPIRING_14", 2),
    (30, "EXPIRING_30", 3),
];
const DAY: i64 = 86_400;

/// One family of alerts: how its names begin, and the certificate in words.
fn family(row: &Row) -> Option<(&'static str, &'static str)> {
    match row.get(certificate::TYPE).as_str() {
        "host" => Some(("HOST_SERVER_CERTIFICATE_", "The TLS server certificate")),
        "host_internal" => Some((
            "HOST_INTERNAL_CERTIFICATE_",
            "The internal TLS server certificate",
        )),
        "ca" => Some(("POOL_CA_CERTIFICATE_", "The CA pool certificate")),
        _ => None,
    }
}

/// The end of the name, the priority and the words of an alert; `None` while there is time.
fn stage(left: i64) -> Option<(&'static str, i64, String)> {
    if left <= 0 {
        return Some(("EXPIRED", 1, "has expired.".to_owned()));
    }
    let stage = STAGES
        .iter()
        .find(|(days, _, _)| left <= days.saturating_mul(DAY));
    stage.map(|(days, name, priority)| (*name, *priority, format!("is expiring within {days} days.")))
}

/// Brings the alerts in line with the certificates there are: one for each that ends soon, none for others.
pub fn note(draft: &mut Draft<'_>) {
    let now = draft.facts().now;
    let rows: Vec<_> = draft.db().rows(certificate::CLASS).cloned().collect();
    let mut wanted = Vec::new();
    for row in &rows {
        let Some((family, what)) = family(row) else {
            continue;
        };
        let ends = row.get(certificate::NOT_AFTER).as_time();
        if let Some((name, priority, how)) = stage(ends.0.saturating_sub(now.0)) {
            let (cls, object) = object(draft, row);
            wanted.push(Alert {
                name: format!("{family}{name}"),
                priority,
                cls,
                object,
                body: body(&format!("{what} {how}"), ends),
            });
        }
    }
    let mut there = Vec::new();
    let mut stale = Vec::new();
    for row in draft.db().rows(message::CLASS) {
        let name = row.get(message::NAME).as_str();
        if !name.contains("_CERTIFICATE_EXPIR") {
            continue;
        }
        let same = |alert: &Alert| {
            alert.name == name
                && alert.object == row.get(message::OBJ_UUID).as_str()
                && alert.body == row.get(message::BODY).as_str()
        };
        match wanted.iter().position(same) {
            Some(place) => there.push(place),
            None => stale.push(row.reference),
        }
    }
    for row in stale {
        draft.delete(row);
    }
    for (place, alert) in wanted.iter().enumerate() {
        if !there.contains(&place) {
            notices::add(
                draft,
                &Notice {
                    name: &alert.name,
                    priority: alert.priority,
                    cls: alert.cls,
                    object: &alert.object,
                    body: alert.body.clone(),
                },
            );
        }
    }
}

struct Alert {
    name: String,
    priority: i64,
    cls: &'static str,
    object: String,
    body: String,
}

/// What an alert is about: the host that shows the certificate, or the certificate itself.
fn object(draft: &Draft<'_>, row: &Row) -> (&'static str, String) {
    let owner: Ref = row.get(certificate::HOST).as_ref();
    match draft.db().of_class(host::CLASS, owner) {
        Some(owner) => ("Host", owner.uuid().to_owned()),
        None => ("Certificate", row.uuid().to_owned()),
    }
}

fn body(text: &str, ends: DateTime) -> String {
    format!("<body><message>{text}</message><date>{ends}</date></body>")
}

#[cfg(test)]
mod test {
    use uuid::Uuid;

    use super::*;
    use crate::decide::certificate::{CertificateFacts, install};
    use crate::transaction::Origin;
    use crate::{Database, Facts, apply};

    fn at(db: &mut Database, day: i64, decision: impl FnOnce(&mut Draft<'_>)) {
        let mut number = u128::from(db.applied()) << 32;
        let facts = Facts::new(DateTime(day * DAY), move || {
            number += 1;
            Uuid::from_u128(number)
        });
        let mut draft = Draft::new(db, &facts);
        decision(&mut draft);
        let id = Uuid::from_u128(1 << 100 | u128::from(db.applied()));
        let transaction = draft.finish(id, Origin::default());
        apply::apply(db, db.applied().saturating_add(1), &transaction);
    }

    fn names(db: &Database) -> Vec<String> {
        db.rows(message::CLASS)
            .map(|m| m.get(message::NAME).as_str().to_owned())
            .collect()
    }

    #[test]
    fn one_alert_says_how_long_a_certificate_lasts() {
        let mut db = Database::default();
        at(&mut db, 0, |d| {
            let facts = CertificateFacts {
                not_before: DateTime::EPOCH,
                not_after: DateTime(100 * DAY),
                sha256: "a".to_owned(),
                sha1: "a".to_owned(),
            };
            install(d, "a.pem", &facts, "text").unwrap();
        });
        for (day, wanted) in [
            (50, None),
            (70, Some("POOL_CA_CERTIFICATE_EXPIRING_30")),
            (71, Some("POOL_CA_CERTIFICATE_EXPIRING_30")),
            (86, Some("POOL_CA_CERTIFICATE_EXPIRING_14")),
            (93, Some("POOL_CA_CERTIFICATE_EXPIRING_07")),
            (100, Some("POOL_CA_CERTIFICATE_EXPIRED")),
        ] {
            at(&mut db, day, note);
            assert_eq!(names(&db), wanted.into_iter().collect::<Vec<_>>(), "day {day}");
            let before = db.applied();
            at(&mut db, day, note);
            assert_eq!(db.rows(message::CLASS).filter(|m| m.version > before).count(), 0);
        }
        at(&mut db, 101, |d| {
            crate::decide::certificate::uninstall(d, "a.pem", crate::decide::certificate::Missing::Refused)
                .unwrap();
            note(d);
        });
        assert!(names(&db).is_empty());
    }
}
