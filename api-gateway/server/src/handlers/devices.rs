//! Devices of hosts, and old kinds of patches and dumps. No host gives a device of its own to a guest: the records say
//! so, and so do these.

use pool_domain::query;
use proto_types::generated::{
    crashdump, gpu_group, host, host_crashdump, host_patch, pci, pgpu, pool_patch, pusb, usb_group, vgpu, vm,
    vusb,
};
use proto_types::{ApiError, Args, ClassId, Value};

use super::{Handler, Scope, Table};

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
    ("PUSB.scan", Handler::Unbuilt(|s, a| exists(s, a, 0, host::CLASS))),
    (
        "PUSB.set_passthrough_enabled",
        Handler::Read(|s, a| {
            if a.truth(1)? {
                refused(s, a, pusb::CLASS)
            } else {
                exists(s, a, 0, pusb::CLASS).map(|()| Value::Void)
            }
        }),
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
        Handler::Read(|s, a| {
            exists(s, a, 0, vm::CLASS)?;
            exists(s, a, 1, usb_group::CLASS)?;
            Err(ApiError::new(
                "USB_GROUP_CONTAINS_NO_PUSBS",
                [a.reference(1)?.to_string()],
            ))
        }),
    ),
    // None was ever made, so that there is none to be found.
    ("VGPU.destroy", Handler::Read(|s, a| gone(s, a, vgpu::CLASS))),
    ("VUSB.destroy", Handler::Read(|s, a| gone(s, a, vusb::CLASS))),
    ("VUSB.unplug", Handler::Read(|s, a| gone(s, a, vusb::CLASS))),
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
