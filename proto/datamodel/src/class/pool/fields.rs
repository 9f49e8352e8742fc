//! Fields of the class `pool`.

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
    ),
    Field::settable("name_description", Text, "rio", "Free text about the object."),
    Field::runtime("master", Ref("host"), "rio", "The master: a host."),
    Field::settable("default_SR", Ref("SR"), "rio", "The default SR: a SR."),
    Field::settable(
        "suspend_image_SR",
        Ref("SR"),
        "rio",
        "The suspend image SR: a SR.",
    ),
    Field::settable("crash_dump_SR", Ref("SR"), "rio", "The crash dump SR: a SR."),
    Field::settable(
        "other_config",
        TEXT_MAP,
        "rio",
        "Further settings as keys and values.",
    )
    .key_roles(&[
        ("folder", VmOperator),
        ("XenCenter.CustomFields.*", VmOperator),
        ("EMPTY_FOLDERS", VmOperator),
    ]),
    Field::runtime("ha_enabled", Bool, "orlando", "True if HA enabled.").default(Default::Bool(false)),
    Field::runtime(
        "ha_configuration",
        TEXT_MAP,
        "orlando",
        "The HA configuration, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime("ha_statefiles", TEXTS, "orlando", "The set of HA statefiles.").default(Default::EmptySet),
    Field::runtime(
        "ha_host_failures_to_tolerate",
        Int,
        "orlando",
        "The HA host failures to tolerate, a number.",
    )
    .default(Default::Int(0)),
    Field::runtime(
        "ha_plan_exists_for",
        Int,
        "orlando",
        "The HA plan exists for, a number.",
    )
    .default(Default::Int(0)),
    Field::settable(
        "ha_allow_overcommit",
        Bool,
        "orlando",
        "True if HA allow overcommit.",
    )
    .default(Default::Bool(false)),
    Field::runtime("ha_overcommitted", Bool, "orlando", "True if HA overcommitted.")
        .default(Default::Bool(false)),
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
    Field::settable(
        "gui_config",
        TEXT_MAP,
        "orlando",
        "The gui config, as keys and values.",
    )
    .default(Default::EmptyMap)
    .writer(VmOperator),
    Field::settable(
        "health_check_config",
        TEXT_MAP,
        "dundee",
        "The health check config, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime("wlb_url", Text, "george", "The workload balancing URL.").default(Default::Text("")),
    Field::runtime("wlb_username", Text, "george", "The workload balancing username.")
        .default(Default::Text("")),
    Field::settable(
        "wlb_enabled",
        Bool,
        "george",
        "True if workload balancing enabled.",
    )
    .default(Default::Bool(false))
    .client_cert(),
    Field::settable(
        "wlb_verify_cert",
        Bool,
        "george",
        "True if workload balancing verify cert.",
    )
    .default(Default::Bool(false))
    .deprecated("1.290.0"),
    Field::runtime(
        "redo_log_enabled",
        Bool,
        "midnight-ride",
        "True if redo log enabled.",
    )
    .default(Default::Bool(false)),
    Field::runtime(
        "redo_log_vdi",
        Ref("VDI"),
        "midnight-ride",
        "The redo log VDI: a VDI.",
    )
    .default(Default::Null),
    Field::runtime(
        "vswitch_controller",
        Text,
        "midnight-ride",
        "The vswitch controller.",
    )
    .default(Default::Text(""))
    .deprecated("falcon"),
    Field::runtime(
        "restrictions",
        TEXT_MAP,
        "midnight-ride",
        "The restrictions, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime(
        "metadata_VDIs",
        Set(&Ref("VDI")),
        "boston",
        "The metadata VDIs, as a set of references.",
    )
    .rows_of("VDI", "metadata_of_pool"),
    Field::runtime("ha_cluster_stack", Text, "dundee", "The HA cluster stack.").default(Default::Text("")),
    Field::runtime(
        "allowed_operations",
        Set(&Enum(&POOL_ALLOWED_OPERATIONS)),
        "rio",
        "Operations that could begin now.",
    )
    .default(Default::EmptySet)
    .volatile(),
    Field::runtime(
        "current_operations",
        Map(&Text, &Enum(&POOL_ALLOWED_OPERATIONS)),
        "rio",
        "Operations under way, by task.",
    )
    .default(Default::EmptyMap)
    .volatile(),
    Field::runtime(
        "guest_agent_config",
        TEXT_MAP,
        "dundee",
        "The guest agent config, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::runtime(
        "cpu_info",
        TEXT_MAP,
        "dundee",
        "The CPU info, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::settable(
        "policy_no_vendor_device",
        Bool,
        "dundee",
        "True if policy no vendor device.",
    )
    .default(Default::Bool(false))
    .deprecated("24.14.0"),
    Field::settable(
        "live_patching_disabled",
        Bool,
        "ely",
        "True if live patching disabled.",
    )
    .default(Default::Bool(false)),
    Field::runtime(
        "igmp_snooping_enabled",
        Bool,
        "inverness",
        "True if igmp snooping enabled.",
    )
    .default(Default::Bool(false)),
    Field::fixed("uefi_certificates", Text, "quebec", "The uefi certificates.").default(Default::Text("")),
    Field::fixed(
        "custom_uefi_certificates",
        Text,
        "24.0.0",
        "The custom uefi certificates.",
    )
    .default(Default::Text(""))
    .prototyped(),
    Field::settable(
        "is_psr_pending",
        Bool,
        "stockholm_psr",
        "True if it is psr pending.",
    )
    .default(Default::Bool(false)),
    Field::runtime(
        "tls_verification_enabled",
        Bool,
        "1.290.0",
        "True if TLS verification enabled.",
    )
    .default(Default::Bool(false)),
    Field::runtime(
        "repositories",
        Set(&Ref("Repository")),
        "1.301.0",
        "The repositories, as a set of references.",
    )
    .default(Default::EmptySet),
    Field::runtime(
        "client_certificate_auth_enabled",
        Bool,
        "1.318.0",
        "True if client certificate auth enabled.",
    )
    .default(Default::Bool(false)),
    Field::runtime(
        "client_certificate_auth_name",
        Text,
        "1.318.0",
        "The client certificate auth name.",
    )
    .default(Default::Text("")),
    Field::runtime(
        "repository_proxy_url",
        Text,
        "21.3.0",
        "The repository proxy URL.",
    )
    .default(Default::Text("")),
    Field::runtime(
        "repository_proxy_username",
        Text,
        "21.3.0",
        "The repository proxy username.",
    )
    .default(Default::Text("")),
    Field::runtime(
        "repository_proxy_password",
        Ref("secret"),
        "21.3.0",
        "The repository proxy password: a secret.",
    )
    .default(Default::Null),
    Field::settable(
        "migration_compression",
        Bool,
        "22.33.0",
        "True if migration compression.",
    )
    .default(Default::Bool(false))
    .prototyped(),
    Field::settable("coordinator_bias", Bool, "rio", "True if coordinator bias.")
        .default(Default::Bool(true)),
    Field::fixed(
        "local_auth_max_threads",
        Int,
        "23.27.0",
        "The local auth max threads, a number.",
    )
    .default(Default::Int(8))
    .prototyped(),
    Field::fixed(
        "ext_auth_max_threads",
        Int,
        "23.27.0",
        "The ext auth max threads, a number.",
    )
    .default(Default::Int(1))
    .prototyped(),
    Field::runtime(
        "ext_auth_cache_enabled",
        Bool,
        "24.31.0",
        "True if ext auth cache enabled.",
    )
    .default(Default::Bool(true))
    .prototyped(),
    Field::runtime(
        "ext_auth_cache_size",
        Int,
        "24.31.0",
        "The ext auth cache size, a number.",
    )
    .default(Default::Int(50))
    .prototyped(),
    Field::runtime(
        "ext_auth_cache_expiry",
        Int,
        "24.31.0",
        "The ext auth cache expiry, a number.",
    )
    .default(Default::Int(300))
    .prototyped(),
    Field::runtime(
        "telemetry_uuid",
        Ref("secret"),
        "23.9.0",
        "The telemetry uuid: a secret.",
    )
    .default(Default::Null)
    .prototyped(),
    Field::runtime(
        "telemetry_frequency",
        Enum(&TELEMETRY_FREQUENCY),
        "23.9.0",
        "The telemetry frequency.",
    )
    .default(Default::Text("weekly"))
    .prototyped(),
    Field::runtime(
        "telemetry_next_collection",
        Time,
        "23.9.0",
        "Time of telemetry next collection.",
    )
    .default(Default::Epoch)
    .prototyped(),
    Field::runtime("last_update_sync", Time, "23.18.0", "Time of last update sync.")
        .default(Default::Epoch)
        .prototyped(),
    Field::runtime(
        "update_sync_frequency",
        Enum(&UPDATE_SYNC_FREQUENCY),
        "23.18.0",
        "The update sync frequency.",
    )
    .default(Default::Text("weekly"))
    .prototyped(),
    Field::runtime(
        "update_sync_day",
        Int,
        "23.18.0",
        "The update sync day, a number.",
    )
    .default(Default::Int(0))
    .prototyped(),
    Field::runtime(
        "update_sync_enabled",
        Bool,
        "23.18.0",
        "True if update sync enabled.",
    )
    .default(Default::Bool(false))
    .prototyped(),
    Field::runtime(
        "recommendations",
        TEXT_MAP,
        "24.19.1",
        "The recommendations, as keys and values.",
    )
    .default(Default::EmptyMap)
    .prototyped(),
    Field::settable(
        "license_server",
        TEXT_MAP,
        "25.6.0",
        "The license server, as keys and values.",
    )
    .default(Default::EmptyMap)
    .prototyped(),
    Field::settable(
        "ha_reboot_vm_on_internal_shutdown",
        Bool,
        "25.16.0",
        "True if HA reboot VM on internal shutdown.",
    )
    .default(Default::Bool(true))
    .prototyped(),
    Field::settable(
        "limit_console_sessions",
        Bool,
        "26.1.0",
        "True if limit console sessions.",
    )
    .default(Default::Bool(false))
    .prototyped(),
    Field::settable(
        "vm_console_idle_timeout",
        Int,
        "26.1.0",
        "The VM console idle timeout, a number.",
    )
    .default(Default::Int(0))
    .prototyped(),
    Field::settable(
        "auto_update_vm_secureboot_certificates",
        Bool,
        "26.16.1",
        "True if auto update VM secureboot certificates.",
    )
    .default(Default::Bool(false))
    .prototyped(),
    Field::internal(
        "wlb_password",
        Ref("secret"),
        "rio",
        "The workload balancing password: a secret.",
    ),
];
