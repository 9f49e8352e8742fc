//! A host's comings and goings: enabled, emptied, rebooted, given up.

use proto_types::generated::{host, vm};
use proto_types::{ApiError, Ref, Value};

use crate::database::Database;
use crate::decide::host::HostFacts;
use crate::decide::{operation, setting, vm_power};
use crate::draft::Draft;
use crate::evacuation::{self, Fate};
use crate::row::Row;
use crate::{host_rules, placement};

/// What has happened to a host since it last described itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// Nothing that concerns the pool.
    Nothing,
    /// Its node was started anew.
    NodeStarted,
    /// The host itself was.
    Booted,
}

/// Compares a host's record with what it says of itself now.
pub fn since(row: &Row, facts: &HostFacts) -> Since {
    let differs = |key: &str, now: i64| {
        row.get(host::OTHER_CONFIG)
            .get(key)
            .is_some_and(|then| then != format!("{now}."))
    };
    if differs("boot_time", facts.booted.0) {
        Since::Booted
    } else if differs("agent_start_time", facts.started.0) {
        Since::NodeStarted
    } else {
        Since::Nothing
    }
}

/// When a host's node last started, in seconds since 1970, by its record.
pub fn node_start(row: &Row) -> i64 {
    row.get(host::OTHER_CONFIG)
        .get("agent_start_time")
        .and_then(|text| text.trim_end_matches('.').parse().ok())
        .unwrap_or(0)
}

fn stays_disabled_key(row: &Row) -> String {
    format!("stays_disabled/{}", row.uuid())
}

/// A host whose node has just started takes guests again, unless it was told to stay disabled. What it was asked to do
/// before it went down is over.
pub fn came_up(draft: &mut Draft<'_>, row: &Row) {
    let stays_disabled = setting::get(draft.db(), &stays_disabled_key(row)).is_some();
    let going_down: Vec<Value> = row
        .get(host::CURRENT_OPERATIONS)
        .as_map()
        .into_iter()
        .flatten()
        .filter(|(_, o)| matches!(o.as_str(), "shutdown" | "reboot"))
        .map(|(task, _)| task.clone())
        .collect();
    for task in going_down {
        draft.remove_key(row.reference, host::CURRENT_OPERATIONS, task);
    }
    if !stays_disabled {
        draft.set(row.reference, host::ENABLED, true);
    }
}

/// Whether a disabled host takes guests again when its node is next started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Afterwards {
    /// It does.
    Enable,
    /// It stays disabled until it is told otherwise.
    StayDisabled,
}

/// `host.enable`.
///
/// # Errors
/// `HANDLE_INVALID`; `HOST_OFFLINE [host]`; `OTHER_OPERATION_IN_PROGRESS` while it goes down.
pub fn enable(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = host_rules::admitted(draft, reference, "enable")?;
    draft.set(reference, host::ENABLED, true);
    setting::put(draft, &stays_disabled_key(&row), None);
    Ok(())
}

/// `host.disable`: no guest comes any more; those that are there go on.
///
/// # Errors
/// `HANDLE_INVALID`; `HA_OPERATION_WOULD_BREAK_FAILOVER_PLAN`.
pub fn disable(draft: &mut Draft<'_>, reference: Ref, afterwards: Afterwards) -> Result<(), ApiError> {
    let row = draft.read(host::CLASS, reference)?;
    draft.set(reference, host::ENABLED, false);
    let kept = (afterwards == Afterwards::StayDisabled).then_some("true");
    setting::put(draft, &stays_disabled_key(&row), kept);
    super::ha::guard(draft)
}

/// Begins to take all guests off a host: marks it, and says where each goes.
///
/// # Errors
/// As [`host_rules::check`]; the first guest's own reason if any cannot leave: nothing is moved then.
pub fn begin_evacuation(
    draft: &mut Draft<'_>,
    reference: Ref,
    task: Ref,
) -> Result<Vec<(Ref, Ref)>, ApiError> {
    let row = host_rules::admitted(draft, reference, "evacuate")?;
    let plan: Vec<Fate> = evacuation::plan(draft.db(), &row);
    let moves = plan
        .into_iter()
        .map(|(guest, fate)| fate.map(|target| (guest, target)))
        .collect::<Result<Vec<_>, ApiError>>()?;
    operation::begin(draft, reference, host::CURRENT_OPERATIONS, task, "evacuate");
    Ok(moves)
}

