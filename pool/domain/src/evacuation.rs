//! Where every guest of a host could go, all of them at once.

use proto_types::generated::{host, vm};
use proto_types::{ApiError, Ref};

use crate::database::Database;
use crate::row::Row;
use crate::{host_rules, placement, vm_rules};

/// What becomes of one guest: the host that takes it, or why none does.
pub type Fate = (Ref, Result<Ref, ApiError>);

/// A host that may take guests, with what is left of its memory.
struct Target<'a> {
    row: &'a Row,
    free: u64,
}

/// A guest that may leave, with the targets that see its disks and networks.
struct Guest<'a> {
    row: &'a Row,
    needs: u64,
    fits: Vec<usize>,
}

/// Plans where each live guest of a host goes. No target is promised more memory than it has.
///
/// Two orders of filling are tried and the one that places more guests is taken: the emptiest target first, which
/// spreads the load, and the fullest that still fits, which leaves room for the large ones.
pub fn plan(db: &Database, from: &Row) -> Vec<Fate> {
    let targets: Vec<Target<'_>> = db
        .rows(host::CLASS)
        .filter(|h| h.reference != from.reference)
        .filter(|h| host_rules::check(db, h, "vm_migrate").is_ok())
        .map(|row| Target {
            row,
            free: placement::memory_free(db, row, None).get(),
        })
        .collect();
    let mut fates: Vec<Fate> = Vec::new();
    let mut guests: Vec<Guest<'_>> = Vec::new();
    for reference in from.get(host::RESIDENT_VMS).as_refs() {
        let Some(row) = db.of_class(vm::CLASS, reference) else {
            continue;
        };
        if row.get(vm::IS_CONTROL_DOMAIN).as_bool() {
            continue;
        }
        match candidates(db, row, &targets) {
            Ok(fits) => guests.push(Guest {
                row,
                needs: placement::memory_needed(row).get(),
                fits,
            }),
            Err(error) => fates.push((reference, Err(error))),
        }
    }
    // The choosiest first, then the largest: those that come last are the easiest to place.
    guests.sort_by_key(|g| (g.fits.len(), std::cmp::Reverse(g.needs), g.row.reference));
    let spread = fill(&guests, &targets, |free| u64::MAX.saturating_sub(free));
    let packed = fill(&guests, &targets, |free| free);
    let placed = |plan: &[Fate]| plan.iter().filter(|(_, fate)| fate.is_ok()).count();
    fates.extend(if placed(&packed) > placed(&spread) {
        packed
    } else {
        spread
    });
    fates
}

/// The targets, by position, that could take a guest if they had the memory.
fn candidates(db: &Database, row: &Row, targets: &[Target<'_>]) -> Result<Vec<usize>, ApiError> {
    vm_rules::check(db, row, "pool_migrate")?;
    if targets.is_empty() {
        return Err(ApiError::new("NO_HOSTS_AVAILABLE", [row.reference.to_string()]));
    }
    let mut first_obstacle = None;
    let mut fits = Vec::new();
    for (position, target) in targets.iter().enumerate() {
        match placement::can_host(db, row, target.row) {
            Ok(()) => fits.push(position),
            Err(error) => {
                first_obstacle.get_or_insert(error);
            }
        }
    }
    match first_obstacle {
        Some(error) if fits.is_empty() => Err(error),
        _ => Ok(fits),
    }
}

/// Gives each guest in turn the target that `prefers` puts lowest among those with room.
fn fill(guests: &[Guest<'_>], targets: &[Target<'_>], prefers: impl Fn(u64) -> u64) -> Vec<Fate> {
    let mut free: Vec<u64> = targets.iter().map(|t| t.free).collect();
    guests
        .iter()
        .map(|guest| {
            let chosen = guest
                .fits
                .iter()
                .copied()
                .filter_map(|position| Some((position, *free.get(position)?)))
                .filter(|(_, left)| *left >= guest.needs)
                .min_by_key(|(position, left)| (prefers(*left), *position));
            let reference = guest.row.reference;
            let target = chosen.and_then(|(position, left)| {
                *free.get_mut(position)? = left.saturating_sub(guest.needs);
                Some(targets.get(position)?.row.reference)
            });
            (
                reference,
                target.ok_or_else(|| ApiError::new("HOST_NOT_ENOUGH_FREE_MEMORY", [reference.to_string()])),
            )
        })
        .collect()
}

/// `CANNOT_EVACUATE_HOST [text]` if any guest has no place: `code,param|code,param`.
///
/// # Errors
/// See above.
pub fn check(plan: &[Fate]) -> Result<(), ApiError> {
    let obstacles: Vec<String> = plan
        .iter()
        .filter_map(|(_, fate)| fate.as_ref().err())
        .map(|error| error.description().join(","))
        .collect();
    if obstacles.is_empty() {
        Ok(())
    } else {
        Err(ApiError::new("CANNOT_EVACUATE_HOST", [obstacles.join("|")]))
    }
}
