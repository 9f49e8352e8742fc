//! The class `VMSS`.

use crate::model;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("VMSS", "falcon", "A schedule of snapshots.")
    .constructible()
    .fields(FIELDS)
    .messages(MESSAGES);

/// `vmss_frequency`
pub const VMSS_FREQUENCY: model::Enum = model::Enum::new("vmss_frequency", &["hourly", "daily", "weekly"]);

/// `vmss_type`
pub const VMSS_TYPE: model::Enum =
    model::Enum::new("vmss_type", &["snapshot", "checkpoint", "snapshot_with_quiesce"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::settable("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::settable("name_description", Text, "rio", "Free text about the object.")
        .default(Default::Text("")),
    Field::settable("enabled", Bool, "rio", "True while in use.").default(Default::Bool(true)),
    Field::fixed("type", Enum(&VMSS_TYPE), "rio", "Kind of the object."),
    Field::fixed("retained_snapshots", Int, "rio", "The retained snapshots, a number.")
        .default(Default::Int(7)),
    Field::fixed("frequency", Enum(&VMSS_FREQUENCY), "rio", "The frequency."),
    Field::fixed("schedule", TEXT_MAP, "rio", "The schedule, as keys and values.").default(Default::EmptyMap),
    Field::runtime("last_run_time", Time, "rio", "Time of last run time.").default(Default::Epoch),
    Field::runtime("VMs", Set(&Ref("VM")), "rio", "The VMs, as a set of references.")
        .rows_of("VM", "snapshot_schedule"),
];

const MESSAGES: &[Message] = &[
    Message::new("snapshot_now", "falcon", PoolOperator, "Snapshots now of the VMSS.")
        .params(&[Param::new("vmss", Ref("VMSS"))])
        .result(Text),
    Message::new("add_to_schedule", "falcon", PoolOperator, "Adds a key to schedule of the VMSS.").params(&[
        Param::new("self", Ref("VMSS")),
        Param::new("key", Text),
        Param::new("value", Text),
    ]),
    Message::new("remove_from_schedule", "falcon", PoolOperator, "Removes a key from schedule of the VMSS.")
        .params(&[Param::new("self", Ref("VMSS")), Param::new("key", Text)]),
    Message::new("set_frequency", "falcon", PoolOperator, "Sets frequency of the VMSS.")
        .params(&[Param::new("self", Ref("VMSS")), Param::new("value", Enum(&VMSS_FREQUENCY))]),
    Message::new("set_last_run_time", "falcon", LocalRoot, "Sets last run time of the VMSS.")
        .params(&[Param::new("self", Ref("VMSS")), Param::new("value", Time)]),
    Message::new("set_retained_snapshots", "falcon", PoolOperator, "Sets retained snapshots of the VMSS.")
        .params(&[Param::new("self", Ref("VMSS")), Param::new("value", Int)]),
    Message::new("set_schedule", "falcon", PoolOperator, "Sets schedule of the VMSS.")
        .params(&[Param::new("self", Ref("VMSS")), Param::new("value", TEXT_MAP)]),
    Message::new("set_type", "falcon", PoolOperator, "Sets type of the VMSS.")
        .params(&[Param::new("self", Ref("VMSS")), Param::new("value", Enum(&VMSS_TYPE))]),
];
