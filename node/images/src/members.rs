//! The members of a tar archive, one after another, with the digests of their bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, ReadBuf};

use crate::error::ImageError;
use crate::flow::{read_piece, skip};
use crate::hex;
use crate::tar::{self, Header};

/// An archive being read.
pub struct Members<R> {
    from: R,
}

/// A member being read; it must be finished before the next one.
pub struct Member<'a, R> {
    from: &'a mut R,
    header: Header,
    left: u64,
    sums: (Sha1, Sha256),
}

/// Digests of a member's bytes, in lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// SHA-1.
    pub sha1: String,
    /// SHA-256.
    pub sha256: String,
}

impl<R: AsyncRead + Unpin> Members<R> {
    /// Begins with the first header.
    pub fn new(from: R) -> Members<R> {
        Members { from }
    }

    /// The next member; `None` at the archive's end.
    ///
    /// # Errors
    /// [`ImageError::Ended`] if the archive does not say that it ends; [`ImageError::Malformed`] for what is no plain file.
    pub async fn next(&mut self) -> Result<Option<Member<'_, R>>, ImageError> {
        let Some(header) = tar::next_file(&mut self.from).await? else {
            return Ok(None);
        };
        Ok(Some(Member {
            from: &mut self.from,
            left: header.size,
            header,
            sums: (Sha1::new(), Sha256::new()),
        }))
    }
}

impl<R: AsyncRead + Unpin> Member<'_, R> {
    /// Its name.
    pub fn name(&self) -> &str {
        self.header.name.strip_prefix("./").unwrap_or(&self.header.name)
    }

    /// All of its content, which must not be longer than that.
    ///
    /// # Errors
    /// [`ImageError`].
    pub async fn content(&mut self, most: u64) -> Result<Bytes, ImageError> {
        let (name, size) = (self.name(), self.header.size);
        if size > most {
            return Err(ImageError::malformed(format!(
                "{name} of {size} bytes is too large"
            )));
        }
        let length = usize::try_from(self.left).unwrap_or(usize::MAX);
        read_piece(self, length).await
    }

    /// Reads what is left of it.
    ///
    /// # Errors
    /// [`ImageError::Ended`] if it is not all there.
    pub async fn finish(mut self) -> Result<Digests, ImageError> {
        tokio::io::copy(&mut self, &mut tokio::io::sink())
            .await
            .map_err(ImageError::reading)?;
        skip(self.from, self.header.padding()).await?;
        Ok(Digests {
            sha1: hex(&self.sums.0.finalize()),
            sha256: hex(&self.sums.1.finalize()),
        })
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Member<'_, R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.left == 0 || to.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let most = usize::try_from(this.left).unwrap_or(usize::MAX);
        let mut part = ReadBuf::new(to.initialize_unfilled_to(most.min(to.remaining())));
        ready!(Pin::new(&mut *this.from).poll_read(cx, &mut part))?;
        let read = part.filled();
        if read.is_empty() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        this.sums.0.update(read);
        this.sums.1.update(read);
        let count = read.len();
        this.left = this.left.saturating_sub(count as u64);
        to.advance(count);
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod test {
    use tokio::io::AsyncReadExt;

    use super::*;

    fn archive() -> Vec<u8> {
        let mut out = Vec::new();
        for (name, content) in [("./a.ovf", &b"abc"[..]), ("b", &[7; 1000][..])] {
            out.extend(Header::file(name, content.len() as u64));
            out.extend(content);
            out.resize(out.len().next_multiple_of(tar::BLOCK), 0);
        }
        out.extend([0; 1024]);
        out
    }

    #[tokio::test]
    async fn members_come_one_after_another_with_their_digests() {
        let bytes = archive();
        let mut members = Members::new(bytes.as_slice());
        let mut first = members.next().await.unwrap().unwrap();
        assert_eq!(first.name(), "a.ovf");
        assert_eq!(first.content(3).await.unwrap(), "abc");
        let sums = first.finish().await.unwrap();
        // Source: FIPS 180-4's examples.
        assert_eq!(sums.sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert!(sums.sha256.starts_with("ba7816bf8f01cfea"));
        // One that is read in part is read to its end.
        let mut second = members.next().await.unwrap().unwrap();
        assert!(second.content(999).await.is_err(), "too large");
        let mut some = [0; 10];
        second.read_exact(&mut some).await.unwrap();
        let sums = second.finish().await.unwrap();
        assert_eq!(sums.sha1, "c6c414d758c46de0abbe573cbacf77897fd8491e");
        assert!(members.next().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn an_archive_that_is_cut_is_not_whole() {
        let bytes = archive();
        for cut in [10, 512 + 2, 1024 + 512 + 500, 1024 + 512 + 1024] {
            let outcome = async {
                let mut members = Members::new(&bytes[..cut]);
                while let Some(member) = members.next().await? {
                    member.finish().await?;
                }
                Ok::<_, ImageError>(())
            };
            let outcome = outcome.await;
            assert!(matches!(outcome, Err(ImageError::Ended)), "{cut}: {outcome:?}");
        }
    }
}
