//! When schedules are due, and what they may hold.

use uuid::Uuid;

use super::*;
use crate::apply::apply;
use crate::facts::Facts;
use crate::transaction::Origin;

/// A record to create one from.
fn record(frequency: &str, schedule: &[(&str, &str)], retained: i64) -> Value {
    let schedule = schedule
        .iter()
        .map(|(key, value)| (Value::str(key), Value::str(value)));
    Value::Record(vec![
        ("name_label".into(), "nightly".into()),
        ("type".into(), "snapshot".into()),
        ("frequency".into(), frequency.into()),
        ("schedule".into(), Value::Map(schedule.collect())),
        ("retained_snapshots".into(), Value::Int(retained)),
    ])
}

fn with<T>(act: impl FnOnce(&mut Draft<'_>) -> Result<T, ApiError>) -> Result<(Database, T), ApiError> {
    let facts = Facts::counting(DateTime(1_000));
    let mut db = Database::default();
    let mut draft = Draft::new(&db, &facts);
    let made = act(&mut draft)?;
    let transaction = draft.finish(Uuid::nil(), Origin::default());
    apply(&mut db, 1, &transaction);
    Ok((db, made))
}

fn slot(frequency: &str, schedule: &[(&str, &str)], now: &str) -> String {
    let (db, made) = with(|draft| create(draft, &record(frequency, schedule, 7))).unwrap();
    last_slot(db.get(made).unwrap(), now.parse().unwrap())
        .unwrap()
        .to_string()
}

#[test]
fn the_last_slot_is_found() {
    for (frequency, schedule, now, expected) in [
        ("hourly", &[][..], "20261130T21:00:00Z", "20261130T21:00:00Z"),
        (
            "hourly",
            &[("min", "45")],
            "20261130T21:44:59Z",
            "20261130T20:45:00Z",
        ),
        (
            "hourly",
            &[("min", "15")],
            "20261201T00:05:00Z",
            "20261130T23:15:00Z",
        ),
        (
            "daily",
            &[("hour", "3"), ("min", "30")],
            "20261130T03:30:00Z",
            "20261130T03:30:00Z",
        ),
        (
            "daily",
            &[("hour", "3"), ("min", "30")],
            "20261130T03:29:59Z",
            "20261129T03:30:00Z",
        ),
        // The thirtieth of November 2026 is a Monday.
        ("weekly", &[], "20261130T00:00:00Z", "20261130T00:00:00Z"),
        (
            "weekly",
            &[("hour", "1")],
            "20261130T00:59:00Z",
            "20261123T01:00:00Z",
        ),
        (
            "weekly",
            &[("days", "Friday, sunday")],
            "20261130T12:00:00Z",
            "20261129T00:00:00Z",
        ),
        (
            "weekly",
            &[("days", "Friday")],
            "20261130T12:00:00Z",
            "20261127T00:00:00Z",
        ),
    ] {
        assert_eq!(
            slot(frequency, schedule, now),
            expected,
            "{frequency} {schedule:?} {now}"
        );
    }
}

#[test]
fn a_schedule_is_whole_and_holds_nothing_else() {
    let (db, made) = with(|draft| create(draft, &record("daily", &[("hour", "5")], 7))).unwrap();
    let schedule = db.get(made).unwrap().get(vmss::SCHEDULE);
    assert_eq!(
        (schedule.get("hour"), schedule.get("min")),
        (Some("5"), Some("0"))
    );
    for (frequency, key, value) in [
        ("hourly", "min", "7"),
        ("hourly", "hour", "1"),
        ("daily", "hour", "24"),
        ("daily", "hour", "01"),
        ("weekly", "days", "Someday"),
        ("weekly", "days", ""),
        ("weekly", "colour", "red"),
    ] {
        let refused = with(|draft| create(draft, &record(frequency, &[(key, value)], 7))).unwrap_err();
        assert_eq!(refused.code, "INVALID_VALUE");
        assert_eq!(refused.params, [format!("schedule:{key}"), value.to_owned()]);
    }
    for count in [0, 11] {
        let refused = with(|draft| create(draft, &record("daily", &[], count))).unwrap_err();
        assert_eq!(
            refused.params,
            ["retained_snapshots".to_owned(), count.to_string()]
        );
    }
}

#[test]
fn another_frequency_keeps_what_it_knows() {
    let (db, made) = with(|draft| {
        let made = create(draft, &record("weekly", &[("days", "Tuesday"), ("min", "30")], 7))?;
        set_frequency(draft, made, "hourly")?;
        set_key(draft, made, "min", Some("45"))?;
        set_key(draft, made, "min", None)?;
        Ok(made)
    })
    .unwrap();
    let schedule = db
        .get(made)
        .unwrap()
        .get(vmss::SCHEDULE)
        .as_map()
        .cloned()
        .unwrap();
    assert_eq!(schedule.len(), 1);
    assert_eq!(schedule[&Value::str("min")].as_str(), "0");
}
