//! A file as the body of a request.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::Request;
use hyper::body::Frame;
use hyper::header::CONTENT_LENGTH;
use tokio::io::AsyncReadExt;

use crate::transport::Body;

/// Read at once.
const PIECE: usize = 256 << 10;

/// What is announced for a stream that nobody knows the length of: a pebibyte. Servers do not take chunked bodies here;
/// they stop when they have what they need.
const ENDLESS: u64 = 1 << 50;

/// So long the last bytes of an endless body have to leave.
const LINGER: Duration = Duration::from_secs(1);

/// A request that sends a file.
///
/// # Errors
/// When the file cannot be opened.
pub fn request(
    builder: hyper::http::request::Builder,
    path: &Path,
) -> io::Result<Result<Request<Body>, hyper::http::Error>> {
    let file = std::fs::File::open(path)?;
    let metadata = file.metadata()?;
    let length = metadata.is_file().then_some(metadata.len());
    let body = body(tokio::fs::File::from_std(file), length.is_none());
    Ok(builder
        .header(CONTENT_LENGTH, length.unwrap_or(ENDLESS))
        .body(body))
}

fn body(file: tokio::fs::File, endless: bool) -> Body {
    let pieces = stream::unfold(Some(file), move |file| async move {
        let mut file = file?;
        let mut piece = BytesMut::with_capacity(PIECE);
        match file.read_buf(&mut piece).await {
            Ok(0) if endless => {
                // The body is not as long as was said, so the connection has to break, but not before all was sent.
                tokio::time::sleep(LINGER).await;
                Some((Err(io::ErrorKind::UnexpectedEof.into()), None))
            }
            Ok(0) => None,
            Ok(_) => Some((
                Ok::<Frame<Bytes>, io::Error>(Frame::data(piece.freeze())),
                Some(file),
            )),
            Err(error) => Some((Err(error), None)),
        }
    });
    BodyExt::boxed_unsync(StreamBody::new(pieces))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_file_is_sent_whole_and_with_its_length() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let content = vec![7_u8; PIECE * 2 + 5];
        std::fs::write(file.path(), &content).unwrap();
        let request = request(Request::put("/import"), file.path()).unwrap().unwrap();
        assert_eq!(request.headers()[CONTENT_LENGTH], content.len().to_string());
        let sent = runtime
            .block_on(request.into_body().collect())
            .unwrap()
            .to_bytes();
        assert_eq!(sent, content);
    }
}
