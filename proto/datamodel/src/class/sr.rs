//! The class `SR`.

use crate::model;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("SR", "rio", "A storage repository: a place for virtual disks.")
    .fields(FIELDS)
    .messages(MESSAGES);

/// `storage_operations`
pub const STORAGE_OPERATIONS: model::Enum = model::Enum::new(
    "storage_operations",
    &[
        "scan",
        "destroy",
        "forget",
        "plug",
        "unplug",
        "update",
        "vdi_create",
        "vdi_introduce",
        "vdi_destroy",
        "vdi_resize",
        "vdi_clone",
        "vdi_snapshot",
        "vdi_mirror",
        "vdi_enable_cbt",
        "vdi_disable_cbt",
        "vdi_data_destroy",
        "vdi_list_changed_blocks",
        "vdi_set_on_boot",
        "vdi_blocked",
        "vdi_copy",
        "vdi_force_unlock",
        "vdi_forget",
        "vdi_generate_config",
        "vdi_resize_online",
        "vdi_update",
        "vdi_revert",
        "pbd_create",
        "pbd_destroy",
    ],
);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::fixed("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::fixed("name_description", Text, "rio", "Free text about the object.").default(Default::Text("")),
    Field::runtime(
        "allowed_operations",
        Set(&Enum(&STORAGE_OPERATIONS)),
        "rio",
        "Operations that could begin now.",
    )
    .default(Default::EmptySet)
    .volatile(),
    Field::runtime(
        "current_operations",
        Map(&Text, &Enum(&STORAGE_OPERATIONS)),
        "rio",
        "Operations under way, by task.",
    )
    .default(Default::EmptyMap)
    .volatile(),
    Field::runtime("VDIs", Set(&Ref("VDI")), "rio", "The disks in it.").rows_of("VDI", "SR"),
    Field::runtime("PBDs", Set(&Ref("PBD")), "rio", "The hosts' connections to it.").rows_of("PBD", "SR"),
    Field::runtime("virtual_allocation", Int, "rio", "Bytes its disks would take if they were full."),
    Field::runtime("physical_utilisation", Int, "rio", "Bytes its disks take."),
    Field::fixed("physical_size", Int, "rio", "Bytes it holds."),
    Field::fixed("type", Text, "rio", "Name of the storage driver."),
    Field::fixed("content_type", Text, "rio", "What it is for: `user`, `iso`; mostly empty."),
    Field::runtime("shared", Bool, "rio", "True if several hosts can use it at once."),
    Field::settable("other_config", TEXT_MAP, "rio", "Further settings as keys and values.")
        .key_roles(&[("folder", VmOperator), ("XenCenter.CustomFields.*", VmOperator)]),
    Field::settable("tags", TEXTS, "orlando", "Words by which people group objects.")
        .default(Default::EmptySet)
        .writer(VmOperator),
    Field::settable("sm_config", TEXT_MAP, "miami", "Keys that the storage driver keeps here.")
        .default(Default::EmptyMap),
    Field::runtime("blobs", Map(&Text, &Ref("blob")), "orlando", "Attached blobs by name.")
        .default(Default::EmptyMap),
    Field::runtime("local_cache_enabled", Bool, "cowley", "True if it caches disks of other SRs.")
        .default(Default::Bool(false)),
    Field::runtime("introduced_by", Ref("DR_task"), "boston", "The recovery task that brought it.")
        .default(Default::Null),
    Field::runtime("clustered", Bool, "dundee", "True if the hosts that use it form a cluster.")
        .default(Default::Bool(false)),
    Field::runtime("is_tools_sr", Bool, "dundee", "True for the SR of the guest tools.")
        .default(Default::Bool(false)),
    Field::internal("default_vdi_visibility", Bool, "rio", "Whether new disks are managed."),
];

