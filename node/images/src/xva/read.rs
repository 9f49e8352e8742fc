//! Reading an archive.

use std::sync::Arc;

use bytes::Bytes;
use sha1::{Digest, Sha1};
use tokio::io::AsyncRead;

use super::pieces::Progress;
use super::{Checksum, PieceName};
use crate::disk::{Disk, is_zero};
use crate::error::ImageError;
use crate::flow::{Watch, Writes, read_piece, skip};
use crate::tar::{self, Header};

/// Largest `ova.xml`, and largest table of checksums.
const LARGEST_TEXT: u64 = 64 << 20;
/// Largest piece; real ones have a MiB.
const LARGEST_PIECE: u64 = 16 << 20;
/// Largest member beside them, such as a checksum.
const LARGEST_CHECKSUM: u64 = 4096;

/// How strictly an archive is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    /// Each piece is followed by its checksum, which is verified.
    pub inline: bool,
    /// Wrong checksums are passed over.
    pub lenient: bool,
}

/// An archive being read.
pub struct Archive<R> {
    from: R,
    /// A header that was read ahead.
    next: Option<Header>,
    /// The length of the first piece.
    unit: Option<u64>,
    /// The sum over all pieces of the hash of name and SHA-1, for archives that end in a table of them.
    sum: Option<Sum>,
}

/// A sum of hashes, for which the order does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum([u64; 2]);

impl Sum {
    fn add(&mut self, name: &str, checksum: &str) {
        let hash = Sha1::new()
            .chain_update(name)
            .chain_update([0])
            .chain_update(checksum)
            .finalize();
        let (words, _) = hash.as_slice().as_chunks::<8>();
        for (sum, word) in self.0.iter_mut().zip(words) {
            *sum = sum.wrapping_add(u64::from_be_bytes(*word));
        }
    }
}

impl<R: AsyncRead + Unpin + Send> Archive<R> {
    /// Reads the records with which an archive begins.
    ///
    /// # Errors
    /// [`ImageError::Unexpected`] if it begins with something else, [`ImageError::Ended`] if it is empty.
    pub async fn open(from: R) -> Result<(Archive<R>, Bytes), ImageError> {
        const FIRST: &str = "ova.xml";
        let mut archive = Archive {
            from,
            next: None,
            unit: None,
            sum: None,
        };
        let header = match archive.header().await {
            Ok(Some(header)) => header,
            Ok(None) => {
                return Err(ImageError::Unexpected {
                    wanted: FIRST,
                    found: String::new(),
                });
            }
            Err(error) => return Err(error),
        };
        if header.name != FIRST {
            return Err(ImageError::Unexpected {
                wanted: FIRST,
                found: header.name,
            });
        }
        let records = archive.content(&header, LARGEST_TEXT).await?;
        Ok((archive, records))
    }

    /// Begins with the pieces of a disk at once.
    pub fn headless(from: R) -> Archive<R> {
        Archive {
            from,
            next: None,
            unit: None,
            sum: None,
        }
    }

    /// From here on all pieces are noted for [`Archive::table`].
    pub fn expect_table(&mut self) {
        self.sum = Some(Sum::default());
    }

    async fn header(&mut self) -> Result<Option<Header>, ImageError> {
        if let Some(header) = self.next.take() {
            return Ok(Some(header));
        }
        tar::next_file(&mut self.from).await
    }

    async fn content(&mut self, header: &Header, most: u64) -> Result<Bytes, ImageError> {
        if header.size > most {
            return Err(ImageError::malformed(format!(
                "{} of {} bytes is too large",
                header.name, header.size
            )));
        }
        let length = usize::try_from(header.size).unwrap_or(usize::MAX);
        let content = read_piece(&mut self.from, length).await?;
        skip(&mut self.from, header.padding()).await?;
        Ok(content)
    }

    /// Reads one disk, which must be all zeros before. The disk ends when all of it has come.
    ///
    /// # Errors
    /// [`ImageError`]; the disk holds a part then.
    pub async fn disk(
        &mut self,
        id: &str,
        disk: Arc<dyn Disk>,
        rules: Rules,
        watch: &dyn Watch,
    ) -> Result<(), ImageError> {
        let size = disk.size();
        let mut progress = Progress::new(size);
        let mut writes = Writes::new(disk);
        while !progress.is_done() {
            let header = self.header().await?.ok_or(ImageError::Ended)?;
            let piece = PieceName::parse(&header.name)
                .filter(|piece| piece.checksum.is_none() && piece.disk == id)
                .ok_or_else(|| {
                    ImageError::malformed(format!("a piece of {id} must come, not {}", header.name))
                })?;
            let data = self.content(&header, LARGEST_PIECE).await?;
            let length = data.len() as u64;
            let unit = *self.unit.get_or_insert(length);
            let before = progress.position();
            let start = progress.place(&piece, length, unit)?;
            self.verify(&header.name, &piece, &data, rules).await?;
            if let Some(sum) = &mut self.sum {
                sum.add(&header.name, &Checksum::Sha1.of(&data));
            }
            let room = usize::try_from(size.saturating_sub(start)).unwrap_or(usize::MAX);
            let data = data.slice(..data.len().min(room));
            if !data.is_empty() && !is_zero(&data) {
                writes.push(start, data).await?;
            }
            watch.moved(progress.position() - before).await?;
        }
        writes.finish().await
    }

    async fn verify(
        &mut self,
        name: &str,
        piece: &PieceName,
        data: &[u8],
        rules: Rules,
    ) -> Result<(), ImageError> {
        // The last piece of an archive without checksums may be its last member.
        let header = match self.header().await {
            Ok(Some(header)) => header,
            Ok(None) | Err(ImageError::Ended) if !rules.inline || rules.lenient => return Ok(()),
            Ok(None) => return Err(ImageError::Ended),
            Err(error) => return Err(error),
        };
        let kind = PieceName::parse(&header.name)
            .filter(|found| found.is_checksum_of(piece))
            .and_then(|found| found.checksum);
        let Some(kind) = kind else {
            if rules.inline && !rules.lenient {
                return Err(ImageError::malformed(format!(
                    "the checksum of {name} must come, not {}",
                    header.name
                )));
            }
            self.next = Some(header);
            return Ok(());
        };
        let said = self.content(&header, LARGEST_CHECKSUM).await?;
        let right = kind.of(data).into_bytes();
        if rules.inline && !rules.lenient && said.trim_ascii() != right {
            return Err(ImageError::Checksum {
                kind: kind.suffix(),
                name: name.to_owned(),
            });
        }
        Ok(())
    }

    /// Reads the table of checksums that older archives end with.
    ///
    /// # Errors
    /// [`ImageError`].
    pub async fn table_text(&mut self) -> Result<Bytes, ImageError> {
        let header = self.header().await?.ok_or(ImageError::Ended)?;
        self.content(&header, LARGEST_TEXT).await
    }

    /// Compares a table with the pieces that came.
    ///
    /// # Errors
    /// [`ImageError::Table`].
    pub fn compare<'a>(&self, table: impl Iterator<Item = (&'a str, &'a str)>) -> Result<(), ImageError> {
        let mut sum = Sum::default();
        for (name, checksum) in table {
            sum.add(name, checksum);
        }
        if self.sum.is_some_and(|came| came != sum) {
            return Err(ImageError::Table);
        }
        Ok(())
    }
}
