//! From async to libvirt's blocking calls: one connection, a bounded number of threads, a deadline for each call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use node_hypervisor::{DomainEvent, HypervisorError, Result};
use tokio::sync::{Notify, Semaphore, broadcast};
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt::error::Error;

use crate::error::{Fault, translate};
use crate::{event_loop, events, ffi};

/// Calls that may block a thread at once.
const SHORT_CALLS: usize = 16;
/// Jobs that hold a thread until they end; apart, so that they can be watched and called off.
const LONG_CALLS: usize = 16;
/// How often libvirt asks whether the connection lives, in seconds, and how many answers may be missing.
pub(crate) const KEEP_ALIVE: (i32, u32) = (5, 3);

/// What a call is for and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) operation: &'static str,
    pub(crate) vm: Option<Uuid>,
    pub(crate) limit: Duration,
    pub(crate) lane: Lane,
}

/// Which threads a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Short,
    Long,
}

/// A removal of a device, done or refused.
#[derive(Clone, Debug)]
pub(crate) struct Removal {
    pub(crate) vm: Uuid,
    pub(crate) alias: String,
    pub(crate) refused: bool,
}

struct Link {
    // Must be dropped before the connection, hence above it.
    _subscription: ffi::Subscription,
    connect: Connect,
}

struct Shared {
    uri: String,
    link: Mutex<Option<Link>>,
    was_connected: AtomicBool,
    events: broadcast::Sender<DomainEvent>,
    removals: broadcast::Sender<Removal>,
    lost: Arc<Notify>,
}

/// The connection and its threads.
#[derive(Clone)]
pub(crate) struct Bridge {
    shared: Arc<Shared>,
    short: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

impl Bridge {
    pub(crate) fn new(uri: String) -> Bridge {
        Bridge {
            shared: Arc::new(Shared {
                uri,
                link: Mutex::new(None),
                was_connected: AtomicBool::new(false),
                events: broadcast::Sender::new(4096),
                removals: broadcast::Sender::new(256),
                lost: Arc::new(Notify::new()),
            }),
            short: Arc::new(Semaphore::new(SHORT_CALLS)),
            long: Arc::new(Semaphore::new(LONG_CALLS)),
        }
    }

    pub(crate) fn events(&self) -> broadcast::Receiver<DomainEvent> {
        self.shared.events.subscribe()
    }

    pub(crate) fn removals(&self) -> broadcast::Receiver<Removal> {
        self.shared.removals.subscribe()
    }

    /// Returns when libvirt has said that the connection is lost.
    pub(crate) async fn lost(&self) {
        self.shared.lost.notified().await;
    }

    /// Runs a blocking call. After the deadline it goes on unwatched and still counts among the threads.
    pub(crate) async fn call<T, F>(&self, job: Job, act: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connect) -> Result<T, Fault> + Send + 'static,
    {
        let Job {
            operation,
            vm,
            limit,
            lane,
        } = job;
        let threads = match lane {
            Lane::Short => self.short.clone(),
            Lane::Long => self.long.clone(),
        };
        let timed_out = |_| HypervisorError::TimedOut {
            operation,
            after: limit,
        };
        let within = async {
            let permit = threads
                .acquire_owned()
                .await
                .map_err(|source| HypervisorError::Failed {
                    operation,
                    source: source.into(),
                })?;
            let shared = Arc::clone(&self.shared);
            let span = tracing::info_span!("libvirt", operation, vm = vm.map(tracing::field::display));
            let thread = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let _entered = span.enter();
                let connect = shared
                    .connect()
                    .map_err(|e| HypervisorError::Disconnected { source: e.into() })?;
                act(&connect).map_err(|fault| translate(operation, vm, fault))
            });
            match thread.await {
                Ok(answer) => answer,
                // The virt crate panics on types it does not expect.
                Err(source) => Err(HypervisorError::Failed {
                    operation,
                    source: source.into(),
                }),
            }
        };
        tokio::time::timeout(limit, within).await.map_err(timed_out)?
    }
}

impl Shared {
    /// The connection, opened anew if it is lost.
    fn connect(self: &Arc<Self>) -> Result<Connect, Error> {
        let mut place = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = &*place
            && link.connect.is_alive().unwrap_or(false)
        {
            return Ok(link.connect.clone());
        }
        *place = None;
        event_loop::start()?;
        let connect = Connect::open(Some(&self.uri))?;
        // The test driver has none, and needs none.
        let _ = connect.set_keep_alive(KEEP_ALIVE.0, KEEP_ALIVE.1);
        let (events, removals) = (self.events.clone(), self.removals.clone());
        let sink: ffi::Sink = Arc::new(move |vm, raw| events::pass_on(&events, &removals, vm, raw));
        let lost = Arc::clone(&self.lost);
        let close: ffi::CloseSink = Arc::new(move || lost.notify_one());
        let subscription = ffi::subscribe(&connect, &sink, &close)?;
        *place = Some(Link {
            _subscription: subscription,
            connect: connect.clone(),
        });
        if self.was_connected.swap(true, Ordering::Relaxed) {
            tracing::info!(uri = self.uri, "connected to libvirt again");
            let _ = self.events.send(events::resync());
        }
        Ok(connect)
    }
}

/// The domain of a VM.
pub(crate) fn find(connect: &Connect, vm: Uuid) -> Result<Domain, Fault> {
    Ok(connect.lookup_domain_by_uuid_string(&vm.to_string())?)
}
