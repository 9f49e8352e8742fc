//! High availability is turned on and off; failures are played.

use std::sync::Arc;

use proto_types::generated::{host, pool, sr};
use proto_types::{ApiError, Ref, Value};

use crate::decide::{ha, operation, setting};
use crate::draft::Draft;
use crate::placement;
use crate::row::Row;

/// Begins to turn high availability on: from here on every host that asks is told that it needs a lease. Says which
/// hosts there are.
///
/// # Errors
/// `HA_IS_ENABLED`; `HANDLE_INVALID` for a repository; `HOST_OFFLINE [host]`; `INVALID_VALUE [timeout, value]`;
/// `OTHER_OPERATION_IN_PROGRESS` while it is being turned on or off.
pub fn begin_enabling(
    draft: &mut Draft<'_>,
    task: Ref,
    repositories: &[Ref],
    configuration: &Value,
) -> Result<Vec<Ref>, ApiError> {
    let row = idle_pool(draft)?;
    if row.get(pool::HA_ENABLED).as_bool() {
        return Err(ApiError::bare("HA_IS_ENABLED"));
    }
    // No statefile is kept anywhere; what is named must exist all the same.
    for storage in repositories {
        draft.read(sr::CLASS, *storage)?;
    }
    if let Some(text) = configuration.get("timeout")
        && !text
            .parse::<u64>()
            .is_ok_and(|seconds| (6..=600).contains(&seconds))
    {
        return Err(ApiError::new("INVALID_VALUE", ["timeout", text]));
    }
    let hosts: Vec<_> = draft.db().rows(host::CLASS).cloned().collect();
    for host_row in &hosts {
        draft.note(host_row.get(host::METRICS).as_ref());
        if !placement::is_live(draft.db(), host_row) {
            return Err(ApiError::new("HOST_OFFLINE", [host_row.reference.to_string()]));
        }
    }
    let mut kept = configuration.as_map().cloned().unwrap_or_default();
    if configuration.get("timeout").is_none()
        && let Some(text) = row.get(pool::OTHER_CONFIG).get("default_ha_timeout")
    {
        kept.insert("timeout".into(), text.into());
    }
    draft.set(row.reference, pool::HA_CONFIGURATION, Value::Map(kept));
    operation::begin(draft, row.reference, pool::CURRENT_OPERATIONS, task, "ha_enable");
    Ok(hosts.iter().map(|h| h.reference).collect())
}

fn idle_pool(draft: &mut Draft<'_>) -> Result<Arc<Row>, ApiError> {
    let reference = draft.db().only(pool::CLASS).map_or(Ref::NULL, |p| p.reference);
    let row = draft.read(pool::CLASS, reference)?;
    let rival = row
        .get(pool::CURRENT_OPERATIONS)
        .as_map()
        .and_then(|m| {
            m.iter()
                .find(|(_, o)| matches!(o.as_str(), "ha_enable" | "ha_disable"))
        })
        .map(|(task, name)| [name.as_str().to_owned(), task.as_str().to_owned()]);
    match rival {
        Some([name, task]) => Err(ApiError::new(
            "OTHER_OPERATION_IN_PROGRESS",
            ["pool".to_owned(), reference.to_string(), name, task],
        )),
        None => Ok(row),
    }
}

/// Every host is armed: high availability is on.
pub fn commit_enabling(draft: &mut Draft<'_>, task: Ref) {
    let Some(row) = draft.db().only(pool::CLASS).cloned() else {
        return;
    };
    operation::end(draft, row.reference, pool::CURRENT_OPERATIONS, task);
    draft.set(row.reference, pool::HA_ENABLED, true);
    ha::refresh_plan(draft);
}

/// It stays off.
pub fn abort_enabling(draft: &mut Draft<'_>, task: Ref) {
    let Some(row) = draft.db().only(pool::CLASS).cloned() else {
        return;
    };
    operation::end(draft, row.reference, pool::CURRENT_OPERATIONS, task);
}

/// Turns high availability off. From here on no host that asks needs a lease, and nothing is started elsewhere. Says
/// which hosts are to be told.
///
/// # Errors
/// `HA_NOT_ENABLED`; `OTHER_OPERATION_IN_PROGRESS`.
pub fn begin_disabling(draft: &mut Draft<'_>, task: Ref) -> Result<Vec<Ref>, ApiError> {
    let row = idle_pool(draft)?;
    if !row.get(pool::HA_ENABLED).as_bool() {
        return Err(ApiError::bare("HA_NOT_ENABLED"));
    }
    draft.update(
        row.reference,
        vec![
            (pool::HA_ENABLED, false.into()),
            (pool::HA_PLAN_EXISTS_FOR, 0.into()),
            (pool::HA_OVERCOMMITTED, false.into()),
        ],
    );
    operation::begin(draft, row.reference, pool::CURRENT_OPERATIONS, task, "ha_disable");
    Ok(draft.db().rows(host::CLASS).map(|h| h.reference).collect())
}

/// The hosts that were reached have been told.
pub fn end_disabling(draft: &mut Draft<'_>, task: Ref) {
    abort_enabling(draft, task);
}

const DRILL: &str = "drill/until";
/// Time that a pool gets after a drill before the next one.
const RECOVERY: i64 = 10;
/// The longest failure that is played.
pub const LONGEST_DRILL: i64 = 120;

/// Lets a failure be played on a host: only in a pool that can bear it, and one at a time.
///
/// # Errors
/// `HANDLE_INVALID`; `INVALID_VALUE [seconds, n]`; `HA_TOO_FEW_HOSTS` below three; `HOST_OFFLINE [host]` if any is away;
/// `OPERATION_NOT_ALLOWED` while another is being played.
pub fn begin_drill(draft: &mut Draft<'_>, reference: Ref, seconds: i64) -> Result<(), ApiError> {
    draft.read(host::CLASS, reference)?;
    if !(1..=LONGEST_DRILL).contains(&seconds) {
        return Err(ApiError::new(
            "INVALID_VALUE",
            ["seconds".to_owned(), seconds.to_string()],
        ));
    }
    let hosts: Vec<_> = draft.db().rows(host::CLASS).cloned().collect();
    if hosts.len() < 3 {
        return Err(ApiError::bare("HA_TOO_FEW_HOSTS"));
    }
    if let Some(away) = hosts.iter().find(|h| !placement::is_live(draft.db(), h)) {
        return Err(ApiError::new("HOST_OFFLINE", [away.reference.to_string()]));
    }
    let now = draft.facts().now.0;
    let busy_until = setting::get(draft.db(), DRILL).and_then(|text| text.parse::<i64>().ok());
    if busy_until.is_some_and(|until| now < until) {
        return Err(ApiError::new(
            "OPERATION_NOT_ALLOWED",
            ["A failure is being played already"],
        ));
    }
    let until = now.saturating_add(seconds).saturating_add(RECOVERY).to_string();
    setting::put(draft, DRILL, Some(&until));
    Ok(())
}
