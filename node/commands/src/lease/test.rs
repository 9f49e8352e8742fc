//! Whatever clocks and networks do within their bounds, a host's guests are ended before anybody starts them again.

use proptest::prelude::*;

use super::*;

/// A clock of a given rate, in thousandths off true time, and an arbitrary zero.
#[derive(Clone, Copy, Debug)]
struct Clock {
    off: i64,
    zero: u64,
}

impl Clock {
    /// What it shows at a true time in microseconds.
    fn at(self, truth: u64) -> Duration {
        let rate = u64::try_from(1000 + self.off).unwrap();
        Duration::from_micros(self.zero + truth * rate / 1000)
    }

    /// The first true time, by steps of a millisecond, at which it shows a moment.
    fn when(self, moment: Duration) -> u64 {
        let mut truth = 0;
        for step in [1u64 << 34, 1 << 28, 1 << 22, 1 << 16, 1 << 12, 1 << 6, 1] {
            while self.at(truth + step) < moment {
                truth += step;
            }
        }
        truth + 1
    }
}

fn clock() -> impl Strategy<Value = Clock> {
    let most = i64::from(DRIFT_PER_MILLE);
    (-most..=most, 0..1u64 << 40).prop_map(|(off, zero)| Clock { off, zero })
}

/// A question: when it was asked, how long it and its answer travel, and whether the answer arrives.
fn question() -> impl Strategy<Value = (u64, u64, u64, bool)> {
    let second = 1_000_000u64;
    (0..40 * second, 0..30 * second, 0..30 * second, any::<bool>())
}

proptest! {
    #[test]
    fn guests_are_ended_before_the_leader_calls_the_lease_over(
        host in clock(),
        leader in clock(),
        seconds in 6u64..120,
        node in 0u64..20_000,
        watchdog in 1u64..20_000,
        questions in prop::collection::vec(question(), 1..12),
    ) {
        let length = Duration::from_secs(seconds);
        let margins = Margins { node: Duration::from_millis(node.max(1)), watchdog: Duration::from_millis(watchdog) };
        let id = Uuid::from_u128(1);
        let mut here = HostLease::default();
        let mut there = LeaderLeases::default();
        there.begin(leader.at(0));
        let mut answers = Vec::new();
        for (asked, way, back, arrives) in questions {
            let heard = asked + way;
            there.asked(id, true, leader.at(heard));
            if arrives {
                answers.push((heard + back, asked));
            }
        }
        answers.sort_unstable();
        for (_, asked) in &answers {
            here.answered(host.at(*asked), Some(length));
        }
        // An answer that comes after the lease it grants is over brings the moment to act into the past: it is due at
        // once then, and was due before.
        let Some(acts) = here.watchdog_acts(margins) else { return Ok(()) };
        let ended = host.when(acts);
        let over = |truth: u64| there.is_over(id, length, leader.at(truth));
        prop_assert!(!over(ended), "ended at {ended}, called over by then");
        prop_assert!(here.node_acts(margins) <= here.watchdog_acts(margins));
    }

    #[test]
    fn a_new_leader_waits_out_what_any_earlier_one_granted(
        host in clock(),
        leader in clock(),
        seconds in 6u64..120,
        before in 0u64..60_000_000,
    ) {
        // The question was asked before the new reign began, be its answer as late as it may.
        let length = Duration::from_secs(seconds);
        let mut here = HostLease::default();
        here.answered(host.at(0), Some(length));
        let mut there = LeaderLeases::default();
        there.begin(leader.at(before));
        let ended = host.when(here.watchdog_acts(Margins::default()).unwrap());
        prop_assert!(!there.is_over(Uuid::from_u128(1), length, leader.at(ended.max(before))) );
    }
}

#[test]
fn a_lease_is_called_over_soon_after_its_end() {
    let mut there = LeaderLeases::default();
    let id = Uuid::from_u128(7);
    there.begin(Duration::ZERO);
    there.asked(id, false, Duration::from_secs(100));
    assert!(!there.may_run(id, USUAL, Duration::from_secs(100)));
    assert!(!there.is_over(id, USUAL, Duration::from_secs(115)));
    assert!(there.is_over(id, USUAL, Duration::from_secs(116)));
    there.asked(id, true, Duration::from_secs(117));
    assert!(there.may_run(id, USUAL, Duration::from_secs(118)));
    // It was cut off, its lease has run out, and the answer to its first question is still on the way.
    there.asked(id, false, Duration::from_secs(118));
    assert!(!there.may_run(id, USUAL, Duration::from_secs(118)));
    assert!(!there.is_over(id, USUAL, Duration::from_secs(118)));
}

#[test]
fn an_overtaken_answer_changes_nothing() {
    let mut lease = HostLease::default();
    lease.answered(Duration::from_secs(20), Some(USUAL));
    lease.answered(Duration::from_secs(10), Some(USUAL));
    lease.answered(Duration::from_secs(19), None);
    let acts = lease.node_acts(Margins::default());
    assert_eq!(acts, Some(Duration::from_secs(32)));
    assert!(lease.admits(Duration::from_secs(31), Margins::default()));
    assert!(!lease.admits(Duration::from_secs(32), Margins::default()));
    lease.answered(Duration::from_secs(21), None);
    assert!(!lease.is_armed() && lease.admits(Duration::from_secs(99), Margins::default()));
}

#[test]
fn margins_leave_half_of_the_lease_and_the_watchdog_its_turn() {
    let margins = Margins {
        node: Duration::from_secs(60),
        watchdog: Duration::from_secs(90),
    };
    let sane = margins.sane(Duration::from_secs(10));
    assert_eq!(
        (sane.node, sane.watchdog),
        (Duration::from_secs(5), Duration::from_millis(2500))
    );
}
