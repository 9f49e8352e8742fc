//! What a request wants: a call, one of the other HTTP handlers, or nothing that there is.

use hyper::body::Incoming;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_REQUEST_HEADERS, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue,
};
use hyper::{Method, Request, Response, StatusCode, Version};

use tokio_util::task::TaskTracker;

use crate::http::connection::Shared;
use crate::http::reply_body::{self, ReplyBody};
use crate::http::{body, error_page};
use crate::transfer::{self, Request as TransferRequest};
use crate::{CallHeaders, CallReply, Format, Health, Origin, web};

/// Where a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// A call in this format.
    Call(Format),
    /// A browser asks whether it may call.
    Preflight,
    /// Somebody asks whether the node is well.
    Health,
    /// A page for people.
    Page,
    /// No file of that name.
    NotFound,
    /// No handler for this method at that path.
    Forbidden,
    /// A transfer, a console, metrics: one of the other HTTP handlers of the API.
    Transfer,
    /// A method unknown to HTTP servers of the API.
    NotImplemented,
}

/// Where load balancers and the like ask; XenServer has no such page.
const HEALTH: &str = "/healthz";

/// Decides by method and path.
pub fn route(method: &Method, path: &str) -> Route {
    if transfer::table::knows(path) {
        return Route::Transfer;
    }
    match *method {
        Method::POST if path.starts_with("/jsonrpc") => Route::Call(Format::Json),
        Method::POST => Route::Call(Format::XmlRpc),
        Method::OPTIONS => Route::Preflight,
        Method::GET if path == HEALTH => Route::Health,
        Method::GET if web::find(path).is_some() => Route::Page,
        Method::GET => Route::NotFound,
        Method::PUT | Method::CONNECT => Route::Forbidden,
        _ => Route::NotImplemented,
    }
}

/// An answer, and what becomes of its connection.
pub(crate) enum Answered {
    /// Other requests may follow.
    Call(Response<ReplyBody>),
    /// The rest of the connection is this answer.
    Transfer(Response<ReplyBody>),
    /// None: the connection is closed.
    Nothing,
}

/// Answers one request. What goes on after HTTP has ended is spawned on `tunnels`.
pub(crate) async fn answer(
    mut request: Request<Incoming>,
    origin: Origin,
    shared: &Shared,
    tunnels: &TaskTracker,
) -> Answered {
    let route = route(request.method(), request.uri().path());
    if route == Route::Transfer {
        let upgrade = hyper::upgrade::on(&mut request);
        let (head, body) = request.into_parts();
        let request = TransferRequest {
            origin,
            head,
            body: transfer::RequestBody::new(body, shared.limits.transfer_stall),
            tunnel: transfer::Tunnel::new(upgrade, tunnels.clone(), shared.shutdown.clone()),
        };
        return match shared.service.transfer(request).await {
            Ok(response) => Answered::Transfer(response),
            Err(transfer::Broken) => Answered::Nothing,
        };
    }
    let (head, body) = request.into_parts();
    Answered::Call(match route {
        Route::Call(format) => {
            let keeps_open = keeps_open(head.version, &head.headers);
            match body::read(body, &shared.limits).await {
                Ok(bytes) => {
                    let reply = shared
                        .service
                        .call(origin, CallHeaders::new(head.headers), format, bytes)
                        .await;
                    respond(reply, head.version, keeps_open)
                }
                Err(status) => error_page::closing(status),
            }
        }
        Route::Preflight => preflight(&head.headers),
        Route::Health => health(&shared.service.health()),
        Route::Page => {
            web::find(head.uri.path()).map_or_else(|| error_page::closing(StatusCode::NOT_FOUND), web::show)
        }
        Route::NotFound => error_page::closing(StatusCode::NOT_FOUND),
        Route::Forbidden => error_page::closing(StatusCode::FORBIDDEN),
        Route::Transfer | Route::NotImplemented => error_page::closing(StatusCode::NOT_IMPLEMENTED),
    })
}

/// Whether the connection stays open: HTTP/1.1 without `Connection: close`.
fn keeps_open(version: Version, headers: &HeaderMap) -> bool {
    let asks_to_close = || {
        headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .any(|v| {
                v.split(',')
                    .any(|option| option.trim().eq_ignore_ascii_case("close"))
            })
    };
    version == Version::HTTP_11 && !asks_to_close()
}

fn respond(reply: CallReply, version: Version, keeps_open: bool) -> Response<ReplyBody> {
    let mut response = Response::new(reply_body::content(reply.body));
    *response.status_mut() = reply.status;
    if version == Version::HTTP_10 {
        // Else hyper would add `keep-alive` where the client asked for it.
        *response.version_mut() = Version::HTTP_10;
    }
    let headers = response.headers_mut();
    headers.reserve(8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("X-Requested-With"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    headers.insert(
        CONNECTION,
        HeaderValue::from_static(if keeps_open { "keep-alive" } else { "close" }),
    );
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::try_from(value),
        ) {
            headers.insert(name, value);
        }
    }
    response
}

/// 200 or 503, and a few words.
fn health(health: &Health) -> Response<ReplyBody> {
    let mut response = Response::new(reply_body::full(format!("{}\n", health.words)));
    if !health.is_healthy {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Allows a page of any origin to call.
fn preflight(asked: &HeaderMap) -> Response<ReplyBody> {
    let mut response = Response::new(reply_body::full(Vec::new()));
    let headers = response.headers_mut();
    let allowed = match asked
        .get(ACCESS_CONTROL_REQUEST_HEADERS)
        .and_then(|v| v.to_str().ok())
    {
        Some(asked) => HeaderValue::try_from(format!("{asked}, X-Requested-With")),
        None => Ok(HeaderValue::from_static("X-Requested-With")),
    };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("PUT"));
    if let Ok(allowed) = allowed {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, allowed);
    }
    response
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn posts_are_calls_unless_the_path_is_a_transfer() {
        for path in ["/", "/RPC2", "/xmlrpc", "/json", "/anything"] {
            assert_eq!(route(&Method::POST, path), Route::Call(Format::XmlRpc), "{path}");
        }
        assert_eq!(route(&Method::POST, "/jsonrpc"), Route::Call(Format::Json));
        assert_eq!(route(&Method::POST, "/cli"), Route::Transfer);
    }

    #[test]
    fn other_methods_never_reach_the_api() {
        assert_eq!(route(&Method::GET, "/"), Route::Page);
        assert_eq!(route(&Method::GET, "/reference/VM.html"), Route::Page);
        assert_eq!(route(&Method::GET, "/reference/none.html"), Route::NotFound);
        assert_eq!(
            route(&Method::POST, "/reference/VM.html"),
            Route::Call(Format::XmlRpc)
        );
        assert_eq!(route(&Method::GET, "/healthz"), Route::Health);
        assert_eq!(route(&Method::GET, "/healthz/more"), Route::NotFound);
        assert_eq!(route(&Method::GET, "/export/"), Route::Transfer);
        assert_eq!(route(&Method::PUT, "/x"), Route::Forbidden);
        assert_eq!(route(&Method::DELETE, "/x"), Route::NotImplemented);
        assert_eq!(route(&Method::OPTIONS, "/jsonrpc"), Route::Preflight);
    }
}
