//! A pool that comes back from a backup, on one host at first: every object as before, nothing of what was under way.

use std::sync::Arc;

use proto_types::generated::{
    host, host_metrics, pool, session, tarn_authority, tarn_event_queue, tarn_join_token, tarn_member,
    tarn_saga, task,
};
use proto_types::{ApiError, ClassId, Field, Ref, Value};

use crate::database::Database;
use crate::decide::host::{self as host_rows, MemberFacts};
use crate::facts::Facts;
use crate::row::Row;
use crate::transaction::{Change, Origin, Transaction};

/// Where the pool comes back.
#[derive(Clone, Debug)]
pub struct Place {
    /// The uuid of the host, one of the backup's, whose part the restoring one takes.
    pub host: String,
    /// Its address now.
    pub address: String,
    /// Its place in the group.
    pub member: MemberFacts,
}

/// What belongs to callers and to work that has ended with the old pool.
const LEFT_BEHIND: &[ClassId] = &[
    session::CLASS,
    task::CLASS,
    tarn_saga::CLASS,
    tarn_event_queue::CLASS,
    tarn_join_token::CLASS,
    // The others come in again one by one.
    tarn_member::CLASS,
];

/// Rows in one entry of the log: few enough for the largest one.
const TOGETHER: usize = 200;

/// The first entries of the pool's new log. Applied in order to an empty database they make the backup's rows, with the
/// restoring host as master and the others away.
///
/// # Errors
/// `HANDLE_INVALID` if the backup has no such host; `INTERNAL_ERROR` if it is no pool's.
pub fn transactions(backup: &Database, place: &Place, facts: &Facts) -> Result<Vec<Transaction>, ApiError> {
    let own = backup
        .by_uuid(host::CLASS, &place.host)
        .ok_or_else(|| ApiError::new("HANDLE_INVALID", ["host".to_owned(), place.host.clone()]))?;
    if backup.only(pool::CLASS).is_none() || backup.count(tarn_authority::CLASS) == 0 {
        return Err(ApiError::internal("the backup holds no pool"));
    }
    let comes = |row: &&Arc<Row>| !LEFT_BEHIND.contains(&row.class);
    let mut changes: Vec<Change> = backup
        .all()
        .filter(comes)
        .map(|row| made(row, own, place))
        .collect();
    changes.push(Change::Insert {
        class: tarn_member::CLASS,
        reference: facts.reference(),
        fields: host_rows::member_fields(own.reference, &place.address, &place.member, facts.now),
    });
    let origin = Origin {
        method: "restore".to_owned(),
        ..Origin::default()
    };
    let entries = changes.chunks(TOGETHER).map(|changes| Transaction {
        request: facts.uuid(),
        reads: Vec::new(),
        changes: changes.to_vec(),
        decided_at: facts.now,
        origin: origin.clone(),
    });
    Ok(entries.collect())
}

/// A row as it comes back. Sets that follow from other rows come along: apply finds them true already.
fn made(row: &Row, own: &Row, place: &Place) -> Change {
    let mut fields: Vec<(Field, Value)> = Vec::with_capacity(row.values.len());
    for (index, (def, value)) in (0_u16..).zip(row.class.def().fields.iter().zip(row.values.iter())) {
        let field = Field {
            class: row.class,
            index,
        };
        let value = match def.name {
            // Nothing is under way any more.
            "current_operations" => Value::empty_map(),
            _ => value.clone(),
        };
        fields.push((field, value));
    }
    let mut set = |wanted: Field, value: Value| {
        for (field, slot) in &mut fields {
            if *field == wanted {
                *slot = value.clone();
            }
        }
    };
    match row.class {
        host::CLASS if row.reference == own.reference => set(host::ADDRESS, place.address.as_str().into()),
        host_metrics::CLASS => {
            let is_own = row.reference == own.get(host::METRICS).as_ref();
            set(host_metrics::LIVE, is_own.into());
        }
        pool::CLASS => {
            set(pool::MASTER, own.reference.into());
            // Nothing may be restarted before somebody has looked at what still runs where.
            set(pool::HA_ENABLED, false.into());
        }
        _ => {}
    }
    Change::Insert {
        class: row.class,
        reference: row.reference,
        fields,
    }
}

