//! The beginning of an NBD connection: what the server can do, and how large the disk is.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::messages::{
    CLIENT_FLAGS, FIXED_NEWSTYLE, HELLO, INFO_EXPORT, OPT_GO, OPT_SET_META_CONTEXT, OPT_STRUCTURED_REPLY,
    OPTION, OPTION_REPLY, REP_ACK, REP_INFO, REP_META_CONTEXT, option,
};

/// What the server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Export {
    pub(super) size: u64,
    /// The server says which stretches are zeros, under this number.
    pub(super) allocation: Option<u32>,
    /// Read replies come in chunks.
    pub(super) structured: bool,
}

/// No reply to an option is longer.
const LONGEST: u32 = 64 << 10;
const ALLOCATION: &str = "base:allocation";

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("NBD server: {what}"))
}

/// Goes through the negotiation for the default export.
pub(super) async fn negotiate<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<Export> {
    if stream.read_u64().await? != HELLO || stream.read_u64().await? != OPTION {
        return Err(bad("does not greet as one"));
    }
    if stream.read_u16().await? & FIXED_NEWSTYLE == 0 {
        return Err(bad("is too old"));
    }
    stream.write_u32(CLIENT_FLAGS).await?;
    let mut export = Export {
        size: 0,
        allocation: None,
        structured: false,
    };
    stream.write_all(&option(OPT_STRUCTURED_REPLY, &[])).await?;
    stream.flush().await?;
    export.structured = reply(stream, OPT_STRUCTURED_REPLY).await?.0 == REP_ACK;
    if export.structured {
        export.allocation = ask_allocation(stream).await?;
    }
    // The default export's name is empty, and nothing beyond its size is asked for.
    stream.write_all(&option(OPT_GO, &[0; 6])).await?;
    stream.flush().await?;
    let mut size = None;
    loop {
        let (kind, data) = reply(stream, OPT_GO).await?;
        match kind {
            REP_ACK => break,
            REP_INFO => {
                if let Some((INFO_EXPORT, rest)) = split_u16(&data)
                    && let Some(bytes) = rest.first_chunk::<8>()
                {
                    size = Some(u64::from_be_bytes(*bytes));
                }
            }
            _ => return Err(bad("does not serve the disk")),
        }
    }
    export.size = size.ok_or_else(|| bad("does not say how large the disk is"))?;
    Ok(export)
}

async fn ask_allocation<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<Option<u32>> {
    let mut data = 0_u32.to_be_bytes().to_vec();
    data.extend(1_u32.to_be_bytes());
    data.extend(u32::try_from(ALLOCATION.len()).unwrap_or(0).to_be_bytes());
    data.extend(ALLOCATION.as_bytes());
    stream.write_all(&option(OPT_SET_META_CONTEXT, &data)).await?;
    stream.flush().await?;
    let mut found = None;
    loop {
        let (kind, data) = reply(stream, OPT_SET_META_CONTEXT).await?;
        match kind {
            REP_META_CONTEXT => {
                if let Some((number, name)) = data.split_first_chunk::<4>()
                    && name == ALLOCATION.as_bytes()
                {
                    found = Some(u32::from_be_bytes(*number));
                }
            }
            REP_ACK => return Ok(found),
            // It has none; the disk is read in full then.
            _ => return Ok(None),
        }
    }
}

fn split_u16(data: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = data.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(*number), rest))
}

async fn reply<S: AsyncRead + Unpin>(stream: &mut S, to: u32) -> io::Result<(u32, Vec<u8>)> {
    if stream.read_u64().await? != OPTION_REPLY || stream.read_u32().await? != to {
        return Err(bad("answers something else"));
    }
    let kind = stream.read_u32().await?;
    let length = stream.read_u32().await?;
    if length > LONGEST {
        return Err(bad("answers too much"));
    }
    let mut data = vec![0; usize::try_from(length).unwrap_or(0)];
    stream.read_exact(&mut data).await?;
    Ok((kind, data))
}
