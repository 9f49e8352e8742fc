//! High availability: which VMs must run, whether they could if hosts failed, and what follows when one does.

use std::collections::BTreeMap;

use proto_types::generated::{host, host_metrics, pool, vif, vm};
use proto_types::{ApiError, Ref};

use crate::database::Database;
use crate::decide::message::{self, Notice};
use crate::decide::{setting, unique, vm_power};
use crate::draft::Draft;
use crate::failover::{Board, Fits, Guest};
use crate::row::Row;
use crate::{placement, vm_rules};

/// A VM with this priority is started again until it runs.
pub const RESTART: &str = "restart";
/// A VM with this priority is started again once, if there is room.
pub const BEST_EFFORT: &str = "best-effort";
const PREVENTED: &str = "ha/no_restarts_until";

fn pool_row(db: &Database) -> Option<&std::sync::Arc<Row>> {
    db.only(pool::CLASS)
}

/// Whether high availability is on.
pub fn is_on(db: &Database) -> bool {
    pool_row(db).is_some_and(|p| p.get(pool::HA_ENABLED).as_bool())
}

/// What a host is told that asks for a lease: `None` while none is needed, else the seconds in the pool's configuration,
/// if it has any. While high availability is being turned on hosts need one already.
pub fn lease(db: &Database) -> Option<Option<u64>> {
    let row = pool_row(db)?;
    let coming = row
        .get(pool::CURRENT_OPERATIONS)
        .as_map()
        .is_some_and(|m| m.values().any(|o| o.as_str() == "ha_enable"));
    if !row.get(pool::HA_ENABLED).as_bool() && !coming {
        return None;
    }
    Some(
        row.get(pool::HA_CONFIGURATION)
            .get("timeout")
            .and_then(|text| text.parse().ok()),
    )
}

/// Whether the pool sees to it that a VM runs.
pub fn is_protected(row: &Row) -> bool {
    row.get(vm::HA_RESTART_PRIORITY).as_str() == RESTART && row.get(vm::HA_ALWAYS_RUN).as_bool()
}

fn is_guest(row: &Row) -> bool {
    !row.get(vm::IS_CONTROL_DOMAIN).as_bool()
        && !row.get(vm::IS_A_TEMPLATE).as_bool()
        && !row.get(vm::IS_A_SNAPSHOT).as_bool()
}

/// Hosts and guests as numbers, with the rows they stand for.
struct Mapped {
    board: Board,
    hosts: Vec<Ref>,
    guests: Vec<Ref>,
}

/// The hosts that take guests, and the guests that `wanted` chooses.
fn mapped(db: &Database, wanted: impl Fn(&Row) -> bool) -> Mapped {
    let rows: Vec<_> = db
        .rows(host::CLASS)
        .filter(|h| placement::is_live(db, h) && h.get(host::ENABLED).as_bool())
        .collect();
    // One walk over the guests instead of one for each host.
    let mut taken: BTreeMap<Ref, u64> = BTreeMap::new();
    for row in db
        .rows(vm::CLASS)
        .filter(|v| !v.get(vm::IS_CONTROL_DOMAIN).as_bool())
    {
        let (on, next) = (
            row.get(vm::RESIDENT_ON).as_ref(),
            row.get(vm::SCHEDULED_TO_BE_RESIDENT_ON).as_ref(),
        );
        let needs = placement::memory_needed(row).get();
        for place in [Some(on), (next != on).then_some(next)].into_iter().flatten() {
            if !place.is_null() {
                let sum = taken.entry(place).or_default();
                *sum = sum.saturating_add(needs);
            }
        }
    }
    let free = rows
        .iter()
        .map(|h| {
            let total = db
                .of_class(host_metrics::CLASS, h.get(host::METRICS).as_ref())
                .map_or(0, |m| m.get(host_metrics::MEMORY_TOTAL).as_int());
            let own = h.get(host::MEMORY_OVERHEAD).as_int();
            u64::try_from(total.saturating_sub(own))
                .unwrap_or(0)
                .saturating_sub(taken.get(&h.reference).copied().unwrap_or(0))
        })
        .collect();
    let mut seen: BTreeMap<(Vec<Ref>, Vec<Ref>), Fits> = BTreeMap::new();
    let mut guests = Vec::new();
    let mut references = Vec::new();
    for row in db.rows(vm::CLASS).filter(|v| is_guest(v) && wanted(v)) {
        let networks = row
            .get(vm::VIFS)
            .as_refs()
            .into_iter()
            .filter_map(|r| Some(db.of_class(vif::CLASS, r)?.get(vif::NETWORK).as_ref()))
            .collect();
        let fits = seen
            .entry((placement::storages(db, row), networks))
            .or_insert_with(|| {
                let places: Vec<usize> = rows
                    .iter()
                    .enumerate()
                    .filter(|(_, h)| placement::can_host(db, row, h).is_ok())
                    .map(|(position, _)| position)
                    .collect();
                if places.len() == rows.len() {
                    Fits::Everywhere
                } else {
                    Fits::Only(places)
                }
            })
            .clone();
        // One on its way up is as good as there.
        let on = row
            .get(vm::RESIDENT_ON)
            .as_ref()
            .some()
            .unwrap_or_else(|| row.get(vm::SCHEDULED_TO_BE_RESIDENT_ON).as_ref());
        guests.push(Guest {
            needs: placement::memory_needed(row).get(),
            on: rows.iter().position(|h| h.reference == on),
            fits,
        });
        references.push(row.reference);
    }
    Mapped {
        board: Board { free, guests },
        hosts: rows.iter().map(|h| h.reference).collect(),
        guests: references,
    }
}

