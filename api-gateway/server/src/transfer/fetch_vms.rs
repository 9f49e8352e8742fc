//! `VM.import`: the same as `/import`, of what this node fetches itself.

use std::sync::Arc;

use async_trait::async_trait;
use pool_domain::decide::certificate;
use pool_domain::{Database, query};
use pool_ops::{Call, Ops};
use proto_types::generated::sr;
use proto_types::{ApiError, Args, Ref, Value};

use super::fetch::{Manners, fetch, is_elsewhere};
use super::import::{Wanted, check_storage, take};
use super::task::HandlerTask;
use crate::api::Api;
use crate::handlers::{Begun, Coming, Job, Work};

struct FetchVms {
    api: Arc<Api>,
    url: String,
    manners: Manners,
    storage: Ref,
    restore: bool,
    force: bool,
}

/// The work of a call of `VM.import`.
///
/// # Errors
/// `HANDLE_INVALID`, `SR_OPERATION_NOT_SUPPORTED` for the SR.
pub fn work(api: &Arc<Api>, db: &Database, args: &Args) -> Result<Work, ApiError> {
    let storage = args.reference(1)?;
    query::find(db, sr::CLASS, storage)?;
    check_storage(db, storage)?;
    Ok(Work::Job(Box::new(FetchVms {
        api: Arc::clone(api),
        url: args.text(0)?.to_owned(),
        manners: Manners {
            may_ask: is_elsewhere,
            authorities: certificate::trusted_authorities(db),
        },
        storage,
        restore: args.at(2)?.as_bool(),
        force: args.at(3)?.as_bool(),
    })))
}

impl FetchVms {
    async fn carry_out(self, task: HandlerTask) -> Result<Value, ApiError> {
        let found = match fetch(&self.url, &self.manners).await {
            Ok(found) => found,
            Err(error) => {
                task.finish(Err(error.clone())).await;
                return Err(error);
            }
        };
        let wanted = Wanted {
            storage: self.storage,
            restore: self.restore,
            force: self.force,
            name: found.name,
            length: found.length,
        };
        take(&self.api, task, found.body, wanted).await
    }
}

#[async_trait]
impl Job for FetchVms {
    async fn run(self: Box<Self>, ops: Ops, call: Call) -> Result<Value, ApiError> {
        let origin = call.origin.clone();
        let task = HandlerTask::make(&self.api, call).await?;
        let reference = task.reference;
        // It goes on if the caller goes away.
        let outcome = tokio::spawn(self.carry_out(task)).await;
        let removed = ops
            .decide(&origin, |d| {
                d.delete(reference);
                Ok(())
            })
            .await;
        if let Err(error) = removed {
            tracing::debug!(%error, "the task of an import stays");
        }
        outcome.unwrap_or_else(|_| Err(ApiError::internal("the import was broken off")))
    }

    async fn run_async(self: Box<Self>, _: Ops, call: Call, turn: Coming) -> Result<Begun, ApiError> {
        let task = HandlerTask::make(&self.api, call).await?;
        let reference = task.reference;
        let work = async move {
            let _turn = turn.await;
            let outcome = self.carry_out(task).await;
            if let Err(error) = &outcome {
                tracing::info!(%error, "an import failed");
            }
            outcome
        };
        Ok((reference, tokio::spawn(work)))
    }
}
