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
    Field::settable("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::settable("name_description", Text, "rio", "Free text about the object.")
        .default(Default::Text("")),
    Field::fixed(
        "power_state",
        Enum(&VM_POWER_STATE),
        "rio",
        "Whether it is halted, running, paused or suspended.",
    )
    .default(Default::Text("Halted")),
    Field::settable("user_version", Int, "rio", "Version that a template's maker gives."),
    Field::settable(
        "is_a_template",
        Bool,
        "rio",
        "True for a template, which cannot be started; snapshots are templates too.",
    ),
    Field::runtime("is_default_template", Bool, "falcon", "True for a template that came with the product.")
        .default(Default::Bool(false)),
    Field::fixed("suspend_VDI", Ref("VDI"), "rio", "The disk that holds the memory while suspended.")
        .default(Default::Null),
    Field::runtime("resident_on", Ref("host"), "rio", "The host it runs on; null while it does not."),
    Field::runtime(
        "scheduled_to_be_resident_on",
        Ref("host"),
        "rio",
        "The host it is about to start on, where memory is set aside for it.",
    )
    .default(Default::Null),
    Field::settable("affinity", Ref("host"), "rio", "The host it starts on if there is room.")
        .writer(VmPowerAdmin),
    Field::runtime("memory_overhead", Int, "rio", "Memory in bytes that it takes beyond its own.")
        .default(Default::Int(0)),
    Field::fixed("memory_target", Int, "rio", "Memory in bytes the balloon aims at.")
        .default(Default::Int(0))
        .deprecated("midnight-ride"),
    Field::fixed(
        "memory_static_max",
        Int,
        "rio",
        "Memory in bytes it can have at most until the next start.",
    ),
    Field::fixed("memory_dynamic_max", Int, "rio", "Memory in bytes the balloon goes up to."),
    Field::fixed("memory_dynamic_min", Int, "rio", "Memory in bytes the balloon goes down to."),
    Field::fixed("memory_static_min", Int, "rio", "Memory in bytes below which it cannot run."),
    Field::settable("VCPUs_params", TEXT_MAP, "rio", "Settings of its processors: weight, cap, mask."),
    Field::fixed("VCPUs_max", Int, "rio", "Number of processors it can have."),
    Field::fixed("VCPUs_at_startup", Int, "rio", "Number of processors it starts with."),
    Field::settable(
        "actions_after_softreboot",
        Enum(&ON_SOFTREBOOT_BEHAVIOR),
        "23.1.0",
        "What becomes of it when it reboots its kernel only.",
    )
    .default(Default::Text("soft_reboot"))
    .prototyped(),
    Field::settable(
        "actions_after_shutdown",
        Enum(&ON_NORMAL_EXIT),
        "rio",
        "What becomes of it when it powers off.",
    ),
    Field::settable(
        "actions_after_reboot",
        Enum(&ON_NORMAL_EXIT),
        "rio",
        "What becomes of it when it reboots.",
    ),
    Field::fixed(
        "actions_after_crash",
        Enum(&ON_CRASH_BEHAVIOUR),
        "rio",
        "What becomes of it when it crashes.",
    ),
    Field::runtime("consoles", Set(&Ref("console")), "rio", "Its consoles, while it runs.")
        .rows_of("console", "VM"),
    Field::runtime("VIFs", Set(&Ref("VIF")), "rio", "Its network interfaces.").rows_of("VIF", "VM"),
    Field::runtime("VBDs", Set(&Ref("VBD")), "rio", "Its block devices.").rows_of("VBD", "VM"),
    Field::runtime("VUSBs", Set(&Ref("VUSB")), "rio", "Its USB devices.").rows_of("VUSB", "VM"),
    Field::runtime("crash_dumps", Set(&Ref("crashdump")), "rio", "Its crash dumps.")
        .rows_of("crashdump", "VM"),
    Field::runtime("VTPMs", Set(&Ref("VTPM")), "rio", "Its trusted platform modules.").rows_of("VTPM", "VM"),
    Field::settable(
        "PV_bootloader",
        Text,
        "rio",
        "Boot loader that finds the kernel; empty to name it directly.",
    ),
    Field::settable("PV_kernel", Text, "rio", "Path of the kernel on the host."),
    Field::settable("PV_ramdisk", Text, "rio", "Path of the initial RAM disk on the host."),
    Field::settable("PV_args", Text, "rio", "Command line of the kernel."),
    Field::settable("PV_bootloader_args", Text, "rio", "Arguments of the boot loader."),
    Field::settable("PV_legacy_args", Text, "rio", "Command line of kernels from before conversion."),
    Field::fixed(
        "HVM_boot_policy",
        Text,
        "rio",
        "How firmware finds what to boot; empty for direct boot of a kernel.",
    )
    .deprecated("kolkata"),
    Field::settable("HVM_boot_params", TEXT_MAP, "rio", "Settings of the firmware: order, firmware."),
    Field::fixed("HVM_shadow_multiplier", Float, "miami", "Factor on the memory for shadow page tables.")
        .default(Default::Float(1.0)),
    Field::fixed("platform", TEXT_MAP, "rio", "Settings of the virtual hardware.")
        .key_roles(&[("hvm_serial", PoolAdmin)]),
    Field::settable("PCI_bus", Text, "rio", "PCI devices passed through; see `other_config:pci`.")
        .deprecated("boston"),
    Field::fixed("other_config", TEXT_MAP, "rio", "Further settings as keys and values.").key_roles(&[
        ("pci", PoolAdmin),
        ("hvm_serial", PoolAdmin),
        ("folder", VmOperator),
        ("XenCenter.CustomFields.*", VmOperator),
    ]),
    Field::runtime("domid", Int, "rio", "Number of its domain on the host; -1 if it has none."),
    Field::runtime("domarch", Text, "rio", "Architecture of its domain; empty if it has none."),
    Field::fixed("last_boot_CPU_flags", TEXT_MAP, "rio", "Processor features it saw when it started.")
        .default(Default::EmptyMap),
    Field::runtime(
        "is_control_domain",
        Bool,
        "rio",
        "True for the record that stands for a host's own system.",
    ),
    Field::runtime("metrics", Ref("VM_metrics"), "rio", "What is measured from outside."),
    Field::runtime(
        "guest_metrics",
        Ref("VM_guest_metrics"),
        "rio",
        "What its own agent tells; null until it does.",
    ),
    Field::fixed("last_booted_record", Text, "miami", "The record it was last started with, for support.")
        .default(Default::Text("")),
    Field::settable("recommendations", Text, "rio", "Limits that its template recommends, as XML."),
    Field::settable("xenstore_data", TEXT_MAP, "miami", "Keys handed to the guest.")
        .default(Default::EmptyMap),
    Field::fixed("ha_always_run", Bool, "orlando", "True if it was to be kept running.")
        .default(Default::Bool(false))
        .deprecated("boston"),
    Field::fixed(
        "ha_restart_priority",
        Text,
        "orlando",
        "Whether it is restarted: `restart` to protect it, `best-effort` to try, empty for neither.",
    )
    .default(Default::Text("")),
    Field::runtime("is_a_snapshot", Bool, "orlando", "True for a snapshot.").default(Default::Bool(false)),
    Field::runtime("snapshot_of", Ref("VM"), "orlando", "What this is a snapshot of.").default(Default::Null),
    Field::runtime("snapshots", Set(&Ref("VM")), "orlando", "Snapshots taken of this.")
        .rows_of("VM", "snapshot_of"),
    Field::runtime("snapshot_time", Time, "orlando", "When the snapshot was taken; the epoch if it is none.")
        .default(Default::Epoch),
    Field::runtime(
        "transportable_snapshot_id",
        Text,
        "orlando",
        "Identifier of the snapshot for the guest's backup service.",
    )
    .default(Default::Text("")),
    Field::runtime("blobs", Map(&Text, &Ref("blob")), "orlando", "Attached blobs by name.")
        .default(Default::EmptyMap),
    Field::settable("tags", TEXTS, "orlando", "Words by which people group objects.")
        .default(Default::EmptySet)
        .writer(VmOperator),
    Field::fixed(
        "blocked_operations",
        Map(&Enum(&VM_OPERATIONS), &Text),
        "orlando",
        "Operations forbidden by hand, and the reason to give.",
    )
    .default(Default::EmptyMap),
    Field::runtime(
        "snapshot_info",
        TEXT_MAP,
        "midnight-ride",
        "How the snapshot was taken: power state, disks.",
    )
    .default(Default::EmptyMap),
    Field::runtime(
        "snapshot_metadata",
        Text,
        "midnight-ride",
        "Record of the VM when the snapshot was taken, with its devices.",
    )
    .default(Default::Text("")),
    Field::runtime("parent", Ref("VM"), "midnight-ride", "The snapshot it stems from.")
        .default(Default::Null),
    Field::runtime("children", Set(&Ref("VM")), "midnight-ride", "Snapshots and VMs that stem from it.")
        .rows_of("VM", "parent"),
    Field::runtime("bios_strings", TEXT_MAP, "midnight-ride", "Firmware strings it shows its guest.")
        .default(Default::EmptyMap),
    Field::fixed("protection_policy", Ref("VMPP"), "cowley", "Former policy of protection.")
        .default(Default::Null)
        .deprecated("clearwater"),
    Field::fixed(
        "is_snapshot_from_vmpp",
        Bool,
        "cowley",
        "True for a snapshot by a former policy of protection.",
    )
    .default(Default::Bool(false))
    .deprecated("clearwater")
    .removed("clearwater"),
    Field::fixed("snapshot_schedule", Ref("VMSS"), "falcon", "Schedule by which snapshots are taken.")
        .default(Default::Null),
    Field::fixed("is_vmss_snapshot", Bool, "falcon", "True for a snapshot taken by schedule.")
        .default(Default::Bool(false)),
    Field::fixed("appliance", Ref("VM_appliance"), "rio", "The appliance it starts and stops with.")
        .default(Default::Null),
    Field::fixed(
        "start_delay",
        Int,
        "boston",
        "Seconds to wait after it before the appliance goes on to start.",
    )
    .default(Default::Int(0)),
    Field::fixed(
        "shutdown_delay",
        Int,
        "boston",
        "Seconds to wait after it before the appliance goes on to stop.",
    )
    .default(Default::Int(0)),
    Field::fixed("order", Int, "boston", "Place in the order in which the appliance starts.")
        .default(Default::Int(0)),
    Field::runtime("VGPUs", Set(&Ref("VGPU")), "boston", "Its virtual graphics processors.")
        .rows_of("VGPU", "VM"),
    Field::runtime("attached_PCIs", Set(&Ref("PCI")), "boston", "PCI devices passed through, while it runs.")
        .rows_of("PCI", "attached_VMs"),
    Field::settable("suspend_SR", Ref("SR"), "boston", "Where its memory goes when it is suspended.")
        .default(Default::Null),
    Field::fixed("version", Int, "boston", "Number of the record's version, for recovery.")
        .default(Default::Int(0)),
    Field::fixed(
        "generation_id",
        Text,
        "clearwater",
        "Identifier that tells the guest it was copied or reverted.",
    )
    .default(Default::Text("0:0")),
    Field::settable("hardware_platform_version", Int, "cream", "Version of virtual hardware it needs.")
        .default(Default::Int(0)),
    Field::fixed(
        "has_vendor_device",
        Bool,
        "dundee",
        "True if it has the device that brings Windows drivers.",
    )
    .default(Default::Bool(true)),
    Field::runtime("requires_reboot", Bool, "ely", "True if a reboot would bring it up to date.")
        .default(Default::Bool(false)),
    Field::fixed("reference_label", Text, "ely", "Label of the template it came from.")
        .default(Default::Text("")),
    Field::fixed("domain_type", Enum(&DOMAIN_TYPE), "kolkata", "How it is virtualised.")
        .default(Default::Text("unspecified")),
    Field::fixed("NVRAM", TEXT_MAP, "naples", "Variables of its firmware.").default(Default::EmptyMap),
    Field::runtime(
        "pending_guidances",
        Set(&Enum(&UPDATE_GUIDANCES)),
        "1.303.0",
        "What must still be done with it after an update.",
    )
    .default(Default::EmptySet),
    Field::runtime(
        "pending_guidances_recommended",
        Set(&Enum(&UPDATE_GUIDANCES)),
        "24.10.0",
        "What should be done with it after an update.",
    )
    .default(Default::EmptySet)
    .prototyped(),
    Field::runtime(
        "pending_guidances_full",
        Set(&Enum(&UPDATE_GUIDANCES)),
        "24.10.0",
        "What all would be done with it after an update.",
    )
    .default(Default::EmptySet)
    .prototyped(),
    Field::runtime("groups", Set(&Ref("VM_group")), "24.19.1", "Groups that say how it is placed.")
        .paired_with("VM_group", "VMs")
        .prototyped(),
    Field::runtime(
        "secureboot_certificates_state",
        Enum(&VM_SECUREBOOT_CERTIFICATES_STATE),
        "26.14.0",
        "Whether its Secure Boot certificates are up to date.",
    )
    .default(Default::Text("ok"))
    .prototyped(),
    Field::internal(
        "recommended_guidances",
        Set(&Enum(&UPDATE_GUIDANCES)),
        "rio",
        "Former name of the recommended guidance.",
    ),
];