/// Objects that clients see and that a restored pool must have as the backup has them.
pub fn objects(db: &Database) -> impl Iterator<Item = Ref> {
    db.all()
        .filter(|row| !LEFT_BEHIND.contains(&row.class))
        .map(|row| row.reference)
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::apply::apply;
    use crate::decide::host::HostFacts;
    use crate::decide::pool::{self as first, NewPool};
    use crate::decide::session as sessions;
    use crate::draft::Draft;
    use proto_types::DateTime;
    use uuid::Uuid;

    fn facts() -> Facts {
        Facts::new(DateTime(1_000), Uuid::new_v4)
    }

    fn member() -> MemberFacts {
        MemberFacts {
            node_id: 7,
            grpc_port: 1,
            api_port: 2,
        }
    }

    fn pool_of_two() -> Database {
        let facts = facts();
        let mut db = Database::default();
        let host = |number: u128| HostFacts {
            uuid: Uuid::from_u128(number).to_string(),
            hostname: format!("h{number}"),
            address: format!("192.0.2.{number}"),
            ..HostFacts::default()
        };
        let mut draft = Draft::new(&db, &facts);
        let new = NewPool {
            name: "lab".to_owned(),
            host: host(1),
            member: member(),
            user: "root".to_owned(),
            password_hash: "hash".to_owned(),
            authority: ("certificate".to_owned(), "key".to_owned()),
            authority_ends: DateTime(9_000),
            drivers: Vec::new(),
        };
        first::create(&mut draft, &new).unwrap();
        let made = draft.finish(Uuid::new_v4(), Origin::default());
        apply(&mut db, 1, &made);
        let mut draft = Draft::new(&db, &facts);
        crate::decide::host::join(
            &mut draft,
            &host(2),
            &MemberFacts {
                node_id: 8,
                ..member()
            },
        )
        .unwrap();
        let new = sessions::NewSession {
            user: "root".to_owned(),
            subject: Ref::NULL,
            originator: String::new(),
            sid: String::new(),
            host: Ref::NULL,
        };
        sessions::login(&mut draft, new, sessions::SessionLimits::default());
        let made = draft.finish(Uuid::new_v4(), Origin::default());
        apply(&mut db, 2, &made);
        db
    }

    #[test]
    fn every_object_is_as_before_and_sessions_and_other_members_are_not_there() {
        let backup = pool_of_two();
        let place = Place {
            host: Uuid::from_u128(2).to_string(),
            address: "198.51.100.9".to_owned(),
            member: MemberFacts {
                node_id: 8,
                ..member()
            },
        };
        let entries = transactions(&backup, &place, &facts()).unwrap();
        let mut db = Database::default();
        for (index, entry) in (1..).zip(&entries) {
            let (outcome, _) = apply(&mut db, index, entry);
            assert_eq!(outcome, crate::Outcome::Applied(index));
        }
        let (before, after): (Vec<Ref>, Vec<Ref>) = (objects(&backup).collect(), objects(&db).collect());
        assert_eq!(before, after);
        let own = db.by_uuid(host::CLASS, &place.host).unwrap();
        assert_eq!(own.get(host::ADDRESS).as_str(), "198.51.100.9");
        assert_eq!(
            db.only(pool::CLASS).unwrap().get(pool::MASTER).as_ref(),
            own.reference
        );
        assert_eq!((db.count(session::CLASS), db.count(tarn_member::CLASS)), (0, 1));
        let live = |db: &Database| {
            db.rows(host_metrics::CLASS)
                .filter(|m| m.get(host_metrics::LIVE).as_bool())
                .count()
        };
        assert_eq!((live(&backup), live(&db)), (2, 1));
        let changed = [host::CLASS, host_metrics::CLASS, pool::CLASS];
        for row in db
            .all()
            .filter(|r| !changed.contains(&r.class) && r.class != tarn_member::CLASS)
        {
            assert_eq!(
                row.values,
                backup.get(row.reference).unwrap().values,
                "{}",
                row.class.def().name
            );
        }
    }

    #[test]
    fn a_host_that_the_backup_does_not_know_is_refused() {
        let place = Place {
            host: Uuid::from_u128(3).to_string(),
            address: "192.0.2.3".to_owned(),
            member: member(),
        };
        let refused = transactions(&pool_of_two(), &place, &facts()).unwrap_err();
        assert_eq!(refused.code, "HANDLE_INVALID");
    }
}
