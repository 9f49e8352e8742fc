//! What a node does at its start about the time when it did not run: domains may have gone, repositories must be plugged.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::agent::Agent;

/// How long to wait before a repository that could not be plugged is tried again.
const AGAIN: Duration = Duration::from_secs(10);

/// Does it in the background, so that a dead repository delays nothing else.
pub(crate) fn spawn(agent: &Agent, stop: &CancellationToken) {
    let weak = Arc::downgrade(&agent.inner);
    let work = async move {
        let Some(agent) = weak.upgrade().map(|inner| Agent { inner }) else {
            return;
        };
        // First of all: the pool may be reached through one of them.
        agent.restore_networks().await;
        let wanted = agent.inner.plugs.all().await;
        agent.release_departed().await;
        drop(agent);
        let plugging = wanted.into_iter().map(|sr| {
            let weak = weak.clone();
            async move {
                loop {
                    let Some(agent) = weak.upgrade().map(|inner| Agent { inner }) else {
                        return;
                    };
                    // Unplugged by the leader meanwhile: no more.
                    if !agent
                        .inner
                        .plugs
                        .all()
                        .await
                        .iter()
                        .any(|still| still.uuid == sr.uuid)
                    {
                        return;
                    }
                    match agent.sr_plug(&sr).await {
                        Ok(_) => {
                            agent.tell_anew();
                            return;
                        }
                        Err(error) => {
                            tracing::warn!(sr = %sr.uuid, %error, "a repository was not plugged again")
                        }
                    }
                    drop(agent);
                    tokio::time::sleep(AGAIN).await;
                }
            }
        });
        futures::future::join_all(plugging).await;
    };
    tokio::spawn(stop.clone().run_until_cancelled_owned(work));
}
