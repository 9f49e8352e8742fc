//! Why a host could not do what it was asked.

use node_hypervisor::{ErrorKind, HypervisorError};
use proto_types::ApiError;
use serde::{Deserialize, Serialize};

/// A host's refusal or failure, as it crosses the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct CommandError {
    /// What kind of obstacle.
    pub kind: CommandErrorKind,
    /// The API's own error where it says all, as for storage. Others need references that only the leader knows.
    #[serde(default)]
    pub api: Option<ApiError>,
    /// For people: the whole chain of causes.
    pub text: String,
    /// The same command may succeed later without anything else being changed.
    #[serde(default)]
    pub retryable: bool,
}

/// Kinds of obstacle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CommandErrorKind {
    /// The caller's term is older than one the host has seen: another node leads.
    Fenced,
    /// The command does not read on this host: the caller is of another release.
    Unreadable,
    /// The hypervisor said no.
    Hypervisor(ErrorKind),
    /// The repository is not plugged on this host.
    SrNotPlugged,
    /// A storage driver failed; `api` says how.
    Storage,
    /// The network could not be set up.
    Network,
    /// Another command works on that object, or it is in use.
    Busy,
    /// The source knows of no migration of that VM.
    NoSuchMigration,
    /// Nothing of that name is measured.
    NoSuchDataSource,
    /// A path lies outside of the folders that the host allows.
    Forbidden,
    /// The host does not do that at all.
    Unsupported,
    /// A fault of the host's node.
    Internal,
    /// A kind that this release does not know.
    #[serde(other)]
    Unknown,
}

impl CommandError {
    /// An error that is not worth repeating.
    pub fn new(kind: CommandErrorKind, text: impl Into<String>) -> CommandError {
        CommandError {
            kind,
            api: None,
            text: text.into(),
            retryable: false,
        }
    }

    /// An error in the API's own terms.
    pub fn api(kind: CommandErrorKind, api: ApiError, text: impl Into<String>) -> CommandError {
        CommandError {
            kind,
            api: Some(api),
            text: text.into(),
            retryable: false,
        }
    }

    /// The same, worth repeating.
    #[must_use]
    pub fn retryable(mut self) -> CommandError {
        self.retryable = true;
        self
    }

    /// Whether the hypervisor said exactly this.
    pub fn is(&self, kind: ErrorKind) -> bool {
        self.kind == CommandErrorKind::Hypervisor(kind)
    }

    /// Whether the domain may or may not have changed, so that its state must be asked for.
    pub fn is_unknown(&self) -> bool {
        self.is(ErrorKind::TimedOut) || self.is(ErrorKind::Disconnected)
    }

    /// The API's error where no better one is known to the caller.
    pub fn to_api(&self) -> ApiError {
        if let Some(api) = &self.api {
            return api.clone();
        }
        match self.kind {
            CommandErrorKind::Hypervisor(ErrorKind::NoMemory) => {
                ApiError::new("HOST_NOT_ENOUGH_FREE_MEMORY", ["0", "0"])
            }
            CommandErrorKind::Unsupported | CommandErrorKind::Hypervisor(ErrorKind::Unsupported) => {
                ApiError::new("NOT_IMPLEMENTED", [self.text.clone()])
            }
            CommandErrorKind::Forbidden => ApiError::new("PERMISSION_DENIED", [self.text.clone()]),
            CommandErrorKind::Storage | CommandErrorKind::SrNotPlugged => ApiError::new(
                "SR_BACKEND_FAILURE",
                ["1".to_owned(), String::new(), self.text.clone()],
            ),
            CommandErrorKind::Fenced
            | CommandErrorKind::Unreadable
            | CommandErrorKind::Hypervisor(_)
            | CommandErrorKind::Network
            | CommandErrorKind::Busy
            | CommandErrorKind::NoSuchMigration
            | CommandErrorKind::NoSuchDataSource
            | CommandErrorKind::Internal
            | CommandErrorKind::Unknown => ApiError::internal(self.text.clone()),
        }
    }
}

impl From<HypervisorError> for CommandError {
    fn from(error: HypervisorError) -> Self {
        CommandError {
            kind: CommandErrorKind::Hypervisor(error.kind()),
            api: None,
            text: error.chain(),
            retryable: error.is_retryable(),
        }
    }
}
