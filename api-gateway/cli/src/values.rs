//! Words of the command line as values: truth, numbers, sizes.

use crate::failure::Failure;

/// A truth value in any of its spellings.
pub fn truth(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "0" => Some(false),
        _ => None,
    }
}

/// A whole number.
///
/// # Errors
/// When it is none.
pub fn int(name: &str, word: &str) -> Result<i64, Failure> {
    word.parse().map_err(|_| {
        Failure::cli(format!(
            "Failed to parse parameter '{name}': expecting an integer"
        ))
    })
}

/// A number with a fraction.
///
/// # Errors
/// When it is none.
pub fn float(name: &str, word: &str) -> Result<f64, Failure> {
    word.parse()
        .map_err(|_| Failure::cli(format!("Failed to parse parameter '{name}': expecting a float")))
}

/// Suffixes of sizes and how many binary places they shift.
const SUFFIXES: &[(&str, u32)] = &[
    ("bytes", 0),
    ("KiB", 10),
    ("MiB", 20),
    ("GiB", 30),
    ("TiB", 40),
    ("k", 10),
    ("m", 20),
    ("g", 30),
    ("t", 40),
];

/// A size in bytes: an integer, perhaps with one of the suffixes of base 1024.
///
/// # Errors
/// When it is none, or does not fit.
pub fn bytes(name: &str, word: &str) -> Result<i64, Failure> {
    let failed = |why: &str| Failure::cli(format!("Failed to parse field '{name}': {why}"));
    let no_size = || failed("expecting an integer (possibly with suffix)");
    let word = word.trim();
    let split = word
        .bytes()
        .position(|b| !(b.is_ascii_digit() || b == b'-'))
        .unwrap_or(word.len());
    let (number, suffix) = word.split_at_checked(split).ok_or_else(no_size)?;
    if number.is_empty() || suffix.bytes().any(|b| b.is_ascii_digit()) {
        return Err(no_size());
    }
    let too_big = || failed(&format!("number too big (maximum = {} TiB)", i64::MAX >> 40));
    let number: i64 = number.parse().map_err(|_| {
        let digits = number.bytes().all(|b| b.is_ascii_digit());
        if digits { too_big() } else { no_size() }
    })?;
    let suffix = suffix.trim();
    if suffix.is_empty() {
        return Ok(number);
    }
    let exact = SUFFIXES.iter().find(|(known, _)| *known == suffix);
    let (_, shift) = exact
        .or_else(|| {
            SUFFIXES
                .iter()
                .find(|(known, _)| known.len() == 1 && known.eq_ignore_ascii_case(suffix))
        })
        .ok_or_else(|| failed(&format!("Unknown suffix: '{suffix}' (try KiB, MiB, GiB or TiB)")))?;
    number.checked_mul(1_i64 << shift).ok_or_else(too_big)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn sizes_take_binary_suffixes() {
        let size = |word| bytes("size", word).ok();
        assert_eq!(size("4096"), Some(4096));
        assert_eq!(size("2KiB"), Some(2048));
        assert_eq!(size("3 MiB"), Some(3 << 20));
        assert_eq!(size("1g"), Some(1 << 30));
        assert_eq!(size("1T"), Some(1 << 40));
        assert_eq!(size("7bytes"), Some(7));
        assert_eq!(size("7GB"), None);
        assert_eq!(size(""), None);
        assert_eq!(size("1x1"), None);
        assert_eq!(size("9999999999999999999"), None);
        assert_eq!(size("99999999TiB"), None);
    }

    #[test]
    fn what_is_wrong_with_a_size_is_said() {
        let said = |word| bytes("disk-size", word).unwrap_err().to_string();
        assert_eq!(
            said("7GB"),
            "Error: Failed to parse field 'disk-size': Unknown suffix: 'GB' (try KiB, MiB, GiB or TiB)"
        );
        assert_eq!(
            said("9999999999999999999"),
            "Error: Failed to parse field 'disk-size': number too big (maximum = 8388607 TiB)"
        );
    }
}
