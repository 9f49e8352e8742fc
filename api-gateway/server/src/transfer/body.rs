//! The body of a request as it comes, each piece within a time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Incoming};
use proto_types::ApiError;
use tokio::io::AsyncRead;
use tokio::sync::Mutex;
use tokio_util::io::StreamReader;

use super::Refusal;

/// How much of what a client still sends after the end is taken in, so that it reads the answer rather than an error.
const DRAINED: usize = 1 << 20;
/// How long that may take.
const DRAINING: Duration = Duration::from_secs(2);

/// A body as it comes.
pub struct RequestBody {
    incoming: Incoming,
    stall: Duration,
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, stall: Duration) -> RequestBody {
        RequestBody { incoming, stall }
    }

    /// How long it is, if the client says so.
    pub fn length(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }

    /// The next piece; nothing at the end.
    ///
    /// # Errors
    /// `TimedOut` when the client sends nothing for too long, `UnexpectedEof` when it breaks off.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            match tokio::time::timeout(self.stall, self.incoming.frame()).await {
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, error)),
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Ok(Some(data)),
                    _ => {}
                },
            }
        }
    }

    /// All of it, if it is no longer than `most` bytes; `what` says in the refusal what has no more.
    ///
    /// # Errors
    /// 413 for a longer one; 500 for one that breaks off.
    pub async fn whole(&mut self, most: usize, what: &str) -> Result<Vec<u8>, Refusal> {
        let too_long = || {
            let text = format!("{what} has no more than {most} bytes");
            Refusal::Api(StatusCode::PAYLOAD_TOO_LARGE, ApiError::internal(text))
        };
        if self.length().is_some_and(|length| length > most as u64) {
            return Err(too_long());
        }
        let mut bytes = Vec::new();
        loop {
            match self.next().await {
                Ok(Some(piece)) if bytes.len().saturating_add(piece.len()) <= most => {
                    bytes.extend_from_slice(&piece);
                }
                Ok(Some(_)) => return Err(too_long()),
                Ok(None) => return Ok(bytes),
                Err(_) => return Err(ApiError::internal("the body broke off").into()),
            }
        }
    }

    /// Takes in what the client still sends, within bounds: closing at once would cost it the answer.
    async fn drain(&mut self) {
        let all = async {
            let mut taken = 0;
            while let Ok(Some(piece)) = self.next().await {
                taken += piece.len();
                if taken > DRAINED {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(DRAINING, all).await;
    }

    /// To be read by one part of a handler and drained by another.
    pub fn shared(self) -> SharedBody {
        SharedBody(Arc::new(Mutex::new(self)))
    }
}

/// A body that outlives its reader.
#[derive(Clone)]
pub struct SharedBody(Arc<Mutex<RequestBody>>);

/// A body to be read.
pub type BodyReader = Pin<Box<dyn AsyncRead + Send>>;

impl SharedBody {
    /// The body to be read, from where it is.
    pub fn reader(&self) -> BodyReader {
        let pieces = futures::stream::try_unfold(Arc::clone(&self.0), |body| async move {
            let piece = body.lock().await.next().await?;
            Ok::<_, io::Error>(piece.map(|piece| (piece, body)))
        });
        Box::pin(StreamReader::new(Box::pin(pieces)))
    }

    /// Takes in what the client still sends, within bounds: closing at once would cost it the answer.
    pub async fn drain(&self) {
        self.0.lock().await.drain().await;
    }
}
