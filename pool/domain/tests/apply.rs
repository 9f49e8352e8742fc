//! What every node relies on: all or nothing, once, and the same everywhere.

use pool_domain::changes::{self, Changed};
use pool_domain::transaction::Origin;
use pool_domain::{Change, Database, Draft, Facts, Outcome, Transaction, apply};
use proptest::prelude::*;
use proto_types::generated::{network, vbd, vm};
use proto_types::{DateTime, Ref, Value};
use uuid::Uuid;

fn transaction(request: u128, reads: Vec<(Ref, u64)>, changes: Vec<Change>) -> Transaction {
    Transaction {
        request: Uuid::from_u128(request),
        reads,
        changes,
        decided_at: DateTime::EPOCH,
        origin: Origin::default(),
    }
}

fn reference(number: u128) -> Ref {
    Ref::from_uuid(Uuid::from_u128(number))
}

fn new_network(number: u128, label: &str) -> Change {
    Change::Insert {
        class: network::CLASS,
        reference: reference(number),
        fields: vec![(network::NAME_LABEL, label.into())],
    }
}

fn label(db: &Database, number: u128) -> Option<String> {
    db.get(reference(number))
        .map(|r| r.get(network::NAME_LABEL).as_str().to_owned())
}

#[test]
fn a_refused_transaction_changes_nothing() {
    let mut db = Database::default();
    apply::apply(&mut db, 1, &transaction(1, vec![], vec![new_network(1, "one")]));
    // The second change is in order, the row the transaction rests on is not: neither is written.
    let stale = transaction(2, vec![(reference(1), 7)], vec![new_network(2, "two")]);
    let (outcome, effects) = apply::apply(&mut db, 2, &stale);
    assert_eq!(outcome, Outcome::Conflict(reference(1)));
    assert!(effects.written.is_empty());
    assert_eq!(label(&db, 2), None);
    assert_eq!(db.applied(), 2);
    // Nor is anything when a later change of the same transaction cannot be.
    let half = transaction(
        3,
        vec![],
        vec![
            new_network(3, "three"),
            Change::Delete {
                reference: reference(99),
            },
        ],
    );
    assert_eq!(
        apply::apply(&mut db, 3, &half).0,
        Outcome::Conflict(reference(99))
    );
    assert_eq!(label(&db, 3), None);
}

#[test]
fn a_repeated_request_has_its_effect_once() {
    let mut db = Database::default();
    let first = transaction(1, vec![], vec![new_network(1, "one")]);
    let (outcome, _) = apply::apply(&mut db, 1, &first);
    let rename = Change::Update {
        reference: reference(1),
        fields: vec![(network::NAME_LABEL, "other".into())],
    };
    apply::apply(&mut db, 2, &transaction(2, vec![], vec![rename]));
    let (again, effects) = apply::apply(&mut db, 3, &first);
    assert_eq!(again, outcome);
    assert!(effects.written.is_empty());
    assert_eq!(label(&db, 1).as_deref(), Some("other"));
}

#[test]
fn a_drive_appears_in_its_vm_and_leaves_it() {
    let mut db = Database::default();
    let make = |class, number, fields| Change::Insert {
        class,
        reference: reference(number),
        fields,
    };
    apply::apply(
        &mut db,
        1,
        &transaction(1, vec![], vec![make(vm::CLASS, 1, vec![])]),
    );
    let drive = make(vbd::CLASS, 2, vec![(vbd::VM, reference(1).into())]);
    let (_, effects) = apply::apply(&mut db, 2, &transaction(2, vec![], vec![drive]));
    let owner = db.get(reference(1)).cloned().unwrap();
    assert_eq!(owner.get(vm::VBDS).as_refs(), [reference(2)]);
    assert_eq!(
        owner.version, 2,
        "clients that follow events must see the VM change"
    );
    assert_eq!(effects.written.len(), 2);
    apply::apply(
        &mut db,
        3,
        &transaction(
            3,
            vec![],
            vec![Change::Delete {
                reference: reference(2),
            }],
        ),
    );
    assert!(db.get(reference(1)).unwrap().get(vm::VBDS).as_refs().is_empty());
}

