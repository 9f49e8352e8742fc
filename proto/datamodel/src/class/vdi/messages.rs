//! Messages of the class `VDI`.

use super::enums::*;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Messages beyond the generic ones.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("clone", "rio", VmAdmin, "Makes a writable copy that shares unchanged data with it.")
        .params(&[
            Param::new("vdi", Ref("VDI")),
            Param::optional("driver_params", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Ref("VDI"))
        .or_async(),
    Message::new("copy", "rio", VmAdmin, "Makes a full copy, perhaps in another SR or into another disk.")
        .params(&[
            Param::new("vdi", Ref("VDI")),
            Param::optional("sr", Ref("SR"), Default::Null),
            Param::optional("base_vdi", Ref("VDI"), Default::Null),
            Param::optional("into_vdi", Ref("VDI"), Default::Null),
        ])
        .result(Ref("VDI"))
        .errors(&["VDI_READONLY", "VDI_TOO_SMALL", "VDI_NOT_SPARSE"])
        .or_async(),
    Message::new(
        "data_destroy",
        "inverness",
        VmAdmin,
        "Deletes the data of a snapshot and keeps the list of changed blocks.",
    )
    .params(&[Param::new("self", Ref("VDI"))])
    .errors(&[
        "SR_OPERATION_NOT_SUPPORTED",
        "VDI_MISSING",
        "SR_NOT_ATTACHED",
        "SR_HAS_NO_PBDS",
        "OPERATION_NOT_ALLOWED",
        "VDI_INCOMPATIBLE_TYPE",
        "VDI_NO_CBT_METADATA",
        "VDI_IN_USE",
        "VDI_IS_A_PHYSICAL_DEVICE",
    ])
    .or_async(),
    Message::new("disable_cbt", "inverness", VmAdmin, "No longer tracks changed blocks.")
        .params(&[Param::new("self", Ref("VDI"))])
        .errors(&[
            "SR_OPERATION_NOT_SUPPORTED",
            "VDI_MISSING",
            "SR_NOT_ATTACHED",
            "SR_HAS_NO_PBDS",
            "OPERATION_NOT_ALLOWED",
            "VDI_INCOMPATIBLE_TYPE",
            "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION",
        ])
        .or_async(),
    Message::new("enable_cbt", "inverness", VmAdmin, "Tracks changed blocks from now on.")
        .params(&[Param::new("self", Ref("VDI"))])
        .errors(&[
            "SR_OPERATION_NOT_SUPPORTED",
            "VDI_MISSING",
            "SR_NOT_ATTACHED",
            "SR_HAS_NO_PBDS",
            "OPERATION_NOT_ALLOWED",
            "VDI_INCOMPATIBLE_TYPE",
            "VDI_ON_BOOT_MODE_INCOMPATIBLE_WITH_OPERATION",
        ])
        .or_async(),
    Message::new("forget", "rio", VmAdmin, "Removes the record and leaves the data.")
        .params(&[Param::new("vdi", Ref("VDI"))])
        .or_async(),
    Message::new("introduce", "miami", VmAdmin, "Makes a disk that is in the SR known; scan does it better.")
        .params(&[
            Param::new("uuid", Text),
            Param::new("name_label", Text),
            Param::new("name_description", Text),
            Param::new("SR", Ref("SR")),
            Param::new("type", Enum(&VDI_TYPE)),
            Param::new("sharable", Bool),
            Param::new("read_only", Bool),
            Param::new("other_config", TEXT_MAP),
            Param::new("location", Text),
            Param::optional("xenstore_data", TEXT_MAP, Default::EmptyMap),
            Param::optional("sm_config", TEXT_MAP, Default::EmptyMap),
            Param::optional("managed", Bool, Default::Bool(true)),
            Param::optional("virtual_size", Int, Default::Int(0)),
            Param::optional("physical_utilisation", Int, Default::Int(0)),
            Param::optional("metadata_of_pool", Ref("pool"), Default::Null),
            Param::optional("is_a_snapshot", Bool, Default::Bool(false)),
            Param::optional("snapshot_time", Time, Default::Epoch),
            Param::optional("snapshot_of", Ref("VDI"), Default::Null),
        ])
        .result(Ref("VDI"))
        .errors(&["SR_OPERATION_NOT_SUPPORTED"])
        .or_async(),
    Message::new(
        "open_database",
        "boston",
        PoolOperator,
        "Opens a session that reads the database on this disk.",
    )
    .params(&[Param::new("self", Ref("VDI"))])
    .result(Ref("session"))
    .or_async(),
    Message::new("pool_migrate", "tampa", VmPowerAdmin, "Moves it to another SR, in use or not.")
        .params(&[
            Param::new("vdi", Ref("VDI")),
            Param::new("sr", Ref("SR")),
            Param::new("options", TEXT_MAP),
        ])
        .result(Ref("VDI"))
        .or_async(),
    Message::new(
        "read_database_pool_uuid",
        "boston",
        ReadOnly,
        "Answers the uuid of the pool whose database it holds.",
    )
    .params(&[Param::new("self", Ref("VDI"))])
    .result(Text)
    .or_async(),
    Message::new(
        "resize",
        "rio",
        VmAdmin,
        "Changes its size; the guest must not use it unless the SR can do that.",
    )
    .params(&[Param::new("vdi", Ref("VDI")), Param::new("size", Int)])
    .or_async(),
    Message::new("resize_online", "rio", VmAdmin, "Grew it while a guest used it.")
        .params(&[Param::new("vdi", Ref("VDI")), Param::new("size", Int)])
        .or_async(),
    Message::new("snapshot", "rio", VmAdmin, "Makes a read-only copy of it as it is now.")
        .params(&[
            Param::new("vdi", Ref("VDI")),
            Param::optional("driver_params", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Ref("VDI"))
        .or_async(),
    Message::new("update", "symc", VmAdmin, "Asks the SR to bring the record up to date.")
        .params(&[Param::new("vdi", Ref("VDI"))])
        .errors(&["SR_OPERATION_NOT_SUPPORTED"])
        .or_async(),
    Message::new("set_allow_caching", "cowley", VmAdmin, "Says whether it may be cached.")
        .params(&[Param::new("self", Ref("VDI")), Param::new("value", Bool)])
        .or_async(),
    Message::new("set_name_description", "rio", VmAdmin, "Sets the free text.")
        .params(&[Param::new("self", Ref("VDI")), Param::new("value", Text)])
        .or_async(),
    Message::new("set_name_label", "rio", VmAdmin, "Sets the name.")
        .params(&[Param::new("self", Ref("VDI")), Param::new("value", Text)])
        .or_async(),
    Message::new("set_on_boot", "cowley", VmAdmin, "Says whether what a VM wrote is kept.")
        .params(&[Param::new("self", Ref("VDI")), Param::new("value", Enum(&ON_BOOT))])
        .or_async(),
    Message::new("set_read_only", "rio", VmAdmin, "Says whether it must not be written.")
        .params(&[Param::new("self", Ref("VDI")), Param::new("value", Bool)]),
    Message::new("set_sharable", "george", VmAdmin, "Says whether several VMs may write it at once.")
        .params(&[Param::new("self", Ref("VDI")), Param::new("value", Bool)]),
    Message::new("get_nbd_info", "inverness", VmAdmin, "Answers how to read it over the network.")
        .params(&[Param::new("self", Ref("VDI"))])
        .result(Set(&Record("vdi_nbd_server_info")))
        .errors(&["VDI_INCOMPATIBLE_TYPE"]),
    Message::new(
        "list_changed_blocks",
        "inverness",
        VmOperator,
        "Answers which blocks changed between two snapshots, as a bitmap in base64.",
    )
    .params(&[Param::new("vdi_from", Ref("VDI")), Param::new("vdi_to", Ref("VDI"))])
    .result(Text)
    .errors(&["SR_OPERATION_NOT_SUPPORTED", "VDI_MISSING", "SR_NOT_ATTACHED", "SR_HAS_NO_PBDS", "VDI_IN_USE"])
    .or_async(),
    Message::new("revert", "26.16.0", VmPowerAdmin, "Takes a disk back to a snapshot.")
        .params(&[Param::new("snapshot", Ref("VDI"))])
        .errors(&["UNIMPLEMENTED_IN_SM_BACKEND"])
        .or_async()
        .prototyped(),
    Message::new("pool_introduce", "rio", VmAdmin, "Makes the record, for the pool itself.")
        .params(&[
            Param::new("uuid", Text),
            Param::new("name_label", Text),
            Param::new("name_description", Text),
            Param::new("SR", Ref("SR")),
            Param::new("type", Enum(&VDI_TYPE)),
            Param::new("sharable", Bool),
            Param::new("read_only", Bool),
            Param::new("other_config", TEXT_MAP),
            Param::new("location", Text),
            Param::optional("xenstore_data", TEXT_MAP, Default::EmptyMap),
            Param::optional("sm_config", TEXT_MAP, Default::EmptyMap),
            Param::optional("managed", Bool, Default::Bool(true)),
            Param::optional("virtual_size", Int, Default::Int(0)),
            Param::optional("physical_utilisation", Int, Default::Int(0)),
            Param::optional("metadata_of_pool", Ref("pool"), Default::Null),
            Param::optional("is_a_snapshot", Bool, Default::Bool(false)),
            Param::optional("snapshot_time", Time, Default::Epoch),
            Param::optional("snapshot_of", Ref("VDI"), Default::Null),
            Param::optional("cbt_enabled", Bool, Default::Bool(false)),
        ])
        .result(Ref("VDI"))
        .or_async()
        .hidden(),
    Message::new("db_introduce", "rio", VmAdmin, "Makes the record, for storage drivers.")
        .params(&[
            Param::new("uuid", Text),
            Param::new("name_label", Text),
            Param::new("name_description", Text),
            Param::new("SR", Ref("SR")),
            Param::new("type", Enum(&VDI_TYPE)),
            Param::new("sharable", Bool),
            Param::new("read_only", Bool),
            Param::new("other_config", TEXT_MAP),
            Param::new("location", Text),
            Param::optional("xenstore_data", TEXT_MAP, Default::EmptyMap),
            Param::optional("sm_config", TEXT_MAP, Default::EmptyMap),
            Param::optional("managed", Bool, Default::Bool(true)),
            Param::optional("virtual_size", Int, Default::Int(0)),
            Param::optional("physical_utilisation", Int, Default::Int(0)),
            Param::optional("metadata_of_pool", Ref("pool"), Default::Null),
            Param::optional("is_a_snapshot", Bool, Default::Bool(false)),
            Param::optional("snapshot_time", Time, Default::Epoch),
            Param::optional("snapshot_of", Ref("VDI"), Default::Null),
            Param::optional("cbt_enabled", Bool, Default::Bool(false)),
        ])
        .result(Ref("VDI"))
        .or_async()
        .hidden(),
    Message::new("db_forget", "miami", LocalRoot, "Removes the record, for storage drivers.")
        .params(&[Param::new("vdi", Ref("VDI"))])
        .or_async()
        .hidden(),
    Message::new("force_unlock", "rio", VmAdmin, "Took a lock away.")
        .params(&[Param::new("vdi", Ref("VDI"))])
        .or_async()
        .hidden()
        .deprecated("miami"),
    Message::new("set_managed", "rio", LocalRoot, "Says whether VMs may use it, for storage drivers.")
        .params(&[Param::new("self", Ref("VDI")), Param::new("value", Bool)])
        .hidden(),
    Message::new("set_missing", "miami", LocalRoot, "Says whether it was not found, for storage drivers.")
        .params(&[Param::new("self", Ref("VDI")), Param::new("value", Bool)])
        .hidden(),
    Message::new("set_virtual_size", "miami", LocalRoot, "Sets the size recorded, for storage drivers.")
        .params(&[Param::new("self", Ref("VDI")), Param::new("value", Int)])
        .hidden(),
    Message::new(
        "set_physical_utilisation",
        "miami",
        LocalRoot,
        "Sets the bytes taken, for storage drivers.",
    )
    .params(&[Param::new("self", Ref("VDI")), Param::new("value", Int)])
    .hidden(),
    Message::new(
        "set_is_a_snapshot",
        "boston",
        LocalRoot,
        "Says whether it is a snapshot, for the pool itself.",
    )
    .params(&[Param::new("self", Ref("VDI")), Param::new("value", Bool)])
    .hidden(),
    Message::new(
        "set_snapshot_of",
        "boston",
        LocalRoot,
        "Says what it is a snapshot of, for the pool itself.",
    )
    .params(&[Param::new("self", Ref("VDI")), Param::new("value", Ref("VDI"))])
    .hidden(),
    Message::new(
        "set_snapshot_time",
        "boston",
        LocalRoot,
        "Sets when the snapshot was taken, for the pool itself.",
    )
    .params(&[Param::new("self", Ref("VDI")), Param::new("value", Time)])
    .hidden(),
    Message::new(
        "set_metadata_of_pool",
        "boston",
        LocalRoot,
        "Says whose metadata it holds, for the pool itself.",
    )
    .params(&[Param::new("self", Ref("VDI")), Param::new("value", Ref("pool"))])
    .hidden(),
    Message::new("generate_config", "orlando", VmAdmin, "Answers what is needed to attach it at boot.")
        .params(&[Param::new("host", Ref("host")), Param::new("vdi", Ref("VDI"))])
        .result(Text)
        .or_async()
        .hidden(),
    Message::new("checksum", "boston", VmAdmin, "Answers a checksum of its data.")
        .params(&[Param::new("self", Ref("VDI"))])
        .result(Text)
        .or_async()
        .hidden(),
    Message::new(
        "set_cbt_enabled",
        "inverness",
        LocalRoot,
        "Says whether changed blocks are tracked, for storage drivers.",
    )
    .params(&[Param::new("self", Ref("VDI")), Param::new("value", Bool)])
    .or_async()
    .hidden(),
];
