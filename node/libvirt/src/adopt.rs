//! Domains that others started, and how they become the pool's: by notes in their metadata, without the guest's noticing.

use std::io::Write;
use std::path::Path;

use node_hypervisor::{DeviceNumbers, Domain, ForeignDomain, HypervisorError, Result};
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

/// What would start the domain again on this host, as text; nothing if nothing would.
fn definition(domain: &VirtDomain) -> Result<Option<String>, Fault> {
    if !domain.is_persistent()? {
        return Ok(None);
    }
    let flags = sys::VIR_DOMAIN_XML_INACTIVE | sys::VIR_DOMAIN_XML_SECURE;
    Ok(Some(domain.xml_desc(flags)?))
}

/// Written whole and forced to disk before anything is taken away. Only the node reads it: it may hold a password.
fn write(keep: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let failed = |source: std::io::Error| HypervisorError::Failed {
        operation: "keep a definition",
        source: format!("{}: {source}", keep.display()).into(),
    };
    let fresh = keep.with_extension("new");
    let written = || {
        if let Some(folder) = keep.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, keep)
    };
    written().map_err(failed)
}

pub(crate) fn adopt(
    connect: &Connect,
    vm: Uuid,
    operation: &str,
    numbers: &DeviceNumbers,
    keep: &Path,
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
    if let Some(text) = definition(&domain)? {
        write(keep, &text)?;
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

pub(crate) fn disown(connect: &Connect, vm: Uuid, keep: &Path) -> Result<(), Fault> {
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
    match std::fs::read_to_string(keep) {
        Ok(text) => {
            connect.define_domain_xml(&text)?;
            // It is there again; the copy is of no use any more.
            let _ = std::fs::remove_file(keep);
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(HypervisorError::Failed {
            operation: "read a definition",
            source: source.into(),
        }
        .into()),
    }
}
