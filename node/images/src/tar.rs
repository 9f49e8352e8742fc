//! Headers of ustar archives.
//!
//! Only what XVA uses: plain files of any size, and headers that say more than that, which are refused.
//! Source: POSIX.1-1988 ustar; GNU tar's base-256 numbers.

use tokio::io::AsyncRead;

use crate::error::ImageError;
use crate::flow::{read_piece, skip};

/// Bytes of a header, and what members are padded to.
pub const BLOCK: usize = 512;
/// The same.
pub const BLOCK_LENGTH: u64 = 512;
/// No name is longer in this form.
pub const LONGEST_NAME: usize = 100;

/// A member's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name, as it stands.
    pub name: String,
    /// Bytes of its content.
    pub size: u64,
    /// What kind of member it is: `0` for a file.
    pub kind: u8,
}

impl Header {
    /// The header of a file. Mode, owner and time are those of nobody, at no time.
    ///
    /// `name` must not be longer than [`LONGEST_NAME`], which names in XVA never are.
    pub fn file(name: &str, size: u64) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        let mut put = |at: usize, text: &[u8]| {
            for (to, from) in block.iter_mut().skip(at).zip(text) {
                *to = *from;
            }
        };
        put(0, name.as_bytes().get(..LONGEST_NAME).unwrap_or(name.as_bytes()));
        put(100, b"0000644\x000000000\x000000000\0");
        put(124, format!("{size:011o}\0").as_bytes());
        put(136, b"00000000000\0");
        // While the sum is taken its own place counts as blanks.
        put(148, b"        ");
        put(156, b"0");
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        let text = format!("{sum:06o}\0 ");
        for (to, from) in block.iter_mut().skip(148).zip(text.as_bytes()) {
            *to = *from;
        }
        block
    }

    /// Reads a header; `None` for a block of zeros, with which an archive ends.
    ///
    /// # Errors
    /// [`ImageError::Malformed`].
    pub fn parse(block: &[u8; BLOCK]) -> Result<Option<Header>, ImageError> {
        if block.iter().all(|b| *b == 0) {
            return Ok(None);
        }
        let field = |from: usize, to: usize| block.get(from..to).unwrap_or_default();
        let said = number(field(148, 156)).ok_or_else(|| bad("its checksum is no number"))?;
        let sum: u64 = block
            .iter()
            .enumerate()
            .map(|(at, b)| {
                if (148..156).contains(&at) {
                    32
                } else {
                    u64::from(*b)
                }
            })
            .sum();
        if said != sum {
            return Err(bad("its checksum is wrong"));
        }
        let size = number(field(124, 136)).ok_or_else(|| bad("its size is no number"))?;
        let mut name = text(field(0, 100))?;
        let prefix = text(field(345, 500))?;
        if field(257, 262) == b"ustar" && !prefix.is_empty() {
            name = format!("{prefix}/{name}");
        }
        let kind = match field(156, 157) {
            [0 | b'0'] => b'0',
            [kind] => *kind,
            _ => 0,
        };
        Ok(Some(Header { name, size, kind }))
    }

    /// Bytes that follow the content up to the next header.
    pub fn padding(&self) -> u64 {
        padding(self.size)
    }
}

/// No header that only says more than the next one is longer.
const LARGEST_WORDS: u64 = 1 << 20;

/// Reads the header of the next plain file; `None` at the archive's end. What stands before one, times and owners in many
/// words, is passed over.
///
/// # Errors
/// [`ImageError::Ended`] if the archive does not say that it ends; [`ImageError::Malformed`] for what is no plain file.
pub(crate) async fn next_file(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<Header>, ImageError> {
    loop {
        let block = read_piece(from, BLOCK).await?;
        let block = block.first_chunk().ok_or(ImageError::Ended)?;
        let Some(header) = Header::parse(block)? else {
            return Ok(None);
        };
        match header.kind {
            b'0' => return Ok(Some(header)),
            b'x' | b'g' if header.size <= LARGEST_WORDS => {
                skip(from, header.size + header.padding()).await?;
            }
            _ => return Err(ImageError::malformed(format!("{} is no file", header.name))),
        }
    }
}

/// Bytes that follow a content of that size up to the next header.
pub fn padding(size: u64) -> u64 {
    size.wrapping_neg() % BLOCK_LENGTH
}

fn bad(what: &str) -> ImageError {
    ImageError::malformed(format!("a header in the archive cannot be read: {what}"))
}

fn text(field: &[u8]) -> Result<String, ImageError> {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    let text = field.get(..end).unwrap_or_default();
    String::from_utf8(text.to_vec()).map_err(|_| bad("its name is no text"))
}

/// Octal digits, or a number in binary whose first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if *first & 0x80 != 0 {
        let mut value = u64::from(first & 0x7f);
        for byte in rest {
            value = value.checked_mul(256)?.checked_add(u64::from(*byte))?;
        }
        return Some(value);
    }
    let digits: Vec<u8> = field
        .iter()
        .copied()
        .skip_while(|b| *b == b' ')
        .take_while(|b| !matches!(b, b' ' | 0))
        .collect();
    let text = std::str::from_utf8(&digits).ok()?;
    if text.is_empty() {
        return Some(0);
    }
    u64::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod test {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_reads_as_it_was_written() {
        for (name, size) in [("ova.xml", 0), ("Ref:7/00000001", 1 << 20), ("x", 0o77777777777)] {
            let header = Header::parse(&Header::file(name, size)).unwrap().unwrap();
            assert_eq!(
                header,
                Header {
                    name: name.to_owned(),
                    size,
                    kind: b'0'
                }
            );
        }
    }

    #[test]
    fn gnu_tar_reads_our_headers_and_we_read_its() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar");
        let mut archive = Header::file("Ref:1/00000000", 3).to_vec();
        archive.extend(b"abc");
        archive.resize(1024, 0);
        archive.extend([0; 1024]);
        std::fs::write(&path, archive).unwrap();
        let listed = std::process::Command::new("tar")
            .arg("tvf")
            .arg(&path)
            .output()
            .unwrap();
        assert!(
            listed.status.success(),
            "{}",
            String::from_utf8_lossy(&listed.stderr)
        );
        assert!(String::from_utf8_lossy(&listed.stdout).contains("3 1970-01-01"));
        std::fs::write(folder.path().join("file"), "hello").unwrap();
        let made = std::process::Command::new("tar")
            .args(["cf", "b.tar", "--format=ustar", "file"])
            .current_dir(folder.path())
            .status();
        assert!(made.unwrap().success());
        let made = std::fs::read(folder.path().join("b.tar")).unwrap();
        let header = Header::parse(made.first_chunk().unwrap()).unwrap().unwrap();
        assert_eq!(
            (header.name.as_str(), header.size, header.kind),
            ("file", 5, b'0')
        );
    }

    #[test]
    fn a_changed_byte_and_an_absurd_size_are_refused() {
        let mut block = Header::file("a", 1);
        block[0] ^= 1;
        assert!(Header::parse(&block).is_err());
        assert_eq!(number(&[0xff; 12]), None);
        assert_eq!(number(b"99999999999\0"), None);
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]), Some(256));
        assert!(Header::parse(&[0; BLOCK]).unwrap().is_none());
    }

    proptest! {
        #[test]
        fn no_block_panics(block in proptest::collection::vec(any::<u8>(), BLOCK)) {
            let _ = Header::parse(block.first_chunk().unwrap());
        }
    }
}
