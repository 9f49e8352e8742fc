//! Answers of handlers. After each the connection is closed.

use std::io;

use bytes::Bytes;
use futures::Stream;
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION,
};
use hyper::{Response, StatusCode, Version};
use proto_types::Ref;

use super::Reply;
use crate::http::{error_page, reply_body};

/// A page that says the status.
pub fn page(status: StatusCode) -> Reply {
    error_page::closing(status)
}

/// The same thing is at another place.
pub fn found(location: &str) -> Reply {
    let mut reply = page(StatusCode::FOUND);
    if let Ok(location) = HeaderValue::try_from(location) {
        reply.headers_mut().insert(LOCATION, location);
    }
    reply
}

/// Bytes at hand, with their length.
pub fn bytes(content_type: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(reply_body::full(body));
    common(&mut reply);
    set(&mut reply, CONTENT_TYPE, content_type);
    reply
}

/// Bytes as they come, ended by the end of the connection. The status line is of HTTP/1.0, as clients know it.
pub fn stream(
    content_type: &'static str,
    parts: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
) -> Reply {
    let mut reply = Response::new(reply_body::stream(parts));
    *reply.version_mut() = Version::HTTP_10;
    common(&mut reply);
    set(&mut reply, CONTENT_TYPE, content_type);
    reply
}

/// Names the file as which a browser keeps the answer.
pub fn as_file(mut reply: Reply, name: &str) -> Reply {
    set(
        &mut reply,
        CONTENT_DISPOSITION,
        &format!("attachment; filename=\"{name}\""),
    );
    reply
}

/// Tells the task of a transfer.
pub fn of_task(mut reply: Reply, task: Ref) -> Reply {
    set(&mut reply, HeaderName::from_static("task-id"), &task.to_string());
    reply
}

/// The connection becomes something else.
pub fn connected() -> Reply {
    let mut reply = Response::new(reply_body::full(Bytes::new()));
    common(&mut reply);
    reply
}

fn common(reply: &mut Reply) {
    set(reply, CONNECTION, "close");
    set(reply, CACHE_CONTROL, "no-cache, no-store");
}

/// Adds a header; what is none is left out.
pub fn set(reply: &mut Reply, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        reply.headers_mut().insert(name, value);
    }
}
