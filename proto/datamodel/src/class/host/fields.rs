//! Fields of the class `host`.

use super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Fields in the order of records.
pub(super) const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::settable(
        "name_label",
        Text,
        "rio",
        "Name shown to people; need not be unique.",
    )
    .default(Default::Text("")),
    Field::settable("name_description", Text, "rio", "Free text about the object.")
        .default(Default::Text("")),
    Field::runtime("memory_overhead", Int, "rio", "The memory overhead, a number.").default(Default::Int(0)),
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
    Field::runtime(
        "API_version_major",
        Int,
        "rio",
        "The API version major, a number.",
    ),
    Field::runtime(
        "API_version_minor",
        Int,
        "rio",
        "The API version minor, a number.",
    ),
    Field::runtime("API_version_vendor", Text, "rio", "The API version vendor."),
    Field::runtime(
        "API_version_vendor_implementation",
        TEXT_MAP,
        "rio",
        "The API version vendor implementation, as keys and values.",
    ),
    Field::runtime("enabled", Bool, "rio", "True while in use."),
    Field::fixed(
        "software_version",
        TEXT_MAP,
        "rio",
        "The software version, as keys and values.",
    ),
    Field::settable(
        "other_config",
        TEXT_MAP,
        "rio",
        "Further settings as keys and values.",
    )
    .key_roles(&[("folder", VmOperator), ("XenCenter.CustomFields.*", VmOperator)]),
    Field::fixed("capabilities", TEXTS, "rio", "What this can do."),
    Field::runtime(
        "cpu_configuration",
        TEXT_MAP,
        "rio",
        "The CPU configuration, as keys and values.",
    ),
    Field::runtime("sched_policy", Text, "rio", "The sched policy."),
    Field::runtime(
        "supported_bootloaders",
        TEXTS,
        "rio",
        "The set of supported bootloaders.",
    ),
    Field::runtime(
        "resident_VMs",
        Set(&Ref("VM")),
        "rio",
        "The resident VMs, as a set of references.",
    )
    .rows_of("VM", "resident_on"),
    Field::settable("logging", TEXT_MAP, "rio", "The logging, as keys and values."),
    Field::runtime(
        "PIFs",
        Set(&Ref("PIF")),
        "rio",
        "The PIFs, as a set of references.",
    )
    .rows_of("PIF", "host"),
    Field::settable(
        "suspend_image_sr",
        Ref("SR"),
        "rio",
        "The suspend image SR: a SR.",
    ),
    Field::settable("crash_dump_sr", Ref("SR"), "rio", "The crash dump SR: a SR."),
    Field::runtime(
        "crashdumps",
        Set(&Ref("host_crashdump")),
        "rio",
        "The crashdumps, as a set of references.",
    )
    .rows_of("host_crashdump", "host"),
    Field::runtime(
        "patches",
        Set(&Ref("host_patch")),
        "rio",
        "The patches, as a set of references.",
    )
    .rows_of("host_patch", "host")
    .deprecated("ely"),
    Field::runtime(
        "updates",
        Set(&Ref("pool_update")),
        "ely",
        "The updates, as a set of references.",
    )
    .paired_with("pool_update", "hosts"),
    Field::runtime(
        "PBDs",
        Set(&Ref("PBD")),
        "rio",
        "The PBDs, as a set of references.",
    )
    .rows_of("PBD", "host"),
    Field::runtime(
        "host_CPUs",
        Set(&Ref("host_cpu")),
        "rio",
        "The host CPUs, as a set of references.",
    )
    .rows_of("host_cpu", "host"),
    Field::runtime(
        "cpu_info",
        TEXT_MAP,
        "midnight-ride",
        "The CPU info, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::settable("hostname", Text, "rio", "The hostname."),
    Field::settable("address", Text, "rio", "The address."),
    Field::runtime(
        "metrics",
        Ref("host_metrics"),
        "rio",
        "The object that holds the metrics.",
    ),
    Field::runtime(
        "license_params",
        TEXT_MAP,
        "rio",
        "The license params, as keys and values.",
    ),
    Field::runtime("ha_statefiles", TEXTS, "orlando", "The set of HA statefiles.").default(Default::EmptySet),
    Field::runtime(
        "ha_network_peers",
        TEXTS,
        "orlando",
        "The set of HA network peers.",
    )
    .default(Default::EmptySet),
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
    Field::runtime("external_auth_type", Text, "george", "The external auth type.")
        .default(Default::Text("")),
    Field::runtime(
        "external_auth_service_name",
        Text,
        "george",
        "The external auth service name.",
    )
    .default(Default::Text("")),
    Field::runtime(
        "external_auth_configuration",
        TEXT_MAP,
        "george",
        "The external auth configuration, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime("edition", Text, "midnight-ride", "The edition.").default(Default::Text("")),
    Field::settable(
        "license_server",
        TEXT_MAP,
        "midnight-ride",
        "The license server, as keys and values.",
    )
    .default(Default::Pairs(&[("address", "localhost"), ("port", "27000")])),
    Field::runtime(
        "bios_strings",
        TEXT_MAP,
        "midnight-ride",
        "The bios strings, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime("power_on_mode", Text, "midnight-ride", "The power on mode.").default(Default::Text("")),
    Field::runtime(
        "power_on_config",
        TEXT_MAP,
        "midnight-ride",
        "The power on config, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::fixed("local_cache_sr", Ref("SR"), "cowley", "The local cache SR: a SR.").default(Default::Null),
    Field::runtime(
        "chipset_info",
        TEXT_MAP,
        "boston",
        "The chipset info, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime(
        "PCIs",
        Set(&Ref("PCI")),
        "boston",
        "The PCIs, as a set of references.",
    )
    .rows_of("PCI", "host"),
    Field::runtime(
        "PGPUs",
        Set(&Ref("PGPU")),
        "boston",
        "The PGPUs, as a set of references.",
    )
    .rows_of("PGPU", "host"),
    Field::runtime(
        "PUSBs",
        Set(&Ref("PUSB")),
        "inverness",
        "The PUSBs, as a set of references.",
    )
    .rows_of("PUSB", "host"),
    Field::fixed("ssl_legacy", Bool, "dundee", "True if SSL legacy.")
        .default(Default::Bool(true))
        .deprecated("stockholm"),
    Field::settable(
        "guest_VCPUs_params",
        TEXT_MAP,
        "tampa",
        "The guest VCPUs params, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::settable("display", Enum(&HOST_DISPLAY), "cream", "The display.")
        .default(Default::Text("enabled")),
    Field::runtime(
        "virtual_hardware_platform_versions",
        Set(&Int),
        "cream",
        "The set of virtual hardware platform versions.",
    )
    .default(Default::Ints(&[0])),
    Field::runtime("control_domain", Ref("VM"), "ely", "The control domain: a VM.").default(Default::Null),
    Field::runtime(
        "updates_requiring_reboot",
        Set(&Ref("pool_update")),
        "ely",
        "The updates requiring reboot, as a set of references.",
    ),
    Field::runtime(
        "features",
        Set(&Ref("Feature")),
        "falcon",
        "The features, as a set of references.",
    )
    .rows_of("Feature", "host"),
    Field::fixed("iscsi_iqn", Text, "kolkata", "The iscsi iqn.").default(Default::Text("")),
    Field::fixed("multipathing", Bool, "kolkata", "True if multipathing.").default(Default::Bool(false)),
    Field::fixed("uefi_certificates", Text, "quebec", "The uefi certificates.")
        .default(Default::Text(""))
        .deprecated("22.16.0"),
    Field::runtime(
        "certificates",
        Set(&Ref("Certificate")),
        "stockholm",
        "The certificates, as a set of references.",
    )
    .rows_of("Certificate", "host"),
    Field::runtime("editions", TEXTS, "stockholm", "The set of editions.").default(Default::EmptySet),
    Field::runtime(
        "pending_guidances",
        Set(&Enum(&crate::class::vm::UPDATE_GUIDANCES)),
        "1.303.0",
        "The set of pending guidances.",
    )
    .default(Default::EmptySet),
    Field::runtime(
        "tls_verification_enabled",
        Bool,
        "1.313.0",
        "True if TLS verification enabled.",
    )
    .default(Default::Bool(false)),
    Field::runtime(
        "last_software_update",
        Time,
        "22.20.0",
        "Time of last software update.",
    )
    .default(Default::Epoch)
    .prototyped(),
    Field::runtime("https_only", Bool, "22.27.0", "True if https only.")
        .default(Default::Bool(false))
        .prototyped(),
    Field::runtime(
        "latest_synced_updates_applied",
        Enum(&LATEST_SYNCED_UPDATES_APPLIED_STATE),
        "23.18.0",
        "The latest synced updates applied.",
    )
    .default(Default::Text("unknown"))
    .prototyped(),
    Field::runtime(
        "numa_affinity_policy",
        Enum(&HOST_NUMA_AFFINITY_POLICY),
        "24.0.0",
        "The numa affinity policy.",
    )
    .default(Default::Text("default_policy"))
    .prototyped(),
    Field::runtime(
        "pending_guidances_recommended",
        Set(&Enum(&crate::class::vm::UPDATE_GUIDANCES)),
        "24.10.0",
        "The set of pending guidances recommended.",
    )
    .default(Default::EmptySet)
    .prototyped(),
    Field::runtime(
        "pending_guidances_full",
        Set(&Enum(&crate::class::vm::UPDATE_GUIDANCES)),
        "24.10.0",
        "The set of pending guidances full.",
    )
    .default(Default::EmptySet)
    .prototyped(),
    Field::runtime("last_update_hash", Text, "24.10.0", "The last update hash.")
        .default(Default::Text(""))
        .prototyped(),
    Field::runtime("ssh_enabled", Bool, "25.21.0", "True if ssh enabled.")
        .default(Default::Bool(true))
        .prototyped(),
    Field::runtime(
        "ssh_enabled_timeout",
        Int,
        "25.21.0",
        "The ssh enabled timeout, a number.",
    )
    .default(Default::Int(0))
    .prototyped(),
    Field::runtime("ssh_expiry", Time, "25.21.0", "Time of ssh expiry.")
        .default(Default::Epoch)
        .prototyped(),
    Field::runtime(
        "console_idle_timeout",
        Int,
        "25.21.0",
        "The console idle timeout, a number.",
    )
    .default(Default::Int(0))
    .prototyped(),
    Field::runtime("ssh_auto_mode", Bool, "25.27.0", "True if ssh auto mode.")
        .default(Default::Bool(false))
        .prototyped(),
    Field::runtime("max_cstate", Text, "26.0.0", "The max cstate.")
        .default(Default::Text(""))
        .prototyped(),
    Field::runtime("secure_boot", Bool, "25.31.0", "True if secure boot.")
        .default(Default::Bool(false))
        .prototyped(),
    Field::runtime("ntp_mode", Enum(&HOST_NTP_MODE), "26.0.0", "The ntp mode.")
        .default(Default::Text("Factory"))
        .prototyped(),
    Field::runtime(
        "ntp_custom_servers",
        TEXTS,
        "26.0.0",
        "The set of ntp custom servers.",
    )
    .default(Default::EmptySet)
    .prototyped(),
    Field::runtime("timezone", Text, "26.0.0", "The timezone.")
        .default(Default::Text("UTC"))
        .prototyped(),
    Field::internal("boot_free_mem", Int, "rio", "The boot free mem, a number."),
    Field::internal(
        "recommended_guidances",
        Set(&Enum(&crate::class::vm::UPDATE_GUIDANCES)),
        "rio",
        "The set of recommended guidances.",
    ),
];
