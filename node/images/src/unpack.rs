//! Streams that may be packed: gzip, zstd or neither. Those that come are told apart by their first bytes.

use std::pin::Pin;

use async_compression::Level;
use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, BufReader};

use crate::error::ImageError;

/// A stream of plain bytes.
pub type Plain<'a> = Pin<Box<dyn AsyncRead + Send + 'a>>;

/// Source: RFC 8878, 3.1.1.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Source: RFC 1952, 2.3.1.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const BUFFER: usize = 256 << 10;

/// How a stream that goes is packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    #[default]
    Plain,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

/// A stream of bytes that are packed on the way. It must be shut down, or its end is missing.
pub type Packed = Pin<Box<dyn AsyncWrite + Send>>;

/// Packs what is written.
pub fn pack(to: impl AsyncWrite + Send + 'static, packing: Packing) -> Packed {
    match packing {
        Packing::Plain => Box::pin(to),
        Packing::Gzip => Box::pin(GzipEncoder::with_quality(to, Level::Fastest)),
        Packing::Zstd => Box::pin(ZstdEncoder::with_quality(to, Level::Fastest)),
    }
}

/// Unpacks a stream if it is packed.
///
/// # Errors
/// If the stream fails. One that ends at once is plain and empty.
pub async fn unpack<'a>(mut from: impl AsyncRead + Send + Unpin + 'a) -> Result<Plain<'a>, ImageError> {
    let mut first = Vec::with_capacity(4);
    (&mut from)
        .take(4)
        .read_to_end(&mut first)
        .await
        .map_err(ImageError::reading)?;
    let (zstd, gzip) = (first.starts_with(&ZSTD), first.starts_with(&GZIP));
    let whole = BufReader::with_capacity(BUFFER, std::io::Cursor::new(first).chain(from));
    Ok(if zstd {
        Box::pin(ZstdDecoder::new(whole))
    } else if gzip {
        let mut decoder = GzipDecoder::new(whole);
        decoder.multiple_members(true);
        Box::pin(decoder)
    } else {
        Box::pin(whole)
    })
}

#[cfg(test)]
mod test {
    use tokio::io::AsyncWriteExt;

    use super::*;

    async fn plain(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        unpack(bytes).await.unwrap().read_to_end(&mut out).await.unwrap();
        out
    }

    #[tokio::test]
    async fn packed_or_not_the_bytes_are_the_same() {
        let text = b"ova.xml and so on ".repeat(1000);
        for packing in [Packing::Plain, Packing::Gzip, Packing::Zstd] {
            let (near, mut far) = tokio::io::duplex(1 << 20);
            let mut packed = pack(near, packing);
            packed.write_all(&text).await.unwrap();
            packed.shutdown().await.unwrap();
            drop(packed);
            let mut bytes = Vec::new();
            far.read_to_end(&mut bytes).await.unwrap();
            assert_eq!(bytes == text, packing == Packing::Plain);
            assert_eq!(plain(&bytes).await, text, "{packing:?}");
        }
        assert_eq!(plain(b"").await, b"");
        assert_eq!(plain(b"a").await, b"a");
    }
}
