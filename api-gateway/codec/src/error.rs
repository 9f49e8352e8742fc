//! Why bytes could not be read as a message.

use proto_types::ApiError;

/// The bytes are not a message that this server reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not well-formed XML or JSON, or not of the shape of the protocol.
    #[error("malformed message at byte {at}: {what}")]
    Malformed {
        /// Offset into the message, or 0 if unknown.
        at: u64,
        /// The obstacle in words.
        what: &'static str,
    },
    /// A limit was exceeded.
    #[error("message exceeds the limit of {limit} {of}")]
    TooLarge {
        /// The limit.
        limit: usize,
        /// What is counted.
        of: &'static str,
    },
    /// A string is not valid UTF-8 or holds characters that XML 1.0 forbids.
    #[error("{reason}")]
    BadText {
        /// The rule that is broken.
        reason: &'static str,
        /// The string, with replacement characters, cut off after some hundred bytes.
        text: String,
    },
}

impl DecodeError {
    pub(crate) fn malformed(at: u64, what: &'static str) -> DecodeError {
        DecodeError::Malformed { at, what }
    }

    /// The failure to answer inside the protocol; nothing when the answer is HTTP 500, because no call could be read.
    pub fn api_error(&self) -> Option<ApiError> {
        match self {
            DecodeError::BadText { reason, text } => Some(ApiError::new(
                "INVALID_VALUE",
                [(*reason).to_owned(), text.clone()],
            )),
            DecodeError::Malformed { .. } | DecodeError::TooLarge { .. } => None,
        }
    }
}
