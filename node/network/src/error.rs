//! How a host's network can fail.

use std::error::Error;
use std::time::Duration;

/// What a network method answers.
pub type Result<T, E = NetworkError> = std::result::Result<T, E>;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// There is no such interface.
    #[error("no network interface {name:?} on this host")]
    NoSuchInterface {
        /// Its name.
        name: String,
    },
    /// The name cannot be that of an interface.
    #[error("{name:?} cannot name a network interface: {reason}")]
    BadName {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The name belongs to something that is not a bridge.
    #[error("{name:?} exists and is not a bridge")]
    NotABridge {
        /// Its name.
        name: String,
    },
    /// The name belongs to a device of another kind.
    #[error("{name:?} exists and is no {kind}")]
    NotOfKind {
        /// Its name.
        name: String,
        /// What it should be.
        kind: &'static str,
    },
    /// The interface belongs to another bridge or bond.
    #[error("{name:?} belongs to {master:?} already")]
    AlreadyEnslaved {
        /// The interface.
        name: String,
        /// Where it belongs.
        master: String,
    },
    /// The bridge still has ports that its removal would cut off.
    #[error("bridge {bridge:?} still has the ports {ports:?}")]
    BridgeInUse {
        /// The bridge.
        bridge: String,
        /// Its ports.
        ports: Vec<String>,
    },
    /// A number is outside of what the kernel allows.
    #[error("an MTU of {mtu} is not possible for {name:?}")]
    BadMtu {
        /// The interface.
        name: String,
        /// What was asked for.
        mtu: u32,
    },
    /// This host's kernel or privileges do not allow it.
    #[error("this host does not allow {operation}")]
    NotPermitted {
        /// What was tried.
        operation: &'static str,
    },
    /// This kernel cannot do that.
    #[error("this host's kernel has no {feature}")]
    Unsupported {
        /// What it lacks.
        feature: &'static str,
    },
    /// No answer in time. The call may still have taken effect.
    #[error("{operation} took longer than {after:?}")]
    TimedOut {
        /// What was tried.
        operation: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The kernel refused.
    #[error("{operation} failed for {name:?}")]
    Kernel {
        /// What was tried.
        operation: &'static str,
        /// The interface.
        name: String,
        /// What the kernel said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl NetworkError {
    /// Whether the same call, made again, may succeed without anything else being changed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, NetworkError::TimedOut { .. })
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
