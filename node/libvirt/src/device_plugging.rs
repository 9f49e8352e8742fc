//! Plugging devices into running guests, and waiting until they let go of them.

use std::time::Duration;

use node_hypervisor::{DiskIndex, DiskSource, DiskSpec, HypervisorError, NicIndex, NicSpec, Result};
use tokio::sync::broadcast;
use tokio::time::Instant;
use uuid::Uuid;
use virt::connect::Connect;
use virt::error::ErrorNumber;
use virt_sys as sys;

use crate::bridge::{Bridge, Job, Removal, find};
use crate::error::Fault;
use crate::lifecycle::live;
use crate::xml::devices;
use crate::xml::live::{LiveDomain, name_of_source};
use crate::xml::tree::Element;

/// How often the domain is looked at while its guest lets go of a device.
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How often the guest is asked again: one that is still booting does not hear the first time.
const ASK_AGAIN: Duration = Duration::from_secs(6);

/// A device that can be plugged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    Disk(DiskIndex),
    Nic(NicIndex),
    /// A USB device of the host's, by its place there.
    Usb(String),
}

impl Device {
    fn name(&self) -> String {
        match self {
            Device::Disk(disk) => disk.to_string(),
            Device::Nic(nic) => nic.to_string(),
            Device::Usb(path) => format!("USB device {path}"),
        }
    }

    /// Its element in a live domain.
    fn element(&self, live: &LiveDomain) -> Option<Element> {
        match self {
            Device::Disk(disk) => live.disk(*disk).map(|d| d.element),
            Device::Nic(nic) => live.nic(*nic).map(|n| n.element),
            Device::Usb(path) => live.usb(path),
        }
    }

    fn is_named(&self, alias: &str) -> bool {
        match self {
            Device::Disk(disk) => devices::disk_of_alias(alias) == Some(*disk),
            Device::Nic(nic) => devices::nic_of_alias(alias) == Some(*nic),
            Device::Usb(path) => devices::usb_alias(path) == alias,
        }
    }
}

pub(crate) fn attach_disk(connect: &Connect, vm: Uuid, disk: &DiskSpec) -> Result<(), Fault> {
    let domain = find(connect, vm)?;
    if let Some(there) = live(&domain)?.disk(disk.index) {
        if there.source == name_of_source(&disk.source) {
            return Ok(());
        }
        return Err(HypervisorError::DeviceExists {
            vm,
            device: disk.index.to_string(),
        }
        .into());
    }
    let xml = devices::disk(disk, None)?.to_xml();
    Ok(domain.attach_device_flags(&xml, sys::VIR_DOMAIN_AFFECT_LIVE)?)
}

pub(crate) fn attach_nic(connect: &Connect, vm: Uuid, nic: &NicSpec) -> Result<(), Fault> {
    let domain = find(connect, vm)?;
    if let Some(there) = live(&domain)?.nic(nic.index) {
        if there.mac == nic.mac.to_lowercase() {
            return Ok(());
        }
        return Err(HypervisorError::DeviceExists {
            vm,
            device: nic.index.to_string(),
        }
        .into());
    }
    let xml = devices::nic(nic, None)?.to_xml();
    Ok(domain.attach_device_flags(&xml, sys::VIR_DOMAIN_AFFECT_LIVE)?)
}

pub(crate) fn move_nic(connect: &Connect, vm: Uuid, nic: NicIndex, bridge: &str) -> Result<(), Fault> {
    let domain = find(connect, vm)?;
    let Some(there) = live(&domain)?.nic(nic) else {
        return Err(HypervisorError::NoSuchDevice {
            vm,
            device: nic.to_string(),
        }
        .into());
    };
    let mut xml = there.element;
    if xml.of("source", "bridge") == Some(bridge) {
        return Ok(());
    }
    xml.replace(Element::new("source").with("bridge", bridge));
    Ok(domain.update_device_flags(&xml.to_xml(), sys::VIR_DOMAIN_DEVICE_MODIFY_LIVE)?)
}

