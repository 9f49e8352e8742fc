//! The class `task`.

use crate::model;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("task", "rio", "A task of the pool.")
    .volatile()
    .fields(FIELDS)
    .messages(MESSAGES);

/// `task_allowed_operations`
pub const TASK_ALLOWED_OPERATIONS: model::Enum =
    model::Enum::new("task_allowed_operations", &["cancel", "destroy"]);

/// `task_status_type`
pub const TASK_STATUS_TYPE: model::Enum = model::Enum::new(
    "task_status_type",
    &["pending", "success", "failure", "cancelling", "cancelled"],
);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime(
        "name_label",
        Text,
        "rio",
        "Name shown to people; need not be unique.",
    )
    .default(Default::Text("")),
    Field::runtime("name_description", Text, "rio", "Free text about the object.").default(Default::Text("")),
    Field::runtime(
        "allowed_operations",
        Set(&Enum(&TASK_ALLOWED_OPERATIONS)),
        "rio",
        "Operations that could begin now.",
    )
    .default(Default::EmptySet)
    .volatile(),
    Field::runtime(
        "current_operations",
        Map(&Text, &Enum(&TASK_ALLOWED_OPERATIONS)),
        "rio",
        "Operations under way, by task.",
    )
    .default(Default::EmptyMap)
    .volatile(),
    Field::runtime("created", Time, "rio", "Time of created."),
    Field::runtime("finished", Time, "rio", "Time of finished."),
    Field::runtime("status", Enum(&TASK_STATUS_TYPE), "rio", "Present state."),
    Field::runtime("resident_on", Ref("host"), "rio", "The resident on: a host."),
    Field::runtime("progress", Float, "rio", "The progress."),
    Field::runtime("type", Text, "rio", "Kind of the object."),
    Field::runtime("result", Text, "rio", "The result."),
    Field::runtime("error_info", TEXTS, "rio", "The set of error info."),
    Field::runtime(
        "other_config",
        TEXT_MAP,
        "miami",
        "Further settings as keys and values.",
    )
    .default(Default::EmptyMap)
    .key_roles(&[
        ("applies_to", VmOperator),
        ("XenCenterUUID", VmOperator),
        ("XenCenterMeddlingActionTitle", VmOperator),
    ]),
    Field::runtime("subtask_of", Ref("task"), "orlando", "The subtask of: a task.").default(Default::Null),
    Field::runtime(
        "subtasks",
        Set(&Ref("task")),
        "orlando",
        "The subtasks, as a set of references.",
    )
    .rows_of("task", "subtask_of"),
    Field::runtime("backtrace", Text, "dundee", "The backtrace.").default(Default::Text("()")),
    Field::internal("session", Ref("session"), "rio", "The session it belongs to."),
    Field::internal("externalpid", Int, "rio", "The externalpid, a number."),
    Field::internal("stunnelpid", Int, "rio", "The stunnelpid, a number."),
    Field::internal("forwarded", Bool, "rio", "True if forwarded."),
    Field::internal("forwarded_to", Ref("host"), "rio", "The forwarded to: a host."),
];

const MESSAGES: &[Message] = &[
    Message::new("cancel", "rio", ReadOnly, "Cancels the task.")
        .params(&[Param::new("task", Ref("task"))])
        .errors(&["OPERATION_NOT_ALLOWED"])
        .or_async(),
    Message::new("create", "rio", ReadOnly, "Creates a task.")
        .params(&[Param::new("label", Text), Param::new("description", Text)])
        .result(Ref("task")),
    Message::new("destroy", "rio", ReadOnly, "Destroys the task.").params(&[Param::new("self", Ref("task"))]),
    Message::new(
        "set_error_info",
        "21.3.0",
        ReadOnly,
        "Sets error info of the task.",
    )
    .params(&[Param::new("self", Ref("task")), Param::new("value", TEXTS)]),
    Message::new(
        "set_progress",
        "stockholm",
        ReadOnly,
        "Sets progress of the task.",
    )
    .params(&[Param::new("self", Ref("task")), Param::new("value", Float)]),
    Message::new("set_result", "21.3.0", ReadOnly, "Sets result of the task.")
        .params(&[Param::new("self", Ref("task")), Param::new("value", Text)]),
    Message::new("set_status", "falcon", ReadOnly, "Sets status of the task.").params(&[
        Param::new("self", Ref("task")),
        Param::new("value", Enum(&TASK_STATUS_TYPE)),
    ]),
    Message::new(
        "add_to_other_config",
        "25.8.0",
        ReadOnly,
        "Adds a key to other config of the task.",
    )
    .params(&[
        Param::new("self", Ref("task")),
        Param::new("key", Text),
        Param::new("value", Text),
    ])
    .or_async()
    .key_roles(&[
        ("applies_to", VmOperator),
        ("XenCenterUUID", VmOperator),
        ("XenCenterMeddlingActionTitle", VmOperator),
    ])
    .prototyped(),
    Message::new(
        "remove_from_other_config",
        "25.8.0",
        ReadOnly,
        "Removes a key from other config of the task.",
    )
    .params(&[Param::new("self", Ref("task")), Param::new("key", Text)])
    .or_async()
    .key_roles(&[
        ("applies_to", VmOperator),
        ("XenCenterUUID", VmOperator),
        ("XenCenterMeddlingActionTitle", VmOperator),
    ])
    .prototyped(),
    Message::new(
        "set_other_config",
        "25.8.0",
        ReadOnly,
        "Sets other config of the task.",
    )
    .params(&[Param::new("self", Ref("task")), Param::new("value", TEXT_MAP)])
    .or_async()
    .prototyped(),
];
