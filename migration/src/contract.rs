//! Whether a migration can keep what the client demands of it, and by which means.
//!
//! Memory is copied in passes: what the guest writes during one is copied in the next. The guest is stopped for the last,
//! once what is left fits into the pause that is agreed to. A guest that writes faster than the link carries never comes to
//! that by itself; auto-converge then slows its processors down, more with each pass.
//!
//! Post-copy, which starts the guest on the destination before its memory is there, is never chosen: a link that is cut
//! then leaves the guest on neither host, and no contract is worth that.

use std::time::Duration;

use proto_types::Bytes;

/// What the client demands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Longest pause of the guest.
    pub max_downtime: Option<Duration>,
    /// Longest time for the whole.
    pub deadline: Option<Duration>,
}

/// What is known of the guest and the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// The guest's memory.
    pub memory: Bytes,
    /// What it writes in a second.
    pub dirty_rate: Bytes,
    /// What the link carries in a second, at best; `None` if that is not known.
    pub link: Option<Bytes>,
}

/// How it is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Means {
    /// Slow the guest down as far as it must be.
    pub auto_converge: bool,
    /// Send pages that change often as differences.
    pub compress: bool,
}

/// What cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// However long it is copied, the last pass takes longer than the pause agreed to.
    Downtime {
        /// The shortest pause that would come of it.
        expected: Duration,
        /// What is agreed to.
        agreed: Duration,
    },
    /// It takes too long.
    Deadline {
        /// How long it would take at least.
        expected: Duration,
        /// What is agreed to.
        agreed: Duration,
    },
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Breach::Downtime { expected, agreed } => write!(
                f,
                "the guest writes so fast that it would pause for {} ms, and {} ms are agreed to",
                expected.as_millis(),
                agreed.as_millis()
            ),
            Breach::Deadline { expected, agreed } => write!(
                f,
                "the guest writes so fast that it would take {} s, and {} s are agreed to",
                expected.as_secs(),
                agreed.as_secs()
            ),
        }
    }
}

/// The pause that is aimed at where nothing is agreed: half of QEMU's own, which ends its copy while that much is still to
/// be carried even where the guest writes nothing.
pub const USUAL_DOWNTIME: Duration = Duration::from_millis(150);
/// No more passes are worth counting.
const PASSES: usize = 400;
/// Auto-converge takes from the guest's time: so much at first, so much more with each pass, so much at most (per cent).
/// Source: QEMU's `cpu-throttle-initial`, `cpu-throttle-increment`, `max-cpu-throttle`.
const THROTTLE: (u64, u64, u64) = (20, 10, 99);
/// Links slower than this leave processors the time to compress.
const SLOW_LINK: Bytes = Bytes(125_000_000);

/// Chooses the means, and says what cannot be kept with any of them.
///
/// `allowed` is what the client and the pool allow (auto-converge) or ask for (compression). Nothing is refused as long as
/// the link is not known: QEMU itself does not pause the guest for longer than agreed, and it is called off in time.
///
/// # Errors
/// The first demand that cannot be kept, with the best that could be.
pub fn choose(terms: Terms, load: Load, allowed: Means) -> Result<Means, Breach> {
    let Some(link) = load.link.filter(|link| link.0 > 0) else {
        return Ok(allowed);
    };
    let keeps_up = load.dirty_rate.0 <= link.0 / 2;
    let means = Means {
        // A guest that writes slower than half of what the link carries needs no slowing down.
        auto_converge: allowed.auto_converge && !keeps_up,
        compress: allowed.compress || (!keeps_up && link < SLOW_LINK),
    };
    let course = course(terms, load, link, means.auto_converge);
    if let Some(agreed) = terms.max_downtime
        && course.downtime > agreed
    {
        return Err(Breach::Downtime {
            expected: course.downtime,
            agreed,
        });
    }
    if let Some(agreed) = terms.deadline
        && course.whole > agreed
    {
        return Err(Breach::Deadline {
            expected: course.whole,
            agreed,
        });
    }
    Ok(means)
}

/// How it would go at best.
struct Course {
    whole: Duration,
    downtime: Duration,
}

