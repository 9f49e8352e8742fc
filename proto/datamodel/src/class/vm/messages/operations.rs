//! Messages of the class `VM`: what it does.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// In alphabetical order.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("call_plugin", "cream", VmOperator, "Runs a function of a plug-in for it on its host.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("plugin", Text),
            Param::new("fn", Text),
            Param::new("args", TEXT_MAP),
        ])
        .result(Text)
        .or_async(),
    Message::new("checkpoint", "midnight-ride", VmPowerAdmin, "Takes a snapshot with its memory.")
        .params(&[Param::new("vm", Ref("VM")), Param::new("new_name", Text)])
        .result(Ref("VM"))
        .errors(&[
            "VM_BAD_POWER_STATE",
            "SR_FULL",
            "OPERATION_NOT_ALLOWED",
            "VM_CHECKPOINT_SUSPEND_FAILED",
            "VM_CHECKPOINT_RESUME_FAILED",
        ])
        .or_async(),
    Message::new("clean_reboot", "rio", VmOperator, "Asks the guest to reboot, and waits.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "VM_IS_TEMPLATE",
        ])
        .or_async(),
    Message::new("clean_shutdown", "rio", VmOperator, "Asks the guest to power off, and waits.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "VM_IS_TEMPLATE",
        ])
        .or_async(),
    Message::new("clone", "rio", VmAdmin, "Makes a fast copy that shares unchanged data with it.")
        .params(&[Param::new("vm", Ref("VM")), Param::new("new_name", Text)])
        .result(Ref("VM"))
        .errors(&["VM_BAD_POWER_STATE", "SR_FULL", "OPERATION_NOT_ALLOWED", "LICENCE_RESTRICTION"])
        .or_async(),
    Message::new("copy", "rio", VmAdmin, "Makes a full copy, perhaps in another SR.")
        .params(&[Param::new("vm", Ref("VM")), Param::new("new_name", Text), Param::new("sr", Ref("SR"))])
        .result(Ref("VM"))
        .errors(&["VM_BAD_POWER_STATE", "SR_FULL", "OPERATION_NOT_ALLOWED", "LICENCE_RESTRICTION"])
        .or_async(),
    Message::new("copy_bios_strings", "midnight-ride", VmAdmin, "Takes firmware strings over from a host.")
        .params(&[Param::new("vm", Ref("VM")), Param::new("host", Ref("host"))])
        .or_async(),
    Message::new("create_new_blob", "orlando", VmPowerAdmin, "Attaches an empty blob to the VM.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("name", Text),
            Param::new("mime_type", Text),
            Param::optional("public", Bool, Default::Bool(false)),
        ])
        .result(Ref("blob"))
        .or_async(),
    Message::new(
        "forget_data_source_archives",
        "orlando",
        VmAdmin,
        "Forgets what was recorded of a data source.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("data_source", Text)]),
    Message::new("hard_reboot", "rio", VmOperator, "Stops the guest at once and starts it again.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "VM_IS_TEMPLATE",
        ])
        .or_async(),
    Message::new("hard_shutdown", "rio", VmOperator, "Stops the guest at once.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "VM_IS_TEMPLATE",
        ])
        .or_async(),
    Message::new("import", "dundee", PoolOperator, "Imports VMs from an address.")
        .params(&[
            Param::new("url", Text),
            Param::new("sr", Ref("SR")),
            Param::new("full_restore", Bool),
            Param::new("force", Bool),
        ])
        .result(Set(&Ref("VM")))
        .or_async(),
    Message::new("import_convert", "tampa", VmAdmin, "Imported VMs from another product.")
        .params(&[
            Param::new("type", Text),
            Param::new("username", Text),
            Param::new("password", Text),
            Param::new("sr", Ref("SR")),
            Param::new("remote_config", TEXT_MAP),
        ])
        .or_async(),
    Message::new(
        "maximise_memory",
        "miami",
        ReadOnly,
        "Answers the most memory it can have in so many bytes in all.",
    )
    .params(&[Param::new("self", Ref("VM")), Param::new("total", Int), Param::new("approximate", Bool)])
    .result(Int)
    .or_async(),
    Message::new(
        "migrate_send",
        "tampa",
        VmPowerAdmin,
        "Moves it to another host or pool, with its disks if need be.",
    )
    .params(&[
        Param::new("vm", Ref("VM")),
        Param::new("dest", TEXT_MAP),
        Param::new("live", Bool),
        Param::new("vdi_map", Map(&Ref("VDI"), &Ref("SR"))),
        Param::new("vif_map", Map(&Ref("VIF"), &Ref("network"))),
        Param::new("options", TEXT_MAP),
        Param::optional("vgpu_map", Map(&Ref("VGPU"), &Ref("GPU_group")), Default::EmptyMap),
        Param::optional("vdi_format_map", Map(&Ref("VDI"), &Text), Default::EmptyMap),
    ])
    .result(Ref("VM"))
    .errors(&["VM_BAD_POWER_STATE", "LICENCE_RESTRICTION"])
    .or_async(),
    Message::new("pause", "rio", VmOperator, "Halts its processors where they are.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "VM_IS_TEMPLATE",
        ])
        .or_async(),
    Message::new("pool_migrate", "rio", VmPowerAdmin, "Moves it to another host of the pool, live.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("host", Ref("host")),
            Param::new("options", TEXT_MAP),
        ])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "VM_IS_TEMPLATE",
            "OPERATION_NOT_ALLOWED",
            "VM_BAD_POWER_STATE",
        ])
        .client_cert()
        .or_async(),
    Message::new(
        "power_state_reset",
        "rio",
        PoolOperator,
        "States that it is halted, whatever was believed.",
    )
    .params(&[Param::new("vm", Ref("VM"))])
    .or_async(),
    Message::new("provision", "rio", VmAdmin, "Does what its template asks, such as making disks.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&["VM_BAD_POWER_STATE", "SR_FULL", "OPERATION_NOT_ALLOWED", "LICENCE_RESTRICTION"])
        .or_async(),
    Message::new("record_data_source", "orlando", VmAdmin, "Begins to record a data source.")
        .params(&[Param::new("self", Ref("VM")), Param::new("data_source", Text)]),
    Message::new("recover", "boston", ReadOnly, "Recovers it into another pool.")
        .params(&[
            Param::new("self", Ref("VM")),
            Param::new("session_to", Ref("session")),
            Param::new("force", Bool),
        ])
        .or_async(),
    Message::new("resume", "rio", VmOperator, "Takes a suspended guest up where it left off.")
        .params(&[Param::new("vm", Ref("VM")), Param::new("start_paused", Bool), Param::new("force", Bool)])
        .errors(&["VM_BAD_POWER_STATE", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"])
        .or_async(),
    Message::new("resume_on", "rio", VmPowerAdmin, "Takes a suspended guest up on a certain host.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("host", Ref("host")),
            Param::new("start_paused", Bool),
            Param::new("force", Bool),
        ])
        .errors(&["VM_BAD_POWER_STATE", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"])
        .client_cert()
        .or_async(),
    Message::new("revert", "midnight-ride", VmPowerAdmin, "Takes the VM back to a snapshot.")
        .params(&[Param::new("snapshot", Ref("VM"))])
        .errors(&["VM_BAD_POWER_STATE", "OPERATION_NOT_ALLOWED", "SR_FULL", "VM_REVERT_FAILED"])
        .or_async(),
    Message::new("send_sysrq", "rio", PoolAdmin, "Sends a SysRq key; not possible.")
        .params(&[Param::new("vm", Ref("VM")), Param::new("key", Text)])
        .errors(&["VM_BAD_POWER_STATE"])
        .or_async(),
    Message::new("send_trigger", "rio", PoolAdmin, "Sends an interrupt; not possible.")
        .params(&[Param::new("vm", Ref("VM")), Param::new("trigger", Text)])
        .errors(&["VM_BAD_POWER_STATE"])
        .or_async(),
    Message::new(
        "shutdown",
        "clearwater",
        ClientCert,
        "Asks the guest to power off, and stops it if that fails.",
    )
    .params(&[Param::new("vm", Ref("VM"))])
    .errors(&["VM_BAD_POWER_STATE", "OTHER_OPERATION_IN_PROGRESS", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"])
    .or_async(),
    Message::new("snapshot", "orlando", VmPowerAdmin, "Takes a snapshot of its disks and settings.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("new_name", Text),
            Param::optional("ignore_vdis", Set(&Ref("VDI")), Default::EmptySet),
        ])
        .result(Ref("VM"))
        .errors(&["VM_BAD_POWER_STATE", "SR_FULL", "OPERATION_NOT_ALLOWED"])
        .or_async(),
    Message::new("start", "rio", VmOperator, "Starts it on a host that has room.")
        .params(&[Param::new("vm", Ref("VM")), Param::new("start_paused", Bool), Param::new("force", Bool)])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "VM_HVM_REQUIRED",
            "VM_IS_TEMPLATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "BOOTLOADER_FAILED",
            "UNKNOWN_BOOTLOADER",
            "NO_HOSTS_AVAILABLE",
            "LICENCE_RESTRICTION",
        ])
        .or_async(),
    Message::new("start_on", "rio", VmPowerAdmin, "Starts it on a certain host.")
        .params(&[
            Param::new("vm", Ref("VM")),
            Param::new("host", Ref("host")),
            Param::new("start_paused", Bool),
            Param::new("force", Bool),
        ])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "VM_IS_TEMPLATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "BOOTLOADER_FAILED",
            "UNKNOWN_BOOTLOADER",
        ])
        .client_cert()
        .or_async(),
    Message::new("suspend", "rio", ClientCert, "Writes its memory to disk and stops it.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&[
            "VM_BAD_POWER_STATE",
            "OTHER_OPERATION_IN_PROGRESS",
            "OPERATION_NOT_ALLOWED",
            "VM_IS_TEMPLATE",
        ])
        .or_async(),
    Message::new("unpause", "rio", VmOperator, "Lets its processors go on.")
        .params(&[Param::new("vm", Ref("VM"))])
        .errors(&["VM_BAD_POWER_STATE", "OPERATION_NOT_ALLOWED", "VM_IS_TEMPLATE"])
        .or_async(),
    Message::new(
        "update_allowed_operations",
        "rio",
        PoolAdmin,
        "Has the allowed operations worked out anew.",
    )
    .params(&[Param::new("self", Ref("VM"))])
    .or_async(),
];
