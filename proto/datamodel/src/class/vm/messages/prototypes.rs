//! Messages of the class `VM`: not yet promised.

use super::super::enums::*;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("call_host_plugin", "25.22.0", VmOperator, "Runs a function of a plug-in on its host.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("plugin", Text),
            Param::new("fn", Text),
            Param::new("args", TEXT_MAP),
        ])
        .result(Text)
        .or_async()
        .prototyped(),
    Message::new("get_secureboot_readiness", "24.17.0", PoolAdmin, "Says whether it can use Secure Boot.")
        .params(&[Param::new("self", Ref("VM"))])
        .result(Enum(&VM_SECUREBOOT_READINESS))
        .or_async()
        .prototyped(),
    Message::new("restart_device_models", "23.30.0", VmPowerAdmin, "Restarts what emulates its devices.")
        .params(&[Param::new("self", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "VM_IS_TEMPLATE",
            "OPERATION_NOT_ALLOWED",
            "VM_BAD_POWER_STATE",
        ])
        .client_cert()
        .or_async()
        .prototyped(),
    Message::new("set_groups", "24.19.1", VmAdmin, "Sets the groups that say how it is placed.")
        .params(&[Param::new("self", Ref("VM")), Param::new("value", Set(&Ref("VM_group")))])
        .errors(&["OPERATION_NOT_ALLOWED"])
        .or_async()
        .prototyped(),
    Message::new("set_uefi_mode", "24.17.0", PoolAdmin, "Switches Secure Boot between setup and user mode.")
        .params(&[Param::new("self", Ref("VM")), Param::new("mode", Enum(&VM_UEFI_MODE))])
        .result(Text)
        .or_async()
        .prototyped(),
    Message::new("sysprep", "25.24.0", VmAdmin, "Has Windows prepare itself for being copied.")
        .params(&[Param::new("self", Ref("VM")), Param::new("unattend", Text), Param::new("timeout", Float)])
        .or_async()
        .prototyped(),
    Message::new(
        "update_secureboot_certificates_on_boot",
        "26.14.0",
        VmAdmin,
        "Marks it for newer Secure Boot certificates at the next start.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("mark", Bool)])
    .or_async()
    .prototyped(),
];
