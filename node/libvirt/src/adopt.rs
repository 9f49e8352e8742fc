//! Domains that others started, and how they become the pool's: by notes in their metadata, without the guest's noticing.

use node_hypervisor::{DeviceNumbers, Domain, ForeignDomain, HypervisorError};
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain as VirtDomain;
use virt::error::ErrorNumber;
use virt_sys as sys;

use crate::bridge::find;
use crate::error::Fault;
use crate::lifecycle::{is_absent, live, overview, set_operation};
use crate::xml::{NAMESPACE, NUMBERS, foreign};

/// All live domains that the driver has not started.
pub(crate) fn list(connect: &Connect) -> Result<Vec<ForeignDomain>, Fault> {
    let mut found = Vec::new();
    for domain in connect.list_all_domains(sys::VIR_CONNECT_LIST_DOMAINS_ACTIVE)? {
        match look(&domain) {
            Ok(read) => found.extend(read),
            // It may be gone since it was listed.
            Err(Fault::Virt(error)) if is_absent(&error) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(found)
}

fn look(domain: &VirtDomain) -> Result<Option<ForeignDomain>, Fault> {
    let there = overview(domain)?;
    if there.operation.is_some() || !there.state.is_live() {
        return Ok(None);
    }
    let live = live(domain)?;
    Ok(Some(foreign::domain(&live.root, there.uuid, there.state)))
}

/// What would start a domain again on this host; nothing if nothing would.
pub(crate) fn definition(connect: &Connect, vm: Uuid) -> Result<Option<String>, Fault> {
    let domain = find(connect, vm)?;
    if !domain.is_persistent()? {
        return Ok(None);
    }
    let flags = sys::VIR_DOMAIN_XML_INACTIVE | sys::VIR_DOMAIN_XML_SECURE;
    Ok(Some(domain.xml_desc(flags)?))
}

pub(crate) fn adopt(
    connect: &Connect,
    vm: Uuid,
    operation: &str,
    numbers: &DeviceNumbers,
) -> Result<Domain, Fault> {
    let domain = find(connect, vm)?;
    let there = overview(&domain)?;
    match there.operation.as_deref() {
        Some(own) if own != operation => {
            return Err(HypervisorError::AlreadyExists {
                vm,
                by: there.operation,
            }
            .into());
        }
        _ if !there.state.is_live() => {
            return Err(HypervisorError::WrongState {
                vm,
                operation: "adopt",
                actual: there.state,
            }
            .into());
        }
        _ => {}
    }
    if domain.is_persistent()? {
        // The files of its firmware and module stay: it runs on with them.
        let flags = sys::VIR_DOMAIN_UNDEFINE_KEEP_NVRAM
            | sys::VIR_DOMAIN_UNDEFINE_KEEP_TPM
            | sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            | sys::VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA;
        domain.undefine_flags(flags)?;
    }
    let kind = i32::try_from(sys::VIR_DOMAIN_METADATA_ELEMENT).unwrap_or_default();
    let note = foreign::note(numbers).to_xml();
    let live = sys::VIR_DOMAIN_AFFECT_LIVE;
    domain.set_metadata(kind, Some(&note), Some("tarn-devices"), Some(NUMBERS), live)?;
    // With this it is the pool's.
    set_operation(&domain, operation)?;
    overview(&domain)
}

pub(crate) fn disown(connect: &Connect, vm: Uuid, definition: Option<&str>) -> Result<(), Fault> {
    match find(connect, vm) {
        Ok(domain) => {
            let kind = i32::try_from(sys::VIR_DOMAIN_METADATA_ELEMENT).unwrap_or_default();
            for namespace in [NAMESPACE, NUMBERS] {
                let taken =
                    domain.set_metadata(kind, None, None, Some(namespace), sys::VIR_DOMAIN_AFFECT_LIVE);
                match taken {
                    Err(error) if error.code().is(ErrorNumber::NoDomainMetadata) => {}
                    other => drop(other?),
                }
            }
        }
        Err(Fault::Virt(error)) if is_absent(&error) => {}
        Err(fault) => return Err(fault),
    }
    if let Some(text) = definition {
        connect.define_domain_xml(text)?;
    }
    Ok(())
}
