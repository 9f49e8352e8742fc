//! Notices of what others change about VMs that run.

#[path = "bed/pool_of_two.rs"]
mod pool_of_two;

use std::collections::BTreeMap;

use pool_domain::decide::drift;
use pool_of_two::Pool;
use proto_types::Ref;
use proto_types::generated::{message, vm};

fn told(pool: &mut Pool, on: Ref, texts: &[(Ref, &[&str])]) {
    let differences: BTreeMap<String, Vec<String>> = texts
        .iter()
        .map(|(guest, texts)| {
            let uuid = pool.db.get(*guest).unwrap().uuid().to_owned();
            (uuid, texts.iter().map(|t| (*t).to_owned()).collect())
        })
        .collect();
    pool.decide(|d| {
        drift::note(d, on, &differences);
        Ok(())
    })
    .unwrap();
}

fn notices(pool: &Pool) -> Vec<(Ref, String)> {
    pool.db
        .rows(message::CLASS)
        .filter(|m| m.get(message::NAME).as_str() == drift::NAME)
        .map(|m| (m.reference, m.get(message::BODY).as_str().to_owned()))
        .collect()
}

#[test]
fn a_notice_is_there_as_long_as_the_difference_is() {
    let mut pool = Pool::new();
    let guest = pool.vm();
    let on = pool.start(guest);
    let other = if on == pool.host("one") {
        pool.host("two")
    } else {
        pool.host("one")
    };
    told(&mut pool, other, &[(guest, &["a"])]);
    assert!(notices(&pool).is_empty(), "it does not run there");
    told(&mut pool, on, &[(guest, &["a", "b"])]);
    let first = notices(&pool);
    let name = pool.get(guest, vm::NAME_LABEL).as_str();
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].1, format!("VM '{name}' is not as the pool has it: a; b"));
    told(&mut pool, on, &[(guest, &["a", "b"])]);
    told(&mut pool, other, &[]);
    assert_eq!(notices(&pool), first, "said once, and by the host that has it");
    told(&mut pool, on, &[(guest, &["a"])]);
    let second = notices(&pool);
    assert!(second.len() == 1 && second[0].0 != first[0].0, "{second:?}");
    told(&mut pool, on, &[]);
    assert!(notices(&pool).is_empty());
    told(&mut pool, on, &[(guest, &["a"])]);
    pool.halt(guest);
    told(&mut pool, other, &[]);
    assert!(
        notices(&pool).is_empty(),
        "its next start makes it as the pool has it"
    );
}
