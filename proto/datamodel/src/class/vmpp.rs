//! The class `VMPP`.

use crate::model;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("VMPP", "cowley", "A policy of snapshots and archives, of the past.")
    .constructible()
    .deprecated("clearwater")
    .removed("clearwater")
    .fields(FIELDS)
    .messages(MESSAGES);

/// `vmpp_backup_type`
pub const VMPP_BACKUP_TYPE: model::Enum = model::Enum::new("vmpp_backup_type", &["snapshot", "checkpoint"]);

/// `vmpp_backup_frequency`
pub const VMPP_BACKUP_FREQUENCY: model::Enum =
    model::Enum::new("vmpp_backup_frequency", &["hourly", "daily", "weekly"]);

/// `vmpp_archive_frequency`
pub const VMPP_ARCHIVE_FREQUENCY: model::Enum =
    model::Enum::new("vmpp_archive_frequency", &["never", "always_after_backup", "daily", "weekly"]);

/// `vmpp_archive_target_type`
pub const VMPP_ARCHIVE_TARGET_TYPE: model::Enum =
    model::Enum::new("vmpp_archive_target_type", &["none", "cifs", "nfs"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "cowley", "Unique identifier of the object.")
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::settable("name_label", Text, "cowley", "Name shown to people; need not be unique.")
        .default(Default::Text(""))
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::settable("name_description", Text, "cowley", "Free text about the object.")
        .default(Default::Text(""))
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::settable("is_policy_enabled", Bool, "cowley", "True if it is policy enabled.")
        .default(Default::Bool(true))
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::settable("backup_type", Enum(&VMPP_BACKUP_TYPE), "cowley", "The backup type.")
        .default(Default::Text("snapshot"))
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::fixed("backup_retention_value", Int, "cowley", "The backup retention value, a number.")
        .default(Default::Int(7))
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::fixed("backup_frequency", Enum(&VMPP_BACKUP_FREQUENCY), "cowley", "The backup frequency.")
        .default(Default::Text("daily"))
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::fixed("backup_schedule", TEXT_MAP, "cowley", "The backup schedule, as keys and values.")
        .default(Default::EmptyMap)
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::runtime("is_backup_running", Bool, "cowley", "True if it is backup running.")
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::runtime("backup_last_run_time", Time, "cowley", "Time of backup last run time.")
        .default(Default::Epoch)
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::fixed(
        "archive_target_type",
        Enum(&VMPP_ARCHIVE_TARGET_TYPE),
        "cowley",
        "The archive target type.",
    )
    .default(Default::Text("none"))
    .deprecated("clearwater")
    .removed("clearwater"),
    Field::fixed(
        "archive_target_config",
        TEXT_MAP,
        "cowley",
        "The archive target config, as keys and values.",
    )
    .default(Default::EmptyMap)
    .deprecated("clearwater")
    .removed("clearwater"),
    Field::fixed("archive_frequency", Enum(&VMPP_ARCHIVE_FREQUENCY), "cowley", "The archive frequency.")
        .default(Default::Text("never"))
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::fixed("archive_schedule", TEXT_MAP, "cowley", "The archive schedule, as keys and values.")
        .default(Default::EmptyMap)
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::runtime("is_archive_running", Bool, "cowley", "True if it is archive running.")
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::runtime("archive_last_run_time", Time, "cowley", "Time of archive last run time.")
        .default(Default::Epoch)
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::runtime("VMs", Set(&Ref("VM")), "cowley", "The VMs, as a set of references.")
        .rows_of("VM", "protection_policy")
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::fixed("is_alarm_enabled", Bool, "cowley", "True if it is alarm enabled.")
        .default(Default::Bool(false))
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::fixed("alarm_config", TEXT_MAP, "cowley", "The alarm config, as keys and values.")
        .default(Default::EmptyMap)
        .deprecated("clearwater")
        .removed("clearwater"),
    Field::runtime("recent_alerts", TEXTS, "cowley", "The set of recent alerts.")
        .default(Default::EmptySet)
        .deprecated("clearwater")
        .removed("clearwater"),
];

