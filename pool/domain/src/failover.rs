//! Whether guests would find a place if hosts failed: arithmetic on numbers, without rows.
//!
//! Guests are placed largest first, each where the least room is left over: what one order of filling places is certain,
//! what it does not place another order might. So the answers err on one side only: a plan that is said to exist exists.

/// More sets of failing hosts than this are not gone through one by one.
const MOST_SETS: usize = 3_000;

/// A guest that must run somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    /// Memory it takes of a host.
    pub needs: u64,
    /// Where it runs, by position; `None` if it runs nowhere and is to be started.
    pub on: Option<usize>,
    /// Where it could run if there were room, by position.
    pub fits: Fits,
}

/// The hosts that see a guest's disks and networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fits {
    /// All of them.
    Everywhere,
    /// These, by position.
    Only(Vec<usize>),
}

impl Fits {
    fn has(&self, position: usize) -> bool {
        match self {
            Fits::Everywhere => true,
            Fits::Only(places) => places.contains(&position),
        }
    }

    fn count(&self, all: usize) -> usize {
        match self {
            Fits::Everywhere => all,
            Fits::Only(places) => places.len(),
        }
    }
}

/// Hosts and the guests that must run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    /// Memory of each host that no guest has.
    pub free: Vec<u64>,
    /// The guests.
    pub guests: Vec<Guest>,
}

impl Board {
    /// Where each of the guests at these positions goes when these hosts are gone; in the order given.
    pub fn plan(&self, failed: &[usize], guests: &[usize]) -> Vec<Option<usize>> {
        let mut free: Vec<Option<u64>> = self.free.iter().copied().map(Some).collect();
        for gone in failed {
            if let Some(place) = free.get_mut(*gone) {
                *place = None;
            }
        }
        let mut order: Vec<(usize, &Guest)> = guests
            .iter()
            .enumerate()
            .filter_map(|(nth, position)| Some((nth, self.guests.get(*position)?)))
            .collect();
        let all = self.free.len();
        // The choosiest first, then the largest.
        order.sort_by_key(|(nth, g)| (g.fits.count(all), std::cmp::Reverse(g.needs), *nth));
        let mut places = vec![None; guests.len()];
        for (nth, guest) in order {
            let best = free
                .iter()
                .enumerate()
                .filter(|(position, _)| guest.fits.has(*position))
                .filter_map(|(position, left)| Some((left.filter(|l| *l >= guest.needs)?, position)))
                .min();
            let Some((left, position)) = best else { continue };
            if let (Some(room), Some(place)) = (free.get_mut(position), places.get_mut(nth)) {
                *room = Some(left.saturating_sub(guest.needs));
                *place = Some(position);
            }
        }
        places
    }

    /// Whether every guest has a place once these hosts are gone.
    fn survives(&self, failed: &[usize]) -> bool {
        let displaced: Vec<usize> = self
            .guests
            .iter()
            .enumerate()
            .filter(|(_, g)| g.on.is_none_or(|on| failed.contains(&on)))
            .map(|(position, _)| position)
            .collect();
        self.plan(failed, &displaced).iter().all(Option::is_some)
    }

    /// Whether every guest has a place whichever hosts fail, so many at once.
    pub fn bears(&self, failures: usize) -> bool {
        let hosts = self.free.len();
        if failures >= hosts {
            return self.guests.is_empty();
        }
        match sets(hosts, failures) {
            Some(count) if count <= MOST_SETS => {
                let mut failed: Vec<usize> = (0..failures).collect();
                loop {
                    if !self.survives(&failed) {
                        return false;
                    }
                    if !next_set(&mut failed, hosts) {
                        return true;
                    }
                }
            }
            _ => self.bears_the_worst(failures),
        }
    }

    /// A condition that suffices: the hosts with most guests fail, those with most room fail as well, and every guest is
    /// as large as the largest.
    fn bears_the_worst(&self, failures: usize) -> bool {
        if self.guests.iter().any(|g| g.fits != Fits::Everywhere) {
            return false;
        }
        let largest = self.guests.iter().map(|g| g.needs).max().unwrap_or(0).max(1);
        let mut loads: Vec<usize> = (0..self.free.len())
            .map(|host| self.guests.iter().filter(|g| g.on == Some(host)).count())
            .collect();
        loads.sort_unstable();
        let waiting = self.guests.iter().filter(|g| g.on.is_none()).count();
        let displaced: usize = loads
            .iter()
            .rev()
            .take(failures)
            .sum::<usize>()
            .saturating_add(waiting);
        let mut rooms: Vec<u64> = self
            .free
            .iter()
            .map(|f| f.checked_div(largest).unwrap_or(0))
            .collect();
        rooms.sort_unstable();
        let left = rooms.len().saturating_sub(failures);
        let room = rooms
            .iter()
            .take(left)
            .fold(0u64, |sum, r| sum.saturating_add(*r));
        room >= u64::try_from(displaced).unwrap_or(u64::MAX)
    }

    /// The most failures at once that are borne, up to a limit; `None` if not even all hosts have room for every guest.
    pub fn most(&self, limit: usize) -> Option<usize> {
        (0..=limit).take_while(|failures| self.bears(*failures)).last()
    }
}

/// How many sets of so many there are; `None` if that is no number worth going through.
fn sets(all: usize, taken: usize) -> Option<usize> {
    let mut count: usize = 1;
    for step in 0..taken {
        let factor = all.checked_sub(step)?;
        count = count.checked_mul(factor)?.checked_div(step.checked_add(1)?)?;
    }
    Some(count)
}

/// Goes on to the next set of rising numbers below `all`; false after the last.
fn next_set(set: &mut [usize], all: usize) -> bool {
    let size = set.len();
    for back in 1..=size {
        let at = size.saturating_sub(back);
        let Some(value) = set.get(at).copied() else {
            return false;
        };
        if value < all.saturating_sub(back) {
            for (offset, slot) in set.iter_mut().skip(at).enumerate() {
                *slot = value.saturating_add(1).saturating_add(offset);
            }
            return true;
        }
    }
    false
}

#[cfg(test)]
mod test;