/// So many hosts can fail at once and leave a majority to go on with.
fn borne_by_majority(db: &Database) -> usize {
    db.count(host::CLASS)
        .saturating_sub(1)
        .checked_div(2)
        .unwrap_or(0)
}

/// How many hosts may fail at once, whichever they are, with every VM that `wanted` chooses running again: as many as
/// leave a majority and room.
fn most(db: &Database, wanted: impl Fn(&Row) -> bool) -> i64 {
    let most = mapped(db, wanted).board.most(borne_by_majority(db)).unwrap_or(0);
    i64::try_from(most).unwrap_or(i64::MAX)
}

/// `pool.ha_compute_max_host_failures_to_tolerate`.
pub fn most_failures(db: &Database) -> i64 {
    most(db, is_protected)
}

/// `pool.ha_compute_hypothetical_max_host_failures_to_tolerate`: only the VMs named count, with these priorities.
///
/// # Errors
/// `INVALID_VALUE [ha_restart_priority, value]`; `HANDLE_INVALID`.
pub fn most_failures_with(db: &Database, priorities: &[(Ref, String)]) -> Result<i64, ApiError> {
    for (reference, priority) in priorities {
        check_priority(priority)?;
        crate::query::find(db, vm::CLASS, *reference)?;
    }
    Ok(most(db, |row| {
        priorities
            .iter()
            .any(|(reference, priority)| *reference == row.reference && priority == RESTART)
    }))
}

/// Says whether a priority is one.
///
/// # Errors
/// `INVALID_VALUE [ha_restart_priority, value]`.
pub fn check_priority(value: &str) -> Result<(), ApiError> {
    if matches!(value, "" | RESTART | BEST_EFFORT) {
        Ok(())
    } else {
        Err(ApiError::new("INVALID_VALUE", ["ha_restart_priority", value]))
    }
}

/// `pool.ha_failover_plan_exists`.
pub fn plan_exists(db: &Database, failures: i64) -> bool {
    failures <= most_failures(db)
}

/// Where VMs would go if hosts failed: `pool.ha_compute_vm_failover_plan`, and what a restart follows.
pub fn plan(db: &Database, failed: &[Ref], guests: &[Ref]) -> Vec<(Ref, Result<Ref, ApiError>)> {
    let mapped = mapped(db, |row| guests.contains(&row.reference));
    let position = |of: &Ref| mapped.hosts.iter().position(|h| h == of);
    let gone: Vec<usize> = failed.iter().filter_map(position).collect();
    let all: Vec<usize> = (0..mapped.guests.len()).collect();
    let places = mapped.board.plan(&gone, &all);
    mapped
        .guests
        .iter()
        .zip(places)
        .map(|(guest, place)| {
            let target = place.and_then(|p| mapped.hosts.get(p).copied());
            (*guest, target.ok_or_else(|| why_not(db, *guest)))
        })
        .collect()
}

