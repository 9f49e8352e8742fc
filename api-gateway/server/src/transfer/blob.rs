//! `/blob`: the bytes of a blob, kept in the pool's database.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use pool_domain::Database;
use pool_domain::decide::blob;
use proto_types::generated::blob as class;
use proto_types::{ApiError, Ref, Value};

use super::task::HandlerTask;
use super::{Exchange, Query, Refusal, Reply, reply};

/// The blob that a query names, by reference or uuid.
fn blob_of(db: &Database, query: &Query) -> Option<Ref> {
    let by_ref = query.get("ref").and_then(|text| text.parse().ok());
    let row = match by_ref {
        Some(reference) => db.of_class(class::CLASS, reference),
        None => db.by_uuid(class::CLASS, query.get("uuid")?),
    };
    row.map(|row| row.reference)
}

/// Whether a query names a blob that anybody may read, without a session.
pub fn is_public(db: &Database, query: &Query) -> bool {
    let row = blob_of(db, query).and_then(|r| db.of_class(class::CLASS, r));
    row.is_some_and(|row| row.get(class::PUBLIC).as_bool())
}

/// `GET /blob`.
///
/// # Errors
/// 404 for a blob that is not there.
pub async fn get(exchange: Exchange) -> Result<Reply, Refusal> {
    let row = blob_of(&exchange.db, &exchange.query).and_then(|r| exchange.db.of_class(class::CLASS, r));
    let row = row.ok_or(Refusal::Status(StatusCode::NOT_FOUND))?;
    let bytes = STANDARD
        .decode(row.get(class::CONTENT).as_str())
        .map_err(|_| ApiError::internal("the blob cannot be read"))?;
    let mut answer = reply::bytes("application/octet-stream", bytes);
    reply::set(&mut answer, CONTENT_TYPE, row.get(class::MIME_TYPE).as_str());
    // Clients choose bytes and type: a browser must not take them for a page of this server.
    reply::set(&mut answer, CONTENT_SECURITY_POLICY, "sandbox");
    reply::set(&mut answer, X_CONTENT_TYPE_OPTIONS, "nosniff");
    Ok(answer)
}

/// `PUT /blob`.
///
/// # Errors
/// 404 for a blob that is not there, 413 for more bytes than one holds, 500 when all of them hold too much.
pub async fn put(mut exchange: Exchange) -> Result<Reply, Refusal> {
    let reference = blob_of(&exchange.db, &exchange.query).ok_or(Refusal::Status(StatusCode::NOT_FOUND))?;
    let task = HandlerTask::take(&exchange).await?;
    let named = task.reference;
    let kept = async {
        let bytes = exchange.request.body.whole(blob::MOST_BYTES, "a blob").await?;
        let (content, size) = (STANDARD.encode(&bytes), bytes.len());
        let origin = exchange.caller.history("http/put_blob");
        let write = exchange
            .api
            .ops
            .decide(&origin, |d| blob::fill(d, reference, &content, size));
        write.await.map(|_| ()).map_err(Refusal::from)
    };
    let kept = kept.await;
    let outcome = match &kept {
        Ok(()) => Ok(Value::Void),
        Err(refusal) => Err(refusal.error().unwrap_or_else(|| ApiError::internal("refused"))),
    };
    task.finish(outcome).await;
    kept.map(|()| reply::of_task(reply::bytes("text/plain", Vec::new()), named))
}
