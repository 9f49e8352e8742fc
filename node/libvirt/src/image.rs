//! Save images: libvirt's own, with its XML changed on the way back.

use std::path::Path;

use node_hypervisor::{Domain, DomainSpec, HypervisorError, Result, StartMode};
use uuid::Uuid;
use virt::connect::Connect;
use virt_sys as sys;

use crate::bridge::find;
use crate::error::Fault;
use crate::ffi;
use crate::lifecycle::{self, already_here, checked_path, overview};
use crate::xml::domain::Dialect;
use crate::xml::live::LiveDomain;
use crate::xml::rewrite;

pub(crate) fn suspend_to(connect: &Connect, vm: Uuid, path: &Path) -> Result<(), Fault> {
    let domain = find(connect, vm)?;
    checked_path(path)?;
    Ok(ffi::save(&domain, path)?)
}

pub(crate) fn resume_from(
    connect: &Connect,
    spec: &DomainSpec,
    path: &Path,
    dialect: &Dialect,
    mode: StartMode,
) -> Result<Domain, Fault> {
    if let Some(there) = already_here(connect, spec)? {
        return Ok(there);
    }
    let bad = |reason: String| HypervisorError::BadImage {
        image: path.to_owned(),
        reason,
    };
    let text = checked_path(path)?;
    // libvirt says nothing of why a file cannot be opened.
    std::fs::metadata(path).map_err(|error| bad(error.to_string()))?;
    // The test driver writes another kind of image, in which only the domain's XML is to be found.
    let mut image = match dialect {
        Dialect::Test => image_of_test_driver(path).map_err(bad)?,
        Dialect::Qemu { .. } => {
            let xml = connect
                .save_image_xml_desc(text, 0)
                .map_err(|error| bad(error.message().to_owned()))?;
            LiveDomain::parse(&xml).map_err(|error| bad(error.to_string()))?
        }
    };
    match image.uuid() {
        Some(owner) if owner == spec.uuid => {}
        owner => return Err(bad(format!("it is of {owner:?}")).into()),
    }
    lifecycle::make_folders(spec)?;
    match dialect {
        Dialect::Test => {
            connect.restore_domain(text)?;
            let domain = find(connect, spec.uuid)?;
            lifecycle::set_operation(&domain, &spec.operation)?;
            if mode == StartMode::Paused {
                domain.suspend()?;
            }
        }
        Dialect::Qemu { .. } => {
            rewrite::apply(&mut image, &rewrite::changes_of(spec), Some(&spec.operation))?;
            let flags = match mode {
                StartMode::Running => sys::VIR_DOMAIN_SAVE_RUNNING,
                StartMode::Paused => sys::VIR_DOMAIN_SAVE_PAUSED,
            };
            let restored = connect.restore_domain_flags(text, Some(&image.root.to_xml()), flags);
            if let Err(error) = restored {
                // Another call of the same operation may have been faster.
                return match already_here(connect, spec)? {
                    Some(there) => Ok(there),
                    None => Err(error.into()),
                };
            }
        }
    }
    overview(&find(connect, spec.uuid)?)
}

/// The domain in an image of the test driver: a magic word, a length, XML.
fn image_of_test_driver(path: &Path) -> std::result::Result<LiveDomain, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&bytes);
    let (start, end) = (text.find("<domain"), text.rfind("</domain>"));
    let document = start
        .zip(end)
        .and_then(|(start, end)| text.get(start..end + "</domain>".len()));
    LiveDomain::parse(document.ok_or("it holds no domain")?).map_err(|error| error.to_string())
}
