//! Fields of the class `VDI`.

use super::enums::*;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Fields in the order of records.
pub(super) const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed(
        "name_label",
        Text,
        "rio",
        "Name shown to people; need not be unique.",
    )
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
    Field::runtime(
        "VBDs",
        Set(&Ref("VBD")),
        "rio",
        "The VBDs, as a set of references.",
    )
    .rows_of("VBD", "VDI"),
    Field::runtime(
        "crash_dumps",
        Set(&Ref("crashdump")),
        "rio",
        "The crash dumps, as a set of references.",
    )
    .rows_of("crashdump", "VDI"),
    Field::fixed("virtual_size", Int, "rio", "The virtual size, a number."),
    Field::runtime(
        "physical_utilisation",
        Int,
        "rio",
        "The physical utilisation, a number.",
    ),
    Field::fixed("type", Enum(&VDI_TYPE), "rio", "Kind of the object."),
    Field::fixed("sharable", Bool, "rio", "True if sharable."),
    Field::fixed("read_only", Bool, "rio", "True if read only."),
    Field::settable(
        "other_config",
        TEXT_MAP,
        "rio",
        "Further settings as keys and values.",
    )
    .key_roles(&[("folder", VmOperator), ("XenCenter.CustomFields.*", VmOperator)]),
    Field::runtime("storage_lock", Bool, "rio", "True if storage lock."),
    Field::runtime("location", Text, "miami", "The location.").default(Default::Text("")),
    Field::runtime("managed", Bool, "rio", "True if managed."),
    Field::runtime("missing", Bool, "rio", "True if missing."),
    Field::runtime("parent", Ref("VDI"), "rio", "The parent: a VDI.").deprecated("ely"),
    Field::settable(
        "xenstore_data",
        TEXT_MAP,
        "miami",
        "The xenstore data, as keys and values.",
    )
    .default(Default::EmptyMap),
    Field::settable(
        "sm_config",
        TEXT_MAP,
        "miami",
        "Keys that the storage driver keeps here.",
    )
    .default(Default::EmptyMap),
    Field::runtime("is_a_snapshot", Bool, "orlando", "True for a snapshot.").default(Default::Bool(false)),
    Field::runtime(
        "snapshot_of",
        Ref("VDI"),
        "orlando",
        "What this is a snapshot of.",
    )
    .default(Default::Null),
    Field::runtime(
        "snapshots",
        Set(&Ref("VDI")),
        "orlando",
        "Snapshots taken of this.",
    )
    .rows_of("VDI", "snapshot_of"),
    Field::runtime(
        "snapshot_time",
        Time,
        "orlando",
        "When the snapshot was taken; the epoch if it is none.",
    )
    .default(Default::Epoch),
    Field::settable("tags", TEXTS, "orlando", "Words by which people group objects.")
        .default(Default::EmptySet)
        .writer(VmOperator),
    Field::runtime("allow_caching", Bool, "cowley", "True if allow caching.").default(Default::Bool(false)),
    Field::runtime("on_boot", Enum(&ON_BOOT), "cowley", "The on boot.").default(Default::Text("persist")),
    Field::runtime(
        "metadata_of_pool",
        Ref("pool"),
        "boston",
        "The metadata of pool: a pool.",
    )
    .default(Default::Null),
    Field::runtime("metadata_latest", Bool, "boston", "True if metadata latest.")
        .default(Default::Bool(false)),
    Field::runtime("is_tools_iso", Bool, "dundee", "True if it is tools iso.").default(Default::Bool(false)),
    Field::runtime(
        "cbt_enabled",
        Bool,
        "inverness",
        "True if changed block tracking enabled.",
    )
    .default(Default::Bool(false)),
];
