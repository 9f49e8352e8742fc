//! From start to end of a domain.

use std::path::Path;

use node_hypervisor::{
    Domain, DomainSpec, DomainState, Firmware, HypervisorError, PauseReason, Result, StartMode,
};
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain as VirtDomain;
use virt::error::{Error, ErrorNumber};
use virt_sys as sys;

use crate::bridge::find;
use crate::error::Fault;
use crate::ffi;
use crate::xml::NAMESPACE;
use crate::xml::domain::{Dialect, domain as domain_xml};
use crate::xml::live::LiveDomain;
use crate::xml::tree::Element;

/// A domain as all hypervisors show it.
pub(crate) fn overview(domain: &VirtDomain) -> Result<Domain, Fault> {
    let uuid = domain
        .uuid_string()?
        .parse()
        .map_err(|source: uuid::Error| HypervisorError::Failed {
            operation: "read uuid",
            source: source.into(),
        })?;
    let (state, reason) = ffi::state(domain)?;
    Ok(Domain {
        uuid,
        id: domain.id().map_or(-1, i64::from),
        state: understand(state, reason),
        operation: operation(domain)?,
    })
}

/// The operation noted in a domain's metadata; domains of others have none.
fn operation(domain: &VirtDomain) -> Result<Option<String>, Fault> {
    let kind = i32::try_from(sys::VIR_DOMAIN_METADATA_ELEMENT).unwrap_or_default();
    match domain.metadata(kind, Some(NAMESPACE), sys::VIR_DOMAIN_AFFECT_CURRENT) {
        Ok(xml) => Ok(Element::parse(&xml)
            .ok()
            .and_then(|e| e.attribute("operation").map(String::from))),
        Err(error) if error.code().is(ErrorNumber::NoDomainMetadata) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn understand(state: u32, reason: u32) -> DomainState {
    match state {
        sys::VIR_DOMAIN_RUNNING | sys::VIR_DOMAIN_BLOCKED | sys::VIR_DOMAIN_NOSTATE => DomainState::Running,
        // The guest sleeps by its own wish; to the pool it runs.
        sys::VIR_DOMAIN_PMSUSPENDED => DomainState::Running,
        sys::VIR_DOMAIN_PAUSED => match reason {
            sys::VIR_DOMAIN_PAUSED_CRASHED => DomainState::Crashed,
            sys::VIR_DOMAIN_PAUSED_SHUTTING_DOWN => DomainState::ShuttingDown,
            sys::VIR_DOMAIN_PAUSED_USER => DomainState::Paused(PauseReason::Requested),
            sys::VIR_DOMAIN_PAUSED_MIGRATION
            | sys::VIR_DOMAIN_PAUSED_POSTCOPY
            | sys::VIR_DOMAIN_PAUSED_POSTCOPY_FAILED => DomainState::Paused(PauseReason::Migrating),
            sys::VIR_DOMAIN_PAUSED_SAVE => DomainState::Paused(PauseReason::Saving),
            sys::VIR_DOMAIN_PAUSED_IOERROR => DomainState::Paused(PauseReason::DiskError),
            _ => DomainState::Paused(PauseReason::Other),
        },
        sys::VIR_DOMAIN_SHUTDOWN => DomainState::ShuttingDown,
        sys::VIR_DOMAIN_CRASHED => DomainState::Crashed,
        _ => DomainState::Off,
    }
}

/// The domain of a VM, or nothing.
pub(crate) fn look(connect: &Connect, vm: Uuid) -> Result<Option<Domain>, Fault> {
    absent_is_none(find(connect, vm).and_then(|domain| overview(&domain)))
}

fn absent_is_none(found: Result<Domain, Fault>) -> Result<Option<Domain>, Fault> {
    match found {
        Ok(domain) => Ok(Some(domain)),
        Err(Fault::Virt(error)) if is_absent(&error) => Ok(None),
        Err(fault) => Err(fault),
    }
}

pub(crate) fn is_absent(error: &Error) -> bool {
    error.code().is(ErrorNumber::NoDomain)
}

/// All live domains that the driver has started.
pub(crate) fn list(connect: &Connect) -> Result<Vec<Domain>, Fault> {
    let mut found = Vec::new();
    for domain in connect.list_all_domains(sys::VIR_CONNECT_LIST_DOMAINS_ACTIVE)? {
        // It may be gone since it was listed.
        if let Some(domain) = absent_is_none(overview(&domain))?
            && domain.operation.is_some()
        {
            found.push(domain);
        }
    }
    Ok(found)
}

/// The domain if the same operation has brought it here, an error if another has.
pub(crate) fn already_here(connect: &Connect, spec: &DomainSpec) -> Result<Option<Domain>, Fault> {
    match look(connect, spec.uuid)? {
        Some(domain) if domain.state == DomainState::Off && domain.operation.is_none() => {
            Err(HypervisorError::AlreadyExists {
                vm: spec.uuid,
                by: None,
            }
            .into())
        }
        Some(domain) if domain.operation.as_deref() == Some(&spec.operation) => Ok(Some(domain)),
        Some(domain) => Err(HypervisorError::AlreadyExists {
            vm: spec.uuid,
            by: domain.operation,
        }
        .into()),
        None => Ok(None),
    }
}

/// Makes the folders in which QEMU and libvirt will write.
pub(crate) fn make_folders(spec: &DomainSpec) -> Result<()> {
    let nvram = match &spec.firmware {
        Firmware::Uefi { nvram, .. } => Some(nvram),
        Firmware::Bios => None,
    };
    for file in spec.serial_log.iter().chain(&spec.vnc_socket).chain(nvram) {
        let Some(folder) = file.parent() else { continue };
        std::fs::create_dir_all(folder).map_err(|source| HypervisorError::Failed {
            operation: "make folder",
            source: format!("{}: {source}", folder.display()).into(),
        })?;
    }
    Ok(())
}

pub(crate) fn start(
    connect: &Connect,
    spec: &DomainSpec,
    dialect: &Dialect,
    mode: StartMode,
) -> Result<Domain, Fault> {
    if let Some(there) = already_here(connect, spec)? {
        return Ok(there);
    }
    make_folders(spec)?;
    let xml = domain_xml(spec, dialect)?.to_xml();
    let flags = match (mode, dialect) {
        (StartMode::Paused, Dialect::Qemu { .. }) => sys::VIR_DOMAIN_START_PAUSED,
        _ => sys::VIR_DOMAIN_NONE,
    };
    match connect.create_domain_xml(&xml, flags) {
        Ok(domain) => {
            // The test driver starts nothing paused.
            if (mode, dialect) == (StartMode::Paused, &Dialect::Test) {
                domain.suspend()?;
            }
            overview(&domain)
        }
        // Another call of the same operation may have been faster.
        Err(error) => match already_here(connect, spec)? {
            Some(there) => Ok(there),
            None => Err(error.into()),
        },
    }
}

pub(crate) fn pause(connect: &Connect, vm: Uuid) -> Result<(), Fault> {
    let domain = find(connect, vm)?;
    match overview(&domain)?.state {
        DomainState::Paused(_) => Ok(()),
        DomainState::Running => Ok(domain.suspend().map(drop)?),
        actual => Err(HypervisorError::WrongState {
            vm,
            operation: "pause",
            actual,
        }
        .into()),
    }
}

pub(crate) fn unpause(connect: &Connect, vm: Uuid) -> Result<(), Fault> {
    let domain = find(connect, vm)?;
    match overview(&domain)?.state {
        DomainState::Running => Ok(()),
        DomainState::Paused(_) => Ok(domain.resume().map(drop)?),
        actual => Err(HypervisorError::WrongState {
            vm,
            operation: "unpause",
            actual,
        }
        .into()),
    }
}

/// Refuses to ask a guest that does not run.
fn running(connect: &Connect, vm: Uuid, operation: &'static str) -> Result<VirtDomain, Fault> {
    let domain = find(connect, vm)?;
    match overview(&domain)?.state {
        DomainState::Running | DomainState::ShuttingDown => Ok(domain),
        actual => Err(HypervisorError::WrongState {
            vm,
            operation,
            actual,
        }
        .into()),
    }
}

/// Makes libvirt do what was asked for, when the spec wants something else of a guest that ends by itself.
fn settle(
    domain: &VirtDomain,
    element: &str,
    which: sys::virDomainLifecycle,
    wanted: (&str, sys::virDomainLifecycleAction),
) -> Result<(), Fault> {
    let live = live(domain)?;
    if live.lifecycle(element).is_some_and(|now| now != wanted.0) {
        domain.set_lifecycle_action(which, wanted.1, sys::VIR_DOMAIN_AFFECT_LIVE)?;
    }
    Ok(())
}

pub(crate) fn shutdown(connect: &Connect, vm: Uuid) -> Result<(), Fault> {
    let domain = running(connect, vm, "shutdown")?;
    let destroy = ("destroy", sys::VIR_DOMAIN_LIFECYCLE_ACTION_DESTROY);
    settle(
        &domain,
        "on_poweroff",
        sys::VIR_DOMAIN_LIFECYCLE_POWEROFF,
        destroy,
    )?;
    Ok(domain.shutdown().map(drop)?)
}

pub(crate) fn reboot(connect: &Connect, vm: Uuid) -> Result<(), Fault> {
    let domain = running(connect, vm, "reboot")?;
    let restart = ("restart", sys::VIR_DOMAIN_LIFECYCLE_ACTION_RESTART);
    settle(&domain, "on_reboot", sys::VIR_DOMAIN_LIFECYCLE_REBOOT, restart)?;
    Ok(domain.reboot(sys::VIR_DOMAIN_REBOOT_DEFAULT)?)
}

pub(crate) fn reset(connect: &Connect, vm: Uuid) -> Result<(), Fault> {
    Ok(find(connect, vm)?.reset().map(drop)?)
}

pub(crate) fn destroy(connect: &Connect, vm: Uuid) -> Result<(), Fault> {
    let ended = find(connect, vm).and_then(|domain| Ok(domain.destroy()?));
    match ended {
        Err(Fault::Virt(error)) if is_absent(&error) => Ok(()),
        // It ended by itself meanwhile.
        Err(Fault::Virt(error)) if error.code().is(ErrorNumber::OperationInvalid) => {
            match look(connect, vm)? {
                Some(domain) if domain.state.is_live() => Err(error.into()),
                _ => Ok(()),
            }
        }
        other => other,
    }
}

/// The XML of a live domain, read.
pub(crate) fn live(domain: &VirtDomain) -> Result<LiveDomain, Fault> {
    read(&domain.xml_desc(0)?)
}

/// Reads XML of libvirt's.
pub(crate) fn read(xml: &str) -> Result<LiveDomain, Fault> {
    let parsed = LiveDomain::parse(xml);
    Ok(parsed.map_err(|source| HypervisorError::Failed {
        operation: "read XML",
        source: source.into(),
    })?)
}

/// Notes another operation with a live domain.
pub(crate) fn set_operation(domain: &VirtDomain, operation: &str) -> Result<(), Fault> {
    let kind = i32::try_from(sys::VIR_DOMAIN_METADATA_ELEMENT).unwrap_or_default();
    let note = Element::new("domain").with("operation", operation).to_xml();
    domain.set_metadata(
        kind,
        Some(&note),
        Some("tarn"),
        Some(NAMESPACE),
        sys::VIR_DOMAIN_AFFECT_LIVE,
    )?;
    Ok(())
}

/// Whether a path can be handed to libvirt.
pub(crate) fn checked_path(path: &Path) -> Result<&str> {
    match path.to_str() {
        Some(text) if path.is_absolute() => Ok(text),
        _ => Err(HypervisorError::BadSpec {
            reason: format!("{path:?} is not an absolute path in text"),
        }),
    }
}
