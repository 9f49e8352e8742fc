//! What happens on this host, for whoever leads: the hypervisor's events with the state found just after, and heartbeats.
//!
//! A listener first gets everything as it is, then every change. If changes were lost on the way it gets everything again.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use node_commands::{GuestReport, HostEvent};
use node_hypervisor::{DomainEvent, DomainEventKind, StopReason};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::agent::{Agent, Inner};
use crate::stats::CpuMeter;
use crate::turns::Turn;
use crate::{drift, guests, stalls};

/// Events that a slow listener may be behind; more, and it gets everything again.
const BACKLOG: usize = 1024;

/// Spreads events to all listeners.
pub(crate) struct Hub {
    sender: broadcast::Sender<News>,
}

#[derive(Clone)]
enum News {
    /// Something happened to a domain. How it is now is asked for when this is told, so that no listener hears of an
    /// older state after a newer one.
    Domain(DomainEvent),
    /// What needs no second look: heartbeats, figures.
    Plain(HostEvent),
    Guest(Uuid, Option<Box<GuestReport>>),
    /// Everything must be told again.
    Anew,
    /// The host goes down: nothing more is told.
    Close,
}

impl Hub {
    pub(crate) fn new() -> Hub {
        Hub {
            sender: broadcast::Sender::new(BACKLOG),
        }
    }

    /// Whether anyone listens.
    pub(crate) fn has_listeners(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    /// Tells what a guest's agent said, or that it has fallen silent.
    pub(crate) fn tell_guest(&self, vm: Uuid, report: Option<GuestReport>) {
        // Nobody listening is no fault.
        let _ = self.sender.send(News::Guest(vm, report.map(Box::new)));
    }

    /// Ends all listeners' streams.
    pub(crate) fn close(&self) {
        let _ = self.sender.send(News::Close);
    }
}

/// The events of a host, for one listener.
pub struct HostEvents {
    receiver: mpsc::Receiver<HostEvent>,
}

impl HostEvents {
    /// The next event; `None` once a newer term has been seen, or the agent is gone.
    pub async fn next(&mut self) -> Option<HostEvent> {
        self.receiver.recv().await
    }

