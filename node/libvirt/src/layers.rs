//! Layers of disks: freezing what is below, merging it, and growing the disk, all while the guest runs.
//!
//! libvirt's snapshots of disks do the freezing, without metadata of its own: the pool keeps that.

use std::time::Duration;

use node_hypervisor::{Bytes, DiskIndex, DiskSource, HypervisorError, MergeProgress, Merged, Result};
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;
use virt_sys as sys;

use crate::bridge::{Bridge, Job, find};
use crate::error::Fault;
use crate::ffi;
use crate::lifecycle::live;
use crate::xml::devices;
use crate::xml::live::{LiveDisk, name_of_source};
use crate::xml::tree::Element;

/// How often a merge is looked at.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// What is merged into what.
#[derive(Clone)]
pub(crate) struct Merge {
    pub(crate) vm: Uuid,
    pub(crate) disk: DiskIndex,
    pub(crate) top: DiskSource,
    pub(crate) base: DiskSource,
}

pub(crate) fn disk_of(domain: &Domain, vm: Uuid, disk: DiskIndex) -> Result<LiveDisk, Fault> {
    live(domain)?.disk(disk).ok_or_else(|| {
        HypervisorError::NoSuchDevice {
            vm,
            device: disk.to_string(),
        }
        .into()
    })
}

/// Has the domain write to new layers, all at once.
pub(crate) fn switch(connect: &Connect, vm: Uuid, wanted: &[(DiskIndex, DiskSource)]) -> Result<(), Fault> {
    let domain = find(connect, vm)?;
    let present = live(&domain)?.disks();
    let mut list = Element::new("disks");
    let mut changes = 0_usize;
    for (index, _) in wanted {
        if !present.iter().any(|d| d.index == *index) {
            return Err(HypervisorError::NoSuchDevice {
                vm,
                device: index.to_string(),
            }
            .into());
        }
    }
    for disk in &present {
        let new = wanted
            .iter()
            .find(|(index, _)| *index == disk.index)
            .map(|(_, source)| source)
            .filter(|source| disk.source != name_of_source(source));
        let entry = Element::new("disk").with("name", disk.target.as_str());
        // A disk that is not named would be frozen as well.
        list.children.push(match new {
            None => entry.with("snapshot", "no"),
            Some(source) => {
                changes += 1;
                let (kind, element) = devices::source(source)?;
                let mut entry = entry.with("snapshot", "external").with("type", kind);
                entry.children.push(Element::new("driver").with("type", "qcow2"));
                entry.children.extend(element);
                entry
            }
        });
    }
    if changes == 0 {
        return Ok(());
    }
    let xml = Element::new("domainsnapshot").child(list).to_xml();
    let flags = sys::VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY
        | sys::VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
        | sys::VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT
        | sys::VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC;
    domain.create_snapshot_xml(&xml, flags)?;
    Ok(())
}

/// Whether an image is in a disk's chain below its topmost one.
fn has_below(disk: &LiveDisk, name: &str) -> bool {
    let mut at = disk.element.find("backingStore");
    while let Some(store) = at {
        let found = ["file", "dev", "name"]
            .iter()
            .any(|key| store.of("source", key) == Some(name));
        if found {
            return true;
        }
        at = store.find("backingStore");
    }
    false
}

/// What a look at a merge finds.
enum Look {
    /// The upper image is in the chain no more.
    Done,
    /// So many thousandths are done.
    UnderWay(u32),
    /// Nobody is at it.
    Idle,
}

fn look(connect: &Connect, what: &Merge) -> Result<Look, Fault> {
    let domain = find(connect, what.vm)?;
    let disk = disk_of(&domain, what.vm, what.disk)?;
    if let Some((now, end)) = ffi::block_job(&domain, &disk.target)? {
        let permille = now.saturating_mul(1000).checked_div(end).unwrap_or(0).min(999);
        return Ok(Look::UnderWay(u32::try_from(permille).unwrap_or(999)));
    }
    // The job may have ended between the two looks: the chain is read again.
    let disk = disk_of(&domain, what.vm, what.disk)?;
    let top = name_of_source(&what.top).unwrap_or_default();
    Ok(if has_below(&disk, &top) {
        Look::Idle
    } else {
        Look::Done
    })
}

fn begin(connect: &Connect, what: &Merge) -> Result<(), Fault> {
    let domain = find(connect, what.vm)?;
    let disk = disk_of(&domain, what.vm, what.disk)?;
    let name = |source: &DiskSource| {
        name_of_source(source).ok_or_else(|| HypervisorError::BadSpec {
            reason: "an empty source cannot be merged".into(),
        })
    };
    let names = match what.base {
        DiskSource::Network { .. } => ffi::Names::Full,
        DiskSource::File { .. } | DiskSource::Block { .. } | DiskSource::Empty => ffi::Names::Relative,
    };
    let (base, top) = (name(&what.base)?, name(&what.top)?);
    ffi::block_commit(&domain, &disk.target, &base, &top, names)?;
    Ok(())
}

/// Merges, and waits until it is done.
pub(crate) async fn merge(bridge: &Bridge, job: Job, what: Merge, progress: MergeProgress) -> Result<Merged> {
    let mut begun = false;
    loop {
        let asked = what.clone();
        match bridge.call(job, move |connect| look(connect, &asked)).await? {
            Look::Done => return Ok(Merged::ByHypervisor),
            Look::UnderWay(permille) => {
                begun = true;
                progress(permille);
            }
            Look::Idle if begun => {
                return Err(HypervisorError::Aborted {
                    vm: what.vm,
                    operation: "merge disk",
                });
            }
            Look::Idle => {
                let asked = what.clone();
                bridge.call(job, move |connect| begin(connect, &asked)).await?;
                begun = true;
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Calls a merge off.
pub(crate) fn abort(connect: &Connect, vm: Uuid, disk: DiskIndex) -> Result<(), Fault> {
    let domain = find(connect, vm)?;
    let disk = disk_of(&domain, vm, disk)?;
    if ffi::block_job(&domain, &disk.target)?.is_some() {
        ffi::block_job_abort(&domain, &disk.target)?;
    }
    Ok(())
}

/// Makes a disk larger.
pub(crate) fn resize(connect: &Connect, vm: Uuid, disk: DiskIndex, size: Bytes) -> Result<(), Fault> {
    let domain = find(connect, vm)?;
    let disk = disk_of(&domain, vm, disk)?;
    Ok(domain.block_resize(&disk.target, size.get(), sys::VIR_DOMAIN_BLOCK_RESIZE_BYTES)?)
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::xml::live::LiveDomain;

    #[test]
    fn the_chain_below_a_disk_is_found_by_name() {
        let xml = "<domain><devices><disk type='file' device='disk'><source file='/sr/x.2.qcow2'/>
          <backingStore type='file' index='3'><format type='qcow2'/><source file='/sr/x.1.qcow2'/>
            <backingStore type='file' index='1'><format type='qcow2'/><source file='/sr/x.qcow2'/><backingStore/>
            </backingStore></backingStore>
          <target dev='vda' bus='virtio'/></disk></devices></domain>";
        let disk = LiveDomain::parse(xml).unwrap().disk(DiskIndex(0)).unwrap();
        assert!(has_below(&disk, "/sr/x.1.qcow2") && has_below(&disk, "/sr/x.qcow2"));
        assert!(!has_below(&disk, "/sr/x.2.qcow2"), "the topmost is not below");
    }
}
