//! Messages of the class `VDI`.

use super::enums::*;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Messages beyond the generic ones.
pub(super) const MESSAGES: &[Message] = &[
    Message::new("clone", "rio", VmAdmin, "Clones the VDI.")
        .params(&[
            Param::new("vdi", Ref("VDI")),
            Param::optional("driver_params", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Ref("VDI"))
        .or_async(),
    Message::new("copy", "rio", VmAdmin, "Copies the VDI.")
        .params(&[
            Param::new("vdi", Ref("VDI")),
            Param::optional("sr", Ref("SR"), Default::Null),
            Param::optional("base_vdi", Ref("VDI"), Default::Null),
            Param::optional("into_vdi", Ref("VDI"), Default::Null),
        ])
        .result(Ref("VDI"))
        .errors(&["VDI_READONLY", "VDI_TOO_SMALL", "VDI_NOT_SPARSE"])
        .or_async(),
    Message::new("data_destroy", "inverness", VmAdmin, "Datas destroy of the VDI.")
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
    Message::new(
        "disable_cbt",
        "inverness",
        VmAdmin,
        "Disables changed block tracking of the VDI.",
    )
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
    Message::new(
        "enable_cbt",
        "inverness",
        VmAdmin,
        "Enables changed block tracking of the VDI.",
    )
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
    Message::new(
        "forget",
        "rio",
        VmAdmin,
        "Removes the VDI from the database, leaving what it stands for.",
    )
    .params(&[Param::new("vdi", Ref("VDI"))])
    .or_async(),
    Message::new(
        "get_nbd_info",
        "inverness",
        VmAdmin,
        "Answers NBD info of the VDI.",
    )
    .params(&[Param::new("self", Ref("VDI"))])
    .result(Set(&Record("vdi_nbd_server_info")))
    .errors(&["VDI_INCOMPATIBLE_TYPE"]),
    Message::new(
        "introduce",
        "miami",
        VmAdmin,
        "Makes an existing VDI known to the pool.",
    )
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
        "list_changed_blocks",
        "inverness",
        VmOperator,
        "Lists changed blocks of the VDI.",
    )
    .params(&[
        Param::new("vdi_from", Ref("VDI")),
        Param::new("vdi_to", Ref("VDI")),
    ])
    .result(Text)
    .errors(&[
        "SR_OPERATION_NOT_SUPPORTED",
        "VDI_MISSING",
        "SR_NOT_ATTACHED",
        "SR_HAS_NO_PBDS",
        "VDI_IN_USE",
    ])
    .or_async(),
    Message::new(
        "open_database",
        "boston",
        PoolOperator,
        "Opens database of the VDI.",
    )
    .params(&[Param::new("self", Ref("VDI"))])
    .result(Ref("session"))
    .or_async(),
    Message::new("pool_migrate", "tampa", VmPowerAdmin, "Pools migrate of the VDI.")
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
        "Reads database pool uuid of the VDI.",
    )
    .params(&[Param::new("self", Ref("VDI"))])
    .result(Text)
    .or_async(),
    Message::new("resize", "rio", VmAdmin, "Resizes the VDI.")
        .params(&[Param::new("vdi", Ref("VDI")), Param::new("size", Int)])
        .or_async(),
    Message::new("resize_online", "rio", VmAdmin, "Resizes online of the VDI.")
        .params(&[Param::new("vdi", Ref("VDI")), Param::new("size", Int)])
        .or_async(),
    Message::new(
        "set_allow_caching",
        "cowley",
        VmAdmin,
        "Sets allow caching of the VDI.",
    )
    .params(&[Param::new("self", Ref("VDI")), Param::new("value", Bool)])
    .or_async(),
    Message::new(
        "set_name_description",
        "rio",
        VmAdmin,
        "Sets name description of the VDI.",
    )
    .params(&[Param::new("self", Ref("VDI")), Param::new("value", Text)])
    .or_async(),
    Message::new("set_name_label", "rio", VmAdmin, "Sets name label of the VDI.")
        .params(&[Param::new("self", Ref("VDI")), Param::new("value", Text)])
        .or_async(),
    Message::new("set_on_boot", "cowley", VmAdmin, "Sets on boot of the VDI.")
        .params(&[
            Param::new("self", Ref("VDI")),
            Param::new("value", Enum(&ON_BOOT)),
        ])
        .or_async(),
    Message::new("set_read_only", "rio", VmAdmin, "Sets read only of the VDI.")
        .params(&[Param::new("self", Ref("VDI")), Param::new("value", Bool)]),
    Message::new("set_sharable", "george", VmAdmin, "Sets sharable of the VDI.")
        .params(&[Param::new("self", Ref("VDI")), Param::new("value", Bool)]),
    Message::new("snapshot", "rio", VmAdmin, "Snapshots the VDI.")
        .params(&[
            Param::new("vdi", Ref("VDI")),
            Param::optional("driver_params", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Ref("VDI"))
        .or_async(),
    Message::new("update", "symc", VmAdmin, "Updates the VDI.")
        .params(&[Param::new("vdi", Ref("VDI"))])
        .errors(&["SR_OPERATION_NOT_SUPPORTED"])
        .or_async(),
    Message::new("pool_introduce", "rio", VmAdmin, "Pools introduce of the VDI.")
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
    Message::new("db_introduce", "rio", VmAdmin, "Dbs introduce of the VDI.")
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
    Message::new("db_forget", "miami", LocalRoot, "Dbs forget of the VDI.")
        .params(&[Param::new("vdi", Ref("VDI"))])
        .or_async()
        .hidden(),
    Message::new("force_unlock", "rio", VmAdmin, "Forces unlock of the VDI.")
        .params(&[Param::new("vdi", Ref("VDI"))])
        .or_async()
        .hidden()
        .deprecated("miami"),
    Message::new("set_managed", "rio", LocalRoot, "Sets managed of the VDI.")
        .params(&[Param::new("self", Ref("VDI")), Param::new("value", Bool)])
        .hidden(),
    Message::new("set_missing", "miami", LocalRoot, "Sets missing of the VDI.")
        .params(&[Param::new("self", Ref("VDI")), Param::new("value", Bool)])
        .hidden(),
    Message::new(
        "set_virtual_size",
        "miami",
        LocalRoot,
        "Sets virtual size of the VDI.",
    )
    .params(&[Param::new("self", Ref("VDI")), Param::new("value", Int)])
    .hidden(),
    Message::new(
        "set_physical_utilisation",
        "miami",
        LocalRoot,
        "Sets physical utilisation of the VDI.",
    )
    .params(&[Param::new("self", Ref("VDI")), Param::new("value", Int)])
    .hidden(),
    Message::new(
        "set_is_a_snapshot",
        "boston",
        LocalRoot,
        "Sets is a snapshot of the VDI.",
    )
    .params(&[Param::new("self", Ref("VDI")), Param::new("value", Bool)])
    .hidden(),
    Message::new(
        "set_snapshot_of",
        "boston",
        LocalRoot,
        "Sets snapshot of of the VDI.",
    )
    .params(&[Param::new("self", Ref("VDI")), Param::new("value", Ref("VDI"))])
    .hidden(),
    Message::new(
        "set_snapshot_time",
        "boston",
        LocalRoot,
        "Sets snapshot time of the VDI.",
    )
    .params(&[Param::new("self", Ref("VDI")), Param::new("value", Time)])
    .hidden(),
    Message::new(
        "set_metadata_of_pool",
        "boston",
        LocalRoot,
        "Sets metadata of pool of the VDI.",
    )
    .params(&[Param::new("self", Ref("VDI")), Param::new("value", Ref("pool"))])
    .hidden(),
    Message::new(
        "generate_config",
        "orlando",
        VmAdmin,
        "Generates config of the VDI.",
    )
    .params(&[Param::new("host", Ref("host")), Param::new("vdi", Ref("VDI"))])
    .result(Text)
    .or_async()
    .hidden(),
    Message::new("checksum", "boston", VmAdmin, "Checksums the VDI.")
        .params(&[Param::new("self", Ref("VDI"))])
        .result(Text)
        .or_async()
        .hidden(),
    Message::new(
        "set_cbt_enabled",
        "inverness",
        LocalRoot,
        "Sets changed block tracking enabled of the VDI.",
    )
    .params(&[Param::new("self", Ref("VDI")), Param::new("value", Bool)])
    .or_async()
    .hidden(),
    Message::new("revert", "26.16.0", VmPowerAdmin, "Reverts the VDI.")
        .params(&[Param::new("snapshot", Ref("VDI"))])
        .errors(&["UNIMPLEMENTED_IN_SM_BACKEND"])
        .or_async()
        .prototyped(),
];
