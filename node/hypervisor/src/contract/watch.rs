//! Events.

use std::time::Duration;

use tokio::sync::broadcast;
use uuid::Uuid;

use super::{Fixture, Verdict, ensure, lifecycle, said};
use crate::Hypervisor;
use crate::domain::StartMode;
use crate::event::{DomainEvent, DomainEventKind, StopReason};

/// The events of one domain since this was made.
pub(super) struct Watch {
    events: broadcast::Receiver<DomainEvent>,
    vm: Uuid,
    seen: Vec<DomainEventKind>,
}

impl Watch {
    pub(super) fn new(hypervisor: &dyn Hypervisor, vm: Uuid) -> Watch {
        Watch {
            events: hypervisor.events(),
            vm,
            seen: Vec::new(),
        }
    }

    /// Waits for an event of that domain.
    pub(super) async fn until(
        &mut self,
        limit: Duration,
        wanted: impl Fn(&DomainEventKind) -> bool,
    ) -> Verdict {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            match tokio::time::timeout_at(deadline, self.events.recv()).await {
                Err(_) => return Err(format!("waited {limit:?} for an event, saw only {:?}", self.seen)),
                Ok(Err(error)) => return Err(format!("the stream of events broke: {error}")),
                Ok(Ok(event)) if event.vm == self.vm => {
                    let found = wanted(&event.kind);
                    self.seen.push(event.kind);
                    if found {
                        return Ok(());
                    }
                }
                Ok(Ok(_)) => {}
            }
        }
    }
}

pub(super) async fn events_come_in_order(fixture: &dyn Fixture, hypervisor: &dyn Hypervisor) -> Verdict {
    let spec = fixture.spec("watched").await;
    let mut watch = Watch::new(hypervisor, spec.uuid);
    hypervisor.start(&spec, StartMode::Running).await.map_err(said)?;
    hypervisor.pause(spec.uuid).await.map_err(said)?;
    hypervisor.unpause(spec.uuid).await.map_err(said)?;
    hypervisor.destroy(spec.uuid).await.map_err(said)?;
    watch
        .until(fixture.limit(), |kind| {
            matches!(kind, DomainEventKind::Stopped(_))
        })
        .await?;
    // A driver may show the CPUs being let go at the start, before or after the start itself; that is no lie.
    // The guest agent's channel comes and goes as it likes.
    let mut seen = watch.seen.clone();
    seen.retain(|kind| {
        !matches!(
            kind,
            DomainEventKind::AgentConnected | DomainEventKind::AgentDisconnected
        )
    });
    if let Some(extra) = seen
        .iter()
        .take(2)
        .position(|kind| *kind == DomainEventKind::Resumed)
    {
        seen.remove(extra);
    }
    let expected = [
        DomainEventKind::Started,
        DomainEventKind::Paused,
        DomainEventKind::Resumed,
        DomainEventKind::Stopped(StopReason::Destroyed),
    ];
    ensure!(seen == expected, "saw {:?}", watch.seen);
    Ok(())
}

pub(super) async fn a_reset_is_an_event(fixture: &dyn Fixture, hypervisor: &dyn Hypervisor) -> Verdict {
    let vm = lifecycle::running(fixture, hypervisor, "reset-event").await?.uuid;
    let mut watch = Watch::new(hypervisor, vm);
    hypervisor.reset(vm).await.map_err(said)?;
    watch
        .until(fixture.limit(), |kind| *kind == DomainEventKind::Rebooted)
        .await
}
