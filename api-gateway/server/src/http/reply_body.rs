//! What is sent back: bytes at hand, or a stream of them.

use std::io;

use bytes::Bytes;
use futures::Stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::Frame;

use crate::service::Content;

/// Bytes at hand, or a stream of them. A stream that fails breaks the connection, which is how a client hears of it.
pub type ReplyBody = Either<Full<Bytes>, UnsyncBoxBody<Bytes, io::Error>>;

/// Bytes at hand.
pub fn full(bytes: impl Into<Bytes>) -> ReplyBody {
    Either::Left(Full::new(bytes.into()))
}

/// An answer of the API.
pub fn content(content: Content) -> ReplyBody {
    match content {
        Content::Whole(bytes) => full(bytes),
        Content::Listing(listing) => Either::Right(listing.map_err(|never| match never {}).boxed_unsync()),
    }
}

/// Bytes as they come.
pub fn stream(parts: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> ReplyBody {
    use futures::StreamExt;
    Either::Right(StreamBody::new(parts.map(|part| part.map(Frame::data))).boxed_unsync())
}