#[test]
fn changes_since_an_index_tell_each_row_once() {
    let mut db = Database::default();
    apply::apply(
        &mut db,
        1,
        &transaction(1, vec![], vec![new_network(1, "a"), new_network(2, "b")]),
    );
    let rename = Change::Update {
        reference: reference(1),
        fields: vec![(network::NAME_LABEL, "c".into())],
    };
    apply::apply(
        &mut db,
        2,
        &transaction(2, vec![], vec![rename, new_network(3, "d")]),
    );
    apply::apply(
        &mut db,
        3,
        &transaction(
            3,
            vec![],
            vec![Change::Delete {
                reference: reference(2),
            }],
        ),
    );
    let told: Vec<String> = changes::since(&db, 1)
        .unwrap()
        .into_iter()
        .map(|c| match c {
            Changed::Added(r) => format!("add {}", r.reference.as_uuid().as_u128()),
            Changed::Modified(r) => format!("mod {}", r.reference.as_uuid().as_u128()),
            Changed::Deleted { reference, .. } => format!("del {}", reference.as_uuid().as_u128()),
        })
        .collect();
    assert_eq!(told, ["mod 1", "add 3", "del 2"]);
    // A row that came and went after the index was never seen.
    apply::apply(&mut db, 4, &transaction(4, vec![], vec![new_network(9, "e")]));
    apply::apply(
        &mut db,
        5,
        &transaction(
            5,
            vec![],
            vec![Change::Delete {
                reference: reference(9),
            }],
        ),
    );
    assert!(changes::since(&db, 3).unwrap().is_empty());
}

#[test]
fn a_draft_sees_its_own_writes_and_notes_what_it_read() {
    let mut db = Database::default();
    apply::apply(&mut db, 1, &transaction(1, vec![], vec![new_network(100, "one")]));
    let facts = Facts::counting(DateTime(5));
    let mut draft = Draft::new(&db, &facts);
    draft.read(network::CLASS, reference(100)).unwrap();
    draft.put_key(reference(100), network::OTHER_CONFIG, "k", "v");
    draft.put_key(reference(100), network::OTHER_CONFIG, "l", "w");
    let written = draft.finish(Uuid::from_u128(77), Origin::default());
    assert_eq!(written.reads, [(reference(100), 1)]);
    let (outcome, _) = apply::apply(&mut db, 2, &written);
    assert_eq!(outcome, Outcome::Applied(2));
    let row = db.get(reference(100)).unwrap();
    assert_eq!(
        *row.get(network::OTHER_CONFIG),
        Value::string_map([("k", "v"), ("l", "w")])
    );
}

fn some_change() -> impl Strategy<Value = Change> {
    let number = 1_u128..6;
    prop_oneof![
        (number.clone(), "[a-z]{1,3}").prop_map(|(n, l)| new_network(n, &l)),
        (number.clone(), "[a-z]{1,3}").prop_map(|(n, l)| Change::Update {
            reference: reference(n),
            fields: vec![(network::NAME_LABEL, l.into())]
        }),
        number.clone().prop_map(|n| Change::Touch {
            reference: reference(n)
        }),
        number.prop_map(|n| Change::Delete {
            reference: reference(n)
        }),
    ]
}

proptest! {
    #[test]
    fn the_same_log_gives_the_same_rows_and_any_prefix_can_be_restored(
        log in prop::collection::vec((1_u128..20, prop::collection::vec(some_change(), 1..5)), 1..30)
    ) {
        let (mut one, mut two) = (Database::default(), Database::default());
        for (index, (request, changes)) in (1_u64..).zip(&log) {
            let entry = transaction(*request, vec![], changes.clone());
            let (a, _) = apply::apply(&mut one, index, &entry);
            let (b, _) = apply::apply(&mut two, index, &entry);
            prop_assert_eq!(a, b);
            // A node that comes back from disk goes on as if it had never been away.
            let rows = two.all().map(|r| r.forget_encoded()).collect::<Vec<_>>();
            let tombstones = two.tombstones().collect::<Vec<_>>();
            let requests = two.requests().collect::<Vec<_>>();
            two = Database::restore(two.applied(), two.history_from(), rows, tombstones, requests);
        }
        let state = |db: &Database| db.all().map(|r| (r.reference, r.version, r.created, r.values.to_vec())).collect::<Vec<_>>();
        prop_assert_eq!(state(&one), state(&two));
        prop_assert_eq!(one.tombstones().collect::<Vec<_>>(), two.tombstones().collect::<Vec<_>>());
    }
}