const MESSAGES: &[Message] = &[
    Message::new("add_to_alarm_config", "cowley", PoolOperator, "Adds a key to alarm config of the VMPP.")
        .params(&[Param::new("self", Ref("VMPP")), Param::new("key", Text), Param::new("value", Text)])
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new(
        "add_to_archive_schedule",
        "cowley",
        PoolOperator,
        "Adds a key to archive schedule of the VMPP.",
    )
    .params(&[Param::new("self", Ref("VMPP")), Param::new("key", Text), Param::new("value", Text)])
    .deprecated("clearwater")
    .removed("clearwater"),
    Message::new(
        "add_to_archive_target_config",
        "cowley",
        PoolOperator,
        "Adds a key to archive target config of the VMPP.",
    )
    .params(&[Param::new("self", Ref("VMPP")), Param::new("key", Text), Param::new("value", Text)])
    .deprecated("clearwater")
    .removed("clearwater"),
    Message::new(
        "add_to_backup_schedule",
        "cowley",
        PoolOperator,
        "Adds a key to backup schedule of the VMPP.",
    )
    .params(&[Param::new("self", Ref("VMPP")), Param::new("key", Text), Param::new("value", Text)])
    .deprecated("clearwater")
    .removed("clearwater"),
    Message::new("archive_now", "cowley", VmPowerAdmin, "Archives now of the VMPP.")
        .params(&[Param::new("snapshot", Ref("VM"))])
        .result(Text)
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new("get_alerts", "cowley", PoolOperator, "Answers alerts of the VMPP.")
        .params(&[Param::new("vmpp", Ref("VMPP")), Param::new("hours_from_now", Int)])
        .result(TEXTS)
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new("protect_now", "cowley", PoolOperator, "Protects now of the VMPP.")
        .params(&[Param::new("vmpp", Ref("VMPP"))])
        .result(Text)
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new(
        "remove_from_alarm_config",
        "cowley",
        PoolOperator,
        "Removes a key from alarm config of the VMPP.",
    )
    .params(&[Param::new("self", Ref("VMPP")), Param::new("key", Text)])
    .deprecated("clearwater")
    .removed("clearwater"),
    Message::new(
        "remove_from_archive_schedule",
        "cowley",
        PoolOperator,
        "Removes a key from archive schedule of the VMPP.",
    )
    .params(&[Param::new("self", Ref("VMPP")), Param::new("key", Text)])
    .deprecated("clearwater")
    .removed("clearwater"),
    Message::new(
        "remove_from_archive_target_config",
        "cowley",
        PoolOperator,
        "Removes a key from archive target config of the VMPP.",
    )
    .params(&[Param::new("self", Ref("VMPP")), Param::new("key", Text)])
    .deprecated("clearwater")
    .removed("clearwater"),
    Message::new(
        "remove_from_backup_schedule",
        "cowley",
        PoolOperator,
        "Removes a key from backup schedule of the VMPP.",
    )
    .params(&[Param::new("self", Ref("VMPP")), Param::new("key", Text)])
    .deprecated("clearwater")
    .removed("clearwater"),
    Message::new("set_alarm_config", "cowley", PoolOperator, "Sets alarm config of the VMPP.")
        .params(&[Param::new("self", Ref("VMPP")), Param::new("value", TEXT_MAP)])
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new("set_archive_frequency", "cowley", PoolOperator, "Sets archive frequency of the VMPP.")
        .params(&[Param::new("self", Ref("VMPP")), Param::new("value", Enum(&VMPP_ARCHIVE_FREQUENCY))])
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new("set_archive_last_run_time", "cowley", LocalRoot, "Sets archive last run time of the VMPP.")
        .params(&[Param::new("self", Ref("VMPP")), Param::new("value", Time)])
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new("set_archive_schedule", "cowley", PoolOperator, "Sets archive schedule of the VMPP.")
        .params(&[Param::new("self", Ref("VMPP")), Param::new("value", TEXT_MAP)])
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new(
        "set_archive_target_config",
        "cowley",
        PoolOperator,
        "Sets archive target config of the VMPP.",
    )
    .params(&[Param::new("self", Ref("VMPP")), Param::new("value", TEXT_MAP)])
    .deprecated("clearwater")
    .removed("clearwater"),
    Message::new("set_archive_target_type", "cowley", PoolOperator, "Sets archive target type of the VMPP.")
        .params(&[Param::new("self", Ref("VMPP")), Param::new("value", Enum(&VMPP_ARCHIVE_TARGET_TYPE))])
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new("set_backup_frequency", "cowley", PoolOperator, "Sets backup frequency of the VMPP.")
        .params(&[Param::new("self", Ref("VMPP")), Param::new("value", Enum(&VMPP_BACKUP_FREQUENCY))])
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new("set_backup_last_run_time", "cowley", LocalRoot, "Sets backup last run time of the VMPP.")
        .params(&[Param::new("self", Ref("VMPP")), Param::new("value", Time)])
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new(
        "set_backup_retention_value",
        "cowley",
        PoolOperator,
        "Sets backup retention value of the VMPP.",
    )
    .params(&[Param::new("self", Ref("VMPP")), Param::new("value", Int)])
    .deprecated("clearwater")
    .removed("clearwater"),
    Message::new("set_backup_schedule", "cowley", PoolOperator, "Sets backup schedule of the VMPP.")
        .params(&[Param::new("self", Ref("VMPP")), Param::new("value", TEXT_MAP)])
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new("set_is_alarm_enabled", "cowley", PoolOperator, "Sets is alarm enabled of the VMPP.")
        .params(&[Param::new("self", Ref("VMPP")), Param::new("value", Bool)])
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new("create_alert", "cowley", LocalRoot, "Creates alert of the VMPP.")
        .params(&[
            Param::new("vmpp", Ref("VMPP")),
            Param::new("name", Text),
            Param::new("priority", Int),
            Param::new("body", Text),
            Param::new("data", Text),
        ])
        .hidden()
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new("set_is_backup_running", "cowley", LocalRoot, "Sets is backup running of the VMPP.")
        .params(&[Param::new("self", Ref("VMPP")), Param::new("value", Bool)])
        .hidden()
        .deprecated("clearwater")
        .removed("clearwater"),
    Message::new("set_is_archive_running", "cowley", LocalRoot, "Sets is archive running of the VMPP.")
        .params(&[Param::new("self", Ref("VMPP")), Param::new("value", Bool)])
        .hidden()
        .deprecated("clearwater")
        .removed("clearwater"),
];
