//! Schedules of snapshots (class `VMSS`): what they hold, when they are due, and which snapshots go.
//!
//! Source of keys and bounds: XenServer's documentation of scheduled snapshots.

use std::collections::BTreeMap;

use proto_types::generated::{vm, vmss};
use proto_types::{ApiError, DateTime, Field, Ref, Value};

use crate::database::Database;
use crate::decide::generic;
use crate::draft::Draft;
use crate::row::Row;
use crate::vm_rules;

/// How many snapshots of a VM may be kept.
const RETAINED: std::ops::RangeInclusive<i64> = 1..=10;
const MINUTES: &[&str] = &["0", "15", "30", "45"];
/// From Monday, as weeks are counted here.
const DAYS: [&str; 7] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
];

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// The keys that a schedule has, with what stands for those that are not given.
fn keys(frequency: &str) -> &'static [(&'static str, &'static str)] {
    match frequency {
        "hourly" => &[("min", "0")],
        "daily" => &[("hour", "0"), ("min", "0")],
        _ => &[("days", "Monday"), ("hour", "0"), ("min", "0")],
    }
}

fn invalid(field: &str, value: &str) -> ApiError {
    ApiError::new("INVALID_VALUE", [field, value])
}

fn check_value(key: &str, value: &str) -> Result<(), ApiError> {
    let is_hour = || {
        value
            .parse::<u8>()
            .is_ok_and(|hour| hour < 24 && hour.to_string() == value)
    };
    let is_good = match key {
        "min" => MINUTES.contains(&value),
        "hour" => is_hour(),
        "days" => days(value).is_some_and(|days| !days.is_empty()),
        _ => false,
    };
    match is_good {
        true => Ok(()),
        false => Err(invalid(&format!("schedule:{key}"), value)),
    }
}

/// The days of a list, Monday being 0; nothing if one of them is none.
fn days(text: &str) -> Option<Vec<i64>> {
    let number = |name: &str| {
        let name = name.trim().to_lowercase();
        (0_i64..)
            .zip(DAYS)
            .find(|(_, day)| *day == name)
            .map(|(number, _)| number)
    };
    text.split(',').map(number).collect()
}

/// A schedule with all that its frequency needs and nothing else.
///
/// # Errors
/// `INVALID_VALUE [schedule:key, value]`.
fn whole(frequency: &str, given: &Value) -> Result<Value, ApiError> {
    let keys = keys(frequency);
    for (key, value) in given.as_map().into_iter().flatten() {
        let name = key.as_str();
        if !keys.iter().any(|(known, _)| *known == name) {
            return Err(invalid(&format!("schedule:{name}"), value.as_str()));
        }
        check_value(name, value.as_str())?;
    }
    let filled = keys.iter().map(|(key, usual)| {
        let value = given.get(key).unwrap_or(usual);
        (Value::str(key), Value::str(value))
    });
    Ok(Value::Map(filled.collect()))
}

fn check_retained(count: i64) -> Result<(), ApiError> {
    match RETAINED.contains(&count) {
        true => Ok(()),
        false => Err(invalid("retained_snapshots", &count.to_string())),
    }
}

fn check_type(kind: &str) -> Result<(), ApiError> {
    if kind == "snapshot_with_quiesce" {
        let reason = "guests are not asked to be quiet";
        return Err(ApiError::new("VALUE_NOT_SUPPORTED", ["type", kind, reason]));
    }
    Ok(())
}

/// `VMSS.create`.
///
/// # Errors
/// `INVALID_VALUE [field, value]`; `VALUE_NOT_SUPPORTED [type, value, reason]`.
pub fn create(draft: &mut Draft<'_>, record: &Value) -> Result<Ref, ApiError> {
    let mut fields: BTreeMap<Field, Value> = generic::fields_of(vmss::CLASS, record)?.into_iter().collect();
    let of = |field: Field| fields.get(&field).cloned().unwrap_or(Value::Void);
    check_type(of(vmss::TYPE).as_str())?;
    check_retained(of(vmss::RETAINED_SNAPSHOTS).as_int())?;
    let schedule = whole(of(vmss::FREQUENCY).as_str(), &of(vmss::SCHEDULE))?;
    fields.insert(vmss::SCHEDULE, schedule);
    Ok(draft.insert(vmss::CLASS, fields.into_iter().collect()))
}