    /// As a stream.
    pub fn into_stream(self) -> tokio_stream::wrappers::ReceiverStream<HostEvent> {
        tokio_stream::wrappers::ReceiverStream::new(self.receiver)
    }
}

/// Begins to listen to the hypervisor, until stopped.
pub(crate) fn spawn(agent: &Agent, stop: &CancellationToken) {
    // Subscribed before anything else is done, so that nothing is missed.
    let events = agent.inner.hypervisor.events();
    let weak = Arc::downgrade(&agent.inner);
    tokio::spawn(
        stop.clone()
            .run_until_cancelled_owned(relay(events, weak.clone())),
    );
    let pace = agent.inner.settings.guest_pace;
    let asking = guests::follow(pace, weak.clone());
    tokio::spawn(stop.clone().run_until_cancelled_owned(asking));
    let pace = agent.inner.settings.drift_pace;
    let comparing = drift::follow(pace, weak.clone());
    tokio::spawn(stop.clone().run_until_cancelled_owned(comparing));
    let pace = agent.inner.settings.stall_pace;
    let helping = stalls::follow(pace, weak.clone());
    tokio::spawn(stop.clone().run_until_cancelled_owned(helping));
    let pace = agent.inner.settings.heartbeat;
    tokio::spawn(stop.clone().run_until_cancelled_owned(beat(pace, weak)));
}

async fn relay(mut events: broadcast::Receiver<DomainEvent>, inner: Weak<Inner>) {
    loop {
        let event = events.recv().await;
        let Some(agent) = inner.upgrade().map(|inner| Agent { inner }) else {
            return;
        };
        match event {
            Ok(event) if event.kind == DomainEventKind::Resync => {
                let _ = agent.inner.hub.sender.send(News::Anew);
                tokio::spawn(async move { agent.release_departed().await });
            }
            Ok(event) => tell(&agent, event),
            Err(RecvError::Lagged(lost)) => {
                tracing::warn!(lost, "the hypervisor's events came too fast");
                let _ = agent.inner.hub.sender.send(News::Anew);
                tokio::spawn(async move { agent.release_departed().await });
            }
            Err(RecvError::Closed) => {
                tracing::error!("the hypervisor tells no events any more");
                return;
            }
        }
    }
}

fn tell(agent: &Agent, event: DomainEvent) {
    if matches!(
        event.kind,
        DomainEventKind::AgentConnected | DomainEventKind::AgentDisconnected | DomainEventKind::Rebooted
    ) {
        agent.inner.guests.wake.notify_one();
    }
    let (vm, kind) = (event.vm, event.kind.clone());
    if kind == DomainEventKind::Resumed {
        agent.inner.migrations.runs(vm);
    }
    // Nobody listening is no fault.
    let _ = agent.inner.hub.sender.send(News::Domain(event));
    if let DomainEventKind::Stopped(reason) = kind {
        let agent = agent.clone();
        tokio::spawn(async move {
            // Where the pool saves a domain, that has the turn until its memory is in the volume.
            let _turn = agent.inner.turns.take(Turn::Life(vm)).await;
            if reason != StopReason::Saved || !agent.has_spool(vm).await {
                agent.release_if_absent(vm).await;
            }
        });
    }
}

async fn beat(pace: std::time::Duration, inner: Weak<Inner>) {
    let mut ticks = tokio::time::interval(pace);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut cpu = CpuMeter::default();
    let mut number = 0;
    loop {
        ticks.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        if inner.hub.sender.receiver_count() == 0 || inner.leaving.load(Ordering::SeqCst) {
            continue;
        }
        match inner.hypervisor.host_facts().await {
            Ok(facts) => {
                number += 1;
                let _ = inner.hub.sender.send(News::Plain(HostEvent::Heartbeat {
                    number,
                    memory_total: facts.memory_total,
                    memory_free: facts.memory_free,
                    cpu_permille: cpu.measure(),
                }));
            }
            // A node whose hypervisor does not answer keeps silent: it is of no use to the pool.
            Err(error) => tracing::warn!(
                error = error.chain(),
                "no heartbeat: the hypervisor does not answer"
            ),
        }
    }
}

/// Makes a listener of a term.
pub(crate) fn listen(agent: &Agent, term: u64) -> HostEvents {
    let (sender, receiver) = mpsc::channel(64);
    // Subscribed before the state is read: a change in between is told twice rather than never.
    let news = agent.inner.hub.sender.subscribe();
    let weak = Arc::downgrade(&agent.inner);
    let fence = Arc::clone(&agent.inner);
    tokio::spawn(async move {
        tokio::select! {
            () = follow(weak, news, &sender) => {}
            () = fence.fence.outdated(term) => {}
            () = sender.closed() => {}
        }
    });
    HostEvents { receiver }
}

async fn follow(inner: Weak<Inner>, mut news: broadcast::Receiver<News>, sender: &mpsc::Sender<HostEvent>) {
    let mut anew = true;
    loop {
        if anew {
            let Some(agent) = inner.upgrade().map(|inner| Agent { inner }) else {
                return;
            };
            match agent.snapshot().await {
                Ok(snapshot) => {
                    if sender.send(snapshot).await.is_err() {
                        return;
                    }
                    for (vm, report) in agent.inner.guests.all() {
                        let report = Some(Box::new(report));
                        if sender.send(HostEvent::Guest { vm, report }).await.is_err() {
                            return;
                        }
                    }
                    if let Some(domains) = agent.inner.drift.told()
                        && sender.send(HostEvent::Drift { domains }).await.is_err()
                    {
                        return;
                    }
                    anew = false;
                }
                Err(error) => {
                    tracing::warn!(error = error.chain(), "the hypervisor does not say what runs");
                    tokio::time::sleep(agent.inner.settings.heartbeat).await;
                }
            }
            continue;
        }
        match news.recv().await {
            Ok(News::Plain(event)) => {
                if sender.send(event).await.is_err() {
                    return;
                }
            }
            Ok(News::Domain(DomainEvent { vm, kind })) => {
                let Some(inner) = inner.upgrade() else { return };
                match inner.hypervisor.state(vm).await {
                    Ok(now) => {
                        if sender.send(HostEvent::Domain { vm, kind, now }).await.is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%vm, error = error.chain(), "a domain's state after an event is unknown");
                        anew = true;
                    }
                }
            }
            Ok(News::Guest(vm, report)) => {
                if sender.send(HostEvent::Guest { vm, report }).await.is_err() {
                    return;
                }
            }
            Ok(News::Anew) | Err(RecvError::Lagged(_)) => anew = true,
            Ok(News::Close) | Err(RecvError::Closed) => return,
        }
    }
}

impl Agent {
    async fn snapshot(&self) -> node_hypervisor::Result<HostEvent> {
        Ok(HostEvent::Snapshot {
            domains: self.inner.hypervisor.list().await?,
            plugged: self.inner.storage.plugged(),
            node_start: self.inner.node_start,
        })
    }

    /// Tells all listeners what needs no second look.
    pub(crate) fn tell(&self, event: HostEvent) {
        // Nobody listening is no fault.
        let _ = self.inner.hub.sender.send(News::Plain(event));
    }

    /// Tells all listeners everything again, for instance since a repository was plugged.
    pub fn tell_anew(&self) {
        let _ = self.inner.hub.sender.send(News::Anew);
    }

    /// Gives back what domains held that are not here any more.
    pub(crate) async fn release_departed(&self) {
        let Ok(here) = self.inner.hypervisor.list().await else {
            return;
        };
        let here: BTreeSet<Uuid> = here.into_iter().map(|domain| domain.uuid).collect();
        let mut known = self.inner.known.all();
        known.extend(self.inner.holdings.domains().await);
        for vm in known {
            if !here.contains(&vm) {
                let _turn = self.inner.turns.take(Turn::Life(vm)).await;
                self.release_if_absent(vm).await;
            }
        }
    }
}
