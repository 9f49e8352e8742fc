//! Moving domains: the source's attempt with its forwarded sockets, and the place a destination keeps.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use migration::contract::{Terms, USUAL_DOWNTIME};
use node_commands::{
    CommandError, CommandErrorKind, DomainRequest, HostReply, MemoryPath, MigrationDestination,
    MigrationOptions, MigrationPhase, MigrationStatus, has_arrived,
};
use node_hypervisor::{
    DestinationChanges, DiskIndex, DiskSource, Domain, DomainState, ErrorKind, HypervisorError,
    MigrateOptions, NicIndex, PauseReason, ProgressSink,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::agent::Agent;
use crate::carriers::{make_folder, remove_folder_of};
use crate::contract::Links;
use crate::convert;
use crate::operations::Outcome;
use crate::tunnel::connect_local;
use crate::tunnel_ends::{IncomingEnd, Opened};
use crate::turns::Turn;

/// How long whoever asks for progress waits for the end.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// How long a place is kept that nobody comes to: a leader that could not reach this host has given it up.
const PLACE_KEPT: Duration = Duration::from_secs(600);
/// How long the hypervisor may take to end a copy by itself once its connections are cut.
const CUT_SHOWS: Duration = Duration::from_secs(2);
/// Between two looks at a domain that is about to change.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long a guest may take to go on.
const REVIVAL: Duration = Duration::from_secs(10);

/// The migrations that this host takes part in.
#[derive(Default)]
pub(crate) struct Migrations {
    outgoing: Mutex<HashMap<Uuid, Outgoing>>,
    incoming: Mutex<HashMap<Uuid, Incoming>>,
    /// Whether those that were expected here have run here since.
    arrivals: Mutex<HashMap<Uuid, bool>>,
    pub(crate) links: Links,
}

/// An attempt to move a domain away, under way or ended.
#[derive(Clone)]
struct Outgoing {
    /// Where it goes: the host, and its hypervisor's socket.
    to: (Uuid, PathBuf),
    status: watch::Receiver<MigrationStatus>,
}

/// A place kept for a domain.
struct Incoming {
    endpoint: PathBuf,
    memory: MemoryPath,
    stop: CancellationToken,
    tunnels: usize,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Migrations {
    /// Whether a place is kept for the VM.
    pub(crate) fn expects(&self, vm: Uuid) -> bool {
        locked(&self.incoming).contains_key(&vm)
    }

    /// A domain runs here. For one that came from another host nothing elsewhere may go on any more.
    pub(crate) fn runs(&self, vm: Uuid) {
        if let Some(has_run) = locked(&self.arrivals).get_mut(&vm) {
            *has_run = true;
        }
    }

    /// Forgets a migration that has ended, and any place kept.
    pub(crate) fn forget(&self, vm: Uuid) {
        self.forget_departure(vm);
        self.give_up_place(vm);
    }

    /// Forgets how a guest left, once it comes again: that says nothing of how it leaves the next time.
    pub(crate) fn forget_departure(&self, vm: Uuid) {
        let mut outgoing = locked(&self.outgoing);
        if outgoing
            .get(&vm)
            .is_some_and(|o| o.status.borrow().phase.is_over())
        {
            outgoing.remove(&vm);
        }
    }

    /// Lets go of the place kept for a VM and cuts its tunnels.
    fn give_up_place(&self, vm: Uuid) {
        let Some(place) = locked(&self.incoming).remove(&vm) else {
            return;
        };
        place.stop.cancel();
        if let MemoryPath::Tunnelled(path) = &place.memory {
            remove_folder_of(path);
        }
    }

    fn outgoing(&self, vm: Uuid) -> Option<Outgoing> {
        locked(&self.outgoing).get(&vm).cloned()
    }
}

impl Agent {
    // ── destination ──

    pub(crate) async fn prepare_incoming(&self, request: &DomainRequest) -> Outcome {
        let vm = request.vm;
        // A place kept by an earlier attempt may have tunnels of that attempt.
        self.inner.migrations.give_up_place(vm);
        if let Some(domain) = self.inner.hypervisor.state(vm).await? {
            return Err(HypervisorError::AlreadyExists {
                vm,
                by: domain.operation,
            }
            .into());
        }
        self.inner.migrations.forget_departure(vm);
        locked(&self.inner.migrations.arrivals).insert(vm, false);
        let prepared = async {
            let spec = self.build(request).await?;
            let endpoint = self.inner.hypervisor.migrate_prepare(&spec).await?;
            let disks: BTreeMap<u16, DiskSource> = spec
                .disks
                .iter()
                .map(|disk| (disk.index.0, disk.source.clone()))
                .collect();
            self.remember(vm, spec).await;
            Ok::<_, CommandError>((endpoint.socket, disks))
        }
        .await;
        let (endpoint, disks) = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                self.release_if_absent(vm).await;
                return Err(error);
            }
        };
        let memory = if self.inner.settings.tunnel_memory {
            let name = Uuid::new_v4().simple().to_string();
            let folder = make_folder(&self.inner.settings.migration_dir, &name)
                .map_err(|error| convert::files("make a folder for a migration", &error))?;
            MemoryPath::Tunnelled(folder.join("m"))
        } else {
            MemoryPath::Direct
        };
        let place = Incoming {
            endpoint: endpoint.clone(),
            memory: memory.clone(),
            stop: CancellationToken::new(),
            tunnels: 0,
        };
        self.keep_for_a_while(vm, place.stop.clone());
        locked(&self.inner.migrations.incoming).insert(vm, place);
        Ok(HostReply::Incoming {
            endpoint,
            memory,
            disks,
        })
    }

    /// Gives a place up after a time in which nobody came, so that a leader's loss of this host leaves nothing behind.
    fn keep_for_a_while(&self, vm: Uuid, stop: CancellationToken) {
        let weak = Arc::downgrade(&self.inner);
        let watch = stop.clone().run_until_cancelled_owned(async move {
            loop {
                tokio::time::sleep(PLACE_KEPT).await;
                let Some(agent) = weak.upgrade().map(|inner| Agent { inner }) else {
                    return;
                };
                let in_use = locked(&agent.inner.migrations.incoming)
                    .get(&vm)
                    .is_some_and(|place| place.tunnels > 0);
                if !in_use {
                    // In a task of its own: giving the place up ends this one.
                    tokio::spawn(async move {
                        let _turn = agent.inner.turns.take(Turn::Life(vm)).await;
                        if stop.is_cancelled() {
                            return;
                        }
                        match agent.cancel_incoming(vm).await {
                            Ok(_) => tracing::warn!(%vm, "nobody came to the place kept for it"),
                            Err(error) => tracing::info!(%vm, %error, "its place is still kept"),
                        }
                    });
                    return;
                }
            }
        });
        tokio::spawn(watch);
    }

    /// The domain that comes in, once its connections have been cut: it ends by itself, or has arrived just before.
    async fn after_the_cut(&self, vm: Uuid) -> Result<Option<Domain>, CommandError> {
        let until = tokio::time::Instant::now() + CUT_SHOWS;
        loop {
            let found = self.inner.hypervisor.state(vm).await?;
            let still_coming = found.as_ref().is_some_and(|domain| !has_arrived(domain));
            if !still_coming || tokio::time::Instant::now() >= until {
                return Ok(found);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    pub(crate) async fn cancel_incoming(&self, vm: Uuid) -> Outcome {
        self.inner.migrations.give_up_place(vm);
        match self.after_the_cut(vm).await? {
            Some(domain) if has_arrived(&domain) => {
                return Err(HypervisorError::WrongState {
                    vm,
                    operation: "cancel_incoming",
                    actual: domain.state,
                }
                .into());
            }
            Some(_) => self.inner.hypervisor.destroy(vm).await?,
            None => {}
        }
        self.release_domain(vm).await;
        // A node that was started anew meanwhile does not know.
        let had_run = locked(&self.inner.migrations.arrivals).get(&vm).copied();
        Ok(match had_run {
            Some(true) => HostReply::ThrownAway { had_run: true },
            // In the words of releases that know no others: a leader may be older than this host.
            Some(false) | None => HostReply::Done,
        })
    }

    /// Connects to the socket where a domain is expected.
    ///
    /// # Errors
    /// `NotFound` if no place is kept for that VM; else what connecting says.
    pub(crate) async fn open_incoming(&self, vm: Uuid, end: IncomingEnd) -> io::Result<Opened> {
        let (path, stop) = {
            let mut incoming = locked(&self.inner.migrations.incoming);
            let place = incoming.get_mut(&vm).ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::NotFound,
                    format!("domain {vm} is not expected on this host"),
                )
            })?;
            let path = match (end, &place.memory) {
                (IncomingEnd::Control, _) => place.endpoint.clone(),
                (IncomingEnd::Memory, MemoryPath::Tunnelled(path)) => path.clone(),
                (IncomingEnd::Memory, MemoryPath::Direct) => {
                    return Err(io::Error::new(
                        io::ErrorKind::Unsupported,
                        "memory comes straight to this host",
                    ));
                }
            };
            place.tunnels += 1;
            (path, place.stop.clone())
        };
        match connect_local(&path).await {
            Ok(stream) => Ok(Opened {
                near: Box::pin(stream),
                stop,
                place: Some(vm),
            }),
            Err(error) => {
                self.tunnel_ended(vm).await;
                Err(error)
            }
        }
    }

    /// After the last tunnel of a domain that has arrived, its place needs keeping no longer.
    pub(crate) async fn tunnel_ended(&self, vm: Uuid) {
        let last = {
            let mut incoming = locked(&self.inner.migrations.incoming);
            let Some(place) = incoming.get_mut(&vm) else {
                return;
            };
            place.tunnels = place.tunnels.saturating_sub(1);
            place.tunnels == 0
        };
        if last && matches!(self.inner.hypervisor.state(vm).await, Ok(Some(domain)) if has_arrived(&domain)) {
            self.inner.migrations.give_up_place(vm);
        }
    }

    // ── source ──

    pub(crate) async fn migrate_out(
        &self,
        vm: Uuid,
        destination: MigrationDestination,
        options: MigrationOptions,
    ) -> Outcome {
        let to = (destination.host, destination.endpoint.clone());
        if let Some(under_way) = self.inner.migrations.outgoing(vm)
            && !under_way.status.borrow().phase.is_over()
        {
            // One that an earlier leader began for another place must end first.
            return if under_way.to == to {
                Ok(HostReply::Done)
            } else {
                Err(HypervisorError::Busy { vm }.into())
            };
        }
        let Some(domain) = self.inner.hypervisor.state(vm).await? else {
            return Err(HypervisorError::NoSuchDomain { vm }.into());
        };
        if !has_arrived(&domain) {
            return Err(HypervisorError::WrongState {
                vm,
                operation: "migrate_out",
                actual: domain.state,
            }
            .into());
        }
        let carriers = self
            .carriers(vm, &destination)
            .map_err(|error| convert::files("forward a socket for a migration", &error))?;
        let (carriers, target) = carriers;
        let terms = Terms {
            max_downtime: options.max_downtime,
            deadline: options.deadline,
        };
        let mut options = self.migrate_options(vm, options).await;
        let limit = options.bandwidth;
        let (sender, receiver) = watch::channel(MigrationStatus {
            phase: MigrationPhase::Copying,
            progress: None,
            dirty_rate: None,
        });
        locked(&self.inner.migrations.outgoing).insert(vm, Outgoing { to, status: receiver });
        let agent = self.clone();
        let attempt = async move {
            let sender = Arc::new(sender);
            let teller = Arc::clone(&sender);
            let progress: ProgressSink = Arc::new(move |figures| {
                teller.send_modify(|status| status.progress = Some(figures));
            });
            // In a task of its own, so that even a panic in a driver ends the attempt.
            let mover = agent.clone();
            let measured = Arc::clone(&sender);
            let moving = tokio::spawn(async move {
                let rate = mover.agree(vm, destination.host, terms, &mut options).await?;
                measured.send_modify(|status| status.dirty_rate = rate);
                let hypervisor = &mover.inner.hypervisor;
                hypervisor.migrate_to(vm, &target, &options, progress).await?;
                Ok::<_, CommandError>(destination.host)
            })
            .await;
            drop(carriers);
            let phase = match moving {
                Ok(Ok(host)) => {
                    // Held by the destination's domain from now on.
                    agent.release_if_absent(vm).await;
                    if let Some(figures) = &sender.borrow().progress {
                        agent.inner.migrations.links.learn(host, limit, figures);
                    }
                    MigrationPhase::Arrived
                }
                Ok(Err(error)) => MigrationPhase::Failed(error),
                Err(failure) => MigrationPhase::Failed(CommandError::new(
                    CommandErrorKind::Hypervisor(ErrorKind::Failed),
                    format!("the migration broke off: {failure}"),
                )),
            };
            match &phase {
                MigrationPhase::Failed(error) => tracing::warn!(%vm, %error, "migration failed"),
                _ => tracing::info!(%vm, "migrated"),
            }
            sender.send_modify(|status| status.phase = phase);
        };
        tokio::spawn(tracing::Instrument::in_current_span(attempt));
        Ok(HostReply::Done)
    }

    async fn migrate_options(&self, vm: Uuid, options: MigrationOptions) -> MigrateOptions {
        let here = self.inner.holdings.of(vm).await.and_then(|holding| holding.spec);
        let is_here = |index: DiskIndex, source: &DiskSource| {
            here.as_ref()
                .is_some_and(|spec| spec.disks.iter().any(|d| d.index == index && d.source == *source))
        };
        MigrateOptions {
            operation: options.start_id.map(|id| id.to_string()),
            disks_are_shared: options.disks_are_shared,
            compress: options.compress,
            auto_converge: options.auto_converge,
            parallel: 0,
            bandwidth: options.bandwidth,
            max_downtime: Some(options.max_downtime.unwrap_or(USUAL_DOWNTIME)),
            deadline: Some(options.deadline.unwrap_or(self.inner.settings.migration_deadline)),
            destination: DestinationChanges {
                disks: options
                    .disks
                    .into_iter()
                    .map(|(userdevice, source)| (DiskIndex(userdevice), source))
                    .filter(|(index, source)| !is_here(*index, source))
                    .collect(),
                bridges: options
                    .bridges
                    .into_iter()
                    .map(|(device, name)| (NicIndex(device), name))
                    .collect(),
            },
        }
    }

    /// Says how far a migration is: at once when it is over, else after a while, so that whoever follows it need not
    /// ask often and yet hears of its end without delay.
    pub(crate) async fn migration_progress(&self, vm: Uuid) -> Outcome {
        let Some(Outgoing { mut status, .. }) = self.inner.migrations.outgoing(vm) else {
            return Err(no_migration(vm));
        };
        let over = status.wait_for(|status| status.phase.is_over());
        let _ = tokio::time::timeout(PROGRESS_EVERY, over).await;
        Ok(HostReply::Migration(status.borrow().clone()))
    }

    pub(crate) async fn migrate_abort(&self, vm: Uuid) -> Outcome {
        let Some(Outgoing { mut status, .. }) = self.inner.migrations.outgoing(vm) else {
            return Err(no_migration(vm));
        };
        loop {
            if status.borrow().phase.is_over() {
                return Ok(HostReply::Migration(status.borrow().clone()));
            }
            self.inner.hypervisor.migrate_abort(vm).await?;
            // Asked again if it has not ended by then: it may not have begun when it was asked first.
            let over = status.wait_for(|status| status.phase.is_over());
            let _ = tokio::time::timeout(Duration::from_millis(500), over).await;
        }
    }

    /// Lets the guest go on, after ending whatever attempt there is: one of this node's, or one that the node's last run
    /// has left to the hypervisor.
    pub(crate) async fn revive_domain(&self, vm: Uuid) -> Outcome {
        if self.inner.migrations.outgoing(vm).is_some() {
            self.migrate_abort(vm).await?;
        }
        let until = tokio::time::Instant::now() + REVIVAL;
        loop {
            let Some(domain) = self.inner.hypervisor.state(vm).await? else {
                return Ok(HostReply::Domain(None));
            };
            if domain.state != DomainState::Paused(PauseReason::Migrating) {
                return Ok(HostReply::Domain(Some(domain)));
            }
            let _ = self.inner.hypervisor.migrate_abort(vm).await;
            let unpaused = self.inner.hypervisor.unpause(vm).await;
            if tokio::time::Instant::now() >= until {
                unpaused?;
                // It was let go on again and again, and does not.
                return Err(HypervisorError::WrongState {
                    vm,
                    operation: "revive",
                    actual: domain.state,
                }
                .into());
            }
            if unpaused.is_err() {
                // The hypervisor may still be ending the attempt, which lets the guest go on as well.
                tokio::time::sleep(LOOK_AGAIN * 5).await;
            } else {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
    }
}

fn no_migration(vm: Uuid) -> CommandError {
    CommandError::new(
        CommandErrorKind::NoSuchMigration,
        format!("this host knows of no migration of {vm}"),
    )
}