fn why_not(db: &Database, guest: Ref) -> ApiError {
    db.of_class(vm::CLASS, guest)
        .and_then(|row| placement::check_agile(db, row).err())
        .unwrap_or_else(|| ApiError::bare("NO_HOSTS_AVAILABLE"))
}

/// Refuses what a decision has written so far if fewer failures could be borne by it than are now.
///
/// # Errors
/// `HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN` unless overcommitting is allowed.
pub fn guard(draft: &mut Draft<'_>) -> Result<(), ApiError> {
    let Some(row) = pool_row(draft.db()).cloned() else {
        return Ok(());
    };
    if !row.get(pool::HA_ENABLED).as_bool() || row.get(pool::HA_ALLOW_OVERCOMMIT).as_bool() {
        return Ok(());
    }
    // Touched, not only read: of two that each leave room enough for one, the second must see the first.
    draft.note(row.reference);
    draft.touch(row.reference);
    if plan_exists(draft.db(), row.get(pool::HA_PLAN_EXISTS_FOR).as_int()) {
        Ok(())
    } else {
        Err(ApiError::bare("HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN"))
    }
}

/// Refuses the start of a VM that is not among those that must run, if too little room would be left for these; or if it
/// would be one of them and could not.
///
/// # Errors
/// As [`guard`], whose plan counts the VM as running already; as [`placement::check_agile`].
pub fn guard_start(draft: &mut Draft<'_>, row: &Row) -> Result<(), ApiError> {
    if !must_be_agile(draft.db()) {
        return Ok(());
    }
    if row.get(vm::HA_RESTART_PRIORITY).as_str() != RESTART {
        return guard(draft);
    }
    placement::check_agile(draft.db(), row)?;
    let already = row.get(vm::HA_ALWAYS_RUN).as_bool();
    draft.set(row.reference, vm::HA_ALWAYS_RUN, true);
    let answer = guard(draft);
    draft.set(row.reference, vm::HA_ALWAYS_RUN, already);
    answer
}

/// `VM.set_ha_restart_priority`. A VM that runs when it is given the first priority is kept running from then on.
///
/// # Errors
/// `INVALID_VALUE`; with high availability on and overcommitting not allowed also why the VM could not run on every host
/// ([`placement::check_agile`]), and [`guard`]'s.
pub fn set_restart_priority(draft: &mut Draft<'_>, reference: Ref, value: &str) -> Result<(), ApiError> {
    let row = draft.read(vm::CLASS, reference)?;
    check_priority(value)?;
    if row.get(vm::HA_RESTART_PRIORITY).as_str() == value {
        return Ok(());
    }
    draft.set(reference, vm::HA_RESTART_PRIORITY, value);
    if value != RESTART {
        draft.set(reference, vm::HA_ALWAYS_RUN, false);
        return Ok(());
    }
    let runs = row.get(vm::POWER_STATE).as_str() == vm_rules::RUNNING;
    draft.set(reference, vm::HA_ALWAYS_RUN, runs);
    if must_be_agile(draft.db()) {
        placement::check_agile(draft.db(), &row)?;
    }
    guard(draft)
}

/// `VM.set_ha_always_run`.
///
/// # Errors
/// As [`set_restart_priority`].
pub fn set_always_run(draft: &mut Draft<'_>, reference: Ref, value: bool) -> Result<(), ApiError> {
    let row = draft.read(vm::CLASS, reference)?;
    draft.set(reference, vm::HA_ALWAYS_RUN, value);
    if !value || row.get(vm::HA_RESTART_PRIORITY).as_str() != RESTART {
        return Ok(());
    }
    if must_be_agile(draft.db()) {
        placement::check_agile(draft.db(), &row)?;
    }
    guard(draft)
}

/// Whether a protected VM must be able to run on every host.
pub fn must_be_agile(db: &Database) -> bool {
    pool_row(db)
        .is_some_and(|p| p.get(pool::HA_ENABLED).as_bool() && !p.get(pool::HA_ALLOW_OVERCOMMIT).as_bool())
}

