//! What can be made to go wrong on a simulated host.

use std::collections::HashMap;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use node_hypervisor::HypervisorError;

/// An operation that a fault can hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Start.
    Start,
    /// Pause.
    Pause,
    /// Unpause.
    Unpause,
    /// Save to an image.
    Suspend,
    /// Restore from an image.
    Resume,
    /// Ask the guest to power off.
    Shutdown,
    /// Ask the guest to reboot.
    Reboot,
    /// End at once.
    Destroy,
    /// Reset in place.
    Reset,
    /// Plug a disk or an interface.
    Attach,
    /// Unplug a disk or an interface.
    Detach,
    /// Prepare for a migration, on the destination.
    MigratePrepare,
    /// Migrate away.
    MigrateTo,
    /// Freeze disks, or merge what is below them.
    Freeze,
    /// Set memory or virtual CPUs, or the size of a disk.
    Resize,
    /// Take a domain over that the pool did not start, or give it back.
    Adopt,
    /// Read anything: list, state, facts, consoles, statistics.
    Read,
}

/// What befalls an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It fails and changes nothing.
    Fail(String),
    /// It takes so much longer.
    Delay(Duration),
    /// It takes effect, and the answer is a time-out: the lost reply.
    LoseReply,
    /// Detach only: the guest refuses.
    GuestRefuses,
    /// Migration only: the connection breaks when half of the memory is over.
    CutHalfway,
}

/// Faults that wait for their operation.
#[derive(Debug, Default)]
pub struct Faults {
    waiting: Mutex<HashMap<Operation, VecDeque<Fault>>>,
}

impl Faults {
    /// Adds a fault that hits the next operation of that kind, after those added before.
    pub fn next(&self, operation: Operation, fault: Fault) {
        self.lock().entry(operation).or_default().push_back(fault);
    }

    /// Takes all waiting faults back.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// How many faults have not struck yet.
    pub fn waiting(&self) -> usize {
        self.lock().values().map(VecDeque::len).sum()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Operation, VecDeque<Fault>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, operation: Operation) -> Option<Fault> {
        self.lock().get_mut(&operation).and_then(VecDeque::pop_front)
    }

    /// Lets the next fault strike at the beginning of an operation; returns one that strikes later.
    pub(crate) async fn strike(
        &self,
        operation: Operation,
        name: &'static str,
    ) -> Result<Option<Fault>, HypervisorError> {
        match self.take(operation) {
            None => Ok(None),
            Some(Fault::Fail(text)) => Err(HypervisorError::Failed {
                operation: name,
                source: text.into(),
            }),
            Some(Fault::Delay(by)) => {
                tokio::time::sleep(by).await;
                Ok(None)
            }
            Some(later) => Ok(Some(later)),
        }
    }

    /// The end of an operation: the answer, unless it is lost.
    pub(crate) fn reply<T>(
        fault: Option<Fault>,
        name: &'static str,
        answer: T,
    ) -> Result<T, HypervisorError> {
        match fault {
            Some(Fault::LoseReply) => Err(HypervisorError::TimedOut {
                operation: name,
                after: Duration::ZERO,
            }),
            _ => Ok(answer),
        }
    }
}
