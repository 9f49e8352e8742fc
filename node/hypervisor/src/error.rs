//! How a hypervisor can fail.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use proto_types::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::DomainState;

/// What a hypervisor's method answers.
pub type Result<T, E = HypervisorError> = std::result::Result<T, E>;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum HypervisorError {
    /// This host has no such domain.
    #[error("no domain {vm} on this host")]
    NoSuchDomain {
        /// The uuid asked for.
        vm: Uuid,
    },
    /// Another operation has started the domain.
    #[error("domain {vm} is on this host already, started by operation {by:?}")]
    AlreadyExists {
        /// The domain.
        vm: Uuid,
        /// What started it, if known.
        by: Option<String>,
    },
    /// The domain is not in a state that allows this.
    #[error("domain {vm} is {actual:?}, which does not allow {operation}")]
    WrongState {
        /// The domain.
        vm: Uuid,
        /// What was asked for.
        operation: &'static str,
        /// How it was found.
        actual: DomainState,
    },
    /// The domain has no such device.
    #[error("domain {vm} has no {device}")]
    NoSuchDevice {
        /// The domain.
        vm: Uuid,
        /// The device asked for.
        device: String,
    },
    /// Another device has that place.
    #[error("domain {vm} has another {device}")]
    DeviceExists {
        /// The domain.
        vm: Uuid,
        /// The device asked for.
        device: String,
    },
    /// The guest refused to let go of a device.
    #[error("the guest of {vm} refused to give up {device}")]
    DetachRefused {
        /// The domain.
        vm: Uuid,
        /// The device.
        device: String,
    },
    /// The guest did not let go of a device in time; it may still do so.
    #[error("the guest of {vm} did not give up {device} within {after:?}")]
    DetachTimedOut {
        /// The domain.
        vm: Uuid,
        /// The device.
        device: String,
        /// How long was waited.
        after: Duration,
    },
    /// A number is outside of what the domain allows.
    #[error("{value} is outside of {least} to {most} for {vm}")]
    OutOfRange {
        /// The domain.
        vm: Uuid,
        /// What was asked for.
        value: Bytes,
        /// The least allowed.
        least: Bytes,
        /// The most allowed.
        most: Bytes,
    },
    /// The spec cannot be carried out by any host with this driver.
    #[error("the domain cannot be built: {reason}")]
    BadSpec {
        /// What is wrong with it.
        reason: String,
    },
    /// A save image cannot be used.
    #[error("the save image {image:?} cannot be used: {reason}")]
    BadImage {
        /// The file.
        image: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The host has not enough memory.
    #[error("not enough memory on this host")]
    NoMemory {
        /// What the driver said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The guest agent does not answer.
    #[error("no guest agent answers in {vm}")]
    NoGuestAgent {
        /// The domain.
        vm: Uuid,
    },
    /// The job was called off.
    #[error("{operation} of {vm} was called off")]
    Aborted {
        /// The domain.
        vm: Uuid,
        /// What was called off.
        operation: &'static str,
    },
    /// Another job is under way on that domain.
    #[error("domain {vm} is busy with another job")]
    Busy {
        /// The domain.
        vm: Uuid,
    },
    /// This driver cannot do that at all.
    #[error("this hypervisor has no {what}")]
    Unsupported {
        /// What it cannot do.
        what: String,
    },
    /// No answer in time. The call may still take effect: ask for the state.
    #[error("{operation} took longer than {after:?}")]
    TimedOut {
        /// What was asked for.
        operation: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The hypervisor cannot be reached; the call may or may not have taken effect.
    #[error("the hypervisor is not reached")]
    Disconnected {
        /// What the connection said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The hypervisor tried and failed.
    #[error("{operation} failed")]
    Failed {
        /// What was asked for.
        operation: &'static str,
        /// What the hypervisor said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl HypervisorError {
    /// Whether the same call, made again, may succeed without anything else being changed.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            HypervisorError::TimedOut { .. }
                | HypervisorError::Disconnected { .. }
                | HypervisorError::Busy { .. }
                | HypervisorError::DetachTimedOut { .. }
        )
    }

    /// The kind alone, for crossing the wire.
    pub fn kind(&self) -> ErrorKind {
        match self {
            HypervisorError::NoSuchDomain { .. } => ErrorKind::NoSuchDomain,
            HypervisorError::AlreadyExists { .. } => ErrorKind::AlreadyExists,
            HypervisorError::WrongState { .. } => ErrorKind::WrongState,
            HypervisorError::NoSuchDevice { .. } => ErrorKind::NoSuchDevice,
            HypervisorError::DeviceExists { .. } => ErrorKind::DeviceExists,
            HypervisorError::DetachRefused { .. } => ErrorKind::DetachRefused,
            HypervisorError::DetachTimedOut { .. } => ErrorKind::DetachTimedOut,
            HypervisorError::OutOfRange { .. } => ErrorKind::OutOfRange,
            HypervisorError::BadSpec { .. } => ErrorKind::BadSpec,
            HypervisorError::BadImage { .. } => ErrorKind::BadImage,
            HypervisorError::NoMemory { .. } => ErrorKind::NoMemory,
            HypervisorError::NoGuestAgent { .. } => ErrorKind::NoGuestAgent,
            HypervisorError::Aborted { .. } => ErrorKind::Aborted,
            HypervisorError::Busy { .. } => ErrorKind::Busy,
            HypervisorError::Unsupported { .. } => ErrorKind::Unsupported,
            HypervisorError::TimedOut { .. } => ErrorKind::TimedOut,
            HypervisorError::Disconnected { .. } => ErrorKind::Disconnected,
            HypervisorError::Failed { .. } => ErrorKind::Failed,
        }
    }

    /// The whole chain of causes in one line, for people.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next: Option<&(dyn Error + 'static)> = self.source();
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

/// The variants of [`HypervisorError`] without their details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ErrorKind {
    /// See [`HypervisorError::NoSuchDomain`].
    NoSuchDomain,
    /// See [`HypervisorError::AlreadyExists`].
    AlreadyExists,
    /// See [`HypervisorError::WrongState`].
    WrongState,
    /// See [`HypervisorError::NoSuchDevice`].
    NoSuchDevice,
    /// See [`HypervisorError::DeviceExists`].
    DeviceExists,
    /// See [`HypervisorError::DetachRefused`].
    DetachRefused,
    /// See [`HypervisorError::DetachTimedOut`].
    DetachTimedOut,
    /// See [`HypervisorError::OutOfRange`].
    OutOfRange,
    /// See [`HypervisorError::BadSpec`].
    BadSpec,
    /// See [`HypervisorError::BadImage`].
    BadImage,
    /// See [`HypervisorError::NoMemory`].
    NoMemory,
    /// See [`HypervisorError::NoGuestAgent`].
    NoGuestAgent,
    /// See [`HypervisorError::Aborted`].
    Aborted,
    /// See [`HypervisorError::Busy`].
    Busy,
    /// See [`HypervisorError::Unsupported`].
    Unsupported,
    /// See [`HypervisorError::TimedOut`].
    TimedOut,
    /// See [`HypervisorError::Disconnected`].
    Disconnected,
    /// See [`HypervisorError::Failed`].
    Failed,
}
