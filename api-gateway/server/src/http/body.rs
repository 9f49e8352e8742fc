//! Reads a request's body within limits of size and time.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Body, Incoming};

use crate::TransportLimits;

/// Reads the body to its end.
///
/// # Errors
/// The status to answer with: 500 for a body that is too long (announced or sent), 408 for one that is too slow, 400 for
/// one that breaks off.
pub(crate) async fn read(body: Incoming, limits: &TransportLimits) -> Result<Bytes, StatusCode> {
    let announced = body.size_hint();
    let most = u64::try_from(limits.body_bytes).unwrap_or(u64::MAX);
    if announced.lower() > most {
        return Err(StatusCode::INTERNAL_SERVER_ERROR);
    }
    if announced.exact() == Some(0) {
        return Ok(Bytes::new());
    }
    tokio::time::timeout(limits.body, collect(body, limits.body_bytes))
        .await
        .unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
}

async fn collect(mut body: Incoming, most: usize) -> Result<Bytes, StatusCode> {
    // Nearly every call comes in one frame, which is handed on as it is.
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else {
            continue;
        };
        if first.len() + whole.len() + data.len() > most {
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
        } else {
            if whole.is_empty() {
                whole.extend_from_slice(&first);
                first = Bytes::new();
            }
            whole.extend_from_slice(&data);
        }
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}
