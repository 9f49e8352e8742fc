//! One simulated host and its domains.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use node_hypervisor::{
    Accelerator, Bytes, DiskErrorPolicy, DomainEvent, DomainEventKind, DomainSpec, DomainState, EndAction,
    ForeignDomain, HostFacts, HypervisorError, PauseReason, StopReason,
};
use tokio::net::UnixListener;
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::domain::SimDomain;
use crate::faults::Faults;
use crate::load::HostMeter;
use crate::transfer;

/// What a simulated host pretends to be.
#[derive(Clone, Debug)]
pub struct SimSettings {
    /// What the host says of itself. Free memory is computed.
    pub facts: HostFacts,
    /// Where migrations arrive.
    pub socket: PathBuf,
    /// How long a guest takes to power off or reboot.
    pub guest_delay: Duration,
    /// How long a migration carries memory.
    pub migration_time: Duration,
    /// What each guest writes to its memory in a second.
    pub dirty_rate: Bytes,
}

impl SimSettings {
    /// A host with four processors and 16 GiB.
    pub fn named(hostname: &str, socket: PathBuf) -> SimSettings {
        SimSettings {
            facts: HostFacts {
                hostname: hostname.into(),
                cpus: 4,
                sockets: 1,
                cpu_vendor: "GenuineTarn".into(),
                cpu_model_name: "Simulated processor".into(),
                cpu_mhz: 2000,
                cpu_family: "6".into(),
                cpu_model: "1".into(),
                cpu_stepping: "1".into(),
                cpu_flags: ["fpu", "de", "tsc", "msr", "pae", "cx8", "sse2", "lm"]
                    .map(String::from)
                    .into(),
                memory_total: Bytes::gib(16),
                memory_free: Bytes::gib(16),
                hypervisor: "Simulation".into(),
                hypervisor_version: env!("CARGO_PKG_VERSION").into(),
                driver_version: String::new(),
                accelerator: Accelerator::Simulated,
                kernel: "0.0-sim".into(),
            },
            socket,
            guest_delay: Duration::from_millis(30),
            migration_time: Duration::from_millis(60),
            dirty_rate: Bytes::mib(1),
        }
    }
}

/// A simulated host.
///
/// Clones are the same host. When the last one is dropped it stops listening for migrations.
#[derive(Clone)]
pub struct SimHypervisor {
    pub(crate) shared: Arc<Shared>,
    _listening: Arc<DropGuard>,
}

/// What all handles of one host have in common.
pub(crate) struct Shared {
    pub(crate) settings: SimSettings,
    pub(crate) faults: Faults,
    state: Mutex<State>,
    events: broadcast::Sender<DomainEvent>,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) domains: BTreeMap<Uuid, SimDomain>,
    /// What trusted platform modules hold, also of domains that are not here now.
    pub(crate) tpms: BTreeMap<Uuid, Vec<u8>>,
    pub(crate) meter: HostMeter,
    /// Live domains that the pool did not start.
    pub(crate) foreign: BTreeMap<Uuid, ForeignDomain>,
    last_id: i64,
}

impl State {
    pub(crate) fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    pub(crate) fn find(&mut self, vm: Uuid) -> Result<&mut SimDomain, HypervisorError> {
        self.domains
            .get_mut(&vm)
            .ok_or(HypervisorError::NoSuchDomain { vm })
    }
}

