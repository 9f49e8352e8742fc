//! Fields of the class `host`.

use super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Fields in the order of records.
pub(super) const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::settable("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::settable("name_description", Text, "rio", "Free text about the object.")
        .default(Default::Text("")),
    Field::runtime("memory_overhead", Int, "rio", "Memory in bytes that the hypervisor keeps for itself.")
        .default(Default::Int(0)),
    Field::runtime(
        "allowed_operations",
        Set(&Enum(&HOST_ALLOWED_OPERATIONS)),
        "rio",
        "Operations that could begin now.",
    )
    .default(Default::EmptySet)
    .volatile(),
    Field::runtime(
        "current_operations",
        Map(&Text, &Enum(&HOST_ALLOWED_OPERATIONS)),
        "rio",
        "Operations under way, by task.",
    )
    .default(Default::EmptyMap)
    .volatile(),
    Field::runtime("API_version_major", Int, "rio", "Major version of the API."),
    Field::runtime("API_version_minor", Int, "rio", "Minor version of the API."),
    Field::runtime("API_version_vendor", Text, "rio", "Who made this implementation."),
    Field::runtime("API_version_vendor_implementation", TEXT_MAP, "rio", "Details of this implementation."),
    Field::runtime("enabled", Bool, "rio", "True if VMs may be started here."),
    Field::fixed("software_version", TEXT_MAP, "rio", "Versions of the software, by component."),
    Field::settable("other_config", TEXT_MAP, "rio", "Further settings as keys and values.")
        .key_roles(&[("folder", VmOperator), ("XenCenter.CustomFields.*", VmOperator)]),
    Field::fixed(
        "capabilities",
        TEXTS,
        "rio",
        "Kinds of guests the hypervisor runs, such as `hvm-3.0-x86_64`.",
    ),
    Field::runtime("cpu_configuration", TEXT_MAP, "rio", "How the hypervisor counts processors."),
    Field::runtime("sched_policy", Text, "rio", "Scheduler of the hypervisor."),
    Field::runtime("supported_bootloaders", TEXTS, "rio", "Boot loaders for paravirtual guests."),
    Field::runtime(
        "resident_VMs",
        Set(&Ref("VM")),
        "rio",
        "VMs that run or are paused here, the control domain among them.",
    )
    .rows_of("VM", "resident_on"),
    Field::settable("logging", TEXT_MAP, "rio", "Where the host's logs go."),
    Field::runtime("PIFs", Set(&Ref("PIF")), "rio", "Network interfaces of the host.").rows_of("PIF", "host"),
    Field::settable("suspend_image_sr", Ref("SR"), "rio", "Where VMs suspended here go."),
    Field::settable("crash_dump_sr", Ref("SR"), "rio", "Where crash dumps of VMs here go."),
    Field::runtime("crashdumps", Set(&Ref("host_crashdump")), "rio", "Crash dumps of the host itself.")
        .rows_of("host_crashdump", "host"),
    Field::runtime("patches", Set(&Ref("host_patch")), "rio", "Patches applied to the host.")
        .rows_of("host_patch", "host")
        .deprecated("ely"),
    Field::runtime("updates", Set(&Ref("pool_update")), "ely", "Updates applied to the host.")
        .paired_with("pool_update", "hosts"),
    Field::runtime("PBDs", Set(&Ref("PBD")), "rio", "Connections to storage repositories.")
        .rows_of("PBD", "host"),
    Field::runtime("host_CPUs", Set(&Ref("host_cpu")), "rio", "Processors of the host.")
        .rows_of("host_cpu", "host"),
    Field::runtime("cpu_info", TEXT_MAP, "midnight-ride", "Model, count and features of the processors.")
        .default(Default::EmptyMap),
    Field::settable("hostname", Text, "rio", "Name of the host in DNS."),
    Field::settable("address", Text, "rio", "Address of the management interface."),
    Field::runtime("metrics", Ref("host_metrics"), "rio", "Memory and liveness of the host."),
    Field::runtime("license_params", TEXT_MAP, "rio", "Contents of the licence."),
    Field::runtime("ha_statefiles", TEXTS, "orlando", "Disks on which this host keeps its heartbeat.")
        .default(Default::EmptySet),
    Field::runtime("ha_network_peers", TEXTS, "orlando", "Hosts that this one hears over the network.")
        .default(Default::EmptySet),
    Field::runtime("blobs", Map(&Text, &Ref("blob")), "orlando", "Attached blobs by name.")
        .default(Default::EmptyMap),
    Field::settable("tags", TEXTS, "orlando", "Words by which people group objects.")
        .default(Default::EmptySet)
        .writer(VmOperator),
    Field::runtime("external_auth_type", Text, "george", "Kind of external authentication; empty if none.")
        .default(Default::Text("")),
    Field::runtime("external_auth_service_name", Text, "george", "Name of the directory.")
        .default(Default::Text("")),
    Field::runtime("external_auth_configuration", TEXT_MAP, "george", "Settings of external authentication.")
        .default(Default::EmptyMap),
    Field::runtime("edition", Text, "midnight-ride", "Edition of the licence.").default(Default::Text("")),
    Field::settable(
        "license_server",
        TEXT_MAP,
        "midnight-ride",
        "Where licences come from: address and port.",
    )
    .default(Default::Pairs(&[("address", "localhost"), ("port", "27000")])),
    Field::runtime("bios_strings", TEXT_MAP, "midnight-ride", "Vendor and product strings of the firmware.")
        .default(Default::EmptyMap),
    Field::runtime("power_on_mode", Text, "midnight-ride", "How the host can be powered on from afar.")
        .default(Default::Text("")),
    Field::runtime("power_on_config", TEXT_MAP, "midnight-ride", "Settings for powering on.")
        .default(Default::EmptyMap),
    Field::fixed("local_cache_sr", Ref("SR"), "cowley", "The local SR that caches shared disks.")
        .default(Default::Null),
    Field::runtime("chipset_info", TEXT_MAP, "boston", "What the chipset offers, such as an IOMMU.")
        .default(Default::EmptyMap),
    Field::runtime("PCIs", Set(&Ref("PCI")), "boston", "PCI devices.").rows_of("PCI", "host"),
    Field::runtime("PGPUs", Set(&Ref("PGPU")), "boston", "Physical graphics processors.")
        .rows_of("PGPU", "host"),
    Field::runtime("PUSBs", Set(&Ref("PUSB")), "inverness", "Physical USB devices.").rows_of("PUSB", "host"),
    Field::fixed(
        "ssl_legacy",
        Bool,
        "dundee",
        "True if outdated versions of TLS are accepted; always false.",
    )
    .default(Default::Bool(true))
    .deprecated("stockholm"),
    Field::settable(
        "guest_VCPUs_params",
        TEXT_MAP,
        "tampa",
        "Default settings of guests' processors, such as a mask.",
    )
    .default(Default::EmptyMap),
    Field::settable("display", Enum(&HOST_DISPLAY), "cream", "Whether the host's own screen is in use.")
        .default(Default::Text("enabled")),
    Field::runtime(
        "virtual_hardware_platform_versions",
        Set(&Int),
        "cream",
        "Versions of virtual hardware the host can run.",
    )
    .default(Default::Ints(&[0])),
    Field::runtime(
        "control_domain",
        Ref("VM"),
        "ely",
        "The VM record that stands for the host's own system.",
    )
    .default(Default::Null),
    Field::runtime(
        "updates_requiring_reboot",
        Set(&Ref("pool_update")),
        "ely",
        "Updates that take effect at the next reboot.",
    ),
    Field::runtime("features", Set(&Ref("Feature")), "falcon", "Features on trial on this host.")
        .rows_of("Feature", "host"),
    Field::fixed("iscsi_iqn", Text, "kolkata", "Name of the host as iSCSI initiator.")
        .default(Default::Text("")),
    Field::fixed("multipathing", Bool, "kolkata", "True if storage is reached over several paths.")
        .default(Default::Bool(false)),
    Field::fixed(
        "uefi_certificates",
        Text,
        "quebec",
        "Secure Boot certificates on this host, as a tarball in base64.",
    )
    .default(Default::Text(""))
    .deprecated("22.16.0"),
    Field::runtime("certificates", Set(&Ref("Certificate")), "stockholm", "Certificates of the host.")
        .rows_of("Certificate", "host"),
    Field::runtime("editions", TEXTS, "stockholm", "Editions that may be applied.")
        .default(Default::EmptySet),
    Field::runtime(
        "pending_guidances",
        Set(&Enum(&crate::class::vm::UPDATE_GUIDANCES)),
        "1.303.0",
        "What must still be done after an update.",
    )
    .default(Default::EmptySet),
    Field::runtime(
        "tls_verification_enabled",
        Bool,
        "1.313.0",
        "True if the host checks other hosts' certificates.",
    )
    .default(Default::Bool(false)),
    Field::runtime("last_software_update", Time, "22.20.0", "When the software was last updated.")
        .default(Default::Epoch)
        .prototyped(),
    Field::runtime("https_only", Bool, "22.27.0", "True if plain HTTP is refused.")
        .default(Default::Bool(false))
        .prototyped(),
    Field::runtime(
        "latest_synced_updates_applied",
        Enum(&LATEST_SYNCED_UPDATES_APPLIED_STATE),
        "23.18.0",
        "Whether the updates last fetched are applied.",
    )
    .default(Default::Text("unknown"))
    .prototyped(),
    Field::runtime(
        "numa_affinity_policy",
        Enum(&HOST_NUMA_AFFINITY_POLICY),
        "24.0.0",
        "How VMs are kept on NUMA nodes.",
    )
    .default(Default::Text("default_policy"))
    .prototyped(),
    Field::runtime(
        "pending_guidances_recommended",
        Set(&Enum(&crate::class::vm::UPDATE_GUIDANCES)),
        "24.10.0",
        "What should be done after an update.",
    )
    .default(Default::EmptySet)
    .prototyped(),
    Field::runtime(
        "pending_guidances_full",
        Set(&Enum(&crate::class::vm::UPDATE_GUIDANCES)),
        "24.10.0",
        "What all would be done after an update, to the letter.",
    )
    .default(Default::EmptySet)
    .prototyped(),
    Field::runtime("last_update_hash", Text, "24.10.0", "Checksum of the updates last applied.")
        .default(Default::Text(""))
        .prototyped(),
    Field::runtime("ssh_enabled", Bool, "25.21.0", "True if SSH is on.")
        .default(Default::Bool(true))
        .prototyped(),
    Field::runtime(
        "ssh_enabled_timeout",
        Int,
        "25.21.0",
        "For how many seconds SSH stays on; 0 means for ever.",
    )
    .default(Default::Int(0))
    .prototyped(),
    Field::runtime("ssh_expiry", Time, "25.21.0", "When SSH goes off.").default(Default::Epoch).prototyped(),
    Field::runtime(
        "console_idle_timeout",
        Int,
        "25.21.0",
        "After how many idle seconds the host's console is closed; 0 means never.",
    )
    .default(Default::Int(0))
    .prototyped(),
    Field::runtime(
        "ssh_auto_mode",
        Bool,
        "25.27.0",
        "True if SSH is turned on by itself when the host's service is down.",
    )
    .default(Default::Bool(false))
    .prototyped(),
    Field::runtime("max_cstate", Text, "26.0.0", "Deepest idle state of the processors; empty means any.")
        .default(Default::Text(""))
        .prototyped(),
    Field::runtime("secure_boot", Bool, "25.31.0", "True if the host booted with Secure Boot.")
        .default(Default::Bool(false))
        .prototyped(),
    Field::runtime("ntp_mode", Enum(&HOST_NTP_MODE), "26.0.0", "Where the host's time servers come from.")
        .default(Default::Text("Factory"))
        .prototyped(),
    Field::runtime("ntp_custom_servers", TEXTS, "26.0.0", "Time servers named by hand.")
        .default(Default::EmptySet)
        .prototyped(),
    Field::runtime("timezone", Text, "26.0.0", "Time zone.").default(Default::Text("UTC")).prototyped(),
    Field::internal("boot_free_mem", Int, "rio", "Free memory in bytes when the host had booted."),
    Field::internal(
        "recommended_guidances",
        Set(&Enum(&crate::class::vm::UPDATE_GUIDANCES)),
        "rio",
        "Former name of the recommended guidance.",
    ),
];
