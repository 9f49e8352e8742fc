//! Passwords of disks' servers: libvirt has to know them before it opens such a disk, and keeps them in memory alone.

use std::ffi::CString;

use node_hypervisor::{DiskSource, DiskSpec, HypervisorError, NetworkLogin};
use virt::connect::Connect;
use virt_sys::VIR_SECRET_USAGE_TYPE_ISCSI;

use crate::error::Fault;
use crate::ffi;
use crate::xml::tree::Element;

/// Under which name libvirt knows a password: the same on every host, since a domain takes it along.
pub(crate) fn usage(url: &str, login: &NetworkLogin) -> String {
    // Server and target, without the disk.
    let place = url.rsplit_once('/').map_or(url, |(place, _)| place);
    format!("tarn {place} {}", login.user)
}

/// Tells libvirt what a source's server asks for. May be repeated.
pub(crate) fn tell(connect: &Connect, source: &DiskSource) -> Result<(), Fault> {
    let DiskSource::Network {
        url,
        login: Some(login),
        ..
    } = source
    else {
        return Ok(());
    };
    let usage = usage(url, login);
    let name = CString::new(usage.as_str()).map_err(|_| HypervisorError::BadSpec {
        reason: "the name of a disk's server holds a zero".to_owned(),
    })?;
    let secret = match ffi::secret_of(connect, VIR_SECRET_USAGE_TYPE_ISCSI, &name)? {
        Some(secret) => secret,
        None => connect.define_secret_xml(&description(&usage), 0)?,
    };
    Ok(secret.set_value(login.password.as_bytes(), 0)?)
}

/// As [`tell`], for all disks.
pub(crate) fn tell_of(connect: &Connect, disks: &[DiskSpec]) -> Result<(), Fault> {
    disks.iter().try_for_each(|disk| tell(connect, &disk.source))
}

fn description(usage: &str) -> String {
    Element::new("secret")
        .with("ephemeral", "yes")
        .with("private", "yes")
        .child(Element::new("usage").with("type", "iscsi").leaf("target", usage))
        .to_xml()
}
