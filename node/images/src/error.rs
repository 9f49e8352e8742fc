//! Why bytes could not be moved.

use std::io;

/// Why bytes could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The stream ends where more must come.
    #[error("the stream ends too early")]
    Ended,
    /// The first member of an archive is not the one it must be.
    #[error("the archive begins with {found:?} rather than {wanted:?}")]
    Unexpected {
        /// The name it must have.
        wanted: &'static str,
        /// The name it has.
        found: String,
    },
    /// The stream breaks the rules of its format.
    #[error("{0}")]
    Malformed(String),
    /// A piece does not have the checksum that came with it.
    #[error("{kind} of {name} is wrong")]
    Checksum {
        /// Which checksum, by the suffix of its member.
        kind: &'static str,
        /// The piece.
        name: String,
    },
    /// The table of checksums at the end differs from what came.
    #[error("checksums differ from the archive's table")]
    Table,
    /// The disk is larger than the format allows.
    #[error("a disk of {size} bytes is larger than the format's {most}")]
    TooLarge {
        /// The disk.
        size: u64,
        /// The format.
        most: u64,
    },
    /// The client's connection failed.
    #[error("the connection failed")]
    Client(#[source] io::Error),
    /// The disk failed.
    #[error("the disk failed")]
    Disk(#[source] io::Error),
    /// Whoever watches says stop.
    #[error("stopped")]
    Stopped,
}

impl ImageError {
    /// What reading the client's stream says; an early end is told apart.
    pub(crate) fn reading(error: io::Error) -> ImageError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => ImageError::Ended,
            io::ErrorKind::InvalidData | io::ErrorKind::Other => ImageError::Malformed(error.to_string()),
            _ => ImageError::Client(error),
        }
    }

    pub(crate) fn malformed(reason: impl Into<String>) -> ImageError {
        ImageError::Malformed(reason.into())
    }
}
