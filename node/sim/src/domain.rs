//! One simulated domain.

use std::time::Duration;

use node_hypervisor::{
    Bytes, CpuTuning, DiskSource, Domain, DomainShape, DomainSpec, DomainState, PauseReason,
};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What travels with a domain into a save image or to another host.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Carried {
    pub(crate) spec: DomainSpec,
    pub(crate) count: Duration,
    pub(crate) boots: u32,
    pub(crate) memory_target: Bytes,
    pub(crate) vcpus: u32,
    pub(crate) tuning: CpuTuning,
}

/// A domain on this host.
#[derive(Debug)]
pub(crate) struct SimDomain {
    pub(crate) id: i64,
    pub(crate) state: DomainState,
    pub(crate) carried: Carried,
    /// Since when its CPUs run, while they do.
    running_since: Option<Instant>,
    /// The migration that is taking it away, if one is.
    pub(crate) leaving: Option<CancellationToken>,
    /// Its disks can be neither read nor written.
    pub(crate) disks_fail: bool,
    /// It no longer listens to its power button.
    pub(crate) deaf: bool,
    /// A shutdown was asked for, so a power-off ends it whatever the spec says.
    pub(crate) wanted_off: bool,
}

impl SimDomain {
    pub(crate) fn new(id: i64, carried: Carried, state: DomainState) -> SimDomain {
        let mut domain = SimDomain {
            id,
            state,
            carried,
            running_since: None,
            leaving: None,
            disks_fail: false,
            deaf: false,
            wanted_off: false,
        };
        domain.set_state(state);
        domain
    }

    /// A domain that has just been switched on.
    pub(crate) fn boot(id: i64, spec: &DomainSpec, state: DomainState) -> SimDomain {
        let carried = Carried {
            spec: spec.clone(),
            count: Duration::ZERO,
            boots: 1,
            memory_target: spec.memory.target,
            vcpus: spec.vcpus.at_startup,
            tuning: CpuTuning::default(),
        };
        SimDomain::new(id, carried, state)
    }

    /// Changes the state and starts or stops the count with it.
    pub(crate) fn set_state(&mut self, state: DomainState) {
        self.carried.count = self.count();
        self.running_since = (state == DomainState::Running).then(Instant::now);
        self.state = state;
    }

    /// How long it has run since its boot.
    pub(crate) fn count(&self) -> Duration {
        self.carried.count + self.running_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Starts its count anew in place.
    pub(crate) fn reset(&mut self) {
        let state = self.state;
        self.set_state(DomainState::Paused(PauseReason::Other));
        self.carried.count = Duration::ZERO;
        self.carried.boots += 1;
        self.wanted_off = false;
        self.set_state(state);
    }

    /// What would be carried away now.
    pub(crate) fn to_carry(&self) -> Carried {
        Carried {
            count: self.count(),
            ..self.carried.clone()
        }
    }

    /// What it consists of now.
    pub(crate) fn shape(&self) -> DomainShape {
        DomainShape {
            vcpus: self.carried.vcpus,
            memory: self.carried.memory_target,
            ..DomainShape::wanted(&self.carried.spec, name_of_source)
        }
    }

    /// How the outside sees it.
    pub(crate) fn overview(&self) -> Domain {
        Domain {
            uuid: self.carried.spec.uuid,
            id: self.id,
            state: self.state,
            operation: Some(self.carried.spec.operation.clone()),
        }
    }
}

/// How simulated domains name what is in a disk.
pub(crate) fn name_of_source(source: &DiskSource) -> Option<String> {
    (*source != DiskSource::Empty).then(|| format!("{source:?}"))
}
