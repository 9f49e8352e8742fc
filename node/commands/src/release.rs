//! The release that this program is of, as the API, `tarn --version` and backups tell it.
//!
//! It stands in the program as bytes behind a mark, so that the packaging can make another release of the same build
//! (`cargo xtask package --release`): an upgrade is then tried with programs that really say different things.

/// What stands before the number; `deploy/xtask/src/package.rs` looks for it.
const MARK: &[u8] = b"TARN-RELEASE:";

/// The mark, the number and zeros up to here.
const LENGTH: usize = 48;

/// Read through a black box only, so that the bytes in the program count and not what the compiler knew of them.
static STAMP: [u8; LENGTH] = stamped(env!("CARGO_PKG_VERSION").as_bytes());

#[allow(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "computed by the compiler, which refuses what is out of bounds"
)]
const fn stamped(number: &[u8]) -> [u8; LENGTH] {
    assert!(
        MARK.len() + number.len() < LENGTH,
        "a zero must follow the number"
    );
    let mut bytes = [0; LENGTH];
    let mut at = 0;
    while at < MARK.len() {
        bytes[at] = MARK[at];
        at += 1;
    }
    let mut next = 0;
    while next < number.len() {
        bytes[at + next] = number[next];
        next += 1;
    }
    bytes
}

/// The number of the release, such as `0.1.0`.
pub fn release() -> &'static str {
    let stamp: &'static [u8; LENGTH] = std::hint::black_box(&STAMP);
    let behind = stamp.get(MARK.len()..).unwrap_or_default();
    let number = behind.split(|byte| *byte == 0).next().unwrap_or_default();
    std::str::from_utf8(number).unwrap_or(env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod test {
    use super::release;

    #[test]
    fn an_unchanged_program_is_of_the_release_it_was_built_as() {
        assert_eq!(release(), env!("CARGO_PKG_VERSION"));
    }
}