/// `pool.set_ha_host_failures_to_tolerate`.
///
/// # Errors
/// `INVALID_VALUE [ha_host_failures_to_tolerate, n]` below zero; `HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN` for more than
/// can be borne, while high availability is on and overcommitting is not allowed.
pub fn set_failures(draft: &mut Draft<'_>, reference: Ref, failures: i64) -> Result<(), ApiError> {
    let row = draft.read(pool::CLASS, reference)?;
    if failures < 0 {
        return Err(ApiError::new(
            "INVALID_VALUE",
            ["ha_host_failures_to_tolerate".to_owned(), failures.to_string()],
        ));
    }
    if must_be_agile(draft.db()) && !plan_exists(draft.db(), failures) {
        return Err(ApiError::bare("HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN"));
    }
    draft.set(reference, pool::HA_HOST_FAILURES_TO_TOLERATE, failures);
    if row.get(pool::HA_ENABLED).as_bool() {
        refresh_plan(draft);
    }
    Ok(())
}

/// Brings what the pool's row says of the plan up to date, and tells people when it has become worse.
pub fn refresh_plan(draft: &mut Draft<'_>) {
    let Some(row) = pool_row(draft.db()).cloned() else {
        return;
    };
    if !row.get(pool::HA_ENABLED).as_bool() {
        return;
    }
    let wanted = row.get(pool::HA_HOST_FAILURES_TO_TOLERATE).as_int();
    let borne = most_failures(draft.db()).min(wanted);
    let short = borne < wanted;
    let (was_borne, was_short) = (
        row.get(pool::HA_PLAN_EXISTS_FOR).as_int(),
        row.get(pool::HA_OVERCOMMITTED).as_bool(),
    );
    draft.update(
        row.reference,
        vec![
            (pool::HA_PLAN_EXISTS_FOR, borne.into()),
            (pool::HA_OVERCOMMITTED, short.into()),
        ],
    );
    let notice = |name| Notice {
        name,
        priority: 3,
        cls: "Pool",
        object: row.uuid(),
        body: format!("failures to tolerate: {wanted}, borne now: {borne}, before: {was_borne}"),
    };
    if short && !was_short {
        message::add(draft, &notice("HA_POOL_OVERCOMMITTED"));
    } else if borne < was_borne && short {
        message::add(draft, &notice("HA_POOL_DROP_IN_PLAN_EXISTS_FOR"));
    }
}

/// A host's lease is over: it is away and its guests are ended. Those that nobody is at work on are halted; the others are
/// left to whoever is, and to the next call. Nothing happens once high availability is off: no lease ends anything then.
pub fn host_lost(draft: &mut Draft<'_>, reference: Ref) {
    let Some(row) = draft.db().of_class(host::CLASS, reference).cloned() else {
        return;
    };
    let Some(pool_row) = pool_row(draft.db()).map(|p| p.reference) else {
        return;
    };
    draft.note(pool_row);
    if !is_on(draft.db()) {
        return;
    }
    if placement::is_live(draft.db(), &row) {
        super::host::set_live(draft, reference, false);
        message::add(
            draft,
            &Notice {
                name: "HA_HOST_FAILED",
                priority: 3,
                cls: "Host",
                object: row.uuid(),
                body: String::new(),
            },
        );
    }
    for guest in row.get(host::RESIDENT_VMS).as_refs() {
        let Some(guest_row) = draft.db().of_class(vm::CLASS, guest).cloned() else {
            continue;
        };
        if guest_row.get(vm::IS_CONTROL_DOMAIN).as_bool() || vm_rules::is_busy(&guest_row) {
            continue;
        }
        draft.note(guest);
        lost(draft, guest);
        if guest_row.get(vm::HA_RESTART_PRIORITY).as_str() == BEST_EFFORT {
            // The mark of a start that is owed once; the start takes it away, and so does the next leader's.
            draft.set(guest, vm::HA_ALWAYS_RUN, true);
        }
    }
}

/// A VM ended that nobody meant to end. With high availability on a protected one is to run again.
pub fn lost(draft: &mut Draft<'_>, reference: Ref) {
    let again = is_on(draft.db())
        && draft
            .db()
            .of_class(vm::CLASS, reference)
            .is_some_and(|row| is_protected(row));
    vm_power::halted(draft, reference);
    if again {
        draft.set(reference, vm::HA_ALWAYS_RUN, true);
    }
}

