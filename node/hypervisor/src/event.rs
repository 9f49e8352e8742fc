//! What happens to domains, whoever caused it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::device::{DiskIndex, NicIndex};

/// Something happened to a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainEvent {
    /// The domain; the nil uuid with [`DomainEventKind::Resync`].
    pub vm: Uuid,
    /// What happened.
    pub kind: DomainEventKind,
}

/// The things that can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DomainEventKind {
    /// The domain is here now: booted, restored or coming in from another host. It need not run yet.
    Started,
    /// The domain is here no more.
    Stopped(StopReason),
    /// Its CPUs were stopped.
    Paused,
    /// Its CPUs go on.
    Resumed,
    /// The machine was reset, by the guest or from outside; the domain lives on.
    Rebooted,
    /// The guest crashed. The domain is kept unless [`DomainEventKind::Stopped`] or [`DomainEventKind::Rebooted`] follows.
    Crashed,
    /// A disk is gone, whether asked for or not.
    DiskRemoved(DiskIndex),
    /// An interface is gone, whether asked for or not.
    NicRemoved(NicIndex),
    /// The guest agent began to answer.
    AgentConnected,
    /// The guest agent is gone.
    AgentDisconnected,
    /// A disk failed; the domain may be paused for it.
    DiskError,
    /// Events may have been lost, for instance since the connection broke: read the list again.
    Resync,
}

/// Why a domain is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StopReason {
    /// The guest powered off, asked or by itself.
    Shutdown,
    /// Ended from outside: [`crate::Hypervisor::destroy`], or a guest reboot with `on_reboot` destroy.
    Destroyed,
    /// The guest crashed.
    Crashed,
    /// It runs on another host.
    Migrated,
    /// It was saved to an image.
    Saved,
    /// The emulator died or the start failed.
    Failed,
}
