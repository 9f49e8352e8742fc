//! Points in time as the API knows them: whole seconds of UTC.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// Seconds since 1970-01-01T00:00:00Z.
///
/// Printed as `20250319T04:16:24Z`; hyphens in the date and a missing zone are accepted on input (taken as UTC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DateTime(pub i64);

impl DateTime {
    /// `19700101T00:00:00Z`, which stands for "not yet" in many fields.
    pub const EPOCH: DateTime = DateTime(0);
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = OffsetDateTime::from_unix_timestamp(self.0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        write!(
            f,
            "{:04}{:02}{:02}T{:02}:{:02}:{:02}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        )
    }
}

/// The text is not a date and time in the API's form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a date and time")]
pub struct NotADateTime;

impl FromStr for DateTime {
    type Err = NotADateTime;

    fn from_str(text: &str) -> Result<Self, NotADateTime> {
        let (date, clock) = text.split_once('T').ok_or(NotADateTime)?;
        let date: String = date.chars().filter(|c| *c != '-').collect();
        let clock: String = clock
            .trim_end_matches('Z')
            .split('.')
            .next()
            .unwrap_or_default()
            .chars()
            .filter(|c| *c != ':')
            .collect();
        if date.len() != 8 || clock.len() != 6 {
            return Err(NotADateTime);
        }
        let number = |s: &str, from: usize, to: usize| -> Result<u16, NotADateTime> {
            let part = s.get(from..to).ok_or(NotADateTime)?;
            if part.bytes().all(|b| b.is_ascii_digit()) {
                part.parse().map_err(|_| NotADateTime)
            } else {
                Err(NotADateTime)
            }
        };
        let small = |v: u16| u8::try_from(v).map_err(|_| NotADateTime);
        let month = time::Month::try_from(small(number(&date, 4, 6)?)?).map_err(|_| NotADateTime)?;
        let day = time::Date::from_calendar_date(
            i32::from(number(&date, 0, 4)?),
            month,
            small(number(&date, 6, 8)?)?,
        )
        .map_err(|_| NotADateTime)?;
        let time = time::Time::from_hms(
            small(number(&clock, 0, 2)?)?,
            small(number(&clock, 2, 4)?)?,
            small(number(&clock, 4, 6)?)?,
        )
        .map_err(|_| NotADateTime)?;
        Ok(DateTime(day.with_time(time).assume_utc().unix_timestamp()))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_wire_form_reads_back() {
        assert_eq!(DateTime::EPOCH.to_string(), "19700101T00:00:00Z");
        let at: DateTime = "20250319T04:16:24Z".parse().unwrap();
        assert_eq!(at.to_string(), "20250319T04:16:24Z");
        assert_eq!("2025-03-19T04:16:24".parse::<DateTime>(), Ok(at));
        assert!("2025".parse::<DateTime>().is_err());
        assert!("20251319T04:16:24Z".parse::<DateTime>().is_err());
    }
}