/// `VMSS.destroy`.
///
/// # Errors
/// `HANDLE_INVALID`; `VMSS_HAS_VM []`.
pub fn destroy(draft: &mut Draft<'_>, reference: Ref) -> Result<(), ApiError> {
    let row = draft.read(vmss::CLASS, reference)?;
    if !row.get(vmss::VMS).as_refs().is_empty() {
        return Err(ApiError::bare("VMSS_HAS_VM"));
    }
    draft.delete(reference);
    Ok(())
}

/// `VMSS.set_frequency`: what the schedule has of it stays, the rest is as usual.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn set_frequency(draft: &mut Draft<'_>, reference: Ref, frequency: &str) -> Result<(), ApiError> {
    let row = draft.read(vmss::CLASS, reference)?;
    let stays = row.get(vmss::SCHEDULE).as_map().into_iter().flatten();
    let stays = stays.filter(|(key, _)| keys(frequency).iter().any(|(known, _)| *known == key.as_str()));
    let stays = Value::Map(stays.map(|(key, value)| (key.clone(), value.clone())).collect());
    draft.set(reference, vmss::FREQUENCY, frequency);
    draft.set(reference, vmss::SCHEDULE, whole(frequency, &stays)?);
    Ok(())
}

/// `VMSS.set_schedule`.
///
/// # Errors
/// `HANDLE_INVALID`; `INVALID_VALUE [schedule:key, value]`.
pub fn set_schedule(draft: &mut Draft<'_>, reference: Ref, given: &Value) -> Result<(), ApiError> {
    let row = draft.read(vmss::CLASS, reference)?;
    let schedule = whole(row.get(vmss::FREQUENCY).as_str(), given)?;
    draft.set(reference, vmss::SCHEDULE, schedule);
    Ok(())
}

/// `VMSS.add_to_schedule` with a value, `VMSS.remove_from_schedule` without: the usual value comes back then.
///
/// # Errors
/// `HANDLE_INVALID`; `INVALID_VALUE [schedule:key, value]`.
pub fn set_key(
    draft: &mut Draft<'_>,
    reference: Ref,
    key: &str,
    value: Option<&str>,
) -> Result<(), ApiError> {
    let row = draft.read(vmss::CLASS, reference)?;
    let mut map = row.get(vmss::SCHEDULE).as_map().cloned().unwrap_or_default();
    match value {
        Some(value) => map.insert(Value::str(key), Value::str(value)),
        None => map.remove(&Value::str(key)),
    };
    set_schedule(draft, reference, &Value::Map(map))
}

/// `VMSS.set_retained_snapshots`.
///
/// # Errors
/// `HANDLE_INVALID`; `INVALID_VALUE [retained_snapshots, value]`.
pub fn set_retained(draft: &mut Draft<'_>, reference: Ref, count: i64) -> Result<(), ApiError> {
    draft.read(vmss::CLASS, reference)?;
    check_retained(count)?;
    draft.set(reference, vmss::RETAINED_SNAPSHOTS, Value::Int(count));
    Ok(())
}

/// `VMSS.set_type`.
///
/// # Errors
/// `HANDLE_INVALID`; `VALUE_NOT_SUPPORTED [type, value, reason]`.
pub fn set_type(draft: &mut Draft<'_>, reference: Ref, kind: &str) -> Result<(), ApiError> {
    draft.read(vmss::CLASS, reference)?;
    check_type(kind)?;
    draft.set(reference, vmss::TYPE, kind);
    Ok(())
}