/// A VM runs: one of the first priority is kept running from now on, one that was to be started once has been.
pub(super) fn runs(draft: &mut Draft<'_>, row: &Row) {
    match row.get(vm::HA_RESTART_PRIORITY).as_str() {
        RESTART => draft.set(row.reference, vm::HA_ALWAYS_RUN, true),
        BEST_EFFORT => draft.set(row.reference, vm::HA_ALWAYS_RUN, false),
        _ => {}
    }
}

/// Whether a VM is to be started again, if it does not run: for good, or once.
fn is_awaited(row: &Row) -> bool {
    let priority = row.get(vm::HA_RESTART_PRIORITY).as_str();
    row.get(vm::HA_ALWAYS_RUN).as_bool() && matches!(priority, RESTART | BEST_EFFORT)
}

/// A group of VMs that are started together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Which.
    pub guests: Vec<Ref>,
    /// Seconds to wait before the next group.
    pub delay: u64,
}

/// The VMs that are to be started again, do not run, and that nobody is at work on: groups in their order. Those that
/// `admits` leaves out are in none.
pub fn to_restart(db: &Database, admits: impl Fn(Ref) -> bool) -> Vec<Group> {
    let mut groups: BTreeMap<(bool, i64), Group> = BTreeMap::new();
    for row in db.rows(vm::CLASS).filter(|v| is_guest(v)) {
        let wanted = is_awaited(row) && admits(row.reference);
        if !wanted || vm_rules::check(db, row, "start").is_err() {
            continue;
        }
        // Those that are started if there is room come last.
        let place = (!is_protected(row), row.get(vm::ORDER).as_int());
        let group = groups.entry(place).or_insert_with(|| Group {
            guests: Vec::new(),
            delay: 0,
        });
        group.guests.push(row.reference);
        let delay = u64::try_from(row.get(vm::START_DELAY).as_int()).unwrap_or(0);
        group.delay = group.delay.max(delay);
    }
    groups.into_values().collect()
}

/// Whether a VM may still be started again, in the decision that begins it: much may have happened since it was chosen.
///
/// # Errors
/// `HA_NOT_ENABLED`; `OPERATION_NOT_ALLOWED` while restarts are held back, or if nobody wants this VM to run any more.
pub fn check_restart(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let pool_row = pool_row(draft.db()).map_or(Ref::NULL, |p| p.reference);
    draft.note(pool_row);
    if !is_on(draft.db()) {
        return Err(ApiError::bare("HA_NOT_ENABLED"));
    }
    let row = draft.read(vm::CLASS, reference)?;
    let text = if is_prevented(draft.db(), draft.facts().now) {
        "Restarts are held back"
    } else if is_awaited(&row) {
        return Ok(());
    } else {
        "Nobody wants the VM to run any more"
    };
    Err(ApiError::new("OPERATION_NOT_ALLOWED", [text]))
}

/// A VM could not be started again. People hear of it if it is protected; one that was to be started once is not tried
/// any more.
pub fn restart_failed(draft: &mut Draft<'_>, reference: Ref) {
    let Some(row) = draft.db().of_class(vm::CLASS, reference).cloned() else {
        return;
    };
    if row.get(vm::HA_RESTART_PRIORITY).as_str() != RESTART {
        draft.note(reference);
        draft.set(reference, vm::HA_ALWAYS_RUN, false);
        return;
    }
    message::add(
        draft,
        &Notice {
            name: "HA_PROTECTED_VM_RESTART_FAILED",
            priority: 2,
            cls: "VM",
            object: row.uuid(),
            body: String::new(),
        },
    );
}

/// `pool.ha_prevent_restarts_for`. Zero lets them go on.
pub fn prevent_restarts(draft: &mut Draft<'_>, seconds: i64) {
    let until = draft.facts().now.0.saturating_add(seconds.max(0));
    let text = until.to_string();
    setting::put(draft, PREVENTED, (seconds > 0).then_some(text.as_str()));
    // A restart that is being decided rests on the pool's row.
    unique::one_at_a_time(draft);
}

/// Whether restarts are held back at a time.
pub fn is_prevented(db: &Database, now: proto_types::DateTime) -> bool {
    setting::get(db, PREVENTED)
        .and_then(|text| text.parse::<i64>().ok())
        .is_some_and(|until| now.0 < until)
}
