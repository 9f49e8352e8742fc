//! The class `SR`.

use crate::model;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("SR", "rio", "A SR of the pool.")
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
    Field::runtime(
        "VDIs",
        Set(&Ref("VDI")),
        "rio",
        "The VDIs, as a set of references.",
    )
    .rows_of("VDI", "SR"),
    Field::runtime(
        "PBDs",
        Set(&Ref("PBD")),
        "rio",
        "The PBDs, as a set of references.",
    )
    .rows_of("PBD", "SR"),
    Field::runtime(
        "virtual_allocation",
        Int,
        "rio",
        "The virtual allocation, a number.",
    ),
    Field::runtime(
        "physical_utilisation",
        Int,
        "rio",
        "The physical utilisation, a number.",
    ),
    Field::fixed("physical_size", Int, "rio", "The physical size, a number."),
    Field::fixed("type", Text, "rio", "Kind of the object."),
    Field::fixed("content_type", Text, "rio", "The content type."),
    Field::runtime("shared", Bool, "rio", "True if shared."),
    Field::settable(
        "other_config",
        TEXT_MAP,
        "rio",
        "Further settings as keys and values.",
    )
    .key_roles(&[("folder", VmOperator), ("XenCenter.CustomFields.*", VmOperator)]),
    Field::settable("tags", TEXTS, "orlando", "Words by which people group objects.")
        .default(Default::EmptySet)
        .writer(VmOperator),
    Field::settable(
        "sm_config",
        TEXT_MAP,
        "miami",
        "Keys that the storage driver keeps here.",
    )
    .default(Default::EmptyMap),
    Field::runtime(
        "blobs",
        Map(&Text, &Ref("blob")),
        "orlando",
        "Attached blobs by name.",
    )
    .default(Default::EmptyMap),
    Field::runtime(
        "local_cache_enabled",
        Bool,
        "cowley",
        "True if local cache enabled.",
    )
    .default(Default::Bool(false)),
    Field::runtime(
        "introduced_by",
        Ref("DR_task"),
        "boston",
        "The introduced by: a DR task.",
    )
    .default(Default::Null),
    Field::runtime("clustered", Bool, "dundee", "True if clustered.").default(Default::Bool(false)),
    Field::runtime("is_tools_sr", Bool, "dundee", "True if it is tools SR.").default(Default::Bool(false)),
    Field::internal(
        "default_vdi_visibility",
        Bool,
        "rio",
        "True if default VDI visibility.",
    ),
];

