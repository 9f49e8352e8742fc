//! Figures in the records: what hosts count, written only when it has changed noticeably.
//!
//! The log is forced to disk with each entry, so figures that always move must not go through it. Whoever wants them
//! exactly asks the host.

use proto_types::generated::{host, host_metrics, vm, vm_metrics};
use proto_types::{Bytes, Ref, Value};

use crate::draft::Draft;

/// What a host counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFigures {
    /// All memory.
    pub memory_total: Bytes,
    /// What new domains could take.
    pub memory_free: Bytes,
    /// Memory of live domains by the VM's uuid.
    pub domains: Vec<(String, Bytes)>,
}

/// The part of a whole by which a figure must have moved to be noted: a twentieth.
const NOTICEABLE: i64 = 20;

/// Whether a figure has moved noticeably. `whole` is what it is a part of.
fn has_moved(noted: i64, now: i64, whole: i64) -> bool {
    noted.abs_diff(now) > whole.unsigned_abs() / NOTICEABLE.unsigned_abs()
}

/// Notes figures where the records differ noticeably; changes nothing otherwise.
///
/// A VM that the records have on another host, or at rest, is left alone: its figures are late.
pub fn note(draft: &mut Draft<'_>, on: Ref, figures: &HostFigures) {
    let Some(row) = draft.db().of_class(host::CLASS, on).cloned() else {
        return;
    };
    let now = draft.facts().now;
    let metrics = row.get(host::METRICS).as_ref();
    if let Some(noted) = draft.db().of_class(host_metrics::CLASS, metrics).cloned() {
        let [total, free] = [figures.memory_total, figures.memory_free].map(Value::from);
        let whole = total.as_int();
        let noted_total = noted.get(host_metrics::MEMORY_TOTAL).as_int();
        let noted_free = noted.get(host_metrics::MEMORY_FREE).as_int();
        if noted_total != whole || has_moved(noted_free, free.as_int(), whole) {
            draft.update(
                metrics,
                vec![
                    (host_metrics::MEMORY_TOTAL, total),
                    (host_metrics::MEMORY_FREE, free),
                    (host_metrics::LAST_UPDATED, now.into()),
                ],
            );
        }
    }
    for (uuid, memory) in &figures.domains {
        let Some(guest) = draft.db().by_uuid(vm::CLASS, uuid).cloned() else {
            continue;
        };
        if guest.get(vm::RESIDENT_ON).as_ref() != on {
            continue;
        }
        let metrics = guest.get(vm::METRICS).as_ref();
        let Some(noted) = draft.db().of_class(vm_metrics::CLASS, metrics).cloned() else {
            continue;
        };
        let memory = Value::from(*memory);
        let noted = noted.get(vm_metrics::MEMORY_ACTUAL).as_int();
        if has_moved(noted, memory.as_int(), memory.as_int()) {
            draft.update(
                metrics,
                vec![
                    (vm_metrics::MEMORY_ACTUAL, memory),
                    (vm_metrics::LAST_UPDATED, now.into()),
                ],
            );
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::{Database, Facts};
    use proto_types::DateTime;
    use uuid::Uuid;

    struct Pool {
        db: Database,
        host: Ref,
        guest: Ref,
    }

    /// A host with a guest on it, as the decisions before would have left them.
    fn pool() -> Pool {
        let facts = Facts::new(DateTime(1), Uuid::new_v4);
        let mut draft = Draft::new(&Database::default(), &facts);
        let metrics = draft.insert(host_metrics::CLASS, vec![]);
        let host = draft.insert(host::CLASS, vec![(host::METRICS, metrics.into())]);
        let metrics = draft.insert(vm_metrics::CLASS, vec![]);
        let guest = draft.insert(
            vm::CLASS,
            vec![(vm::METRICS, metrics.into()), (vm::RESIDENT_ON, host.into())],
        );
        let db = draft.db().clone();
        Pool { db, host, guest }
    }

    fn figures(pool: &Pool, free: u64, memory: u64) -> HostFigures {
        let uuid = pool.db.of_class(vm::CLASS, pool.guest).unwrap().uuid().to_owned();
        HostFigures {
            memory_total: Bytes(1000),
            memory_free: Bytes(free),
            domains: vec![(uuid, Bytes(memory))],
        }
    }

    /// Notes figures and says whether anything was written.
    fn noted(pool: &mut Pool, on: Ref, figures: &HostFigures) -> bool {
        let facts = Facts::new(DateTime(2), Uuid::new_v4);
        let mut draft = Draft::new(&pool.db, &facts);
        note(&mut draft, on, figures);
        let is_written = !draft.is_empty();
        pool.db = draft.db().clone();
        is_written
    }

    fn memory(pool: &Pool) -> i64 {
        let guest = pool.db.of_class(vm::CLASS, pool.guest).unwrap();
        let metrics = guest.get(vm::METRICS).as_ref();
        let row = pool.db.of_class(vm_metrics::CLASS, metrics).unwrap();
        row.get(vm_metrics::MEMORY_ACTUAL).as_int()
    }

    #[test]
    fn only_what_moves_noticeably_is_written() {
        let mut pool = pool();
        let on = pool.host;
        let first = figures(&pool, 500, 100);
        assert!(noted(&mut pool, on, &first));
        assert_eq!(memory(&pool), 100);
        for (free, memory, written) in [
            (500, 100, false),
            (530, 104, false),
            (530, 95, true),
            (551, 95, true),
        ] {
            let next = figures(&pool, free, memory);
            assert_eq!(noted(&mut pool, on, &next), written, "{free} {memory}");
        }
    }

    #[test]
    fn a_guest_of_another_host_is_left_alone() {
        let mut pool = pool();
        let late = figures(&pool, 500, 100);
        let nowhere = Ref::from_uuid(Uuid::from_u128(9));
        assert!(!noted(&mut pool, nowhere, &late));
        assert_eq!(memory(&pool), 0);
    }
}
