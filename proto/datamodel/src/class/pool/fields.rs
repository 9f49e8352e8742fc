//! Fields of the class `pool`.

use super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Fields in the order of records.
pub(super) const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::settable("name_label", Text, "rio", "Name of the pool; may be empty."),
    Field::settable("name_description", Text, "rio", "Free text about the object."),
    Field::runtime("master", Ref("host"), "rio", "The host that leads the pool and serves the API."),
    Field::settable("default_SR", Ref("SR"), "rio", "Where disks go when nobody says."),
    Field::settable("suspend_image_SR", Ref("SR"), "rio", "Where suspended VMs go when nobody says."),
    Field::settable("crash_dump_SR", Ref("SR"), "rio", "Where crash dumps go when nobody says."),
    Field::settable("other_config", TEXT_MAP, "rio", "Further settings as keys and values.").key_roles(&[
        ("folder", VmOperator),
        ("XenCenter.CustomFields.*", VmOperator),
        ("EMPTY_FOLDERS", VmOperator),
    ]),
    Field::runtime("ha_enabled", Bool, "orlando", "True while high availability is on.")
        .default(Default::Bool(false)),
    Field::runtime("ha_configuration", TEXT_MAP, "orlando", "Settings of high availability.")
        .default(Default::EmptyMap),
    Field::runtime("ha_statefiles", TEXTS, "orlando", "Disks that hold the heartbeats.")
        .default(Default::EmptySet),
    Field::runtime(
        "ha_host_failures_to_tolerate",
        Int,
        "orlando",
        "How many hosts may fail at once with every protected VM restarted.",
    )
    .default(Default::Int(0)),
    Field::runtime("ha_plan_exists_for", Int, "orlando", "How many hosts may fail at once as things stand.")
        .default(Default::Int(0)),
    Field::settable(
        "ha_allow_overcommit",
        Bool,
        "orlando",
        "True if operations are allowed that make the plan fail.",
    )
    .default(Default::Bool(false)),
    Field::runtime(
        "ha_overcommitted",
        Bool,
        "orlando",
        "True if the plan cannot cover the failures to tolerate.",
    )
    .default(Default::Bool(false)),
    Field::runtime("blobs", Map(&Text, &Ref("blob")), "orlando", "Attached blobs by name.")
        .default(Default::EmptyMap),
    Field::settable("tags", TEXTS, "orlando", "Words by which people group objects.")
        .default(Default::EmptySet)
        .writer(VmOperator),
    Field::settable("gui_config", TEXT_MAP, "orlando", "Settings that graphical clients share.")
        .default(Default::EmptyMap)
        .writer(VmOperator),
    Field::settable("health_check_config", TEXT_MAP, "dundee", "Settings of the health check.")
        .default(Default::EmptyMap),
    Field::runtime("wlb_url", Text, "george", "Address of the workload balancing server.")
        .default(Default::Text("")),
    Field::runtime("wlb_username", Text, "george", "Name by which the pool logs in to workload balancing.")
        .default(Default::Text("")),
    Field::settable("wlb_enabled", Bool, "george", "True if placement asks workload balancing.")
        .default(Default::Bool(false))
        .client_cert(),
    Field::settable(
        "wlb_verify_cert",
        Bool,
        "george",
        "True if the workload balancing server must prove itself by certificate.",
    )
    .default(Default::Bool(false))
    .deprecated("1.290.0"),
    Field::runtime(
        "redo_log_enabled",
        Bool,
        "midnight-ride",
        "True if changes are also written to a disk on shared storage.",
    )
    .default(Default::Bool(false)),
    Field::runtime("redo_log_vdi", Ref("VDI"), "midnight-ride", "The disk that takes those changes.")
        .default(Default::Null),
    Field::runtime(
        "vswitch_controller",
        Text,
        "midnight-ride",
        "Address of the controller of the virtual switches.",
    )
    .default(Default::Text(""))
    .deprecated("falcon"),
    Field::runtime(
        "restrictions",
        TEXT_MAP,
        "midnight-ride",
        "Features that the licence holds back, by name.",
    )
    .default(Default::EmptyMap),
    Field::runtime(
        "metadata_VDIs",
        Set(&Ref("VDI")),
        "boston",
        "Disks known to hold the metadata of a pool.",
    )
    .rows_of("VDI", "metadata_of_pool"),
    Field::runtime(
        "ha_cluster_stack",
        Text,
        "dundee",
        "What keeps the hosts in touch for high availability.",
    )
    .default(Default::Text("")),
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
    Field::runtime("guest_agent_config", TEXT_MAP, "dundee", "Settings that guests may read.")
        .default(Default::EmptyMap),
    Field::runtime("cpu_info", TEXT_MAP, "dundee", "Features of processors that every host of the pool has.")
        .default(Default::EmptyMap),
    Field::settable(
        "policy_no_vendor_device",
        Bool,
        "dundee",
        "True if new VMs lack the device that brings Windows drivers.",
    )
    .default(Default::Bool(false))
    .deprecated("24.14.0"),
    Field::settable("live_patching_disabled", Bool, "ely", "True if running hosts are not patched.")
        .default(Default::Bool(false)),
    Field::runtime("igmp_snooping_enabled", Bool, "inverness", "True if bridges follow IGMP.")
        .default(Default::Bool(false)),
    Field::fixed(
        "uefi_certificates",
        Text,
        "quebec",
        "Secure Boot certificates that VMs get, as a tarball in base64.",
    )
    .default(Default::Text("")),
    Field::fixed(
        "custom_uefi_certificates",
        Text,
        "24.0.0",
        "Secure Boot certificates that replace the default ones.",
    )
    .default(Default::Text(""))
    .prototyped(),
    Field::settable(
        "is_psr_pending",
        Bool,
        "stockholm_psr",
        "True while the pool's secret is being changed.",
    )
    .default(Default::Bool(false)),
    Field::runtime(
        "tls_verification_enabled",
        Bool,
        "1.290.0",
        "True if hosts check each other's certificates.",
    )
    .default(Default::Bool(false)),
    Field::runtime(
        "repositories",
        Set(&Ref("Repository")),
        "1.301.0",
        "Repositories that updates come from.",
    )
    .default(Default::EmptySet),
    Field::runtime(
        "client_certificate_auth_enabled",
        Bool,
        "1.318.0",
        "True if clients may prove themselves by certificate.",
    )
    .default(Default::Bool(false)),
    Field::runtime(
        "client_certificate_auth_name",
        Text,
        "1.318.0",
        "Name that such a certificate must bear.",
    )
    .default(Default::Text("")),
    Field::runtime("repository_proxy_url", Text, "21.3.0", "Proxy on the way to the repositories.")
        .default(Default::Text("")),
    Field::runtime("repository_proxy_username", Text, "21.3.0", "Name for the proxy.")
        .default(Default::Text("")),
    Field::runtime("repository_proxy_password", Ref("secret"), "21.3.0", "Password for the proxy.")
        .default(Default::Null),
    Field::settable(
        "migration_compression",
        Bool,
        "22.33.0",
        "True if migrations are compressed unless told otherwise.",
    )
    .default(Default::Bool(false))
    .prototyped(),
    Field::settable("coordinator_bias", Bool, "rio", "True if the master is the last host to be given VMs.")
        .default(Default::Bool(true)),
    Field::fixed(
        "local_auth_max_threads",
        Int,
        "23.27.0",
        "How many logins of local users may be checked at once.",
    )
    .default(Default::Int(8))
    .prototyped(),
    Field::fixed(
        "ext_auth_max_threads",
        Int,
        "23.27.0",
        "How many logins of subjects may be checked at once.",
    )
    .default(Default::Int(1))
    .prototyped(),
    Field::runtime(
        "ext_auth_cache_enabled",
        Bool,
        "24.31.0",
        "True if successful logins of subjects are remembered.",
    )
    .default(Default::Bool(true))
    .prototyped(),
    Field::runtime("ext_auth_cache_size", Int, "24.31.0", "How many logins are remembered.")
        .default(Default::Int(50))
        .prototyped(),
    Field::runtime("ext_auth_cache_expiry", Int, "24.31.0", "For how many seconds a login is remembered.")
        .default(Default::Int(300))
        .prototyped(),
    Field::runtime("telemetry_uuid", Ref("secret"), "23.9.0", "Identifier under which telemetry is sent.")
        .default(Default::Null)
        .prototyped(),
    Field::runtime(
        "telemetry_frequency",
        Enum(&TELEMETRY_FREQUENCY),
        "23.9.0",
        "How often telemetry is collected.",
    )
    .default(Default::Text("weekly"))
    .prototyped(),
    Field::runtime("telemetry_next_collection", Time, "23.9.0", "Earliest time of the next collection.")
        .default(Default::Epoch)
        .prototyped(),
    Field::runtime("last_update_sync", Time, "23.18.0", "When updates were last fetched.")
        .default(Default::Epoch)
        .prototyped(),
    Field::runtime(
        "update_sync_frequency",
        Enum(&UPDATE_SYNC_FREQUENCY),
        "23.18.0",
        "How often updates are fetched.",
    )
    .default(Default::Text("weekly"))
    .prototyped(),
    Field::runtime("update_sync_day", Int, "23.18.0", "Day of the week on which updates are fetched.")
        .default(Default::Int(0))
        .prototyped(),
    Field::runtime("update_sync_enabled", Bool, "23.18.0", "True if updates are fetched by themselves.")
        .default(Default::Bool(false))
        .prototyped(),
    Field::runtime("recommendations", TEXT_MAP, "24.19.1", "Limits that clients should keep to.")
        .default(Default::EmptyMap)
        .prototyped(),
    Field::settable("license_server", TEXT_MAP, "25.6.0", "Where licences come from: address and port.")
        .default(Default::EmptyMap)
        .prototyped(),
    Field::settable(
        "ha_reboot_vm_on_internal_shutdown",
        Bool,
        "25.16.0",
        "True if a protected VM that powers itself off is started again.",
    )
    .default(Default::Bool(true))
    .prototyped(),
    Field::settable(
        "limit_console_sessions",
        Bool,
        "26.1.0",
        "True if a console takes one client at a time.",
    )
    .default(Default::Bool(false))
    .prototyped(),
    Field::settable(
        "vm_console_idle_timeout",
        Int,
        "26.1.0",
        "After how many idle seconds a console is closed; 0 means never.",
    )
    .default(Default::Int(0))
    .prototyped(),
    Field::settable(
        "auto_update_vm_secureboot_certificates",
        Bool,
        "26.16.1",
        "True if VMs get newer Secure Boot certificates by themselves.",
    )
    .default(Default::Bool(false))
    .prototyped(),
    Field::internal("wlb_password", Ref("secret"), "rio", "Password for workload balancing."),
];
