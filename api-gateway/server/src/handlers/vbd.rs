//! Drives of VMs.

use pool_domain::decide::vbd;
use pool_ops::vm::media::ChangeMedium;
use pool_ops::vm::plug::PlugDevice;
use proto_types::Value;
use proto_types::generated::{vbd as class, vm};

use super::{Handler, Table, job};

/// The messages.
pub const TABLE: Table = &[
    (
        "VBD.create",
        Handler::Write(|d, _, args| vbd::create(d, args.at(0)?).map(Value::from)),
    ),
    (
        "VBD.destroy",
        Handler::Write(|d, _, args| vbd::destroy(d, args.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "VBD.plug",
        Handler::Run(|_, args| job(PlugDevice::new(args.reference(0)?, "plug"))),
    ),
    (
        "VBD.unplug",
        Handler::Run(|_, args| job(PlugDevice::new(args.reference(0)?, "unplug"))),
    ),
    (
        "VBD.unplug_force",
        Handler::Run(|_, args| job(PlugDevice::new(args.reference(0)?, "unplug_force"))),
    ),
    (
        "VBD.unplug_force_no_safety_check",
        Handler::Run(|_, args| job(PlugDevice::new(args.reference(0)?, "unplug_force"))),
    ),
    (
        "VBD.insert",
        Handler::Run(|_, args| job(ChangeMedium::insert(args.reference(0)?, args.reference(1)?))),
    ),
    (
        "VBD.eject",
        Handler::Run(|_, args| job(ChangeMedium::eject(args.reference(0)?))),
    ),
    (
        "VBD.assert_attachable",
        Handler::Read(|s, args| vbd::assert_attachable(s.db, args.reference(0)?).map(|()| Value::Void)),
    ),
    (
        "VBD.set_mode",
        Handler::Write(|d, _, args| {
            let row = d.read(class::CLASS, args.reference(0)?)?;
            let owner = d.read(vm::CLASS, row.get(class::VM).as_ref())?;
            let state = owner.get(vm::POWER_STATE).as_str();
            if row.get(class::CURRENTLY_ATTACHED).as_bool() {
                return Err(pool_domain::vm_rules::bad_power_state(
                    owner.reference,
                    &["Halted"],
                    state,
                ));
            }
            d.set(row.reference, class::MODE, args.at(1)?.clone());
            Ok(Value::Void)
        }),
    ),
];