/// `VM.set_snapshot_schedule`; none for the null reference.
///
/// # Errors
/// `HANDLE_INVALID`; `VM_IS_TEMPLATE` and the like for what has no snapshots taken by a schedule.
pub fn assign(draft: &mut Draft<'_>, machine: Ref, schedule: Ref) -> Result<(), ApiError> {
    let row = draft.read(vm::CLASS, machine)?;
    if schedule.some().is_some() {
        draft.read(vmss::CLASS, schedule)?;
        let refused = |code| {
            Err(ApiError::new(
                code,
                [machine.to_string(), "set_snapshot_schedule".to_owned()],
            ))
        };
        if row.get(vm::IS_CONTROL_DOMAIN).as_bool() {
            return Err(ApiError::new(
                "OPERATION_NOT_ALLOWED",
                ["This operation is not allowed on a control domain"],
            ));
        }
        if row.get(vm::IS_A_SNAPSHOT).as_bool() {
            return refused("VM_IS_SNAPSHOT");
        }
        if row.get(vm::IS_A_TEMPLATE).as_bool() {
            return refused("VM_IS_TEMPLATE");
        }
    }
    draft.set(machine, vm::SNAPSHOT_SCHEDULE, schedule);
    Ok(())
}

/// The last time up to `now` at which a schedule wants snapshots; both in the clock that the schedule means.
pub fn last_slot(row: &Row, now: DateTime) -> Option<DateTime> {
    let schedule = row.get(vmss::SCHEDULE);
    let number = |key: &str| {
        schedule
            .get(key)
            .and_then(|text| text.parse::<i64>().ok())
            .unwrap_or(0)
    };
    let (hour, minute) = (number("hour"), number("min"));
    let of_day = hour * HOUR + minute * 60;
    let today = now.0.div_euclid(DAY);
    let slot = match row.get(vmss::FREQUENCY).as_str() {
        "hourly" => (now.0 - minute * 60).div_euclid(HOUR) * HOUR + minute * 60,
        "daily" if today * DAY + of_day <= now.0 => today * DAY + of_day,
        "daily" => (today - 1) * DAY + of_day,
        _ => {
            let wanted = days(schedule.get("days")?)?;
            (0..=7)
                .map(|back| today - back)
                // The first of January 1970 was a Thursday.
                .filter(|day| wanted.contains(&(day + 3).rem_euclid(7)))
                .map(|day| day * DAY + of_day)
                .find(|slot| *slot <= now.0)?
        }
    };
    Some(DateTime(slot))
}

/// The snapshots of a VM by its schedule that are too many, the oldest first.
pub fn too_many(db: &Database, machine: Ref, retained: i64) -> Vec<Ref> {
    let Some(row) = db.of_class(vm::CLASS, machine) else {
        return Vec::new();
    };
    let mut all: Vec<(DateTime, Ref)> = row
        .get(vm::SNAPSHOTS)
        .as_refs()
        .into_iter()
        .filter_map(|snapshot| db.of_class(vm::CLASS, snapshot))
        .filter(|snapshot| snapshot.get(vm::IS_VMSS_SNAPSHOT).as_bool())
        .map(|snapshot| (snapshot.get(vm::SNAPSHOT_TIME).as_time(), snapshot.reference))
        .collect();
    all.sort_unstable();
    let kept = usize::try_from(retained).unwrap_or(usize::MAX);
    let over = all.len().saturating_sub(kept);
    all.into_iter().take(over).map(|(_, snapshot)| snapshot).collect()
}

/// Whether a snapshot of a VM may have its memory in it now.
pub fn has_memory(db: &Database, machine: Ref) -> bool {
    db.of_class(vm::CLASS, machine)
        .is_some_and(|row| vm_rules::check(db, row, "checkpoint").is_ok())
}

#[cfg(test)]
mod test;
