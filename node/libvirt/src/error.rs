//! What libvirt's errors mean.

use node_hypervisor::HypervisorError;
use uuid::Uuid;
use virt::error::{Error, ErrorDomain, ErrorNumber};

/// What a blocking call may end with.
#[derive(Debug)]
pub(crate) enum Fault {
    /// libvirt said so.
    Virt(Error),
    /// The driver said so.
    Own(HypervisorError),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Virt(error)
    }
}

impl From<HypervisorError> for Fault {
    fn from(error: HypervisorError) -> Self {
        Fault::Own(error)
    }
}

/// Whether libvirt's daemon, rather than the hypervisor behind it, is the trouble.
fn is_connection_trouble(error: &Error) -> bool {
    if error.code().is(ErrorNumber::NoConnect)
        || error.code().is(ErrorNumber::InvalidConn)
        || error.code().is(ErrorNumber::AuthFailed)
        || error.code().is(ErrorNumber::AuthCancelled)
    {
        return true;
    }
    let of_transport = error.domain().is(ErrorDomain::Rpc) || error.domain().is(ErrorDomain::Remote);
    of_transport
        && (error.code().is(ErrorNumber::SystemError)
            || error.code().is(ErrorNumber::InternalError)
            || error.code().is(ErrorNumber::Rpc))
}

/// Says an error of libvirt in the words of all hypervisors.
pub(crate) fn translate(operation: &'static str, vm: Option<Uuid>, fault: Fault) -> HypervisorError {
    let error = match fault {
        Fault::Own(error) => return error,
        Fault::Virt(error) => error,
    };
    let vm = vm.unwrap_or_else(Uuid::nil);
    let text = error.message().to_owned();
    if is_connection_trouble(&error) {
        return HypervisorError::Disconnected { source: error.into() };
    }
    let virt::error::ErrorNumberEnum::Known(code) = error.code() else {
        return HypervisorError::Failed {
            operation,
            source: error.into(),
        };
    };
    match code {
        ErrorNumber::NoDomain | ErrorNumber::InvalidDomain => HypervisorError::NoSuchDomain { vm },
        // A transient domain that does not run is gone.
        ErrorNumber::OperationInvalid if text.contains("domain is not running") => {
            HypervisorError::NoSuchDomain { vm }
        }
        ErrorNumber::OperationTimeout if text.contains("lock") => HypervisorError::Busy { vm },
        ErrorNumber::OperationAborted => HypervisorError::Aborted { vm, operation },
        ErrorNumber::NoSupport | ErrorNumber::OperationUnsupported | ErrorNumber::ArgumentUnsupported => {
            HypervisorError::Unsupported {
                what: format!("{operation} ({text})"),
            }
        }
        ErrorNumber::ConfigUnsupported
        | ErrorNumber::XmlError
        | ErrorNumber::XmlDetail
        | ErrorNumber::XmlInvalidSchema
        | ErrorNumber::InvalidMac => HypervisorError::BadSpec { reason: text },
        ErrorNumber::AgentUnresponsive | ErrorNumber::AgentUnsynced | ErrorNumber::AgentCommandTimeout => {
            HypervisorError::NoGuestAgent { vm }
        }
        _ if text.contains("Cannot allocate memory") => HypervisorError::NoMemory { source: error.into() },
        _ => HypervisorError::Failed {
            operation,
            source: error.into(),
        },
    }
}