pub(crate) fn change_media(
    connect: &Connect,
    vm: Uuid,
    drive: DiskIndex,
    source: &DiskSource,
) -> Result<(), Fault> {
    let domain = find(connect, vm)?;
    let there = live(&domain)?.disk(drive).filter(|d| d.cdrom);
    let Some(there) = there else {
        return Err(HypervisorError::NoSuchDevice {
            vm,
            device: drive.to_string(),
        }
        .into());
    };
    if there.source == name_of_source(source) {
        return Ok(());
    }
    let mut xml = devices::disk(&DiskSpec::cdrom(drive, source.clone()), None)?;
    // An update must not seem to change anything but the medium and its format: not how the host caches it either.
    if let Some(mut driver) = there.element.find("driver").cloned() {
        let format = xml.of("driver", "type").unwrap_or("raw").to_owned();
        driver.attributes.retain(|(name, _)| name != "type");
        xml.replace(driver.with("type", format));
    }
    // Its bus and its name are those it has: one that was taken over has others than the pool would give it.
    for kept in ["address", "alias", "boot", "serial", "target"] {
        xml.children.retain(|c| c.name != kept);
        xml.children.extend(there.element.find(kept).cloned());
    }
    let flags = sys::VIR_DOMAIN_DEVICE_MODIFY_LIVE | sys::VIR_DOMAIN_DEVICE_MODIFY_FORCE;
    Ok(domain.update_device_flags(&xml.to_xml(), flags)?)
}

/// Whether the device is still there; asks the guest to let go of it if so and if wanted.
fn ask(connect: &Connect, vm: Uuid, device: &Device, ask_guest: AskGuest) -> Result<Still, Fault> {
    let domain = find(connect, vm)?;
    let Some(element) = device.element(&live(&domain)?) else {
        return Ok(Still::Gone);
    };
    if ask_guest == AskGuest::No {
        return Ok(Still::There);
    }
    match domain.detach_device_flags(&element.to_xml(), sys::VIR_DOMAIN_AFFECT_LIVE) {
        Ok(()) => {}
        Err(error) if error.code().is(ErrorNumber::DeviceMissing) => return Ok(Still::Gone),
        // Asked before, and not answered yet.
        Err(error) if error.message().contains("in the process of unplug") => return Ok(Still::There),
        Err(error) => return Err(error.into()),
    }
    let still = device.element(&live(&domain)?).is_some();
    Ok(if still { Still::There } else { Still::Gone })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum AskGuest {
    Yes,
    No,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Still {
    There,
    Gone,
}

/// Takes a device away and waits for the guest.
pub(crate) async fn detach(
    bridge: &Bridge,
    job: Job,
    vm: Uuid,
    device: Device,
    patience: Duration,
) -> Result<()> {
    let mut removals = bridge.removals();
    let began = Instant::now();
    let mut asked = None::<Instant>;
    loop {
        let ask_guest = match asked {
            Some(when) if when.elapsed() < ASK_AGAIN => AskGuest::No,
            _ => {
                asked = Some(Instant::now());
                AskGuest::Yes
            }
        };
        let wanted = device.clone();
        let answer = bridge
            .call(job, move |connect| ask(connect, vm, &wanted, ask_guest))
            .await;
        match answer {
            Ok(Still::Gone) => return Ok(()),
            Ok(Still::There) => {}
            Err(error) => return Err(error),
        }
        if began.elapsed() >= patience {
            return Err(HypervisorError::DetachTimedOut {
                vm,
                device: device.name(),
                after: patience,
            });
        }
        if refusal(&mut removals, vm, &device).await {
            return Err(HypervisorError::DetachRefused {
                vm,
                device: device.name(),
            });
        }
    }
}

/// Waits for the guest's answer or a moment; whether it was a refusal.
async fn refusal(removals: &mut broadcast::Receiver<Removal>, vm: Uuid, device: &Device) -> bool {
    let until = Instant::now() + LOOK_AGAIN;
    loop {
        match tokio::time::timeout_at(until, removals.recv()).await {
            Ok(Ok(removal)) if removal.vm == vm && device.is_named(&removal.alias) => return removal.refused,
            Ok(Ok(_)) => {}
            // Lagging behind is no harm: the domain itself is looked at.
            Ok(Err(broadcast::error::RecvError::Lagged(_))) => {}
            Ok(Err(broadcast::error::RecvError::Closed)) | Err(_) => {
                tokio::time::sleep_until(until).await;
                return false;
            }
        }
    }
}
