//! Names, checksums and places of the pieces of a disk. Pure.

use sha1::{Digest, Sha1};
use xxhash_rust::xxh64::xxh64;

use crate::error::ImageError;

/// What a piece's checksum is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// XXH64, as archives have it now.
    Xxhash,
    /// SHA-1, as older ones have it.
    Sha1,
}

impl Checksum {
    /// The suffix of the member that holds it.
    pub fn suffix(self) -> &'static str {
        match self {
            Checksum::Xxhash => "xxhash",
            Checksum::Sha1 => "checksum",
        }
    }

    /// The text for some bytes.
    pub fn of(self, data: &[u8]) -> String {
        match self {
            Checksum::Xxhash => format!("{:016X}", xxh64(data, 0)),
            Checksum::Sha1 => crate::hex(&Sha1::digest(data)),
        }
    }
}

/// The name of a piece or of its checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceName {
    /// The folder: the disk's id in the archive.
    pub disk: String,
    /// The number as it is written.
    pub digits: String,
    /// If it is a checksum: of which kind.
    pub checksum: Option<Checksum>,
}

impl PieceName {
    /// Reads a member's name; `None` if it is no piece.
    pub fn parse(name: &str) -> Option<PieceName> {
        let (disk, rest) = name.rsplit_once('/')?;
        let (digits, checksum) = match rest.split_once('.') {
            None => (rest, None),
            Some((digits, "xxhash")) => (digits, Some(Checksum::Xxhash)),
            Some((digits, "checksum")) => (digits, Some(Checksum::Sha1)),
            Some(_) => return None,
        };
        let whole = digits.len() >= 8 && digits.len() <= 18 && digits.bytes().all(|b| b.is_ascii_digit());
        whole.then(|| PieceName {
            disk: disk.to_owned(),
            digits: digits.to_owned(),
            checksum,
        })
    }

    /// The number.
    pub fn number(&self) -> u64 {
        // At most 18 digits, so it fits.
        self.digits.parse().unwrap_or(u64::MAX)
    }

    /// The name of a piece.
    pub fn of(disk: &str, number: u64) -> String {
        format!("{disk}/{number:08}")
    }

    /// Whether this is the checksum of a piece.
    pub fn is_checksum_of(&self, piece: &PieceName) -> bool {
        self.checksum.is_some() && self.disk == piece.disk && self.digits == piece.digits
    }
}

/// How far a disk has come. Numbers that are left out are as long as the very first piece of the archive.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    size: u64,
    position: u64,
    previous: Option<(String, u64)>,
}

impl Progress {
    pub(super) fn new(size: u64) -> Progress {
        Progress {
            size,
            position: 0,
            previous: None,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.position >= self.size
    }

    pub(super) fn position(&self) -> u64 {
        self.position.min(self.size)
    }

    /// Takes a piece in: where it begins. `unit` is the length of the archive's first piece.
    pub(super) fn place(&mut self, piece: &PieceName, length: u64, unit: u64) -> Result<u64, ImageError> {
        let number = piece.number();
        let skipped = match &self.previous {
            None => number,
            Some((digits, before)) => {
                if piece.digits.as_str() <= digits.as_str() {
                    return Err(bad(piece, "comes after one of a higher number"));
                }
                number
                    .checked_sub(before.saturating_add(1))
                    .ok_or_else(|| bad(piece, "has a wrong number"))?
            }
        };
        let start = skipped
            .checked_mul(unit)
            .and_then(|zeros| self.position.checked_add(zeros))
            .ok_or_else(|| bad(piece, "lies beyond all disks"))?;
        let end = start
            .checked_add(length)
            .ok_or_else(|| bad(piece, "lies beyond all disks"))?;
        // The last piece may be filled up to its full length.
        let most = self.size.next_multiple_of(super::PIECE_LENGTH);
        if start > self.size || end > most {
            return Err(bad(piece, "lies beyond the end of the disk"));
        }
        self.previous = Some((piece.digits.clone(), number));
        self.position = end;
        Ok(start)
    }
}

fn bad(piece: &PieceName, what: &str) -> ImageError {
    ImageError::malformed(format!("piece {}/{} {what}", piece.disk, piece.digits))
}

#[cfg(test)]
mod test {
    use proptest::prelude::*;

    use super::*;

    fn piece(number: u64) -> PieceName {
        PieceName::parse(&PieceName::of("Ref:1", number)).unwrap()
    }

    #[test]
    fn known_checksums_come_out() {
        assert_eq!(Checksum::Xxhash.of(b""), "EF46DB3751D8E999");
        assert_eq!(Checksum::Xxhash.of(b"a"), "D24EC4F1A98C6E5B");
        assert_eq!(Checksum::Xxhash.of(&vec![0; 1 << 20]), "87D2A1B6E1163EF1");
        assert_eq!(Checksum::Sha1.of(b""), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    }

    #[test]
    fn names_are_pieces_checksums_or_neither() {
        let name = PieceName::parse("Ref:7/00000012.xxhash").unwrap();
        assert!(name.is_checksum_of(&PieceName::parse("Ref:7/00000012").unwrap()));
        assert!(!name.is_checksum_of(&PieceName::parse("Ref:8/00000012").unwrap()));
        for other in [
            "ova.xml",
            "Ref:7/1",
            "Ref:7/0000000x",
            "Ref:7/00000000.md5",
            "checksum.xml",
            "a/",
        ] {
            assert_eq!(PieceName::parse(other), None, "{other}");
        }
        assert_eq!(PieceName::parse("../etc/00000000").unwrap().disk, "../etc");
    }

    #[test]
    fn numbers_left_out_are_zeros_and_an_empty_piece_takes_a_number_but_no_room() {
        let mut disk = Progress::new(10 << 20);
        let mib = 1 << 20;
        assert_eq!(disk.place(&piece(0), mib, mib).unwrap(), 0);
        assert_eq!(disk.place(&piece(3), mib, mib).unwrap(), 3 << 20);
        assert_eq!(disk.place(&piece(5), 0, mib).unwrap(), 5 << 20);
        assert_eq!(disk.place(&piece(6), mib, mib).unwrap(), 5 << 20);
        assert!(disk.place(&piece(6), mib, mib).is_err(), "a number twice");
        assert!(disk.place(&piece(11), mib, mib).is_err(), "beyond the end");
        assert_eq!(disk.place(&piece(10), mib, mib).unwrap(), 9 << 20);
        assert!(disk.is_done());
    }

    #[test]
    fn the_last_piece_may_be_filled_up_but_not_beyond() {
        let mib = 1 << 20;
        let mut disk = Progress::new(mib + 512);
        disk.place(&piece(0), mib, mib).unwrap();
        assert!(disk.clone().place(&piece(1), mib + 1, mib).is_err());
        disk.place(&piece(1), mib, mib).unwrap();
        assert!(disk.is_done());
        assert_eq!(disk.position(), mib + 512);
    }

    proptest! {
        #[test]
        fn no_sequence_of_pieces_leaves_the_disk(numbers in proptest::collection::vec((any::<u64>(), any::<u64>()), 0..20), size in 1..1_u64 << 40, unit in any::<u64>()) {
            let mut disk = Progress::new(size);
            for (number, length) in numbers {
                let number = piece(number % 1_000_000_000_000_000_000);
                if let Ok(start) = disk.place(&number, length, unit) {
                    prop_assert!(start <= size && start + length <= size.next_multiple_of(1 << 20));
                }
            }
        }
    }
}
