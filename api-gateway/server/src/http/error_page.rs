//! HTML pages for errors outside the protocol.

use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

use super::reply_body::{self, ReplyBody};

/// The page's text.
pub(crate) fn body(status: StatusCode) -> String {
    let code = status.as_u16();
    let reason = status.canonical_reason().unwrap_or("Error");
    format!(
        "<html><head><title>HTTP {code} {reason}</title></head><body><h1>HTTP {code} {reason}</h1></body></html>\n"
    )
}

/// The page as a whole response, after which the connection is closed.
pub(crate) fn closing(status: StatusCode) -> Response<ReplyBody> {
    let mut response = Response::new(reply_body::full(body(status)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
