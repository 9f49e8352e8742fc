//! The plain HTTP listener: it sends every client to HTTPS and reads nothing but headers.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{HOST, HeaderValue, LOCATION};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::http::connection::Shared;
use crate::http::error_page;
use crate::http::reply_body::ReplyBody;

/// A redirect takes one round trip; a connection that lasts longer is cut.
const LONGEST: Duration = Duration::from_secs(30);

/// Answers the one request of a connection with 301.
pub(crate) async fn serve(stream: TcpStream, https_port: u16, shared: Arc<Shared>) {
    let Ok(local) = stream.local_addr() else { return };
    let requests = service_fn(move |request: Request<Incoming>| async move {
        Ok::<_, Infallible>(answer(&request, local, https_port))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.limits.header)
        .keep_alive(false)
        .max_buf_size(shared.limits.header_bytes.max(8 << 10))
        .serve_connection(TokioIo::new(stream), requests);
    tokio::select! {
        result = tokio::time::timeout(LONGEST, connection) => {
            if let Ok(Err(error)) = result {
                tracing::debug!(error = &error as &dyn std::error::Error, "plain connection ended");
            }
        }
        () = shared.shutdown.cancelled() => {}
    }
}

fn answer(request: &Request<Incoming>, local: SocketAddr, https_port: u16) -> Response<ReplyBody> {
    let asked = request
        .uri()
        .host()
        .or_else(|| request.headers().get(HOST).and_then(|v| v.to_str().ok()));
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let Some(location) = location(asked, local, https_port, path).and_then(|l| HeaderValue::try_from(l).ok())
    else {
        return error_page::closing(StatusCode::BAD_REQUEST);
    };
    let mut response = error_page::closing(StatusCode::MOVED_PERMANENTLY);
    response.headers_mut().insert(LOCATION, location);
    response
}

/// The address of the same thing over HTTPS; nothing when the host asked for is no host.
fn location(asked: Option<&str>, local: SocketAddr, https_port: u16, path: &str) -> Option<String> {
    let host = match asked {
        Some(asked) => host_alone(asked)?.to_owned(),
        None => match local {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        },
    };
    let path = if path.starts_with('/') { path } else { "/" };
    Some(if https_port == 443 {
        format!("https://{host}{path}")
    } else {
        format!("https://{host}:{https_port}{path}")
    })
}

/// The host without its port, if it is written as one.
fn host_alone(text: &str) -> Option<&str> {
    let host = match text.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => text,
    };
    let (name, allowed): (&str, fn(u8) -> bool) =
        match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
            Some(address) => (address, |b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.')),
            None => (host, |b| {
                b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')
            }),
        };
    (!name.is_empty() && name.bytes().all(allowed)).then_some(host)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_location_keeps_host_and_path() {
        let local = "192.0.2.1:80".parse().unwrap();
        let to = |asked, port| location(asked, local, port, "/a?b=c");
        assert_eq!(
            to(Some("xen.example:8080"), 443).as_deref(),
            Some("https://xen.example/a?b=c")
        );
        assert_eq!(
            to(Some("[2001:db8::1]"), 8443).as_deref(),
            Some("https://[2001:db8::1]:8443/a?b=c")
        );
        assert_eq!(to(None, 443).as_deref(), Some("https://192.0.2.1/a?b=c"));
        assert_eq!(to(Some("evil/@x"), 443), None);
        assert_eq!(to(Some(""), 443), None);
    }
}
