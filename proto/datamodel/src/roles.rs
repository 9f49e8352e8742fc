//! The roles of the API, lowest last, each containing all that follow.

use crate::model::Role;

/// A role as clients see it.
#[derive(Clone, Copy, Debug)]
pub struct RoleEntry {
    /// Which.
    pub role: Role,
    /// Name.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Fixed uuid, the same in every pool; also the number of its reference.
    pub uuid: &'static str,
    /// Not for subjects.
    pub internal: bool,
}

const fn role(role: Role, name: &'static str, uuid: &'static str, doc: &'static str) -> RoleEntry {
    RoleEntry { role, name, doc, uuid, internal: false }
}

/// Highest first. Source of the uuids: XenServer's administrator's guide, `xe role-list`; clients know them.
pub const ROLES: &[RoleEntry] = &[
    role(Role::PoolAdmin, "pool-admin", "0165f154-ba3e-034e-6b27-5d271af109ba", "May do everything."),
    role(
        Role::PoolOperator,
        "pool-operator",
        "b9ce9791-0604-50cd-0649-09b3284c7dfd",
        "May change hosts, storage, networks and the pool, not who may do what.",
    ),
    role(
        Role::VmPowerAdmin,
        "vm-power-admin",
        "7955168d-7bec-10ed-105f-c6a7e6e63249",
        "May manage VMs and choose where they run.",
    ),
    role(
        Role::VmAdmin,
        "vm-admin",
        "aaa00ab5-7340-bfbc-0d1b-7cf342639a6e",
        "May make, change and destroy VMs and templates.",
    ),
    role(
        Role::VmOperator,
        "vm-operator",
        "fb8d4ff9-310c-a959-0613-54101535d3d5",
        "May use VMs: start, stop, consoles, media.",
    ),
    RoleEntry {
        internal: true,
        ..role(
            Role::ClientCert,
            "client-cert",
            "2f9bf7a5-4b3c-4b0c-8c2e-5f3f0f3c6a51",
            "Clients known by their certificate.",
        )
    },
    role(Role::ReadOnly, "read-only", "7233b8e3-eacb-d7da-2c95-f2e581cdbf4e", "May look at everything."),
];

/// Permissions that are no message: to do to anybody's task what everybody may do to their own, and the HTTP handlers.
pub const FURTHER: &[(&str, Role)] = &[
    ("task.destroy/any", Role::PoolOperator),
    ("http/connect_console", Role::VmOperator),
    ("http/get_audit_log", Role::ReadOnly),
    ("http/get_blob", Role::ReadOnly),
    ("http/get_console", Role::VmOperator),
    ("http/get_export", Role::VmAdmin),
    ("http/get_export_metadata", Role::VmAdmin),
    ("http/get_export_raw_vdi", Role::VmAdmin),
    ("http/get_host_rrd", Role::ReadOnly),
    ("http/get_metrics", Role::ReadOnly),
    ("http/get_pool_xml_db_sync", Role::PoolAdmin),
    ("http/get_rrd_updates", Role::ReadOnly),
    ("http/get_sr_rrd", Role::ReadOnly),
    ("http/get_vm_rrd", Role::ReadOnly),
    ("http/put_blob", Role::VmPowerAdmin),
    ("http/put_import", Role::VmAdmin),
    ("http/put_import_metadata", Role::VmAdmin),
    ("http/put_import_raw_vdi", Role::VmAdmin),
    ("http/put_pool_xml_db_sync", Role::PoolAdmin),
];
