//! Numbers as XenServer's archives print them: C's `%.5g`, with names for what is no number.

use std::fmt::Write as _;

/// Significant digits.
const DIGITS: i32 = 5;

/// Appends a number.
pub(crate) fn print(out: &mut String, number: f64) {
    if number.is_nan() {
        out.push_str("NaN");
        return;
    }
    if number.is_infinite() {
        out.push_str(if number > 0.0 { "Infinity" } else { "-Infinity" });
        return;
    }
    if number == 0.0 {
        out.push_str("0.0");
        return;
    }
    let scientific = format!("{number:.4e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..DIGITS).contains(&exponent) {
        let decimals = usize::try_from(DIGITS.saturating_sub(1).saturating_sub(exponent)).unwrap_or(0);
        out.push_str(shortened(&format!("{number:.decimals$}")));
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "{}e{sign}{:02}",
            shortened(mantissa),
            exponent.unsigned_abs()
        );
    }
}

/// The same as a text of its own.
pub(crate) fn printed(number: f64) -> String {
    let mut out = String::new();
    print(&mut out, number);
    out
}

/// Without the zeros that say nothing.
fn shortened(text: &str) -> &str {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_look_as_c_prints_them() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "0.0"),
            (1.0, "1"),
            (0.5, "0.5"),
            (0.012_345_678, "0.012346"),
            (0.000_012_345, "1.2345e-05"),
            (12345.0, "12345"),
            (99_999.6, "1e+05"),
            (123_456.0, "1.2346e+05"),
            (4_294_967_296.0, "4.295e+09"),
            (-2.5, "-2.5"),
            (300.0, "300"),
            (1e100, "1e+100"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(printed(number), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_to_five_digits(number in proptest::num::f64::NORMAL) {
            let back: f64 = printed(number).parse().unwrap();
            prop_assert!(((back - number) / number).abs() <= 0.500_01e-4, "{number} as {back}");
        }
    }
}
