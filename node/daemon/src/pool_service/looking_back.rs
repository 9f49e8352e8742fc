//! The pool's past as other nodes and the operator's commands ask for it. Answered by the leader.

use bytes::Bytes;
use gateway_server::audit::{End, Note};
use pool_domain::Facts;
use pool_domain::decide::undo::undo;
use pool_domain::draft::Draft;
use pool_store::backup::{self, BackupHeader};
use proto_types::DateTime;
use proto_wire::pool::{BackupPart, HistoryEntry, HistoryRequest, UndoReply, UndoRequest};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use uuid::Uuid;

use super::{PoolService, history};
use crate::{backups, past};

/// Bytes of a backup that travel together.
const PART: usize = 1024 * 1024;

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: pool_store::HistoryError) -> Status {
    Status::failed_precondition(error.to_string())
}

fn broken(error: impl ToString) -> Status {
    Status::internal(error.to_string())
}

#[allow(clippy::result_large_err, reason = "tonic's own type for a refused call")]
impl PoolService {
    /// The database as it was at a moment, now if it is 0, in the form of a backup. As this node knows it, if `own` is said;
    /// else only the leader answers.
    pub(super) async fn state_at(
        &self,
        moment: DateTime,
        own: bool,
    ) -> Result<ReceiverStream<Result<BackupPart, Status>>, Status> {
        let now = if own {
            self.pool.snapshot()
        } else {
            self.leading().await?
        };
        let store = self.pool.store().clone();
        let made = tokio::task::spawn_blocking(move || {
            let (db, taken) = match moment {
                DateTime::EPOCH => (now, pool_ops::core::now()),
                moment => (store.state_at(moment).map_err(failed)?, moment),
            };
            let header = BackupHeader {
                taken: taken.0,
                ..backups::header(&db)
            };
            let mut bytes = Vec::new();
            backup::write(&db, header, &mut bytes).map_err(broken)?;
            Ok::<_, Status>(Bytes::from(bytes))
        });
        let mut rest = made.await.map_err(broken)??;
        let (send, parts) = tokio::sync::mpsc::channel(4);
        tokio::spawn(async move {
            while !rest.is_empty() {
                let part = rest.split_to(rest.len().min(PART));
                // Whoever asked has gone away.
                if send.send(Ok(BackupPart { data: part })).await.is_err() {
                    return;
                }
            }
        });
        Ok(ReceiverStream::new(parts))
    }

    /// What was written, oldest first.
    pub(super) async fn told(
        &self,
        asked: HistoryRequest,
    ) -> Result<ReceiverStream<Result<HistoryEntry, Status>>, Status> {
        self.leading().await?;
        let store = self.pool.store().clone();
        let (send, entries) = tokio::sync::mpsc::channel(64);
        tokio::task::spawn_blocking(move || {
            let told = past::told(&store, &asked, |entry| {
                let json = entry.to_string().into();
                send.blocking_send(Ok(HistoryEntry { json })).is_ok()
            });
            if let Err(error) = told {
                // Whoever asked may have gone away.
                let _ = send.blocking_send(Err(failed(error)));
            }
        });
        Ok(ReceiverStream::new(entries))
    }

    /// Sets back what one entry set.
    pub(super) async fn take_back(&self, request: UndoRequest) -> Result<UndoReply, Status> {
        let UndoRequest { entry, dry_run } = request;
        let now = self.leading().await?;
        let store = self.pool.store().clone();
        let found = tokio::task::spawn_blocking(move || past::before(&store, entry))
            .await
            .map_err(broken)?
            .map_err(failed)?;
        let Some((before, written)) = found else {
            let why = format!("entry {entry} of the log changed nothing");
            return Err(Status::failed_precondition(why));
        };
        let set = if dry_run {
            let facts = Facts::new(pool_ops::core::now(), Uuid::new_v4);
            undo(&mut Draft::new(&now, &facts), &before, &written)
        } else {
            let origin = history(&format!("undo {entry}"));
            let set = self.ops.decide(&origin, |d| undo(d, &before, &written)).await;
            let number = entry.to_string();
            let note = Note::of_operator("history undo", &[("entry", &number)]);
            let end = set.as_ref().map_or_else(End::of_error, |_| End::Done(None));
            self.api.audit(&note, &end).await;
            set.map(|(set, _)| set)
        };
        Ok(match set {
            Ok(set) => UndoReply {
                refusal: Vec::new(),
                json: past::restored(&now, &set).to_string().into(),
            },
            Err(error) => UndoReply {
                refusal: error.description(),
                json: Bytes::new(),
            },
        })
    }
}