fn time_for(bytes: u64, per_second: u64) -> Duration {
    let nanos = u128::from(bytes)
        .saturating_mul(1_000_000_000)
        .checked_div(u128::from(per_second))
        .unwrap_or(u128::MAX);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// What is written in a time, by a guest that has `share` per cent of it.
fn written(rate: Bytes, share: u64, time: Duration) -> u64 {
    let bytes = u128::from(rate.0)
        .saturating_mul(u128::from(share))
        .saturating_mul(time.as_millis())
        .checked_div(100_000)
        .unwrap_or(u128::MAX);
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn course(terms: Terms, load: Load, link: Bytes, auto_converge: bool) -> Course {
    let wanted = terms.max_downtime.unwrap_or(USUAL_DOWNTIME);
    let (first, more, most) = THROTTLE;
    let mut throttle: u64 = 0;
    let mut left = load.memory.0;
    let mut whole = Duration::ZERO;
    let mut shortest = time_for(left, link.0);
    for _ in 0..PASSES {
        let pass = time_for(left, link.0);
        whole = whole.saturating_add(pass);
        let share = 100_u64.saturating_sub(throttle);
        let before = left;
        left = written(load.dirty_rate, share, pass).min(load.memory.0);
        let downtime = time_for(left, link.0);
        shortest = shortest.min(downtime);
        if downtime <= wanted {
            break;
        }
        let converges = left < before / 2;
        if !converges && auto_converge {
            throttle = match throttle {
                0 => first,
                now => now.saturating_add(more).min(most),
            };
        } else if left >= before {
            // It will never be less.
            break;
        }
    }
    Course {
        whole: whole.saturating_add(shortest),
        downtime: shortest,
    }
}

#[cfg(test)]
mod test {
    use proptest::prelude::*;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn load(dirty: u64, link: u64) -> Load {
        Load {
            memory: Bytes(GIB),
            dirty_rate: Bytes(dirty),
            link: Some(Bytes(link)),
        }
    }

    fn terms(downtime_ms: u64, deadline_s: u64) -> Terms {
        Terms {
            max_downtime: Some(Duration::from_millis(downtime_ms)),
            deadline: Some(Duration::from_secs(deadline_s)),
        }
    }

    const ALL: Means = Means {
        auto_converge: true,
        compress: false,
    };
    const NONE: Means = Means {
        auto_converge: false,
        compress: false,
    };

    #[test]
    fn an_idle_guest_is_left_at_its_speed() {
        assert_eq!(
            choose(terms(100, 60), load(1_000_000, 100_000_000), ALL),
            Ok(NONE)
        );
    }

    #[test]
    fn a_guest_that_outruns_the_link_is_slowed_down_or_refused() {
        let fast = load(400_000_000, 100_000_000);
        let means = choose(terms(300, 600), fast, ALL).unwrap();
        assert!(means.auto_converge && means.compress);
        assert!(matches!(
            choose(terms(300, 600), fast, NONE),
            Err(Breach::Downtime { .. })
        ));
    }

    #[test]
    fn a_deadline_shorter_than_one_pass_is_refused() {
        let breach = choose(terms(300, 5), load(0, 100_000_000), ALL).unwrap_err();
        let Breach::Deadline { expected, agreed } = breach else {
            panic!("{breach:?}")
        };
        assert!(expected > Duration::from_secs(10) && agreed == Duration::from_secs(5));
    }

    #[test]
    fn an_unknown_link_refuses_nothing() {
        let unknown = Load {
            link: None,
            ..load(u64::MAX, 1)
        };
        assert_eq!(choose(terms(1, 1), unknown, ALL), Ok(ALL));
    }

    proptest! {
        /// Whoever agrees to more is not refused what is granted to those who agree to less.
        #[test]
        fn more_patience_is_never_worse(
            dirty in 0..2_000_000_000_u64, link in 1..2_000_000_000_u64,
            downtime in 1..5_000_u64, deadline in 1..10_000_u64, more in 0..5_000_u64,
        ) {
            let load = load(dirty, link);
            if choose(terms(downtime, deadline), load, ALL).is_ok() {
                prop_assert!(choose(terms(downtime, deadline.saturating_add(more)), load, ALL).is_ok());
                prop_assert!(choose(terms(downtime.saturating_add(more), deadline), load, ALL).is_ok());
            }
        }
    }
}
