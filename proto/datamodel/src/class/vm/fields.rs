//! Fields of the class `VM`.

use super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Fields in the order of records.
pub(super) const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime(
        "allowed_operations",
        Set(&Enum(&VM_OPERATIONS)),
        "rio",
        "Operations that could begin now.",
    )
    .default(Default::EmptySet)
    .volatile(),
    Field::runtime(
        "current_operations",
        Map(&Text, &Enum(&VM_OPERATIONS)),
        "rio",
        "Operations under way, by task.",
    )
    .default(Default::EmptyMap)
    .volatile(),
    Field::settable(
        "name_label",
        Text,
        "rio",
        "Name shown to people; need not be unique.",
    )
    .default(Default::Text("")),
    Field::settable("name_description", Text, "rio", "Free text about the object.")
        .default(Default::Text("")),
    Field::fixed("power_state", Enum(&VM_POWER_STATE), "rio", "The power state.")
        .default(Default::Text("Halted")),
    Field::settable("user_version", Int, "rio", "The user version, a number."),
    Field::settable("is_a_template", Bool, "rio", "True if it is a template."),
    Field::runtime(
        "is_default_template",
        Bool,
        "falcon",
        "True if it is default template.",
    )
    .default(Default::Bool(false)),
    Field::fixed("suspend_VDI", Ref("VDI"), "rio", "The suspend VDI: a VDI.").default(Default::Null),
    Field::runtime("resident_on", Ref("host"), "rio", "The resident on: a host."),
    Field::runtime(
        "scheduled_to_be_resident_on",
        Ref("host"),
        "rio",
        "The scheduled to be resident on: a host.",
    )
    .default(Default::Null),
    Field::settable("affinity", Ref("host"), "rio", "The affinity: a host.").writer(VmPowerAdmin),
    Field::runtime("memory_overhead", Int, "rio", "The memory overhead, a number.").default(Default::Int(0)),
    Field::fixed("memory_target", Int, "rio", "The memory target, a number.")
        .default(Default::Int(0))
        .deprecated("midnight-ride"),
    Field::fixed(
        "memory_static_max",
        Int,
        "rio",
        "The memory static max, a number.",
    ),
    Field::fixed(
        "memory_dynamic_max",
        Int,
        "rio",
        "The memory dynamic max, a number.",
    ),
    Field::fixed(
        "memory_dynamic_min",
        Int,
        "rio",
        "The memory dynamic min, a number.",
    ),
    Field::fixed(
        "memory_static_min",
        Int,
        "rio",
        "The memory static min, a number.",
    ),
    Field::settable(
        "VCPUs_params",
        TEXT_MAP,
        "rio",
        "The VCPUs params, as keys and values.",
    ),
    Field::fixed("VCPUs_max", Int, "rio", "The VCPUs max, a number."),
    Field::fixed("VCPUs_at_startup", Int, "rio", "The VCPUs at startup, a number."),
    Field::settable(
        "actions_after_softreboot",
        Enum(&ON_SOFTREBOOT_BEHAVIOR),
        "23.1.0",
        "The actions after softreboot.",
    )
    .default(Default::Text("soft_reboot"))
    .prototyped(),
    Field::settable(
        "actions_after_shutdown",
        Enum(&ON_NORMAL_EXIT),
        "rio",
        "The actions after shutdown.",
    ),
    Field::settable(
        "actions_after_reboot",
        Enum(&ON_NORMAL_EXIT),
        "rio",
        "The actions after reboot.",
    ),
    Field::fixed(
        "actions_after_crash",
        Enum(&ON_CRASH_BEHAVIOUR),
        "rio",
        "The actions after crash.",
    ),
    Field::runtime(
        "consoles",
        Set(&Ref("console")),
        "rio",
        "The consoles, as a set of references.",
    )
    .rows_of("console", "VM"),
    Field::runtime(
        "VIFs",
        Set(&Ref("VIF")),
        "rio",
        "The VIFs, as a set of references.",
    )
    .rows_of("VIF", "VM"),
    Field::runtime(
        "VBDs",
        Set(&Ref("VBD")),
        "rio",
        "The VBDs, as a set of references.",
    )
    .rows_of("VBD", "VM"),
    Field::runtime(
        "VUSBs",
        Set(&Ref("VUSB")),
        "rio",
        "The VUSBs, as a set of references.",
    )
    .rows_of("VUSB", "VM"),
    Field::runtime(
        "crash_dumps",
        Set(&Ref("crashdump")),
        "rio",
        "The crash dumps, as a set of references.",
    )
    .rows_of("crashdump", "VM"),
    Field::runtime(
        "VTPMs",
        Set(&Ref("VTPM")),
        "rio",
        "The VTPMs, as a set of references.",
    )
    .rows_of("VTPM", "VM"),
    Field::settable("PV_bootloader", Text, "rio", "The PV bootloader."),
    Field::settable("PV_kernel", Text, "rio", "The PV kernel."),
    Field::settable("PV_ramdisk", Text, "rio", "The PV ramdisk."),
    Field::settable("PV_args", Text, "rio", "The PV args."),
    Field::settable("PV_bootloader_args", Text, "rio", "The PV bootloader args."),
    Field::settable("PV_legacy_args", Text, "rio", "The PV legacy args."),
    Field::fixed("HVM_boot_policy", Text, "rio", "The HVM boot policy.").deprecated("kolkata"),
    Field::settable(
        "HVM_boot_params",
        TEXT_MAP,
        "rio",
        "The HVM boot params, as keys and values.",
    ),
    Field::fixed(
        "HVM_shadow_multiplier",
        Float,
        "miami",
        "The HVM shadow multiplier.",
    )
    .default(Default::Float(1.0)),
    Field::fixed("platform", TEXT_MAP, "rio", "The platform, as keys and values.")
        .key_roles(&[("hvm_serial", PoolAdmin)]),
    Field::settable("PCI_bus", Text, "rio", "The PCI bus.").deprecated("boston"),
    Field::fixed(
        "other_config",
        TEXT_MAP,
        "rio",
        "Further settings as keys and values.",
    )
    .key_roles(&[
        ("pci", PoolAdmin),
        ("hvm_serial", PoolAdmin),
        ("folder", VmOperator),
        ("XenCenter.CustomFields.*", VmOperator),
    ]),
    Field::runtime("domid", Int, "rio", "The domid, a number."),
    Field::runtime("domarch", Text, "rio", "The domarch."),
    Field::fixed(
        "last_boot_CPU_flags",
        TEXT_MAP,
        "rio",
        "The last boot CPU flags, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime("is_control_domain", Bool, "rio", "True if it is control domain."),
    Field::runtime(
        "metrics",
        Ref("VM_metrics"),
        "rio",
        "The object that holds the metrics.",
    ),
    Field::runtime(
        "guest_metrics",
        Ref("VM_guest_metrics"),
        "rio",
        "The guest metrics: a VM guest metrics.",
    ),
    Field::fixed("last_booted_record", Text, "miami", "The last booted record.").default(Default::Text("")),
    Field::settable("recommendations", Text, "rio", "The recommendations."),
    Field::settable(
        "xenstore_data",
        TEXT_MAP,
        "miami",
        "The xenstore data, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::fixed("ha_always_run", Bool, "orlando", "True if HA always run.")
        .default(Default::Bool(false))
        .deprecated("boston"),
    Field::fixed("ha_restart_priority", Text, "orlando", "The HA restart priority.")
        .default(Default::Text("")),
    Field::runtime("is_a_snapshot", Bool, "orlando", "True for a snapshot.").default(Default::Bool(false)),
    Field::runtime("snapshot_of", Ref("VM"), "orlando", "What this is a snapshot of.").default(Default::Null),
    Field::runtime(
        "snapshots",
        Set(&Ref("VM")),
        "orlando",
        "Snapshots taken of this.",
    )
    .rows_of("VM", "snapshot_of"),
    Field::runtime(
        "snapshot_time",
        Time,
        "orlando",
        "When the snapshot was taken; the epoch if it is none.",
    )
    .default(Default::Epoch),
    Field::runtime(
        "transportable_snapshot_id",
        Text,
        "orlando",
        "The transportable snapshot id.",
    )
    .default(Default::Text("")),
    Field::runtime(
        "blobs",
        Map(&Text, &Ref("blob")),
        "orlando",
        "Attached blobs by name.",
    )
    .default(Default::EmptyMap),
    Field::settable("tags", TEXTS, "orlando", "Words by which people group objects.")
        .default(Default::EmptySet)
        .writer(VmOperator),
    Field::fixed(
        "blocked_operations",
        Map(&Enum(&VM_OPERATIONS), &Text),
        "orlando",
        "The blocked operations, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime(
        "snapshot_info",
        TEXT_MAP,
        "midnight-ride",
        "The snapshot info, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime(
        "snapshot_metadata",
        Text,
        "midnight-ride",
        "The snapshot metadata.",
    )
    .default(Default::Text("")),
    Field::runtime("parent", Ref("VM"), "midnight-ride", "The parent: a VM.").default(Default::Null),
    Field::runtime(
        "children",
        Set(&Ref("VM")),
        "midnight-ride",
        "The children, as a set of references.",
    )
    .rows_of("VM", "parent"),
    Field::runtime(
        "bios_strings",
        TEXT_MAP,
        "midnight-ride",
        "The bios strings, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::fixed(
        "protection_policy",
        Ref("VMPP"),
        "cowley",
        "The protection policy: a VMPP.",
    )
    .default(Default::Null)
    .deprecated("clearwater"),
    Field::fixed(
        "is_snapshot_from_vmpp",
        Bool,
        "cowley",
        "True if it is snapshot from vmpp.",
    )
    .default(Default::Bool(false))
    .deprecated("clearwater")
    .removed("clearwater"),
    Field::fixed(
        "snapshot_schedule",
        Ref("VMSS"),
        "falcon",
        "The snapshot schedule: a VMSS.",
    )
    .default(Default::Null),
    Field::fixed("is_vmss_snapshot", Bool, "falcon", "True if it is vmss snapshot.")
        .default(Default::Bool(false)),
    Field::fixed(
        "appliance",
        Ref("VM_appliance"),
        "rio",
        "The appliance: a VM appliance.",
    )
    .default(Default::Null),
    Field::fixed("start_delay", Int, "boston", "The start delay, a number.").default(Default::Int(0)),
    Field::fixed("shutdown_delay", Int, "boston", "The shutdown delay, a number.").default(Default::Int(0)),
    Field::fixed("order", Int, "boston", "The order, a number.").default(Default::Int(0)),
    Field::runtime(
        "VGPUs",
        Set(&Ref("VGPU")),
        "boston",
        "The VGPUs, as a set of references.",
    )
    .rows_of("VGPU", "VM"),
    Field::runtime(
        "attached_PCIs",
        Set(&Ref("PCI")),
        "boston",
        "The attached PCIs, as a set of references.",
    )
    .rows_of("PCI", "attached_VMs"),
    Field::settable("suspend_SR", Ref("SR"), "boston", "The suspend SR: a SR.").default(Default::Null),
    Field::fixed("version", Int, "boston", "Version.").default(Default::Int(0)),
    Field::fixed("generation_id", Text, "clearwater", "The generation id.").default(Default::Text("0:0")),
    Field::settable(
        "hardware_platform_version",
        Int,
        "cream",
        "The hardware platform version, a number.",
    )
    .default(Default::Int(0)),
    Field::fixed(
        "has_vendor_device",
        Bool,
        "dundee",
        "True if it has vendor device.",
    )
    .default(Default::Bool(true)),
    Field::runtime("requires_reboot", Bool, "ely", "True if requires reboot.").default(Default::Bool(false)),
    Field::fixed("reference_label", Text, "ely", "The reference label.").default(Default::Text("")),
    Field::fixed("domain_type", Enum(&DOMAIN_TYPE), "kolkata", "The domain type.")
        .default(Default::Text("unspecified")),
    Field::fixed("NVRAM", TEXT_MAP, "naples", "The NVRAM, as keys and values.").default(Default::EmptyMap),
    Field::runtime(
        "pending_guidances",
        Set(&Enum(&UPDATE_GUIDANCES)),
        "1.303.0",
        "The set of pending guidances.",
    )
    .default(Default::EmptySet),
    Field::runtime(
        "pending_guidances_recommended",
        Set(&Enum(&UPDATE_GUIDANCES)),
        "24.10.0",
        "The set of pending guidances recommended.",
    )
    .default(Default::EmptySet)
    .prototyped(),
    Field::runtime(
        "pending_guidances_full",
        Set(&Enum(&UPDATE_GUIDANCES)),
        "24.10.0",
        "The set of pending guidances full.",
    )
    .default(Default::EmptySet)
    .prototyped(),
    Field::runtime(
        "groups",
        Set(&Ref("VM_group")),
        "24.19.1",
        "The groups, as a set of references.",
    )
    .paired_with("VM_group", "VMs")
    .prototyped(),
    Field::runtime(
        "secureboot_certificates_state",
        Enum(&VM_SECUREBOOT_CERTIFICATES_STATE),
        "26.14.0",
        "The secureboot certificates state.",
    )
    .default(Default::Text("ok"))
    .prototyped(),
    Field::internal(
        "recommended_guidances",
        Set(&Enum(&UPDATE_GUIDANCES)),
        "rio",
        "The set of recommended guidances.",
    ),
];
