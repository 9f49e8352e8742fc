//! How storage can fail, and what XenAPI clients are told.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use proto_types::{ApiError, Bytes};
use uuid::Uuid;

use crate::medium::Naming;

/// What a storage method answers.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// No driver has that type.
    #[error("no driver for repositories of type {kind:?}")]
    UnknownType {
        /// The type asked for.
        kind: String,
    },
    /// A key of the device configuration is missing.
    #[error("device_config lacks {key:?}")]
    ConfigMissing {
        /// The key.
        key: &'static str,
    },
    /// A key of the device configuration is missing, and the server told what it could be.
    #[error("device_config lacks {key:?}; the server offers some")]
    ConfigChoices {
        /// The key.
        key: &'static str,
        /// What it could be, in the form that clients of probes read.
        xml: String,
    },
    /// A key of the device configuration has an unusable value. The value is not told: it may be a secret.
    #[error("device_config:{key} cannot be used: {reason}")]
    ConfigInvalid {
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The repository is not plugged on this host.
    #[error("repository {sr} is not plugged on this host")]
    NotPlugged {
        /// The repository.
        sr: Uuid,
    },
    /// The repository is plugged with another configuration.
    #[error("repository {sr} is plugged on this host with another configuration")]
    PluggedOtherwise {
        /// The repository.
        sr: Uuid,
    },
    /// The medium of the repository is not there.
    #[error("repository {sr} is not available: {reason}")]
    SrUnavailable {
        /// The repository.
        sr: Uuid,
        /// What is missing.
        reason: String,
    },
    /// The place belongs to another repository.
    #[error("the place belongs to repository {found}, not to {wanted}")]
    WrongSr {
        /// The one asked for.
        wanted: Uuid,
        /// The one found.
        found: Uuid,
    },
    /// The place holds a repository already.
    #[error("the place holds repository {found} already")]
    SrExists {
        /// The one found.
        found: Uuid,
    },
    /// The repository's images name one another in a way that is of no use here.
    #[error(
        "the images of repository {sr} name one another in another way ({naming:?}): it was made through the other of the kernel's and QEMU's NFS client"
    )]
    OtherNaming {
        /// The repository.
        sr: Uuid,
        /// How they do.
        naming: Naming,
    },
    /// The repository holds volumes.
    #[error("repository {sr} still holds {volumes} volumes")]
    SrNotEmpty {
        /// The repository.
        sr: Uuid,
        /// How many.
        volumes: usize,
    },
    /// Another operation holds the repository's lock.
    #[error("the lock of repository {sr} was not had within {after:?}")]
    Locked {
        /// The repository.
        sr: Uuid,
        /// How long was waited.
        after: Duration,
    },
    /// The repository could not be read through.
    #[error("scan of repository {sr} failed")]
    ScanFailed {
        /// The repository.
        sr: Uuid,
        /// What happened.
        #[source]
        source: Box<StorageError>,
    },
    /// There is no such volume.
    #[error("no volume {location:?}")]
    NoSuchVolume {
        /// Where it was looked for.
        location: String,
    },
    /// Another volume has that uuid.
    #[error("a volume {uuid} of {size} exists already")]
    VolumeExists {
        /// The uuid.
        uuid: Uuid,
        /// Virtual size of the one that exists.
        size: Bytes,
    },
    /// The volume is open.
    #[error("volume {location:?} is in use")]
    VolumeInUse {
        /// The volume.
        location: String,
    },
    /// The volume cannot be written.
    #[error("volume {location:?} is read-only")]
    ReadOnly {
        /// The volume.
        location: String,
    },
    /// The volume's image is broken, or one that is never opened (say, with a foreign backing file).
    #[error("the image of {location:?} is not usable: {reason}")]
    Damaged {
        /// The volume.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The size is not allowed.
    #[error("{size} is not a possible size of {location:?}: {reason}")]
    BadSize {
        /// The volume.
        location: String,
        /// What was asked for.
        size: Bytes,
        /// Why not.
        reason: String,
    },
    /// The medium is full.
    #[error("no space left: {needed} needed, {free} free")]
    NoSpace {
        /// What was needed; zero if not known.
        needed: Bytes,
        /// What is free; zero if not known.
        free: Bytes,
    },
    /// A file system could not be mounted.
    #[error("{what} cannot be mounted: {reason}")]
    NotMounted {
        /// The type of repository.
        kind: &'static str,
        /// Device or server.
        what: String,
        /// What the system said.
        reason: String,
    },
    /// A file system could not be unmounted: somebody holds it.
    #[error("{what} cannot be unmounted: {reason}")]
    StillMounted {
        /// The type of repository.
        kind: &'static str,
        /// Device or server.
        what: String,
        /// What the system said.
        reason: String,
    },
    /// A server does not let this host in, or does not answer.
    #[error("{server} cannot be reached: {reason}")]
    ServerUnreachable {
        /// The server.
        server: String,
        /// What was said of it.
        reason: String,
    },
    /// A server does not take the name and password that were given, or wants some.
    #[error("{server} refuses the login: verify name and password")]
    LoginRefused {
        /// The server.
        server: String,
    },
    /// This type of repository cannot do that.
    #[error("repositories of type {kind} cannot {operation}")]
    Unsupported {
        /// The type.
        kind: &'static str,
        /// What it cannot do.
        operation: &'static str,
    },
    /// What was written between two volumes is not known.
    #[error("{reason}")]
    ChangesUnknown {
        /// Why.
        reason: &'static str,
    },
    /// The job was called off; nothing of it remains.
    #[error("{operation} was called off")]
    Cancelled {
        /// What was called off.
        operation: &'static str,
    },
    /// The backend did not answer in time; the call may still take effect.
    #[error("{operation} did not end within {after:?}")]
    TimedOut {
        /// What was asked for.
        operation: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// A tool failed.
    #[error("{tool} failed ({status}): {message}")]
    Tool {
        /// The program and its subcommand.
        tool: &'static str,
        /// Its exit code or signal.
        status: String,
        /// What it said on stderr, shortened.
        message: String,
    },
    /// A tool could not be started.
    #[error("{tool} cannot be run")]
    ToolMissing {
        /// The program.
        tool: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file system failed.
    #[error("{operation} {path:?}")]
    Io {
        /// What was done.
        operation: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl StorageError {
    /// A failure of the file system; a full one becomes [`StorageError::NoSpace`].
    pub fn io(operation: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> StorageError {
        match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StorageError::NoSpace {
                needed: Bytes(0),
                free: Bytes(0),
            },
            _ => StorageError::Io {
                operation,
                path: path.into(),
                source,
            },
        }
    }

    /// Whether the same call, made again, may succeed without anything else being changed.
    pub fn is_retryable(&self) -> bool {
        match self {
            StorageError::TimedOut { .. }
            | StorageError::Locked { .. }
            | StorageError::SrUnavailable { .. }
            | StorageError::NotMounted { .. }
            | StorageError::StillMounted { .. }
            | StorageError::ServerUnreachable { .. } => true,
            StorageError::ScanFailed { source, .. } => source.is_retryable(),
            StorageError::Io { source, .. } => matches!(
                source.kind(),
                std::io::ErrorKind::Interrupted
                    | std::io::ErrorKind::TimedOut
                    | std::io::ErrorKind::StaleNetworkFileHandle
            ),
            _ => false,
        }
    }

    /// The number of `SR_BACKEND_FAILURE_n`.
    pub fn backend_code(&self) -> u32 {
        match self {
            StorageError::UnknownType { .. } => 48,
            StorageError::ConfigMissing { key: "location" } => 94,
            StorageError::ConfigMissing { key: "device" } => 90,
            StorageError::ConfigMissing { key: "target" } => 95,
            StorageError::ConfigMissing { key: "targetIQN" } | StorageError::ConfigChoices { .. } => 96,
            StorageError::ConfigMissing { key: "server" } => 102,
            StorageError::ConfigMissing { key: "serverpath" } => 101,
            StorageError::ConfigMissing { .. } => 115,
            StorageError::ConfigInvalid { key: "location", .. } => 225,
            StorageError::ConfigInvalid { key: "device", .. } => 91,
            StorageError::ConfigInvalid {
                key: "serverpath", ..
            } => 103,
            StorageError::ConfigInvalid { .. } => 1,
            StorageError::NotPlugged { .. }
            | StorageError::SrUnavailable { .. }
            | StorageError::WrongSr { .. }
            | StorageError::OtherNaming { .. } => 47,
            // Names of the numbers: NFSMount, LVMMount, NFSUnMount, LVMUnMount.
            StorageError::NotMounted { kind: "nfs", .. } => 73,
            StorageError::NotMounted { .. } => 52,
            StorageError::StillMounted { kind: "nfs", .. } => 74,
            StorageError::StillMounted { .. } => 53,
            // ISCSILogin and ISCSIDiscovery.
            StorageError::LoginRefused { .. } => 68,
            StorageError::ServerUnreachable { .. } => 83,
            StorageError::PluggedOtherwise { .. } => 16,
            StorageError::SrExists { .. } => 42,
            StorageError::SrNotEmpty { .. } => 39,
            StorageError::Locked { .. } => 37,
            StorageError::ScanFailed { .. } => 40,
            StorageError::NoSuchVolume { .. } | StorageError::Damaged { .. } => 46,
            StorageError::VolumeExists { .. } => 43,
            StorageError::VolumeInUse { .. } => 24,
            StorageError::ReadOnly { .. } => 461,
            StorageError::ChangesUnknown { .. } => 460,
            StorageError::BadSize { .. } => 79,
            StorageError::NoSpace { .. } => 44,
            StorageError::Unsupported { .. } => 38,
            StorageError::Cancelled { .. } | StorageError::TimedOut { .. } => 202,
            StorageError::Tool { .. } | StorageError::ToolMissing { .. } => 202,
            StorageError::Io { .. } => 200,
        }
    }

    /// The error for API clients: `SR_BACKEND_FAILURE_n ["", text, ""]`, the three parameters as XenServer's
    /// storage manager fills them.
    pub fn to_api(&self) -> ApiError {
        ApiError {
            code: format!("SR_BACKEND_FAILURE_{}", self.backend_code()).into(),
            params: vec![
                String::new(),
                self.chain(),
                match self {
                    StorageError::ConfigChoices { xml, .. } => xml.clone(),
                    _ => String::new(),
                },
            ],
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
