//! Serves the requests of one connection until it ends or the server stops.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::reply_body::ReplyBody;
use super::timed_io::TimedIo;
use crate::router::{self, Answered};
use crate::{ApiService, Origin, TransportLimits};

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) service: Arc<dyn ApiService>,
    pub(crate) limits: TransportLimits,
    pub(crate) shutdown: CancellationToken,
}

/// Ends a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed without an answer")]
struct Unanswered;

/// Serves one connection. Errors of a connection concern its client only; they are logged at debug level.
pub(crate) async fn serve<S>(stream: S, origin: Origin, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (io, progress) = TimedIo::new(stream, shared.limits);
    // What goes on over the connection after HTTP has ended.
    let tunnels = TaskTracker::new();
    let requests = {
        let (shared, tunnels) = (Arc::clone(&shared), tunnels.clone());
        service_fn(move |request: Request<Incoming>| {
            progress.request_began();
            let shared = Arc::clone(&shared);
            let (progress, tunnels) = (progress.clone(), tunnels.clone());
            async move {
                let response = match router::answer(request, origin, &shared, &tunnels).await {
                    Answered::Call(response) => {
                        progress.request_ended();
                        response
                    }
                    Answered::Transfer(response) => {
                        progress.transfer_began();
                        response
                    }
                    Answered::Nothing => return Err(Unanswered),
                };
                Ok::<Response<ReplyBody>, Unanswered>(response)
            }
        })
    };
    let connection = http1::Builder::new()
        .half_close(true)
        .max_buf_size(shared.limits.header_bytes.max(8 << 10))
        .serve_connection(TokioIo::new(io), requests)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = shared.shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(shared.limits.drain, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = result {
        tracing::debug!(
            ?origin,
            error = &error as &dyn std::error::Error,
            "connection ended"
        );
    }
    tunnels.close();
    tokio::select! {
        () = tunnels.wait() => {}
        () = shared.shutdown.cancelled() => {}
    }
}
