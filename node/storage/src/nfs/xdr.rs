//! Words of the wire: big-endian numbers, and bytes filled up to multiples of four.
//!
//! Source: RFC 4506.

use std::io;

/// Arguments of a call under construction.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Adds a number.
    pub fn u32(mut self, value: u32) -> Writer {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Adds a long number.
    pub fn u64(mut self, value: u64) -> Writer {
        self.0.extend(value.to_be_bytes());
        self
    }

    /// Adds bytes with their length. More than 4 GiB are cut off; nobody has them in memory.
    pub fn bytes(self, bytes: &[u8]) -> Writer {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let mut writer = self.u32(length);
        writer.0.extend(bytes);
        let filled = writer.0.len().next_multiple_of(4);
        writer.0.resize(filled, 0);
        writer
    }

    /// Adds what is encoded already.
    pub fn raw(mut self, words: &[u8]) -> Writer {
        self.0.extend(words);
        self
    }

    /// The bytes.
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// An answer that is read from its beginning.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads these bytes.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader(bytes)
    }

    fn take(&mut self, length: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or_else(|| bad("an answer is cut off"))?;
        self.0 = rest;
        Ok(taken)
    }

    /// The next number.
    pub fn u32(&mut self) -> io::Result<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes(
            bytes.try_into().map_err(|_| bad("four bytes"))?,
        ))
    }

    /// The next long number.
    pub fn u64(&mut self) -> io::Result<u64> {
        let bytes = self.take(8)?;
        Ok(u64::from_be_bytes(
            bytes.try_into().map_err(|_| bad("eight bytes"))?,
        ))
    }

    /// The next flag.
    pub fn flag(&mut self) -> io::Result<bool> {
        Ok(self.u32()? != 0)
    }

    /// The next bytes, at most so many.
    pub fn bytes(&mut self, most: usize) -> io::Result<&'a [u8]> {
        let length = usize::try_from(self.u32()?).map_err(|_| bad("length"))?;
        if length > most {
            return Err(bad("an answer holds more than was asked for"));
        }
        let bytes = self.take(length)?;
        self.take(length.next_multiple_of(4) - length)?;
        Ok(bytes)
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.0.len()
    }

    /// Passes over bytes.
    pub fn skip(&mut self, length: usize) -> io::Result<()> {
        self.take(length).map(drop)
    }
}

/// The server answered what the protocol does not allow.
pub fn bad(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.to_owned())
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let words = Writer::default().u32(7).bytes(b"abcde").u64(1 << 40).done();
        assert_eq!(words.len(), 4 + 4 + 8 + 8);
        let mut reader = Reader::new(&words);
        assert_eq!(reader.u32().unwrap(), 7);
        assert_eq!(reader.bytes(5).unwrap(), b"abcde");
        assert_eq!(reader.u64().unwrap(), 1 << 40);
        assert!(reader.u32().is_err(), "the end is seen");
    }

    #[test]
    fn no_length_is_believed() {
        let words = Writer::default().u32(u32::MAX).u32(0).done();
        assert!(Reader::new(&words).bytes(usize::MAX).is_err());
        let words = Writer::default().bytes(b"abcde").done();
        assert!(Reader::new(&words).bytes(4).is_err());
    }
}
