//! What was: the state at an earlier moment, told from kept states and the log.

use std::ops::ControlFlow;
use std::time::Duration;

use pool_domain::{Database, Transaction};
use pool_store::{HistoryError, Store, digest};
use proto_types::DateTime;
use tokio::time::Instant;

use crate::trio::{PATIENCE, Trio, make, vm, wait_for, write};

fn decided(at: i64, transaction: Transaction) -> Transaction {
    Transaction {
        decided_at: DateTime(at),
        ..transaction
    }
}

/// Runs what blocks beside the async threads.
async fn on<T: Send + 'static>(store: &Store, look: impl FnOnce(&Store) -> T + Send + 'static) -> T {
    let store = store.clone();
    tokio::task::spawn_blocking(move || look(&store)).await.unwrap()
}

async fn state_after(store: &Store, index: u64) -> Result<Database, HistoryError> {
    on(store, move |store| store.state_after(index)).await
}

async fn state_at(store: &Store, moment: i64) -> Result<Database, HistoryError> {
    on(store, move |store| store.state_at(DateTime(moment))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_past_is_told_to_the_bit_though_raft_has_cut_its_log_off() {
    let mut trio = Trio::start_with(200).await;
    let number = trio.leader(None).await;
    let pool = trio.pool(number);
    let store = pool.store().clone();
    write(&pool, decided(1000, make(1))).await;
    let first = on(&store, |store| store.keep_state(DateTime(1001)))
        .await
        .unwrap();
    let mut then = None;
    for step in 2..1500_u128 {
        let at = 2000 + i64::try_from(step).unwrap();
        let db = write(&pool, decided(at, make(step))).await;
        if step == 700 {
            then = Some(db);
        }
    }
    let then = then.unwrap();
    wait_for("a shortened log", || (pool.status().purged > 1000).then_some(())).await;
    let told = state_after(&store, then.applied()).await.unwrap();
    assert_eq!(digest(&told), digest(&then));
    let told = state_at(&store, 2700).await.unwrap();
    assert!(told.get(vm(700)).is_some() && told.get(vm(701)).is_none());
    assert!(matches!(
        state_at(&store, 900).await,
        Err(HistoryError::TooFar {
            from: Some(DateTime(1001))
        })
    ));
    // Every entry since, once, in order.
    let seen = on(&store, move |store| {
        let mut seen = Vec::new();
        store
            .each_entry(first.index + 1, |index, _| {
                seen.push(index);
                ControlFlow::Continue(())
            })
            .unwrap();
        seen
    });
    assert!(seen.await.windows(2).all(|two| two[1] == two[0] + 1));
    drop((pool, store));

    trio.kill(number).await;
    trio.restart(number).await;
    let store = trio.pool(number).store().clone();
    let told = state_after(&store, then.applied()).await.unwrap();
    assert_eq!(digest(&told), digest(&then), "after a restart");

    let second = on(&store, |store| store.keep_state(DateTime(9000)))
        .await
        .unwrap();
    let (oldest, index) = (second.index, then.applied());
    on(&store, move |store| store.forget_before(oldest))
        .await
        .unwrap();
    assert!(matches!(
        state_after(&store, index).await,
        Err(HistoryError::TooFar { .. })
    ));
    assert_eq!(
        state_after(&store, second.index).await.unwrap().applied(),
        second.index
    );
    drop(store);
    trio.agree().await;
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_came_back_by_snapshot_tells_nothing_across_its_gap() {
    let mut trio = Trio::start_with(200).await;
    let leader = trio.leader(None).await;
    let away = (0..3).find(|number| *number != leader).unwrap();
    let pool = trio.pool(leader);
    let before = write(&pool, decided(10, make(1))).await.applied();
    assert!(
        trio.pool(away)
            .wait_applied(before, Instant::now() + PATIENCE)
            .await
    );
    let store = trio.pool(away).store().clone();
    on(&store, |store| store.keep_state(DateTime(11))).await.unwrap();
    drop(store);
    trio.kill(away).await;
    for number in 2..1500 {
        write(&pool, decided(20, make(number))).await;
    }
    wait_for("a shortened log", || (pool.status().purged > 1000).then_some(())).await;
    let applied = pool.snapshot().applied();
    trio.restart(away).await;
    assert!(
        trio.pool(away)
            .wait_applied(applied, Instant::now() + PATIENCE)
            .await
    );
    let store = trio.pool(away).store().clone();
    let until = Instant::now() + PATIENCE;
    while !on(&store, |store| store.bases().unwrap()).await.is_empty() {
        assert!(
            Instant::now() < until,
            "the kept state before the gap is still used"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(matches!(
        state_after(&store, before).await,
        Err(HistoryError::TooFar { from: None })
    ));
    drop(store);
    trio.stop().await;
}
