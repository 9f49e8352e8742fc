//! What goes over the wire of NBD, as numbers.

/// `NBDMAGIC`
pub(super) const HELLO: u64 = 0x4e42_444d_4147_4943;
/// `IHAVEOPT`
pub(super) const OPTION: u64 = 0x4948_4156_454f_5054;
pub(super) const OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
pub(super) const FIXED_NEWSTYLE: u16 = 1;
/// Fixed newstyle, and no 124 zeros after the export.
pub(super) const CLIENT_FLAGS: u32 = 3;
pub(super) const OPT_GO: u32 = 7;
pub(super) const OPT_STRUCTURED_REPLY: u32 = 8;
pub(super) const OPT_SET_META_CONTEXT: u32 = 10;
pub(super) const REP_ACK: u32 = 1;
pub(super) const REP_INFO: u32 = 3;
pub(super) const REP_META_CONTEXT: u32 = 4;
pub(super) const INFO_EXPORT: u16 = 0;

pub(super) const REQUEST: u32 = 0x2560_9513;
pub(super) const SIMPLE_REPLY: u32 = 0x6744_6698;
pub(super) const STRUCTURED_REPLY: u32 = 0x668e_33ef;
/// The last chunk of a structured reply.
pub(super) const DONE: u16 = 1;
pub(super) const CHUNK_NONE: u16 = 0;
pub(super) const CHUNK_DATA: u16 = 1;
pub(super) const CHUNK_HOLE: u16 = 2;
pub(super) const CHUNK_STATUS: u16 = 5;
/// Chunk types from here on are errors.
pub(super) const CHUNK_ERROR: u16 = 1 << 15;
/// In the status of a stretch: it reads as zeros.
pub(super) const READS_ZERO: u32 = 2;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Read,
    Write,
    Disconnect,
    Flush,
    WriteZeroes,
    BlockStatus,
}

impl Command {
    fn number(self) -> u16 {
        match self {
            Command::Read => 0,
            Command::Write => 1,
            Command::Disconnect => 2,
            Command::Flush => 3,
            Command::WriteZeroes => 6,
            Command::BlockStatus => 7,
        }
    }
}

/// The header of a request.
pub(super) fn request(command: Command, cookie: u64, offset: u64, length: u32) -> [u8; 28] {
    let mut out = [0; 28];
    let parts: [&[u8]; 6] = [
        &REQUEST.to_be_bytes(),
        &[0, 0],
        &command.number().to_be_bytes(),
        &cookie.to_be_bytes(),
        &offset.to_be_bytes(),
        &length.to_be_bytes(),
    ];
    for (to, from) in out.iter_mut().zip(parts.iter().flat_map(|p| p.iter())) {
        *to = *from;
    }
    out
}

/// An option with its data.
pub(super) fn option(number: u32, data: &[u8]) -> Vec<u8> {
    let mut out = OPTION.to_be_bytes().to_vec();
    out.extend(number.to_be_bytes());
    out.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(data);
    out
}

/// An error number of the server in words.
pub(super) fn fault(number: u32) -> std::io::Error {
    // The protocol's numbers are those of Linux.
    match i32::try_from(number) {
        Ok(number) => std::io::Error::from_raw_os_error(number),
        Err(_) => std::io::Error::other(format!("error {number} of the server")),
    }
}
