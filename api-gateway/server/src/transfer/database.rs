//! `/pool/xmldbdump`: the pool's objects as one document, and back.
//!
//! Putting them back does not restart anything here, unlike on a XenServer, whose slaves are given up: the pool goes on, and
//! what exists outside the records stays. See [`pool_domain::decide::put_back`].

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use pool_domain::decide::put_back::{put_back, unreadable};
use pool_domain::xml::database::{self, DumpedRow};
use pool_domain::{Draft, Facts};
use pool_ops::storage::sr::WorkOnSr;
use proto_types::{ApiError, Ref, Value};
use uuid::Uuid;

use super::task::HandlerTask;
use super::{Exchange, Refusal, Reply, reply};

/// The longest document that is taken, in bytes.
const LONGEST: usize = 256 << 20;
/// Bytes that travel together.
const PIECE: usize = 256 << 10;

/// `GET /pool/xmldbdump`.
///
/// # Errors
/// Those of a task that does not take.
pub async fn get(exchange: Exchange) -> Result<Reply, Refusal> {
    let task = HandlerTask::take(&exchange).await?;
    let named = task.reference;
    let db = exchange.db.clone();
    let (send, pieces) = tokio::sync::mpsc::channel::<io::Result<Bytes>>(4);
    let writing = tokio::task::spawn_blocking(move || {
        let mut ready = String::with_capacity(PIECE);
        for piece in database::pieces(&db) {
            ready.push_str(&piece);
            if ready.len() >= PIECE && send.blocking_send(Ok(std::mem::take(&mut ready).into())).is_err() {
                return false;
            }
        }
        send.blocking_send(Ok(ready.into())).is_ok()
    });
    tokio::spawn(async move {
        let outcome = match writing.await {
            Ok(true) => Ok(Value::Void),
            _ => Err(ApiError::internal("the client went away")),
        };
        task.finish(outcome).await;
    });
    let parts = stream::unfold(pieces, |mut pieces| async move {
        Some((pieces.recv().await?, pieces))
    });
    Ok(reply::of_task(reply::stream("text/xml", parts), named))
}

/// `PUT /pool/xmldbdump`; with `dry_run=true` it is only seen whether it could be done.
///
/// # Errors
/// 413 for a document that is too long; 500 with the API's error for what is refused.
pub async fn put(mut exchange: Exchange) -> Result<Reply, Refusal> {
    let dry_run = exchange.query.get("dry_run") == Some("true");
    let task = HandlerTask::take(&exchange).await?;
    let named = task.reference;
    let done = match exchange.request.body.whole(LONGEST, "a database").await {
        Ok(document) => take(&exchange, document, dry_run).await.map_err(Refusal::from),
        Err(refusal) => Err(refusal),
    };
    let outcome = match &done {
        Ok(()) => Ok(Value::Void),
        Err(refusal) => Err(refusal.error().unwrap_or_else(|| ApiError::internal("refused"))),
    };
    task.finish(outcome).await;
    done.map(|()| reply::of_task(reply::bytes("text/plain", Vec::new()), named))
}

async fn take(exchange: &Exchange, document: Vec<u8>, dry_run: bool) -> Result<(), ApiError> {
    let reading = tokio::task::spawn_blocking(move || read(&document));
    let rows = reading
        .await
        .map_err(|_| ApiError::internal("the document cannot be read"))??;
    if dry_run {
        let facts = Facts::new(pool_ops::core::now(), Uuid::new_v4);
        return put_back(&mut Draft::new(&exchange.db, &facts), &rows).map(drop);
    }
    let origin = exchange.caller.history("http/put_pool_xml_db_sync");
    let (storage, _) = exchange.api.ops.decide(&origin, |d| put_back(d, &rows)).await?;
    look_at(exchange, storage);
    Ok(())
}

fn read(document: &[u8]) -> Result<Vec<DumpedRow>, ApiError> {
    let text = std::str::from_utf8(document)
        .map_err(|error| ApiError::new("INVALID_VALUE", ["database".to_owned(), error.to_string()]))?;
    database::read(text).map_err(|error| unreadable(&error))
}

/// Records of images came back: those whose image is there no more go again.
fn look_at(exchange: &Exchange, storage: Vec<Ref>) {
    for reference in storage {
        let api = Arc::clone(&exchange.api);
        let call = pool_ops::Call {
            label: "SR.scan".to_owned(),
            host: (api.host)(),
            origin: exchange.caller.history("SR.scan"),
            ..pool_ops::Call::default()
        };
        tokio::spawn(async move {
            if let Err(error) = pool_ops::run(&api.ops, WorkOnSr::scan(reference), call).await {
                tracing::info!(sr = %reference, %error, "a repository was not looked at after its records came back");
            }
        });
    }
}
