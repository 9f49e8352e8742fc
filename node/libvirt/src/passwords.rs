//! Passwords of disks' servers: libvirt has to know them before it opens such a disk, and keeps them in memory alone.

use node_hypervisor::{DiskSource, DiskSpec, NetworkLogin};
use virt::connect::Connect;
use virt::secret::Secret;

use crate::error::Fault;
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
    let secret = match known(connect, &usage)? {
        Some(secret) => secret,
        None => connect.define_secret_xml(&description(&usage), 0)?,
    };
    Ok(secret.set_value(login.password.as_bytes(), 0)?)
}

/// As [`tell`], for all disks.
pub(crate) fn tell_of(connect: &Connect, disks: &[DiskSpec]) -> Result<(), Fault> {
    disks.iter().try_for_each(|disk| tell(connect, &disk.source))
}

fn known(connect: &Connect, usage: &str) -> Result<Option<Secret>, Fault> {
    let all = connect.list_all_secrets(0)?;
    Ok(all
        .into_iter()
        .find(|secret| secret.usage_id().is_ok_and(|known| known == usage)))
}

fn description(usage: &str) -> String {
    Element::new("secret")
        .with("ephemeral", "yes")
        .with("private", "yes")
        .child(Element::new("usage").with("type", "iscsi").leaf("target", usage))
        .to_xml()
}