const MESSAGES: &[Message] = &[
    Message::new(
        "assert_can_host_ha_statefile",
        "orlando",
        PoolOperator,
        "Fails unless can host HA statefile holds.",
    )
    .params(&[Param::new("sr", Ref("SR"))])
    .or_async(),
    Message::new(
        "assert_supports_database_replication",
        "boston",
        PoolOperator,
        "Fails unless supports database replication holds.",
    )
    .params(&[Param::new("sr", Ref("SR"))])
    .or_async(),
    Message::new("create", "rio", PoolOperator, "Creates a SR.")
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
    Message::new(
        "create_new_blob",
        "orlando",
        PoolOperator,
        "Creates new blob of the SR.",
    )
    .params(&[
        Param::new("sr", Ref("SR")),
        Param::new("name", Text),
        Param::new("mime_type", Text),
        Param::optional("public", Bool, Default::Bool(false)),
    ])
    .result(Ref("blob"))
    .or_async(),
    Message::new("destroy", "rio", PoolOperator, "Destroys the SR.")
        .params(&[Param::new("sr", Ref("SR"))])
        .errors(&["SR_HAS_PBD"])
        .or_async(),
    Message::new(
        "disable_database_replication",
        "boston",
        PoolOperator,
        "Disables database replication of the SR.",
    )
    .params(&[Param::new("sr", Ref("SR"))])
    .or_async(),
    Message::new(
        "enable_database_replication",
        "boston",
        PoolOperator,
        "Enables database replication of the SR.",
    )
    .params(&[Param::new("sr", Ref("SR"))])
    .or_async(),
    Message::new(
        "forget",
        "rio",
        PoolOperator,
        "Removes the SR from the database, leaving what it stands for.",
    )
    .params(&[Param::new("sr", Ref("SR"))])
    .errors(&["SR_HAS_PBD"])
    .or_async(),
    Message::new(
        "forget_data_source_archives",
        "dundee",
        PoolOperator,
        "Forgets data source archives of the SR.",
    )
    .params(&[Param::new("sr", Ref("SR")), Param::new("data_source", Text)]),
    Message::new(
        "get_data_sources",
        "dundee",
        ReadOnly,
        "Answers data sources of the SR.",
    )
    .params(&[Param::new("sr", Ref("SR"))])
    .result(Set(&Record("data_source"))),
    Message::new(
        "get_supported_types",
        "rio",
        ReadOnly,
        "Answers supported types of the SR.",
    )
    .result(TEXTS),
    Message::new(
        "introduce",
        "rio",
        PoolOperator,
        "Makes an existing SR known to the pool.",
    )
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
    Message::new("probe", "miami", PoolOperator, "Probes the SR.")
        .params(&[
            Param::new("host", Ref("host")),
            Param::new("device_config", TEXT_MAP),
            Param::new("type", Text),
            Param::optional("sm_config", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Text)
        .or_async(),
    Message::new("probe_ext", "lima", PoolOperator, "Probes ext of the SR.")
        .params(&[
            Param::new("host", Ref("host")),
            Param::new("device_config", TEXT_MAP),
            Param::new("type", Text),
            Param::optional("sm_config", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Set(&Record("probe_result")))
        .or_async(),
    Message::new(
        "query_data_source",
        "dundee",
        ReadOnly,
        "Queries data source of the SR.",
    )
    .params(&[Param::new("sr", Ref("SR")), Param::new("data_source", Text)])
    .result(Float),
    Message::new(
        "record_data_source",
        "dundee",
        PoolOperator,
        "Records data source of the SR.",
    )
    .params(&[Param::new("sr", Ref("SR")), Param::new("data_source", Text)]),
    Message::new("scan", "rio", VmPowerAdmin, "Scans the SR.")
        .params(&[Param::new("sr", Ref("SR"))])
        .or_async(),
    Message::new(
        "set_name_description",
        "rio",
        PoolOperator,
        "Sets name description of the SR.",
    )
    .params(&[Param::new("sr", Ref("SR")), Param::new("value", Text)])
    .or_async(),
    Message::new(
        "set_name_label",
        "rio",
        PoolOperator,
        "Sets name label of the SR.",
    )
    .params(&[Param::new("sr", Ref("SR")), Param::new("value", Text)])
    .or_async(),
    Message::new(
        "set_physical_size",
        "miami",
        PoolOperator,
        "Sets physical size of the SR.",
    )
    .params(&[Param::new("self", Ref("SR")), Param::new("value", Int)]),
    Message::new("set_shared", "rio", PoolOperator, "Sets shared of the SR.")
        .params(&[Param::new("sr", Ref("SR")), Param::new("value", Bool)])
        .or_async(),
    Message::new("update", "symc", PoolOperator, "Updates the SR.")
        .params(&[Param::new("sr", Ref("SR"))])
        .or_async(),
    Message::new(
        "set_virtual_allocation",
        "miami",
        LocalRoot,
        "Sets virtual allocation of the SR.",
    )
    .params(&[Param::new("self", Ref("SR")), Param::new("value", Int)])
    .hidden(),
    Message::new(
        "set_physical_utilisation",
        "miami",
        LocalRoot,
        "Sets physical utilisation of the SR.",
    )
    .params(&[Param::new("self", Ref("SR")), Param::new("value", Int)])
    .hidden(),
    Message::new(
        "get_live_hosts",
        "stockholm",
        PoolOperator,
        "Answers live hosts of the SR.",
    )
    .params(&[Param::new("sr", Ref("SR"))])
    .result(Set(&Ref("host")))
    .or_async()
    .hidden(),
    Message::new("make", "rio", PoolOperator, "Makes the SR.")
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
];
