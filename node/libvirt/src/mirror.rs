//! Copies of disks that keep in step with what the guest writes, until the guest goes over to them.
//!
//! libvirt's block copy into an image that is there already. Writes go to both images before the guest hears that they are
//! done, so that once the copy is in step it stays so, whatever ends the domain.

use node_hypervisor::{DiskIndex, DiskSource, HypervisorError, MergeProgress, Result};
use uuid::Uuid;
use virt::connect::Connect;
use virt::domain::Domain;

use crate::bridge::{Bridge, Job, find};
use crate::error::Fault;
use crate::ffi;
use crate::layers::{LOOK_AGAIN, disk_of};
use crate::xml::devices;
use crate::xml::live::{LiveDisk, name_of_source};
use crate::xml::tree::Element;

/// A disk and where it goes.
#[derive(Clone)]
pub(crate) struct Mirror {
    pub(crate) vm: Uuid,
    pub(crate) disk: DiskIndex,
    pub(crate) target: DiskSource,
}

/// What a look finds.
enum Look {
    /// The guest writes to the target alone.
    Over,
    /// Both are equal and stay so.
    InStep,
    /// So many thousandths are copied.
    Copying(u32),
    /// Nobody is at it.
    Idle,
}

impl Mirror {
    fn disk(&self, connect: &Connect) -> Result<(Domain, LiveDisk), Fault> {
        let domain = find(connect, self.vm)?;
        let disk = disk_of(&domain, self.vm, self.disk)?;
        Ok((domain, disk))
    }

    fn look(&self, connect: &Connect) -> Result<Look, Fault> {
        let (domain, disk) = self.disk(connect)?;
        let target = name_of_source(&self.target);
        if disk.source == target {
            return Ok(Look::Over);
        }
        let Some(mirror) = disk.element.find("mirror") else {
            return Ok(Look::Idle);
        };
        let goes_there = ["file", "dev", "name"]
            .iter()
            .any(|key| mirror.of("source", key) == target.as_deref());
        if !goes_there {
            return Err(HypervisorError::Busy { vm: self.vm }.into());
        }
        if mirror.attribute("ready") == Some("yes") {
            return Ok(Look::InStep);
        }
        let (now, end) = ffi::block_job(&domain, &disk.target)?.unwrap_or((0, 1));
        let permille = now.saturating_mul(1000).checked_div(end).unwrap_or(0).min(999);
        Ok(Look::Copying(u32::try_from(permille).unwrap_or(999)))
    }

    fn begin(&self, connect: &Connect) -> Result<(), Fault> {
        let (domain, disk) = self.disk(connect)?;
        ffi::block_copy(&domain, &disk.target, &destination(&self.target)?)?;
        Ok(())
    }

    fn aborted(&self) -> HypervisorError {
        HypervisorError::Aborted {
            vm: self.vm,
            operation: "mirror disk",
        }
    }
}

/// The image that is copied into, in libvirt's words.
fn destination(target: &DiskSource) -> Result<String> {
    let (kind, source) = devices::source(target)?;
    let source = source.ok_or_else(|| HypervisorError::BadSpec {
        reason: "a disk cannot go into an empty drive".into(),
    })?;
    let driver = Element::new("driver")
        .with("name", "qemu")
        .with("type", devices::format_name(devices::format_of(target)));
    Ok(Element::new("disk")
        .with("type", kind)
        .child(source)
        .child(driver)
        .to_xml())
}

/// Copies, and returns once both are equal.
pub(crate) async fn mirror(bridge: &Bridge, job: Job, what: Mirror, progress: MergeProgress) -> Result<()> {
    let mut begun = false;
    loop {
        let asked = what.clone();
        match bridge.call(job, move |connect| asked.look(connect)).await? {
            Look::Over | Look::InStep => return Ok(()),
            Look::Copying(permille) => {
                begun = true;
                progress(permille);
            }
            Look::Idle if begun => return Err(what.aborted()),
            Look::Idle => {
                let asked = what.clone();
                bridge.call(job, move |connect| asked.begin(connect)).await?;
                begun = true;
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Has the guest write to the target alone.
pub(crate) async fn pivot(bridge: &Bridge, job: Job, what: Mirror) -> Result<()> {
    // libvirt may need a moment to see that it has ended.
    for _ in 0..50 {
        let asked = what.clone();
        match bridge.call(job, move |connect| asked.look(connect)).await? {
            Look::Over => return Ok(()),
            Look::Idle => return Err(what.aborted()),
            Look::InStep => {
                let asked = what.clone();
                let over = move |connect: &Connect| {
                    let (domain, disk) = asked.disk(connect)?;
                    Ok(ffi::block_job_pivot(&domain, &disk.target)?)
                };
                bridge.call(job, over).await?;
            }
            Look::Copying(_) => {}
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Err(HypervisorError::TimedOut {
        operation: "go over to the mirror",
        after: LOOK_AGAIN * 50,
    })
}

#[cfg(test)]
mod test {
    use node_hypervisor::DiskFormat;

    use super::*;

    #[test]
    fn the_destination_is_described_with_its_format() {
        let target = DiskSource::File {
            path: "/sr/b.qcow2".into(),
            format: DiskFormat::Qcow2,
        };
        let xml = destination(&target).unwrap();
        assert!(
            xml.contains("file=\"/sr/b.qcow2\"") || xml.contains("file='/sr/b.qcow2'"),
            "{xml}"
        );
        assert!(xml.contains("qcow2") && xml.starts_with("<disk type="), "{xml}");
        assert!(destination(&DiskSource::Empty).is_err());
    }
}
