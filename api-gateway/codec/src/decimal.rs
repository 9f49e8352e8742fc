//! Integers and times as text, written without the formatting machinery: every record is full of them.

use proto_types::DateTime;

/// Appends a decimal number.
pub(crate) fn write_int(out: &mut Vec<u8>, number: i64) {
    // The longest is `-9223372036854775808`.
    let mut digits = [0_u8; 20];
    let mut rest = number.unsigned_abs();
    let mut length = 0_usize;
    for slot in digits.iter_mut().rev() {
        *slot = digit(rest);
        rest /= 10;
        length = length.saturating_add(1);
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(
        digits
            .get(digits.len().saturating_sub(length)..)
            .unwrap_or_default(),
    );
}

/// Appends a time in the form `20250319T04:16:24Z`.
pub(crate) fn write_time(out: &mut Vec<u8>, at: DateTime) {
    match civil(at.0) {
        Some((year, month, day, second_of_day)) => {
            let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
            let text = [
                digit(year / 1000),
                digit(year / 100),
                digit(year / 10),
                digit(year),
                digit(month / 10),
                digit(month),
                digit(day / 10),
                digit(day),
                b'T',
                digit(hour / 10),
                digit(hour),
                b':',
                digit(minute / 10),
                digit(minute),
                b':',
                digit(second / 10),
                digit(second),
                b'Z',
            ];
            out.extend_from_slice(&text);
        }
        None => out.extend_from_slice(at.to_string().as_bytes()),
    }
}

/// The last decimal digit.
fn digit(number: u64) -> u8 {
    b'0'.saturating_add(u8::try_from(number % 10).unwrap_or(0))
}

/// Year, month, day and second of the day, for times from 1970 to 9999.
///
/// Counts years from March, so that the leap day is the last of its year: then the months before any month have a number
/// of days that a straight line with a slope of 30.6 gives.
fn civil(seconds: i64) -> Option<(u64, u64, u64, u64)> {
    const DAY: u64 = 86_400;
    /// Days from 0000-03-01 to 1970-01-01.
    const TO_EPOCH: u64 = 719_468;
    const FOUR_CENTURIES: u64 = 146_097;
    let seconds = u64::try_from(seconds).ok().filter(|s| *s < 253_402_300_800)?;
    let days = (seconds / DAY).checked_add(TO_EPOCH)?;
    let (era, day_of_era) = (days / FOUR_CENTURIES, days % FOUR_CENTURIES);
    // Leap days before this day: one in 4 years, none in 100, one in 400.
    let leap = (day_of_era / 1460)
        .checked_sub(day_of_era / 36_524)?
        .checked_add(day_of_era / 146_096)?;
    let year_of_era = day_of_era.checked_sub(leap)? / 365;
    let before = year_of_era
        .checked_mul(365)?
        .checked_add(year_of_era / 4)?
        .checked_sub(year_of_era / 100)?;
    let day_of_year = day_of_era.checked_sub(before)?;
    let from_march = day_of_year.checked_mul(5)?.checked_add(2)? / 153;
    let day = day_of_year
        .checked_sub(from_march.checked_mul(153)?.checked_add(2)? / 5)?
        .checked_add(1)?;
    let month = if from_march < 10 {
        from_march.checked_add(3)?
    } else {
        from_march.checked_sub(9)?
    };
    let year = era
        .checked_mul(400)?
        .checked_add(year_of_era)?
        .checked_add(u64::from(month <= 2))?;
    Some((year, month, day, seconds % DAY))
}

#[cfg(test)]
mod test {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_day_is_written_as_the_calendar_has_it() {
        // Prime steps, to meet all hours and minutes as well.
        for seconds in (0..253_402_300_800_i64).step_by(86_399 * 7) {
            let at = DateTime(seconds);
            assert_eq!(written(|out| write_time(out, at)), at.to_string());
        }
        for seconds in (0..86_400 * 1500).step_by(40_009) {
            let at = DateTime(seconds);
            assert_eq!(written(|out| write_time(out, at)), at.to_string());
        }
    }

    proptest! {
        #[test]
        fn numbers_and_times_are_written_as_usual(number in any::<i64>()) {
            for number in [number, number >> 40, i64::MIN, i64::MAX, 0] {
                prop_assert_eq!(written(|out| write_int(out, number)), number.to_string());
                prop_assert_eq!(written(|out| write_time(out, DateTime(number))), DateTime(number).to_string());
            }
        }
    }
}
