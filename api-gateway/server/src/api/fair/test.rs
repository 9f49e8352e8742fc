//! Who comes when, without a clock: each turn is ended by hand.

use futures::FutureExt;
use uuid::Uuid;

use super::*;

const SCRIPT: Peer = Peer::Address(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
const OTHER: Peer = Peer::Address(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)));

fn client(peer: Peer, session: u128) -> Client {
    Client {
        peer,
        session: Ref::from_uuid(Uuid::from_u128(session)),
    }
}

fn lane(running: usize, running_per_peer: usize, waiting_per_peer: usize) -> Arc<Lane> {
    Lane::new(Bounds {
        running,
        running_per_peer,
        waiting_per_peer,
    })
}

/// Calls by name that wait for their turn.
struct Queue(Vec<(&'static str, Option<oneshot::Receiver<Permit>>)>);

impl Queue {
    fn new() -> Queue {
        Queue(Vec::new())
    }

    fn enter(&mut self, lane: &Arc<Lane>, name: &'static str, client: Client) -> Option<Permit> {
        match lane.enter(client).unwrap() {
            Turn::Now(permit) => Some(permit),
            Turn::Later(receiver) => {
                self.0.push((name, Some(receiver)));
                None
            }
        }
    }

    /// The one whose turn has come; there is exactly one.
    fn came(&mut self) -> (&'static str, Permit) {
        let mut came = None;
        for (name, slot) in &mut self.0 {
            if let Some(receiver) = slot
                && let Some(permit) = receiver.now_or_never()
            {
                assert!(came.is_none(), "two turns at once");
                came = Some((*name, permit.unwrap()));
                *slot = None;
            }
        }
        came.unwrap()
    }

    /// Ends turns one after another and says who had them.
    fn order(&mut self, mut running: Permit, count: usize) -> Vec<&'static str> {
        let mut order = Vec::new();
        for _ in 0..count {
            drop(running);
            let (name, permit) = self.came();
            order.push(name);
            running = permit;
        }
        order
    }
}

#[test]
fn a_script_with_hundreds_of_calls_does_not_keep_another_client_waiting() {
    let lane = lane(1, 1, 1000);
    let mut queue = Queue::new();
    let running = queue.enter(&lane, "script", client(SCRIPT, 1)).unwrap();
    for _ in 0..300 {
        assert!(queue.enter(&lane, "script", client(SCRIPT, 1)).is_none());
    }
    for _ in 0..3 {
        assert!(queue.enter(&lane, "other", client(OTHER, 2)).is_none());
    }
    let order = queue.order(running, 7);
    assert_eq!(
        order,
        ["script", "other", "script", "other", "script", "other", "script"]
    );
}

#[test]
fn a_host_with_many_sessions_gets_no_more_than_a_host_with_one() {
    let lane = lane(1, 1, 1000);
    let mut queue = Queue::new();
    let running = queue.enter(&lane, "script", client(SCRIPT, 1)).unwrap();
    for session in 0..100 {
        assert!(queue.enter(&lane, "script", client(SCRIPT, session)).is_none());
    }
    for _ in 0..2 {
        assert!(queue.enter(&lane, "other", client(OTHER, 7)).is_none());
    }
    let order = queue.order(running, 4);
    assert_eq!(order, ["script", "other", "script", "other"]);
}

#[test]
fn sessions_of_one_host_take_turns() {
    let lane = lane(1, 1, 1000);
    let mut queue = Queue::new();
    let running = queue.enter(&lane, "loud", client(SCRIPT, 1)).unwrap();
    for _ in 0..100 {
        assert!(queue.enter(&lane, "loud", client(SCRIPT, 1)).is_none());
    }
    for _ in 0..2 {
        assert!(queue.enter(&lane, "quiet", client(SCRIPT, 2)).is_none());
    }
    let order = queue.order(running, 5);
    assert_eq!(order, ["loud", "quiet", "loud", "quiet", "loud"]);
}

#[test]
fn one_peer_never_has_all_places() {
    let lane = lane(4, 3, 1000);
    let mut queue = Queue::new();
    let mut running = Vec::new();
    for _ in 0..10 {
        running.extend(queue.enter(&lane, "script", client(SCRIPT, 1)));
    }
    assert_eq!(running.len(), 3);
    // Another client finds room at once, though seven wait.
    let other = queue.enter(&lane, "other", client(OTHER, 2)).unwrap();
    assert!(
        queue.enter(&lane, "other", client(OTHER, 2)).is_none(),
        "the lane is full"
    );
    drop(other);
    assert_eq!(queue.came().0, "other", "the script has as many as it may");
}

#[test]
fn queues_are_bounded_and_those_who_left_do_not_count() {
    let lane = lane(1, 1, 3);
    let mut queue = Queue::new();
    let running = queue.enter(&lane, "first", client(SCRIPT, 1)).unwrap();
    for _ in 0..3 {
        assert!(queue.enter(&lane, "script", client(SCRIPT, 1)).is_none());
    }
    let refused = lane.enter(client(SCRIPT, 2)).err().unwrap();
    assert_eq!(refused.description(), ["TOO_BUSY"]);
    assert!(
        queue.enter(&lane, "other", client(OTHER, 3)).is_none(),
        "others have queues of their own"
    );
    queue.0[0].1 = None;
    assert!(queue.enter(&lane, "late", client(SCRIPT, 2)).is_none());
    assert_eq!(queue.order(running, 4), ["script", "other", "late", "script"]);
}

#[test]
fn a_turn_that_nobody_takes_any_more_goes_to_the_next() {
    let lane = lane(1, 1, 100);
    let mut queue = Queue::new();
    let running = queue.enter(&lane, "first", client(SCRIPT, 1)).unwrap();
    for name in ["gone", "gone", "there"] {
        assert!(queue.enter(&lane, name, client(SCRIPT, 1)).is_none());
    }
    queue.0[0].1 = None;
    queue.0[1].1 = None;
    drop(running);
    let (name, permit) = queue.came();
    assert_eq!(name, "there");
    drop(permit);
    let state = lane.state();
    assert!(
        state.running == 0 && state.by_peer.is_empty() && state.ring.is_empty() && state.waiting.is_empty()
    );
}

#[tokio::test]
async fn all_come_in_the_end_and_never_too_many_at_once() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let lane = lane(3, 2, 1000);
    let (now, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let call = |number: u128| {
        let (lane, now, most, done) = (&lane, &now, &most, &done);
        async move {
            let peer = if number.is_multiple_of(2) { SCRIPT } else { OTHER };
            let turn = lane.enter(client(peer, number % 5)).unwrap();
            let permit = turn.come().await.unwrap();
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            now.fetch_sub(1, Ordering::SeqCst);
            done.fetch_add(1, Ordering::SeqCst);
            drop(permit);
        }
    };
    futures::future::join_all((0..500).map(call)).await;
    assert_eq!((done.into_inner(), most.into_inner()), (500, 3));
}