impl SimHypervisor {
    /// Begins to listen for migrations; a socket left behind by an earlier process is replaced.
    ///
    /// # Errors
    /// If the socket cannot be made.
    pub fn new(settings: SimSettings) -> std::io::Result<SimHypervisor> {
        match std::fs::remove_file(&settings.socket) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&settings.socket)?;
        let shared = Arc::new(Shared {
            settings,
            faults: Faults::default(),
            state: Mutex::default(),
            events: broadcast::Sender::new(1024),
        });
        let stop = CancellationToken::new();
        tokio::spawn(
            stop.clone()
                .run_until_cancelled_owned(transfer::serve(listener, shared.clone())),
        );
        Ok(SimHypervisor {
            shared,
            _listening: Arc::new(stop.drop_guard()),
        })
    }

    /// Changes a domain as somebody would who knows nothing of the pool.
    ///
    /// # Errors
    /// [`HypervisorError::NoSuchDomain`].
    pub fn change_behind(
        &self,
        vm: Uuid,
        change: impl FnOnce(&mut DomainSpec),
    ) -> Result<(), HypervisorError> {
        change(&mut self.shared.state().find(vm)?.carried.spec);
        Ok(())
    }

    /// Starts a domain as somebody would who knows nothing of the pool.
    pub fn bring_foreign(&self, domain: ForeignDomain) {
        self.shared.state().foreign.insert(domain.uuid, domain);
    }

    /// The faults of this host.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// How long a domain has run since its boot, over all hosts and images; `None` if it is not here.
    pub fn count(&self, vm: Uuid) -> Option<Duration> {
        self.shared.state().domains.get(&vm).map(SimDomain::count)
    }

    /// How often a domain has booted; `None` if it is not here.
    pub fn boots(&self, vm: Uuid) -> Option<u32> {
        self.shared.state().domains.get(&vm).map(|d| d.carried.boots)
    }

    /// The guest powers off by itself. Nothing happens if it is not here.
    pub fn guest_powers_off(&self, vm: Uuid) {
        self.shared.guest_ends(vm, GuestEnd::PowerOff);
    }

    /// The guest reboots by itself. Nothing happens if it is not here.
    pub fn guest_reboots(&self, vm: Uuid) {
        self.shared.guest_ends(vm, GuestEnd::Reboot);
    }

    /// The guest crashes. Nothing happens if it is not here.
    pub fn guest_crashes(&self, vm: Uuid) {
        self.shared.guest_ends(vm, GuestEnd::Crash);
    }

    /// From now on no disk of the domain works, or all do. One that runs with a disk for which it is to be stopped is
    /// stopped, also when it is let go on meanwhile. Nothing happens if it is not here.
    pub fn disks_fail(&self, vm: Uuid, fail: bool) {
        let mut state = self.shared.state();
        if let Some(domain) = state.domains.get_mut(&vm) {
            domain.disks_fail = fail;
            self.shared.stall(domain);
        }
    }

    /// From now on the guest does not listen to its power button. Nothing happens if it is not here.
    pub fn guest_goes_deaf(&self, vm: Uuid) {
        if let Some(domain) = self.shared.state().domains.get_mut(&vm) {
            domain.deaf = true;
        }
    }

    /// The power fails: all domains are gone, without any event, and their ids are never used again.
    pub fn power_fails(&self) {
        self.shared.state().domains.clear();
    }
}

/// How a guest ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuestEnd {
    PowerOff,
    Reboot,
    Crash,
}

impl Shared {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<DomainEvent> {
        self.events.subscribe()
    }

    /// Tells those who listen. Called with the state locked, so that events have the order of the changes.
    pub(crate) fn tell(&self, vm: Uuid, kind: DomainEventKind) {
        // Nobody listening is no fault.
        let _ = self.events.send(DomainEvent { vm, kind });
    }

    /// Stops a domain that runs and cannot use its disks, if it is to be stopped for that.
    pub(crate) fn stall(&self, domain: &mut SimDomain) {
        let spec = &domain.carried.spec;
        let vm = spec.uuid;
        let stops = spec
            .disks
            .iter()
            .any(|disk| disk.on_error == DiskErrorPolicy::Pause);
        if domain.disks_fail && domain.state == DomainState::Running && stops {
            domain.set_state(DomainState::Paused(PauseReason::DiskError));
            self.tell(vm, DomainEventKind::DiskError);
            self.tell(vm, DomainEventKind::Paused);
        }
    }

    /// Takes a domain away and says why.
    pub(crate) fn remove(&self, state: &mut State, vm: Uuid, reason: StopReason) {
        if let Some(gone) = state.domains.remove(&vm) {
            if let Some(leaving) = gone.leaving {
                leaving.cancel();
            }
            self.tell(vm, DomainEventKind::Stopped(reason));
        }
    }

    /// Carries out what the spec wants when a guest ends.
    pub(crate) fn guest_ends(&self, vm: Uuid, end: GuestEnd) {
        let mut state = self.state();
        let Some(domain) = state.domains.get_mut(&vm) else {
            return;
        };
        if domain.state != DomainState::Running {
            return;
        }
        let actions = domain.carried.spec.end_actions;
        let (action, reason) = match end {
            GuestEnd::PowerOff if domain.wanted_off => (EndAction::Destroy, StopReason::Shutdown),
            GuestEnd::PowerOff => (actions.on_poweroff, StopReason::Shutdown),
            GuestEnd::Reboot => (actions.on_reboot, StopReason::Destroyed),
            GuestEnd::Crash => (actions.on_crash, StopReason::Crashed),
        };
        if end == GuestEnd::Crash {
            self.tell(vm, DomainEventKind::Crashed);
        }
        match (action, end) {
            (EndAction::Restart | EndAction::CoredumpAndRestart, _) => {
                domain.reset();
                self.tell(vm, DomainEventKind::Rebooted);
            }
            (EndAction::Preserve, GuestEnd::Crash) => domain.set_state(DomainState::Crashed),
            _ => self.remove(&mut state, vm, reason),
        }
    }

    /// What no domain has taken.
    pub(crate) fn memory_free(&self) -> Bytes {
        let taken: u64 = self
            .state()
            .domains
            .values()
            .map(|d| d.carried.spec.memory.maximum.0)
            .sum();
        Bytes(self.settings.facts.memory_total.0.saturating_sub(taken))
    }
}
