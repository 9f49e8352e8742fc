//! Makes another release of a program that is built: writes another number over the one it carries.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// What stands before the number; see `node/commands/src/release.rs`.
const MARK: &[u8] = b"TARN-RELEASE:";

/// Bytes of the mark, the number, and zeros.
const LENGTH: usize = 48;

/// Writes `to` over the release `from` in a program.
///
/// # Errors
/// When the number is none, or the program does not carry `from` exactly once.
pub fn stamp(program: &Path, from: &str, to: &str) -> Result<()> {
    ensure!(
        is_number(to) && MARK.len() + to.len() < LENGTH,
        "a release is digits with dots between them, such as 0.2.0, not {to:?}"
    );
    let mut bytes = fs::read(program).with_context(|| format!("read {}", program.display()))?;
    let mut wanted = [MARK, from.as_bytes()].concat();
    wanted.resize(LENGTH, 0);
    let places: Vec<usize> = bytes
        .windows(LENGTH)
        .enumerate()
        .filter(|(_, window)| *window == wanted)
        .map(|(at, _)| at)
        .collect();
    ensure!(
        places.len() == 1,
        "{} carries the release {from} {} times",
        program.display(),
        places.len()
    );
    let mut fresh = [MARK, to.as_bytes()].concat();
    fresh.resize(LENGTH, 0);
    let at = places.first().copied().unwrap_or_default();
    bytes
        .get_mut(at..at + LENGTH)
        .context("the stamp lies in the program")?
        .copy_from_slice(&fresh);
    fs::write(program, bytes).with_context(|| format!("write {}", program.display()))
}

fn is_number(text: &str) -> bool {
    text.split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod test {
    use super::*;

    fn program(releases: &[&str]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut bytes = b"before".to_vec();
        for release in releases {
            let mut one = [MARK, release.as_bytes()].concat();
            one.resize(LENGTH, 0);
            bytes.extend(one);
        }
        bytes.extend(b"after");
        fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    fn another_release_differs_in_its_number_alone() {
        let made = program(&["0.1.0"]);
        stamp(made.path(), "0.1.0", "10.20.30").unwrap();
        assert_eq!(
            fs::read(made.path()).unwrap(),
            fs::read(program(&["10.20.30"]).path()).unwrap()
        );
    }

    #[test]
    fn what_carries_no_stamp_or_two_is_left_alone() {
        for releases in [&[][..], &["0.1.0", "0.1.0"], &["0.1.00"]] {
            let made = program(releases);
            let before = fs::read(made.path()).unwrap();
            assert!(stamp(made.path(), "0.1.0", "0.2.0").is_err());
            assert_eq!(fs::read(made.path()).unwrap(), before);
        }
    }

    #[test]
    fn a_release_is_digits_and_dots() {
        for number in ["", "0..1", "1.", "v2", "0.1.0-1", "1 "] {
            assert!(!is_number(number), "{number}");
        }
        assert!(is_number("1.20.3"));
    }
}
