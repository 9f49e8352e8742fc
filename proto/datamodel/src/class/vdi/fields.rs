//! Fields of the class `VDI`.

use super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Fields in the order of records.
pub(super) const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::fixed("name_description", Text, "rio", "Free text about the object.").default(Default::Text("")),
    Field::runtime(
        "allowed_operations",
        Set(&Enum(&VDI_OPERATIONS)),
        "rio",
        "Operations that could begin now.",
    )
    .default(Default::EmptySet)
    .volatile(),
    Field::runtime(
        "current_operations",
        Map(&Text, &Enum(&VDI_OPERATIONS)),
        "rio",
        "Operations under way, by task.",
    )
    .default(Default::EmptyMap)
    .volatile(),
    Field::fixed("SR", Ref("SR"), "rio", "The storage repository this belongs to."),
    Field::runtime("VBDs", Set(&Ref("VBD")), "rio", "Block devices of VMs that use it.")
        .rows_of("VBD", "VDI"),
    Field::runtime("crash_dumps", Set(&Ref("crashdump")), "rio", "Crash dumps it holds.")
        .rows_of("crashdump", "VDI"),
    Field::fixed("virtual_size", Int, "rio", "Size in bytes that a guest sees."),
    Field::runtime("physical_utilisation", Int, "rio", "Bytes it takes in the SR."),
    Field::fixed("type", Enum(&VDI_TYPE), "rio", "What it is for."),
    Field::fixed("sharable", Bool, "rio", "True if several VMs may write it at once."),
    Field::fixed("read_only", Bool, "rio", "True if it must not be written."),
    Field::settable("other_config", TEXT_MAP, "rio", "Further settings as keys and values.")
        .key_roles(&[("folder", VmOperator), ("XenCenter.CustomFields.*", VmOperator)]),
    Field::runtime("storage_lock", Bool, "rio", "True while it is locked below the API."),
    Field::runtime("location", Text, "miami", "Where in the SR it is.").default(Default::Text("")),
    Field::runtime("managed", Bool, "rio", "True if VMs may use it; false for what the SR keeps for itself."),
    Field::runtime("missing", Bool, "rio", "True if the last scan did not find it."),
    Field::runtime("parent", Ref("VDI"), "rio", "The disk this one is a difference to; unused.")
        .deprecated("ely"),
    Field::settable("xenstore_data", TEXT_MAP, "miami", "Keys handed to the guest that uses it.")
        .default(Default::EmptyMap),
    Field::settable("sm_config", TEXT_MAP, "miami", "Keys that the storage driver keeps here.")
        .default(Default::EmptyMap),
    Field::runtime("is_a_snapshot", Bool, "orlando", "True for a snapshot.").default(Default::Bool(false)),
    Field::runtime("snapshot_of", Ref("VDI"), "orlando", "What this is a snapshot of.")
        .default(Default::Null),
    Field::runtime("snapshots", Set(&Ref("VDI")), "orlando", "Snapshots taken of this.")
        .rows_of("VDI", "snapshot_of"),
    Field::runtime("snapshot_time", Time, "orlando", "When the snapshot was taken; the epoch if it is none.")
        .default(Default::Epoch),
    Field::settable("tags", TEXTS, "orlando", "Words by which people group objects.")
        .default(Default::EmptySet)
        .writer(VmOperator),
    Field::runtime("allow_caching", Bool, "cowley", "True if it may be cached on local storage.")
        .default(Default::Bool(false)),
    Field::runtime(
        "on_boot",
        Enum(&ON_BOOT),
        "cowley",
        "Whether what a VM wrote is kept or undone at its next start.",
    )
    .default(Default::Text("persist")),
    Field::runtime("metadata_of_pool", Ref("pool"), "boston", "The pool whose metadata it holds.")
        .default(Default::Null),
    Field::runtime(
        "metadata_latest",
        Bool,
        "boston",
        "True if that metadata is the latest that can be reached.",
    )
    .default(Default::Bool(false)),
    Field::runtime("is_tools_iso", Bool, "dundee", "True for the image with the guest tools.")
        .default(Default::Bool(false)),
    Field::runtime("cbt_enabled", Bool, "inverness", "True if changed blocks are tracked.")
        .default(Default::Bool(false)),
];
