//! Floats as C's `%.16g` prints them, the form that clients of XenServer expect.

use std::io::Write as _;

/// Significant digits.
const DIGITS: i32 = 16;

/// Appends the number in the shortest of fixed and exponent form with up to 16 significant digits.
///
/// Whole numbers have no point; not-a-number and the infinities are `nan`, `inf`, `-inf`.
pub(crate) fn write_float(out: &mut Vec<u8>, number: f64) {
    if number.is_nan() {
        out.extend_from_slice(b"nan");
        return;
    }
    if number.is_infinite() {
        out.extend_from_slice(if number > 0.0 { b"inf" } else { b"-inf" });
        return;
    }
    // Most floats of the data model are whole; minus zero keeps its sign by the long way.
    if number.fract() == 0.0 && number.abs() < 1e15 && (number != 0.0 || number.is_sign_positive()) {
        #[allow(clippy::cast_possible_truncation, reason = "whole and below 10^15")]
        crate::decimal::write_int(out, number as i64);
        return;
    }
    // `-d.ddddddddddddddde-ddd` has at most 23 bytes.
    let mut buffer = [0_u8; 32];
    let mut rest: &mut [u8] = &mut buffer;
    if write!(rest, "{number:.15e}").is_err() {
        return;
    }
    let unused = rest.len();
    let printed = buffer
        .get(..buffer.len().saturating_sub(unused))
        .unwrap_or_default();
    let Some((mantissa, exponent)) = printed
        .iter()
        .position(|b| *b == b'e')
        .and_then(|e| Some((printed.get(..e)?, printed.get(e.checked_add(1)?..)?)))
    else {
        return;
    };
    let exponent: i32 = std::str::from_utf8(exponent)
        .ok()
        .and_then(|e| e.parse().ok())
        .unwrap_or(0);
    let mantissa = mantissa.strip_prefix(b"-").map_or(mantissa, |rest| {
        out.push(b'-');
        rest
    });
    let mut digits = [b'0'; DIGITS as usize];
    for (to, from) in digits.iter_mut().zip(mantissa.iter().filter(|b| **b != b'.')) {
        *to = *from;
    }
    let length = digits
        .iter()
        .rposition(|b| *b != b'0')
        .map_or(1, |last| last.saturating_add(1));
    let digits = digits.get(..length).unwrap_or_default();
    if (-4..DIGITS).contains(&exponent) {
        write_fixed(out, digits, exponent);
    } else {
        let (first, others) = digits.split_at_checked(1).unwrap_or((digits, &[]));
        out.extend_from_slice(first);
        if !others.is_empty() {
            out.push(b'.');
            out.extend_from_slice(others);
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        // Writing into a vector cannot fail.
        let _ = write!(out, "e{sign}{:02}", exponent.unsigned_abs());
    }
}

/// Writes digits, the first of which counts `10^exponent`, without an exponent.
fn write_fixed(out: &mut Vec<u8>, digits: &[u8], exponent: i32) {
    match usize::try_from(exponent) {
        Ok(exponent) => {
            let whole = exponent.saturating_add(1);
            let (before, after) = digits.split_at_checked(whole).unwrap_or((digits, &[]));
            out.extend_from_slice(before);
            out.extend(std::iter::repeat_n(b'0', whole.saturating_sub(before.len())));
            if !after.is_empty() {
                out.push(b'.');
                out.extend_from_slice(after);
            }
        }
        Err(_) => {
            out.extend_from_slice(b"0.");
            let zeros = usize::try_from(exponent.unsigned_abs())
                .unwrap_or(1)
                .saturating_sub(1);
            out.extend(std::iter::repeat_n(b'0', zeros));
            out.extend_from_slice(digits);
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    fn printed(number: f64) -> String {
        let mut out = Vec::new();
        write_float(&mut out, number);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_print_as_c_does() {
        // Right column: printf("%.16g").
        let table = [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (0.3, "0.3"),
            (0.1 + 0.2, "0.3"),
            (1.0 / 3.0, "0.3333333333333333"),
            (2.0 / 3.0, "0.6666666666666666"),
            (100.0, "100"),
            (60.1, "60.1"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (123_456_789_012_345.6, "123456789012345.6"),
            (1e15, "1000000000000000"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (5e-324, "4.940656458412465e-324"),
            (f64::MAX, "1.797693134862316e+308"),
            (f64::NAN, "nan"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (number, text) in table {
            assert_eq!(printed(number), text);
        }
    }

    proptest! {
        #[test]
        fn printed_floats_lie_within_their_last_digit(number in proptest::num::f64::NORMAL) {
            let back: f64 = printed(number).parse().unwrap();
            // Half a unit of the 16th digit (5e-16 at most), and the rounding of the text to the nearest double (2^-53).
            prop_assert!(((back - number) / number).abs() <= 5e-16 + f64::EPSILON / 2.0, "{number} {back}");
        }
    }
}