const MESSAGES: &[Message] = &[
    Message::new(
        "create",
        "rio",
        PoolOperator,
        "Makes a repository, and connects the hosts that can use it.",
    )
    .params(&[
        Param::new("host", Ref("host")),
        Param::new("device_config", TEXT_MAP),
        Param::new("physical_size", Int),
        Param::new("name_label", Text),
        Param::new("name_description", Text),
        Param::new("type", Text),
        Param::new("content_type", Text),
        Param::new("shared", Bool),
        Param::optional("sm_config", TEXT_MAP, Default::EmptyMap),
    ])
    .result(Ref("SR"))
    .errors(&["SR_UNKNOWN_DRIVER"])
    .or_async(),
    Message::new("create_new_blob", "orlando", PoolOperator, "Attaches an empty blob to the repository.")
        .params(&[
            Param::new("sr", Ref("SR")),
            Param::new("name", Text),
            Param::new("mime_type", Text),
            Param::optional("public", Bool, Default::Bool(false)),
        ])
        .result(Ref("blob"))
        .or_async(),
    Message::new("destroy", "rio", PoolOperator, "Destroys the repository with its data.")
        .params(&[Param::new("sr", Ref("SR"))])
        .errors(&["SR_HAS_PBD"])
        .or_async(),
    Message::new(
        "disable_database_replication",
        "boston",
        PoolOperator,
        "No longer writes the pool's metadata to it.",
    )
    .params(&[Param::new("sr", Ref("SR"))])
    .or_async(),
    Message::new(
        "enable_database_replication",
        "boston",
        PoolOperator,
        "Writes the pool's metadata to it from now on.",
    )
    .params(&[Param::new("sr", Ref("SR"))])
    .or_async(),
    Message::new("forget", "rio", PoolOperator, "Removes the record and leaves the data.")
        .params(&[Param::new("sr", Ref("SR"))])
        .errors(&["SR_HAS_PBD"])
        .or_async(),
    Message::new(
        "forget_data_source_archives",
        "dundee",
        PoolOperator,
        "Forgets what was recorded of a data source.",
    )
    .params(&[Param::new("sr", Ref("SR")), Param::new("data_source", Text)]),
    Message::new("introduce", "rio", PoolOperator, "Makes the record of a repository that exists.")
        .params(&[
            Param::new("uuid", Text),
            Param::new("name_label", Text),
            Param::new("name_description", Text),
            Param::new("type", Text),
            Param::new("content_type", Text),
            Param::new("shared", Bool),
            Param::optional("sm_config", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Ref("SR"))
        .or_async(),
    Message::new("probe", "miami", PoolOperator, "Answers what is found at a place, as XML.")
        .params(&[
            Param::new("host", Ref("host")),
            Param::new("device_config", TEXT_MAP),
            Param::new("type", Text),
            Param::optional("sm_config", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Text)
        .or_async(),
    Message::new("probe_ext", "lima", PoolOperator, "Answers what is found at a place, as records.")
        .params(&[
            Param::new("host", Ref("host")),
            Param::new("device_config", TEXT_MAP),
            Param::new("type", Text),
            Param::optional("sm_config", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Set(&Record("probe_result")))
        .or_async(),
    Message::new("record_data_source", "dundee", PoolOperator, "Begins to record a data source.")
        .params(&[Param::new("sr", Ref("SR")), Param::new("data_source", Text)]),
    Message::new("scan", "rio", VmPowerAdmin, "Brings the records of its disks in line with what it holds.")
        .params(&[Param::new("sr", Ref("SR"))])
        .or_async(),
    Message::new("update", "symc", PoolOperator, "Asks the driver to bring the record up to date.")
        .params(&[Param::new("sr", Ref("SR"))])
        .or_async(),
    Message::new("set_name_description", "rio", PoolOperator, "Sets the free text.")
        .params(&[Param::new("sr", Ref("SR")), Param::new("value", Text)])
        .or_async(),
    Message::new("set_name_label", "rio", PoolOperator, "Sets the name.")
        .params(&[Param::new("sr", Ref("SR")), Param::new("value", Text)])
        .or_async(),
    Message::new("set_physical_size", "miami", PoolOperator, "Sets the size recorded.")
        .params(&[Param::new("self", Ref("SR")), Param::new("value", Int)]),
    Message::new("set_shared", "rio", PoolOperator, "Says whether several hosts can use it at once.")
        .params(&[Param::new("sr", Ref("SR")), Param::new("value", Bool)])
        .or_async(),
    Message::new(
        "assert_can_host_ha_statefile",
        "orlando",
        PoolOperator,
        "Fails unless it could hold heartbeats.",
    )
    .params(&[Param::new("sr", Ref("SR"))])
    .or_async(),
    Message::new(
        "assert_supports_database_replication",
        "boston",
        PoolOperator,
        "Fails unless it could hold the pool's metadata.",
    )
    .params(&[Param::new("sr", Ref("SR"))])
    .or_async(),
    Message::new("get_data_sources", "dundee", ReadOnly, "Lists what can be measured of it.")
        .params(&[Param::new("sr", Ref("SR"))])
        .result(Set(&Record("data_source"))),
    Message::new("get_supported_types", "rio", ReadOnly, "Lists the storage drivers.").result(TEXTS),
    Message::new("query_data_source", "dundee", ReadOnly, "Answers the present value of a data source.")
        .params(&[Param::new("sr", Ref("SR")), Param::new("data_source", Text)])
        .result(Float),
    Message::new("make", "rio", PoolOperator, "Made storage without a record.")
        .params(&[
            Param::new("host", Ref("host")),
            Param::new("device_config", TEXT_MAP),
            Param::new("physical_size", Int),
            Param::new("name_label", Text),
            Param::new("name_description", Text),
            Param::new("type", Text),
            Param::new("content_type", Text),
            Param::optional("sm_config", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Text)
        .or_async()
        .deprecated("miami"),
    Message::new(
        "set_virtual_allocation",
        "miami",
        LocalRoot,
        "Sets the bytes its disks would take, for storage drivers.",
    )
    .params(&[Param::new("self", Ref("SR")), Param::new("value", Int)])
    .hidden(),
    Message::new(
        "set_physical_utilisation",
        "miami",
        LocalRoot,
        "Sets the bytes its disks take, for storage drivers.",
    )
    .params(&[Param::new("self", Ref("SR")), Param::new("value", Int)])
    .hidden(),
    Message::new(
        "get_live_hosts",
        "stockholm",
        PoolOperator,
        "Lists the enabled, live hosts that are connected to it.",
    )
    .params(&[Param::new("sr", Ref("SR"))])
    .result(Set(&Ref("host")))
    .or_async()
    .hidden(),
];
