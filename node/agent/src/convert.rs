//! Errors of the drivers, as they cross the wire.

use std::io;

use node_commands::{CommandError, CommandErrorKind};
use node_network::NetworkError;
use node_storage::StorageError;

/// What storage said, with the API's own error.
pub(crate) fn storage(error: StorageError) -> CommandError {
    let kind = match &error {
        StorageError::NotPlugged { .. } => CommandErrorKind::SrNotPlugged,
        StorageError::VolumeInUse { .. } | StorageError::SrNotEmpty { .. } | StorageError::Locked { .. } => {
            CommandErrorKind::Busy
        }
        _ => CommandErrorKind::Storage,
    };
    CommandError {
        kind,
        api: Some(error.to_api()),
        retryable: error.is_retryable(),
        text: error.chain(),
    }
}

/// What the network said.
pub(crate) fn network(error: NetworkError) -> CommandError {
    let kind = match &error {
        NetworkError::BridgeInUse { .. } => CommandErrorKind::Busy,
        NetworkError::Unsupported { .. } => CommandErrorKind::Unsupported,
        _ => CommandErrorKind::Network,
    };
    CommandError {
        kind,
        api: None,
        retryable: error.is_retryable(),
        text: error.chain(),
    }
}

/// A failure of the host's own files.
pub(crate) fn files(what: &str, error: &io::Error) -> CommandError {
    CommandError::new(CommandErrorKind::Internal, format!("{what}: {error}"))
}

/// A path or number that cannot be meant.
pub(crate) fn bad_spec(reason: impl Into<String>) -> CommandError {
    CommandError::from(node_hypervisor::HypervisorError::BadSpec {
        reason: reason.into(),
    })
}
