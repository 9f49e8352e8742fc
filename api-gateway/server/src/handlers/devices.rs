//! Devices of hosts, and old kinds of patches and dumps. A host gives its USB devices to guests, and no other device: the
//! records say so, and so do these.

use std::sync::Arc;
use std::time::Duration;

use pool_domain::decide::usb::{self, UsbFacts};
use pool_domain::query;
use pool_ops::machine::{self, MachineReply, MachineVerb};
use pool_ops::vm::unplug_usb::UnplugUsb;
use proto_types::generated::{
    crashdump, gpu_group, host, host_crashdump, host_patch, pci, pgpu, pool_patch, vgpu, vgpu_type, vm,
};
use proto_types::{ApiError, Args, ClassId, Value};

use super::{Handler, Scope, Table, job};
use crate::api::Api;
use crate::api::gate::Entry;

/// The messages.
pub const TABLE: Table = &[
    // A device is the host's own until something else is made of it, which nothing here does.
    (
        "PCI.get_dom0_access_status",
        Handler::Read(|s, a| enabled(s, a, pci::CLASS)),
    ),
    (
        "PCI.enable_dom0_access",
        Handler::Read(|s, a| enabled(s, a, pci::CLASS)),
    ),
    (
        "PCI.disable_dom0_access",
        Handler::Read(|s, a| refused(s, a, pci::CLASS)),
    ),
    (
        "PGPU.enable_dom0_access",
        Handler::Read(|s, a| enabled(s, a, pgpu::CLASS)),
    ),
    (
        "PGPU.disable_dom0_access",
        Handler::Read(|s, a| refused(s, a, pgpu::CLASS)),
    ),
    (
        "PUSB.scan",
        Handler::Special(|api, entry, args| Box::pin(async move { scan(&api, entry, &args).await })),
    ),
    (
        "USB_group.create",
        Handler::Write(|d, _, a| Ok(usb::create_group(d, a.text(0)?, a.text(1)?, a.at(2)?.clone()).into())),
    ),
    (
        "USB_group.destroy",
        Handler::Write(|d, _, a| usb::destroy_group(d, a.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "GPU_group.create",
        Handler::Write(|d, _, a| {
            let fields = vec![
                (gpu_group::NAME_LABEL, a.text(0)?.into()),
                (gpu_group::NAME_DESCRIPTION, a.text(1)?.into()),
                (gpu_group::OTHER_CONFIG, a.at(2)?.clone()),
            ];
            Ok(d.insert(gpu_group::CLASS, fields).into())
        }),
    ),
    // Groups are all that there can be of GPUs here: they are empty.
    (
        "GPU_group.destroy",
        Handler::Write(|d, _, a| {
            d.read(gpu_group::CLASS, a.reference(0)?)?;
            d.delete(a.reference(0)?);
            Ok(Value::Void)
        }),
    ),
    (
        "GPU_group.get_remaining_capacity",
        Handler::Read(|s, a| {
            exists(s, a, 0, gpu_group::CLASS)?;
            exists(s, a, 1, vgpu_type::CLASS).map(|()| 0.into())
        }),
    ),
    (
        "GPU_group.update_enabled_VGPU_types",
        Handler::Read(|s, a| exists(s, a, 0, gpu_group::CLASS).map(|()| Value::Void)),
    ),
    (
        "GPU_group.update_supported_VGPU_types",
        Handler::Read(|s, a| exists(s, a, 0, gpu_group::CLASS).map(|()| Value::Void)),
    ),
    (
        "PGPU.add_enabled_VGPU_types",
        Handler::Unbuilt(|s, a| exists(s, a, 0, pgpu::CLASS)),
    ),
    (
        "PGPU.remove_enabled_VGPU_types",
        Handler::Unbuilt(|s, a| exists(s, a, 0, pgpu::CLASS)),
    ),
    (
        "PGPU.set_enabled_VGPU_types",
        Handler::Unbuilt(|s, a| exists(s, a, 0, pgpu::CLASS)),
    ),
    (
        "PGPU.set_GPU_group",
        Handler::Unbuilt(|s, a| exists(s, a, 0, pgpu::CLASS)),
    ),
    (
        "PGPU.get_remaining_capacity",
        Handler::Unbuilt(|s, a| exists(s, a, 0, pgpu::CLASS)),
    ),
    (
        "PUSB.set_passthrough_enabled",
        Handler::Write(|d, _, a| usb::set_passthrough(d, a.reference(0)?, a.truth(1)?).map(|()| Value::Void)),
    ),
    (
        "VGPU.create",
        Handler::Read(|s, a| {
            exists(s, a, 0, vm::CLASS)?;
            exists(s, a, 1, gpu_group::CLASS)?;
            Err(ApiError::new(
                "GPU_GROUP_CONTAINS_NO_PGPUS",
                [a.reference(1)?.to_string()],
            ))
        }),
    ),
    (
        "VUSB.create",
        Handler::Write(|d, _, a| {
            usb::ask_for(d, a.reference(0)?, a.reference(1)?, a.at(2)?.clone()).map(Value::from)
        }),
    ),
    (
        "VUSB.destroy",
        Handler::Write(|d, _, a| usb::ask_no_more(d, a.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "VUSB.unplug",
        Handler::Run(|_, a| job(UnplugUsb::new(a.reference(0)?))),
    ),
    // None was ever made, so that there is none to be found.
    ("VGPU.destroy", Handler::Read(|s, a| gone(s, a, vgpu::CLASS))),
    (
        "crashdump.destroy",
        Handler::Read(|s, a| gone(s, a, crashdump::CLASS)),
    ),
    (
        "host_crashdump.destroy",
        Handler::Read(|s, a| gone(s, a, host_crashdump::CLASS)),
    ),
    (
        "host_crashdump.upload",
        Handler::Read(|s, a| gone(s, a, host_crashdump::CLASS)),
    ),
    (
        "host_patch.apply",
        Handler::Read(|s, a| gone(s, a, host_patch::CLASS)),
    ),
    (
        "host_patch.destroy",
        Handler::Read(|s, a| gone(s, a, host_patch::CLASS)),
    ),
    (
        "pool_patch.apply",
        Handler::Read(|s, a| gone(s, a, pool_patch::CLASS)),
    ),
    (
        "pool_patch.clean",
        Handler::Read(|s, a| gone(s, a, pool_patch::CLASS)),
    ),
    (
        "pool_patch.clean_on_host",
        Handler::Read(|s, a| gone(s, a, pool_patch::CLASS)),
    ),
    (
        "pool_patch.destroy",
        Handler::Read(|s, a| gone(s, a, pool_patch::CLASS)),
    ),
    (
        "pool_patch.pool_apply",
        Handler::Read(|s, a| gone(s, a, pool_patch::CLASS)),
    ),
    (
        "pool_patch.pool_clean",
        Handler::Read(|s, a| gone(s, a, pool_patch::CLASS)),
    ),
    (
        "pool_patch.precheck",
        Handler::Read(|s, a| gone(s, a, pool_patch::CLASS)),
    ),
];

async fn scan(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let on = args.reference(0)?;
    query::find(&entry.db, host::CLASS, on)?;
    let wait = Duration::from_secs(30);
    let MachineReply::UsbDevices(seen) = machine::ask(&api.ops, on, MachineVerb::UsbDevices, wait).await?
    else {
        return Err(ApiError::internal("the host answered something else"));
    };
    let seen: Vec<UsbFacts> = seen
        .into_iter()
        .map(|device| UsbFacts {
            path: device.path,
            vendor: (device.vendor_id, device.vendor),
            product: (device.product_id, device.product),
            serial: device.serial,
            version: device.version,
            speed: device.speed,
        })
        .collect();
    let origin = entry.caller.history("PUSB.scan");
    api.ops
        .decide(&origin, |d| {
            usb::scan(d, on, &seen);
            Ok(())
        })
        .await?;
    Ok(Value::Void)
}

fn exists(scope: &Scope<'_>, args: &Args, position: usize, class: ClassId) -> Result<(), ApiError> {
    query::find(scope.db, class, args.reference(position)?).map(|_| ())
}

fn enabled(scope: &Scope<'_>, args: &Args, class: ClassId) -> Result<Value, ApiError> {
    exists(scope, args, 0, class).map(|()| "enabled".into())
}

fn refused(scope: &Scope<'_>, args: &Args, class: ClassId) -> Result<Value, ApiError> {
    exists(scope, args, 0, class)?;
    Err(ApiError::new(
        "OPERATION_NOT_ALLOWED",
        ["Hosts of this pool do not give devices of their own to guests"],
    ))
}

fn gone(scope: &Scope<'_>, args: &Args, class: ClassId) -> Result<Value, ApiError> {
    exists(scope, args, 0, class)?;
    Err(ApiError::internal(
        "an object of a kind that this pool does not make",
    ))
}
