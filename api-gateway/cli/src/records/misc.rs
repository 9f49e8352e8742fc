//! Fields of tasks, messages, users and roles, schedules, appliances, and of the smaller classes.

use super::field::{Field, NOT_IN_DATABASE, Tag, computed, current_operations, mro, mrw, ro, rw, sro};
use super::shown::Shown;
use crate::client::{Client, Object};
use crate::failure::Failure;

/// Tasks.
pub const TASK: &[Field] = &[
    ro("uuid", "uuid"),
    ro("name-label", "name_label"),
    ro("name-description", "name_description"),
    ro("subtask_of", "subtask_of"),
    ro("subtasks", "subtasks"),
    ro("resident-on", "resident_on"),
    ro("status", "status"),
    ro("progress", "progress"),
    ro("type", "type"),
    ro("result", "result"),
    ro("created", "created"),
    ro("finished", "finished"),
    ro("error_info", "error_info"),
    ro("allowed_operations", "allowed_operations"),
    current_operations("current_operations", Tag::Ro),
    mrw("other-config", "other_config"),
];

/// Messages.
pub const MESSAGE: &[Field] = &[
    ro("uuid", "uuid"),
    ro("name", "name"),
    ro("priority", "priority"),
    ro("class", "cls"),
    ro("obj-uuid", "obj_uuid"),
    ro("timestamp", "timestamp"),
    ro("body", "body"),
];

/// Users and groups of the directory.
pub const SUBJECT: &[Field] = &[
    ro("uuid", "uuid"),
    ro("subject-identifier", "subject_identifier"),
    mro("other-config", "other_config"),
    computed("roles", Tag::Sro, subject_roles),
];

/// Roles.
pub const ROLE: &[Field] = &[
    ro("uuid", "uuid"),
    ro("name", "name_label"),
    ro("description", "name_description"),
];

/// Schedules of snapshots.
pub const VMSS: &[Field] = &[
    ro("uuid", "uuid"),
    rw("name-label", "name_label"),
    rw("name-description", "name_description"),
    rw("enabled", "enabled"),
    rw("type", "type"),
    rw("retained-snapshots", "retained_snapshots"),
    rw("frequency", "frequency"),
    mrw("schedule", "schedule"),
    ro("last-run-time", "last_run_time"),
    sro("VMs", "VMs"),
];

/// Secrets.
pub const SECRET: &[Field] = &[ro("uuid", "uuid"), rw("value", "value")];

/// Appliances.
pub const APPLIANCE: &[Field] = &[
    ro("uuid", "uuid"),
    rw("name-label", "name_label"),
    rw("name-description", "name_description"),
    sro("VMs", "VMs"),
    sro("allowed-operations", "allowed_operations"),
    current_operations("current-operations", Tag::Sro),
];

/// Groups of VMs.
pub const VM_GROUP: &[Field] = &[
    ro("uuid", "uuid"),
    rw("name-label", "name_label"),
    rw("name-description", "name_description"),
    ro("placement", "placement"),
    sro("vm-uuids", "VMs"),
];

/// Tasks of disaster recovery.
pub const DR_TASK: &[Field] = &[ro("uuid", "uuid"), ro("introduced-SRs", "introduced_SRs")];

/// Sites of provisioning services.
pub const PVS_SITE: &[Field] = &[
    ro("uuid", "uuid"),
    rw("name-label", "name_label"),
    rw("name-description", "name_description"),
    rw("pvs-uuid", "PVS_uuid"),
    sro("pvs-cache-storage-uuids", "cache_storage"),
    sro("pvs-server-uuids", "servers"),
    sro("pvs-proxy-uuids", "proxies"),
];

/// Servers of provisioning services.
pub const PVS_SERVER: &[Field] = &[
    ro("uuid", "uuid"),
    sro("addresses", "addresses"),
    ro("first-port", "first_port"),
    ro("last-port", "last_port"),
    ro("pvs-site-uuid", "site"),
];

/// Proxies of provisioning services.
pub const PVS_PROXY: &[Field] = &[
    ro("uuid", "uuid"),
    ro("pvs-site-uuid", "site"),
    ro("vif-uuid", "VIF"),
    ro("currently-attached", "currently_attached"),
    ro("status", "status"),
];

/// Caches of provisioning services.
pub const PVS_CACHE_STORAGE: &[Field] = &[
    ro("uuid", "uuid"),
    ro("host-uuid", "host"),
    ro("sr-uuid", "SR"),
    ro("pvs-site-uuid", "site"),
    ro("size", "size"),
    ro("vdi-uuid", "VDI"),
];

/// Features.
pub const FEATURE: &[Field] = &[
    ro("uuid", "uuid"),
    ro("name-label", "name_label"),
    ro("name-description", "name_description"),
    ro("enabled", "enabled"),
    ro("experimental", "experimental"),
    ro("version", "version"),
    ro("host-uuid", "host"),
];

/// Controllers of software-defined networks.
pub const SDN_CONTROLLER: &[Field] = &[
    ro("uuid", "uuid"),
    ro("protocol", "protocol"),
    ro("address", "address"),
    ro("port", "port"),
];

/// Trusted platform modules.
pub const VTPM: &[Field] = &[
    ro("uuid", "uuid"),
    ro("vm", "VM"),
    ro("is_unique", "is_unique"),
    ro("is_protected", "is_protected"),
];

fn subject_roles(client: &Client, subject: &Object) -> Result<Shown, Failure> {
    let roles = subject.texts("roles");
    let names = roles.iter().map(|role| {
        client
            .known_label("role", role)
            .unwrap_or_else(|| NOT_IN_DATABASE.to_owned())
    });
    Ok(Shown::Set(names.collect()))
}