/// Begins a reboot or power-off: marks the host and says which guests are to be shut down first.
///
/// # Errors
/// As [`host_rules::check`] for `reboot` and `shutdown`.
pub fn begin_going_down(
    draft: &mut Draft<'_>,
    reference: Ref,
    task: Ref,
    name: &str,
) -> Result<Vec<Ref>, ApiError> {
    let row = host_rules::admitted(draft, reference, name)?;
    operation::begin(draft, reference, host::CURRENT_OPERATIONS, task, name);
    let guests = row.get(host::RESIDENT_VMS).as_refs();
    Ok(guests
        .into_iter()
        .filter_map(|r| draft.db().of_class(vm::CLASS, r))
        .filter(|v| !v.get(vm::IS_CONTROL_DOMAIN).as_bool())
        .filter(|v| v.get(vm::OTHER_CONFIG).get("auto_poweroff").is_none())
        .map(|v| v.reference)
        .collect())
}

/// The host is on its way down: it counts as away from now on.
pub fn commit_going_down(draft: &mut Draft<'_>, reference: Ref, task: Ref) {
    end(draft, reference, task);
    super::host::set_live(draft, reference, false);
}

/// Takes an operation's mark away.
pub fn end(draft: &mut Draft<'_>, reference: Ref, task: Ref) {
    operation::end(draft, reference, host::CURRENT_OPERATIONS, task);
}

fn dead_key(row: &Row) -> String {
    format!("declared_dead/{}", row.uuid())
}

/// `host.declare_dead`: the operator's word that a silent host is down for certain. Its guests count as halted, until it is
/// heard again nothing counts as running there.
///
/// # Errors
/// `HANDLE_INVALID`; `HOST_IS_LIVE [host]` while it answers.
pub fn declare_dead(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = not_live(draft, reference)?;
    for guest in row.get(host::RESIDENT_VMS).as_refs() {
        let control = draft
            .db()
            .of_class(vm::CLASS, guest)
            .is_none_or(|v| v.get(vm::IS_CONTROL_DOMAIN).as_bool());
        if !control {
            vm_power::given_up(draft, guest);
        }
    }
    setting::put(draft, &dead_key(&row), Some("true"));
    Ok(())
}

/// Whether the operator has said that a host is down, and it was not heard since: migrations need not wait for its word.
pub fn is_declared_dead(db: &Database, reference: Ref) -> bool {
    db.of_class(host::CLASS, reference)
        .is_some_and(|row| setting::get(db, &dead_key(row)).is_some())
}

/// A host is heard.
pub(super) fn is_heard(draft: &mut Draft<'_>, row: &Row) {
    setting::put(draft, &dead_key(row), None);
}

/// Forgets what was kept of a host that leaves the pool.
pub(super) fn forget(draft: &mut Draft<'_>, row: &Row) {
    setting::put(draft, &stays_disabled_key(row), None);
    setting::put(draft, &dead_key(row), None);
}

fn not_live(draft: &mut Draft<'_>, reference: Ref) -> Result<std::sync::Arc<Row>, ApiError> {
    let row = draft.read(host::CLASS, reference)?;
    draft.note(row.get(host::METRICS).as_ref());
    if placement::is_live(draft.db(), &row) {
        Err(ApiError::new("HOST_IS_LIVE", [reference.to_string()]))
    } else {
        Ok(row)
    }
}

/// Halted VMs that are to start by themselves after a host has booted, in their order.
pub fn starts_by_itself(db: &Database) -> Vec<Ref> {
    use proto_types::generated::pool;
    let wanted = db
        .only(pool::CLASS)
        .is_some_and(|p| p.get(pool::OTHER_CONFIG).get("auto_poweron") == Some("true"));
    if !wanted {
        return Vec::new();
    }
    let mut found: Vec<(i64, Ref)> = db
        .rows(vm::CLASS)
        .filter(|v| v.get(vm::OTHER_CONFIG).get("auto_poweron") == Some("true"))
        .filter(|v| crate::vm_rules::check(db, v, "start").is_ok())
        .map(|v| (v.get(vm::ORDER).as_int(), v.reference))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, r)| r).collect()
}
