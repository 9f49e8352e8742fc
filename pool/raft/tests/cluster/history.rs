//! What clients did to one register and were told, and whether one order of it all explains that.
//!
//! The search is that of Wing and Gong, with Lowe's memory of what was tried: an operation may come next if none that had
//! ended before it began is still to come. Every value is written once only, so that a value stands for a version.

use std::collections::HashSet;

/// The value of a register; no two writes write the same.
pub type Value = u64;

/// What a client asked and was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It was told the value.
    Read(Value),
    /// It was told that the value is written.
    Write(Value),
    /// It was told that the second has taken the place of the first.
    Swapped(Value, Value),
    /// It was told that the value is not that one, and nothing was written.
    NotSwapped(Value),
}

/// One operation with the moments at which it began and ended; one that has not ended may have its effect at any time, or
/// never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    pub began: u64,
    pub ended: Option<u64>,
    pub deed: Deed,
}

impl Deed {
    /// The value after it, if it can be where there was this one.
    fn after(self, value: Value) -> Option<Value> {
        match self {
            Deed::Read(seen) => (seen == value).then_some(value),
            Deed::Write(new) => Some(new),
            Deed::Swapped(old, new) => (old == value).then_some(new),
            Deed::NotSwapped(old) => (old != value).then_some(value),
        }
    }
}

/// More steps than an honest history ever needs.
const STEPS: usize = 5_000_000;

/// Says whether one order explains a history that begins with a value.
///
/// # Panics
/// If that is not found out in a bounded number of steps.
pub fn is_explained(first: Value, mut events: Vec<Event>) -> bool {
    events.sort_by_key(|event| event.began);
    let mut tried: HashSet<(Vec<u64>, Value)> = HashSet::new();
    let mut open = vec![(vec![0u64; events.len().div_ceil(64)], first)];
    let mut steps = 0;
    while let Some((done, value)) = open.pop() {
        steps += 1;
        assert!(steps < STEPS, "a history of {} is too much", events.len());
        let is_done = |at: usize| done[at / 64] & (1 << (at % 64)) != 0;
        let to_come = || (0..events.len()).filter(|at| !is_done(*at));
        // All that ended are in the order: it explains what was told.
        let Some(first_end) = to_come().filter_map(|at| events[at].ended).min() else {
            return true;
        };
        for at in to_come().take_while(|at| events[*at].began < first_end) {
            let Some(next) = events[at].deed.after(value) else {
                continue;
            };
            let mut with = done.clone();
            with[at / 64] |= 1 << (at % 64);
            if tried.insert((with.clone(), next)) {
                open.push((with, next));
            }
        }
    }
    false
}

#[cfg(test)]
mod test {
    use super::*;

    fn event(began: u64, ended: u64, deed: Deed) -> Event {
        Event {
            began,
            ended: Some(ended),
            deed,
        }
    }

    fn lost(began: u64, deed: Deed) -> Event {
        Event {
            began,
            ended: None,
            deed,
        }
    }

    #[test]
    fn what_overlaps_may_be_in_any_order() {
        let writes = [event(0, 5, Deed::Write(1)), event(1, 6, Deed::Write(2))];
        for last in [1, 2] {
            let mut all = writes.to_vec();
            all.push(event(7, 8, Deed::Read(last)));
            assert!(is_explained(0, all));
        }
        let mut all = writes.to_vec();
        all.push(event(7, 8, Deed::Read(0)));
        assert!(!is_explained(0, all), "a write was acknowledged before");
    }

    #[test]
    fn what_was_seen_is_not_unseen() {
        let all = [
            event(0, 9, Deed::Write(1)),
            event(1, 2, Deed::Read(1)),
            event(3, 4, Deed::Read(0)),
        ];
        assert!(!is_explained(0, all.to_vec()));
        assert!(is_explained(0, all[..2].to_vec()));
    }

    #[test]
    fn what_never_ended_may_have_been_done_or_not_and_late() {
        for seen in [0, 1] {
            let all = vec![lost(0, Deed::Write(1)), event(5, 6, Deed::Read(seen))];
            assert!(is_explained(0, all));
        }
        let all = vec![
            lost(0, Deed::Write(1)),
            event(1, 2, Deed::Read(0)),
            event(3, 4, Deed::Read(1)),
            event(5, 6, Deed::Read(0)),
        ];
        assert!(!is_explained(0, all));
    }

    #[test]
    fn one_value_is_replaced_once() {
        let all = vec![event(0, 5, Deed::Swapped(0, 1)), event(1, 6, Deed::Swapped(0, 2))];
        assert!(!is_explained(0, all));
        let all = vec![event(0, 5, Deed::Swapped(0, 1)), event(1, 6, Deed::NotSwapped(0))];
        assert!(is_explained(0, all));
        assert!(!is_explained(0, vec![event(1, 6, Deed::NotSwapped(0))]));
    }
}
