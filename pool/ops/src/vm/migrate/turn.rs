//! So many migrations at once leave a host, and come to one: the others wait their turn, first come first served.
//!
//! The queue is the sagas themselves, so that it outlives the leader. Both directions of a host are counted apart, since a
//! link carries as much one way whatever goes the other.

use std::sync::Arc;

use pool_domain::{Database, Row};
use proto_types::generated::{pool, tarn_saga};
use proto_types::{DateTime, Ref};
use serde::Deserialize;

use super::Migrate;
use crate::operation::Operation;

/// At once, unless the pool says otherwise.
const AT_ONCE: usize = 3;
/// The key of the pool's `other_config` that says otherwise.
const SETTING: &str = "tarn_migrations_per_host";

/// One migration that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    since: DateTime,
    saga: Ref,
    from: Ref,
    to: Ref,
}

/// What of a saga's parameters matters here.
#[derive(Deserialize)]
struct Way {
    source: Ref,
    target: Ref,
}

/// One migration's place in the queue. It is looked at often: the sagas are read through only when the queue is another
/// one than the last time.
#[derive(Default)]
pub(super) struct Turn {
    has_come: bool,
    seen: Option<(usize, Vec<Ref>)>,
}

impl Turn {
    /// Says whether a migration may begin. Once it may, it may.
    pub(super) fn has_come(&mut self, db: &Database, saga: Ref) -> bool {
        if self.has_come {
            return true;
        }
        let at_once = db
            .only(pool::CLASS)
            .and_then(|p| p.get(pool::OTHER_CONFIG).get(SETTING)?.parse().ok())
            .filter(|limit| *limit > 0)
            .unwrap_or(AT_ONCE);
        let queue = (at_once, migrations(db).map(|row| row.reference).collect());
        if self.seen.as_ref() == Some(&queue) {
            return false;
        }
        self.seen = Some(queue);
        self.has_come = among(&waiting(db), saga, at_once);
        self.has_come
    }
}

/// The sagas of all migrations, in the order of their references.
fn migrations(db: &Database) -> impl Iterator<Item = &Arc<Row>> {
    db.rows(tarn_saga::CLASS)
        .filter(|row| row.get(tarn_saga::OPERATION).as_str() == Migrate::NAME)
}

fn waiting(db: &Database) -> Vec<Waiting> {
    migrations(db)
        .filter_map(|row| {
            let way: Way = serde_json::from_str(row.get(tarn_saga::PARAMS).as_str()).ok()?;
            Some(Waiting {
                since: row.get(tarn_saga::STARTED).as_time(),
                saga: row.reference,
                from: way.source,
                to: way.target,
            })
        })
        .collect()
}

/// A migration's turn has come when fewer than so many that came before share its source, and its destination.
fn among(all: &[Waiting], saga: Ref, at_once: usize) -> bool {
    let Some(mine) = all.iter().find(|w| w.saga == saga) else {
        return true;
    };
    let before =
        |shares: fn(&Waiting, &Waiting) -> bool| all.iter().filter(|w| *w < mine && shares(w, mine)).count();
    before(|w, mine| w.from == mine.from) < at_once && before(|w, mine| w.to == mine.to) < at_once
}

#[cfg(test)]
mod test {
    use pool_domain::apply::apply;
    use pool_domain::transaction::Origin;
    use pool_domain::{Draft, Facts};
    use uuid::Uuid;

    use super::*;

    fn reference(number: u128) -> Ref {
        Ref::from_uuid(Uuid::from_u128(number))
    }

    fn waiting(number: u128, from: u128, to: u128) -> Waiting {
        Waiting {
            since: DateTime(i64::try_from(number).unwrap()),
            saga: reference(1000 + number),
            from: reference(from),
            to: reference(to),
        }
    }

    fn begin(all: &[Waiting], at_once: usize) -> Vec<u128> {
        (0..)
            .zip(all)
            .filter(|(_, w)| among(all, w.saga, at_once))
            .map(|(position, _)| position)
            .collect()
    }

    #[test]
    fn so_many_at_once_and_the_first_first() {
        let mut all: Vec<Waiting> = (0..5).map(|n| waiting(n, 1, 2)).collect();
        assert_eq!(begin(&all, 3), [0, 1, 2]);
        // One ends: the next begins.
        all.remove(1);
        assert_eq!(begin(&all, 3), [0, 1, 2]);
        assert_eq!(all[2].saga, reference(1003));
    }

    #[test]
    fn directions_and_hosts_do_not_wait_for_each_other() {
        let all = [
            waiting(0, 1, 2),
            waiting(1, 2, 1),
            waiting(2, 1, 2),
            waiting(3, 3, 4),
        ];
        assert_eq!(begin(&all, 1), [0, 1, 3]);
    }

    #[test]
    fn whoever_comes_to_a_full_host_waits_wherever_it_comes_from() {
        let all = [waiting(0, 1, 9), waiting(1, 2, 9), waiting(2, 3, 9)];
        assert_eq!(begin(&all, 2), [0, 1]);
    }

    /// The sagas of migrations from one host to another, in the order of their beginning.
    fn queue(db: &mut Database, number: u128) -> Vec<Ref> {
        let facts = Facts::counting(DateTime(0));
        let mut draft = Draft::new(db, &facts);
        let way = serde_json::json!({"source": reference(1), "target": reference(2)}).to_string();
        let mut sagas = Vec::new();
        for place in 0..number {
            let fields = vec![
                (tarn_saga::OPERATION, Migrate::NAME.into()),
                (tarn_saga::PARAMS, way.as_str().into()),
                (tarn_saga::STARTED, DateTime(i64::try_from(place).unwrap()).into()),
            ];
            sagas.push(draft.insert(tarn_saga::CLASS, fields));
        }
        apply(db, 1, &draft.finish(Uuid::from_u128(9), Origin::default()));
        sagas
    }

    #[test]
    fn a_turn_comes_when_one_before_has_ended_and_stays() {
        let mut db = Database::default();
        let sagas = queue(&mut db, 4);
        let mut turn = Turn::default();
        assert!(Turn::default().has_come(&db, sagas[2]));
        assert!(!turn.has_come(&db, sagas[3]));
        assert!(!turn.has_come(&db, sagas[3]));
        let facts = Facts::counting(DateTime(0));
        let mut draft = Draft::new(&db, &facts);
        draft.delete(sagas[0]);
        apply(&mut db, 2, &draft.finish(Uuid::from_u128(10), Origin::default()));
        assert!(turn.has_come(&db, sagas[3]));
        // Asked again, since its destination did not answer, it does not queue anew.
        assert!(turn.has_come(&db, sagas[3]));
    }
}
