//! Blobs: how much they hold, and when they go.

#[path = "bed/pool_of_two.rs"]
mod pool_of_two;

use pool_domain::decide::{blob, vm_create};
use pool_of_two::Pool;
use proto_types::generated::{blob as class, vm};

#[test]
fn blobs_hold_so_much_each_and_so_much_together() {
    let mut pool = Pool::new();
    let first = pool.decide(|d| Ok(blob::create(d, "", "", false))).unwrap();
    pool.decide(|d| blob::fill(d, first, "YQ==", 1)).unwrap();
    assert_eq!(pool.get(first, class::SIZE).as_int(), 1);
    let refused = pool
        .decide(|d| blob::fill(d, first, "", blob::MOST_BYTES + 1))
        .unwrap_err();
    assert_eq!(refused.code, "INTERNAL_ERROR");
    let fit = usize::try_from(blob::MOST_BYTES_IN_ALL).unwrap() / blob::MOST_BYTES;
    for _ in 1..fit {
        let made = pool.decide(|d| Ok(blob::create(d, "", "", false))).unwrap();
        pool.decide(|d| blob::fill(d, made, "x", blob::MOST_BYTES))
            .unwrap();
    }
    let last = pool.decide(|d| Ok(blob::create(d, "", "", false))).unwrap();
    pool.decide(|d| blob::fill(d, last, "x", blob::MOST_BYTES))
        .unwrap_err();
    // What it held itself does not count against it.
    pool.decide(|d| blob::fill(d, first, "x", blob::MOST_BYTES))
        .unwrap();
    assert_eq!(pool.get(first, class::CONTENT).as_str(), "x");
}

#[test]
fn a_destroyed_vm_takes_its_blobs_and_metrics_with_it() {
    let mut pool = Pool::new();
    let guest = pool.vm();
    let made = pool
        .decide(|d| blob::create_on(d, vm::BLOBS, guest, "picture", ("", false)))
        .unwrap();
    let twice = pool
        .decide(|d| blob::create_on(d, vm::BLOBS, guest, "picture", ("", false)))
        .unwrap_err();
    assert_eq!(twice.code, "MAP_DUPLICATE_KEY");
    let metrics = pool.get(guest, vm::METRICS).as_ref();
    pool.decide(|d| vm_create::destroy(d, guest)).unwrap();
    for gone in [guest, made, metrics] {
        assert!(pool.db.get(gone).is_none());
    }
}
