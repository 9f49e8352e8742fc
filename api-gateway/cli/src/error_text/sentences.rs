//! A sentence for each of the errors that people meet; sorted by code.
//!
//! The first lines of DEVICE_ALREADY_DETACHED, HOST_OFFLINE, OPERATION_NOT_ALLOWED and SR_NOT_EMPTY are compared by
//! test suites of others, so they are spelt as XenServer's xe spells them.

/// The sentence for a code.
pub fn of(code: &str) -> Option<&'static str> {
    let position = ALL.binary_search_by(|(known, _)| known.cmp(&code)).ok()?;
    ALL.get(position).map(|(_, sentence)| *sentence)
}

/// All of them.
pub const ALL: &[(&str, &str)] = &[
    ("CANNOT_CONTACT_HOST", "The host could not be reached."),
    (
        "CANNOT_DESTROY_SYSTEM_NETWORK",
        "A network of the system itself cannot be destroyed.",
    ),
    ("DEFAULT_SR_NOT_FOUND", "The pool's default SR is not there."),
    ("DEVICE_ALREADY_ATTACHED", "The device is attached already."),
    ("DEVICE_ALREADY_DETACHED", "The device is not currently attached"),
    (
        "DEVICE_ALREADY_EXISTS",
        "The VM has a device of that position already.",
    ),
    (
        "DEVICE_DETACH_REJECTED",
        "The guest would not let go of the device.",
    ),
    (
        "DEVICE_DETACH_TIMEOUT",
        "The guest did not let go of the device in time.",
    ),
    (
        "HANDLE_INVALID",
        "There is no such object; it may have been deleted.",
    ),
    (
        "HA_IS_ENABLED",
        "This cannot be done while high availability is on.",
    ),
    (
        "HA_NOT_ENABLED",
        "This cannot be done while high availability is off.",
    ),
    ("HOST_DISABLED", "The host is disabled."),
    ("HOST_IN_USE", "The host is in use."),
    ("HOST_IS_LIVE", "The host is alive."),
    ("HOST_IS_SLAVE", "This host is not the master of its pool."),
    ("HOST_NOT_DISABLED", "The host must be disabled first."),
    (
        "HOST_NOT_ENOUGH_FREE_MEMORY",
        "The host has not enough free memory.",
    ),
    ("HOST_NOT_LIVE", "The host is not alive."),
    (
        "HOST_OFFLINE",
        "You attempted an operation which involves a host which could not be contacted.",
    ),
    (
        "HOST_STILL_BOOTING",
        "The host is still starting; try again shortly.",
    ),
    ("IMPORT_ERROR", "The import failed."),
    ("IMPORT_ERROR_PREMATURE_EOF", "The file to import ends too early."),
    (
        "IMPORT_ERROR_UNEXPECTED_FILE",
        "The file to import does not hold what was expected.",
    ),
    (
        "IMPORT_INCOMPATIBLE_VERSION",
        "The file to import was written by a newer release.",
    ),
    ("INTERNAL_ERROR", "The server failed within itself."),
    ("INVALID_DEVICE", "There is no device of that name."),
    ("INVALID_VALUE", "The value is none that the field can have."),
    ("LOCATION_NOT_UNIQUE", "The SR has a VDI at that place already."),
    ("MAC_INVALID", "The text is no MAC address that can be used."),
    ("MAC_STILL_EXISTS", "The MAC address is still in use."),
    ("MAP_DUPLICATE_KEY", "The map has that key already."),
    (
        "MEMORY_CONSTRAINT_VIOLATION",
        "The memory limits contradict one another.",
    ),
    ("MESSAGE_DEPRECATED", "The message is no longer supported."),
    ("MESSAGE_METHOD_UNKNOWN", "The server knows no such message."),
    (
        "MESSAGE_PARAMETER_COUNT_MISMATCH",
        "The message has another number of parameters.",
    ),
    ("MESSAGE_REMOVED", "The message was removed."),
    (
        "NETWORK_CONTAINS_PIF",
        "The network still has interfaces of hosts.",
    ),
    ("NETWORK_CONTAINS_VIF", "The network still has interfaces of VMs."),
    ("NOT_IMPLEMENTED", "The server has no such function yet."),
    (
        "NOT_SUPPORTED_DURING_UPGRADE",
        "This cannot be done while the pool is being upgraded.",
    ),
    ("NO_HOSTS_AVAILABLE", "No host can take the VM."),
    ("OPERATION_BLOCKED", "The operation is blocked for this object."),
    (
        "OPERATION_NOT_ALLOWED",
        "You attempted an operation that was not allowed.",
    ),
    (
        "OTHER_OPERATION_IN_PROGRESS",
        "Another operation on the object is under way.",
    ),
    ("PBD_EXISTS", "The host is connected to the SR already."),
    ("PERMISSION_DENIED", "You may not do that."),
    (
        "PIF_IS_MANAGEMENT_INTERFACE",
        "The interface is the one that the host is managed by.",
    ),
    (
        "PROVISION_FAILED_OUT_OF_SPACE",
        "There was not enough space to install the VM.",
    ),
    ("RBAC_PERMISSION_DENIED", "Your role does not permit that."),
    ("ROLE_ALREADY_EXISTS", "The subject has the role already."),
    ("ROLE_NOT_FOUND", "There is no such role."),
    ("SESSION_AUTHENTICATION_FAILED", "User or password is wrong."),
    ("SESSION_INVALID", "There is no such session (any more)."),
    ("SR_BACKEND_FAILURE", "The storage driver failed."),
    ("SR_FULL", "The SR is full."),
    ("SR_HAS_NO_PBDS", "No host is connected to the SR."),
    ("SR_HAS_PBD", "A host is still connected to the SR."),
    ("SR_INDESTRUCTIBLE", "The SR is marked as not to be destroyed."),
    (
        "SR_NOT_EMPTY",
        "The SR operation cannot be performed because the SR is not empty.",
    ),
    ("SR_OPERATION_NOT_SUPPORTED", "SRs of this type cannot do that."),
    ("SR_UNKNOWN_DRIVER", "There is no storage driver of that type."),
    ("SR_UUID_EXISTS", "There is an SR of that uuid already."),
    ("TASK_CANCELLED", "The task was cancelled."),
    (
        "USER_IS_NOT_LOCAL_SUPERUSER",
        "Only the local superuser may do that.",
    ),
    ("UUID_INVALID", "There is no object of that uuid."),
    ("VBD_CDS_MUST_BE_READONLY", "A CD drive must be read-only."),
    ("VBD_IS_EMPTY", "There is nothing in the drive."),
    ("VBD_NOT_EMPTY", "There is something in the drive already."),
    (
        "VBD_NOT_REMOVABLE_MEDIA",
        "Only what is in a CD drive can be changed.",
    ),
    (
        "VBD_NOT_UNPLUGGABLE",
        "The disk cannot be unplugged while the VM runs.",
    ),
    ("VDI_INCOMPATIBLE_TYPE", "VDIs of this type cannot be used so."),
    ("VDI_IN_USE", "The VDI is in use."),
    ("VDI_MISSING", "The VDI is missing."),
    ("VDI_NOT_IN_MAP", "It was not said where this VDI is to go."),
    ("VDI_NOT_MANAGED", "The VDI is not managed by the pool."),
    ("VDI_READONLY", "The VDI is read-only."),
    ("VIF_NOT_IN_MAP", "It was not said where this interface is to go."),
    (
        "VM_BAD_POWER_STATE",
        "The VM is not in a power state in which this can be done.",
    ),
    (
        "VM_CANNOT_DELETE_DEFAULT_TEMPLATE",
        "A default template cannot be deleted.",
    ),
    (
        "VM_DUPLICATE_VBD_DEVICE",
        "Two disks of the VM have the same position.",
    ),
    (
        "VM_FAILED_SHUTDOWN_ACKNOWLEDGMENT",
        "The guest did not answer when it was asked to shut down.",
    ),
    (
        "VM_HVM_REQUIRED",
        "The host has no hardware virtualisation, which the VM needs.",
    ),
    ("VM_IS_SNAPSHOT", "This cannot be done with a snapshot."),
    ("VM_IS_TEMPLATE", "This cannot be done with a template."),
    (
        "VM_LACKS_FEATURE",
        "The guest cannot do that; it may lack drivers.",
    ),
    ("VM_MIGRATE_FAILED", "The migration failed."),
    ("VM_MISSING_PV_DRIVERS", "The guest has no drivers for that."),
    ("VM_NOT_RESIDENT_HERE", "The VM does not run on that host."),
    ("VM_NO_EMPTY_CD_VBD", "The VM has no empty CD drive."),
    (
        "VM_NO_SUSPEND_SR",
        "There is no SR that the VM could be suspended to.",
    ),
    (
        "VM_REQUIRES_NETWORK",
        "The VM needs a network that the host has not.",
    ),
    ("VM_REQUIRES_SR", "The VM needs an SR that the host cannot see."),
    ("VM_SHUTDOWN_TIMEOUT", "The guest did not shut down in time."),
    (
        "VM_SNAPSHOT_WITH_QUIESCE_NOT_SUPPORTED",
        "The guest cannot be quiesced for a snapshot.",
    ),
    ("WLB_NOT_INITIALIZED", "No workload balancing is set up."),
];
