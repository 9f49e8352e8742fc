//! `/audit_log`: the audit trail of the whole pool, as text.

use futures::stream::{self, StreamExt};
use hyper::StatusCode;
use proto_types::{ApiError, DateTime, Value};

use super::task::HandlerTask;
use super::{Exchange, Refusal, Reply, reply};

/// `GET /audit_log`, from `since` on if that is given.
///
/// # Errors
/// 400 for a `since` that is no moment.
pub async fn get(exchange: Exchange) -> Result<Reply, Refusal> {
    let since = match exchange.query.get("since") {
        None | Some("") => DateTime::EPOCH,
        Some(text) => text.parse().map_err(|_| {
            let error = ApiError::new("INVALID_VALUE", ["since", text]);
            Refusal::Api(StatusCode::BAD_REQUEST, error)
        })?,
    };
    let task = HandlerTask::take(&exchange).await?;
    let named = task.reference;
    let lines = exchange.api.trail.read(since).await;
    // The task ends with the last line; if the client goes away before, it has failed.
    let parts = stream::unfold(Some((lines, task)), |state| async move {
        let (mut lines, task) = state?;
        match lines.next().await {
            Some(Ok(piece)) => Some((Ok(piece), Some((lines, task)))),
            Some(Err(error)) => {
                task.finish(Err(ApiError::internal("the trail cannot be read")))
                    .await;
                Some((Err(error), None))
            }
            None => {
                task.finish(Ok(Value::Void)).await;
                None
            }
        }
    });
    Ok(reply::of_task(reply::stream("text/plain", parts), named))
}
