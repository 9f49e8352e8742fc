//! Three nodes: what is acknowledged stays, whoever dies.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

mod history;
mod linear;
mod past;
mod strangers;
mod trio;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pool_domain::Outcome;
use pool_raft::{MembershipError, NotLeader, ProposeError, Standing};
use tokio::time::Instant;
use trio::{PATIENCE, Trio, make, rename, surely_not_written, transaction, vm, wait_for, write};
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_outlives_the_leader() {
    let mut trio = Trio::start().await;
    let leader = trio.leader(None).await;
    let pool = trio.pool(leader);
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8u128)
        .map(|writer| {
            let (pool, done) = (pool.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for step in 0.. {
                    let number = 1000 + writer * 100_000 + step;
                    match pool.propose_within(make(number), Duration::from_secs(2)).await {
                        Ok((Outcome::Applied(_), _)) => acknowledged.push(number),
                        Ok((other, _)) => panic!("{other:?}"),
                        Err(_) if done.load(Ordering::Acquire) => return acknowledged,
                        Err(error) => {
                            assert!(error.is_retryable() || error == ProposeError::Stopped, "{error}")
                        }
                    }
                }
                acknowledged
            })
        })
        .collect();
    wait_for("some writes", || (pool.snapshot().applied() > 500).then_some(())).await;
    done.store(true, Ordering::Release);
    let killed = Instant::now();
    trio.kill(leader).await;
    let next = trio.leader(Some(leader)).await;
    write(&trio.pool(next), make(1)).await;
    println!("first write on the next leader after {:?}", killed.elapsed());
    let db = trio.pool(next).read_barrier().await.unwrap();
    let mut all = 0;
    for writer in writers {
        for number in writer.await.unwrap() {
            all += 1;
            assert!(db.get(vm(number)).is_some(), "an acknowledged write is lost");
        }
    }
    assert!(all > 400);
    trio.restart(leader).await;
    trio.agree().await;
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_that_was_away_for_long_comes_back_by_snapshot() {
    let mut trio = Trio::start_with(200).await;
    let leader = trio.leader(None).await;
    let away = (0..3).find(|n| *n != leader).unwrap();
    trio.kill(away).await;
    let pool = trio.pool(leader);
    for number in 1..1500 {
        write(&pool, make(number)).await;
    }
    let before = trio.pool(leader).snapshot().applied();
    wait_for("a shortened log", || (pool.status().purged > 1000).then_some(())).await;
    trio.restart(away).await;
    assert!(
        trio.pool(away)
            .wait_applied(before, Instant::now() + PATIENCE)
            .await
    );
    // It cannot have come by log: that begins later.
    assert!(trio.pool(away).status().snapshot > 1000);
    trio.agree().await;
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_three_come_back_with_everything() {
    let mut trio = Trio::start_with(300).await;
    let pool = trio.pool(trio.leader(None).await);
    for number in 1..500 {
        write(&pool, make(number)).await;
    }
    let before = pool.digest().await.unwrap();
    drop(pool);
    for number in 0..3 {
        trio.kill(number).await;
    }
    for number in 0..3 {
        trio.restart(number).await;
    }
    trio.agree().await;
    let leader = trio.leader(None).await;
    assert_eq!(trio.pool(leader).digest().await.unwrap().sha256, before.sha256);
    write(&trio.pool(leader), make(9999)).await;
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_race_is_told_and_a_repeated_request_has_one_effect() {
    let trio = Trio::start().await;
    let pool = trio.pool(trio.leader(None).await);
    let version = write(&pool, make(5)).await.get(vm(5)).unwrap().version;
    write(&pool, rename(5, version, "first")).await;
    let (outcome, _) = pool.propose(rename(5, version, "second")).await.unwrap();
    assert_eq!(outcome, Outcome::Conflict(vm(5)));

    let request = Uuid::new_v4();
    let insert = transaction(request, vec![(vm(6), 0)], make(6).changes);
    let (first, _) = pool.propose(insert.clone()).await.unwrap();
    let (again, db) = pool.propose(insert).await.unwrap();
    assert!(matches!(first, Outcome::Applied(_)));
    assert_eq!(first, again);
    assert_eq!(Outcome::Applied(db.get(vm(6)).unwrap().version), first);
    trio.agree().await;
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_cut_off_stops_answering_within_its_lease() {
    let trio = Trio::start().await;
    let old = trio.leader(None).await;
    let pool = trio.pool(old);
    write(&pool, make(1)).await;
    pool.read_barrier().await.unwrap();
    let cut_at = Instant::now();
    pool.cut().cut();
    let refused_after = loop {
        match tokio::time::timeout(PATIENCE, pool.read_barrier()).await.unwrap() {
            Ok(_) => tokio::task::yield_now().await,
            Err(NotLeader { leader }) => {
                assert_eq!(leader, None);
                break cut_at.elapsed();
            }
        }
    };
    println!("the old leader stopped answering after {refused_after:?}");
    assert!(refused_after < Duration::from_millis(2500), "{refused_after:?}");
    wait_for("the old leader to say so", || {
        (!pool.leadership().borrow().is_me).then_some(())
    })
    .await;
    let error = pool
        .propose_within(make(777), Duration::from_secs(1))
        .await
        .unwrap_err();

    let new = trio.leader(Some(old)).await;
    write(&trio.pool(new), make(2)).await;
    pool.cut().heal();
    let applied = trio.pool(new).snapshot().applied();
    assert!(pool.wait_applied(applied, Instant::now() + PATIENCE).await);
    if surely_not_written(&error) {
        assert!(pool.snapshot().get(vm(777)).is_none());
    }
    trio.agree().await;
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leadership_can_be_handed_over() {
    let trio = Trio::start().await;
    let old = trio.leader(None).await;
    let to = (old + 1) % 3;
    let began = Instant::now();
    trio.pool(old)
        .transfer_leader(trio.members[to].node_id, PATIENCE)
        .await
        .unwrap();
    assert_eq!(trio.leader(Some(old)).await, to);
    write(&trio.pool(to), make(1)).await;
    println!("handed over and written after {:?}", began.elapsed());
    match trio.pool(old).propose(make(2)).await {
        Err(ProposeError::NotLeader { leader: Some(leader) }) => assert_eq!(leader, trio.members[to]),
        other => panic!("{:?}", other.map(|(outcome, _)| outcome)),
    }
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_leave_and_the_last_quorum_does_not() {
    let mut trio = Trio::start().await;
    let leader = trio.leader(None).await;
    let pool = trio.pool(leader);
    let (a, b) = ((leader + 1) % 3, (leader + 2) % 3);
    assert_eq!(
        pool.members()
            .iter()
            .filter(|(_, standing)| *standing == Standing::Voter)
            .count(),
        3
    );
    // With one member dead, taking out the other living one would stop the pool.
    trio.kill(a).await;
    wait_for("the leader to miss it", || {
        let status = pool.status();
        let dead = status
            .members
            .iter()
            .find(|m| m.member.node_id == trio.members[a].node_id)?;
        (dead.heard? > Duration::from_millis(900)).then_some(())
    })
    .await;
    let refused = pool.remove_member(trio.members[b].node_id, PATIENCE).await;
    assert!(
        matches!(refused, Err(MembershipError::WouldLoseQuorum { .. })),
        "{refused:?}"
    );
    pool.remove_member(trio.members[a].node_id, PATIENCE)
        .await
        .unwrap();
    pool.remove_member(trio.members[a].node_id, PATIENCE)
        .await
        .unwrap();
    pool.remove_member(trio.members[b].node_id, PATIENCE)
        .await
        .unwrap();
    let refused = pool.remove_member(trio.members[leader].node_id, PATIENCE).await;
    assert!(
        matches!(refused, Err(MembershipError::LastVoter { .. })),
        "{refused:?}"
    );
    let ids: BTreeSet<u64> = pool.members().iter().map(|(member, _)| member.node_id).collect();
    assert_eq!(ids, BTreeSet::from([trio.members[leader].node_id]));
    write(&pool, make(1)).await;
    pool.read_barrier().await.unwrap();
    trio.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_store_fails_serves_nothing_and_the_others_go_on() {
    let mut trio = Trio::start().await;
    let old = trio.leader(None).await;
    let pool = trio.pool(old);
    pool.store().fail("no space left on device");
    assert_eq!(pool.failed().await, "no space left on device");
    assert!(pool.read_barrier().await.is_err());
    assert!(
        pool.propose_within(make(1), Duration::from_secs(1))
            .await
            .is_err()
    );
    let new = trio.leader(Some(old)).await;
    write(&trio.pool(new), make(2)).await;
    trio.kill(old).await;
    trio.agree().await;
    trio.stop().await;
}

/// After the majority is lost one member goes on with all it has, and those it left behind change nothing of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_survivor_goes_on_alone_and_does_not_listen_to_those_it_left() {
    let mut trio = Trio::start().await;
    let leader = trio.leader(None).await;
    write(&trio.pool(leader), make(1)).await;
    trio.agree().await;
    for number in 0..3 {
        trio.kill(number).await;
    }
    let survivor = (leader + 1) % 3;
    let survived = trio.survive(survivor).await;
    assert_eq!(survived.barred.len(), 2);
    // Twice comes to the same: the first time may have been cut off before anybody heard of it.
    assert_eq!(trio.survive(survivor).await.barred.len(), 2);
    trio.restart(survivor).await;
    assert_eq!(trio.leader(None).await, survivor);
    let pool = trio.pool(survivor);
    let db = write(&pool, make(2)).await;
    assert!(db.get(vm(1)).is_some() && db.get(vm(2)).is_some());
    assert_eq!(pool.members().len(), 1);

    let others: Vec<usize> = (0..3).filter(|n| *n != survivor).collect();
    for number in &others {
        trio.restart(*number).await;
        assert!(!pool.listens_to(trio.members[*number].host));
    }
    // Two of three: the old pool has a leader again, who would have the survivor follow.
    let old = trio.leader(Some(survivor)).await;
    write(&trio.pool(old), make(3)).await;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(2) {
        assert!(pool.leadership().borrow().is_me, "it followed one that it left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let db = write(&pool, make(4)).await;
    assert!(db.get(vm(2)).is_some() && db.get(vm(3)).is_none());
    trio.stop().await;
}
