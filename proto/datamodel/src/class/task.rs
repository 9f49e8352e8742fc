//! The class `task`.

use crate::model;
use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("task", "rio", "A long operation that clients can watch and cancel.")
    .volatile()
    .fields(FIELDS)
    .messages(MESSAGES);

/// `task_allowed_operations`
pub const TASK_ALLOWED_OPERATIONS: model::Enum =
    model::Enum::new("task_allowed_operations", &["cancel", "destroy"]);

/// `task_status_type`
pub const TASK_STATUS_TYPE: model::Enum =
    model::Enum::new("task_status_type", &["pending", "success", "failure", "cancelling", "cancelled"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime("name_label", Text, "rio", "Name of the operation, such as `Async.VM.start`.")
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
    Field::runtime("created", Time, "rio", "When it began."),
    Field::runtime("finished", Time, "rio", "When it ended; the epoch while it runs."),
    Field::runtime("status", Enum(&TASK_STATUS_TYPE), "rio", "Whether it runs, and how it ended."),
    Field::runtime("resident_on", Ref("host"), "rio", "The host that runs it."),
    Field::runtime("progress", Float, "rio", "How much is done, from 0 to 1."),
    Field::runtime("type", Text, "rio", "Type of the result; empty if there is none."),
    Field::runtime("result", Text, "rio", "Result as an encoded value; empty until it succeeds."),
    Field::runtime("error_info", TEXTS, "rio", "Error code and parameters, if it failed."),
    Field::runtime("other_config", TEXT_MAP, "miami", "Further settings as keys and values.")
        .default(Default::EmptyMap)
        .key_roles(&[
            ("applies_to", VmOperator),
            ("XenCenterUUID", VmOperator),
            ("XenCenterMeddlingActionTitle", VmOperator),
        ]),
    Field::runtime("subtask_of", Ref("task"), "orlando", "The task this one is part of.")
        .default(Default::Null),
    Field::runtime("subtasks", Set(&Ref("task")), "orlando", "The tasks that are part of this one.")
        .rows_of("task", "subtask_of"),
    Field::runtime("backtrace", Text, "dundee", "Where it failed, for support.").default(Default::Text("()")),
    Field::internal("session", Ref("session"), "rio", "The session it was begun in."),
    Field::internal("externalpid", Int, "rio", "Process that does the work, if it is one."),
    Field::internal("stunnelpid", Int, "rio", "Process of the tunnel to another host; unused."),
    Field::internal("forwarded", Bool, "rio", "True if another host does the work."),
    Field::internal("forwarded_to", Ref("host"), "rio", "The host that does the work."),
];

const MESSAGES: &[Message] = &[
    Message::new(
        "cancel",
        "rio",
        ReadOnly,
        "Asks that the task end early; it may take a while, or finish all the same.",
    )
    .params(&[Param::new("task", Ref("task"))])
    .errors(&["OPERATION_NOT_ALLOWED"])
    .or_async(),
    Message::new("create", "rio", ReadOnly, "Makes a task for work that a client does itself.")
        .params(&[Param::new("label", Text), Param::new("description", Text)])
        .result(Ref("task")),
    Message::new("destroy", "rio", ReadOnly, "Forgets the task; what still runs goes on.")
        .params(&[Param::new("self", Ref("task"))]),
    Message::new("set_error_info", "21.3.0", ReadOnly, "Sets the error of a task that a client made.")
        .params(&[Param::new("self", Ref("task")), Param::new("value", TEXTS)]),
    Message::new("set_progress", "stockholm", ReadOnly, "Sets the progress of a task that a client made.")
        .params(&[Param::new("self", Ref("task")), Param::new("value", Float)]),
    Message::new("set_result", "21.3.0", ReadOnly, "Sets the result of a task that a client made.")
        .params(&[Param::new("self", Ref("task")), Param::new("value", Text)]),
    Message::new("set_status", "falcon", ReadOnly, "Sets the status of a task that a client made.")
        .params(&[Param::new("self", Ref("task")), Param::new("value", Enum(&TASK_STATUS_TYPE))]),
    Message::new("add_to_other_config", "25.8.0", ReadOnly, "Adds a key to the client's notes on the task.")
        .params(&[Param::new("self", Ref("task")), Param::new("key", Text), Param::new("value", Text)])
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
        "Removes a key from the client's notes on the task.",
    )
    .params(&[Param::new("self", Ref("task")), Param::new("key", Text)])
    .or_async()
    .key_roles(&[
        ("applies_to", VmOperator),
        ("XenCenterUUID", VmOperator),
        ("XenCenterMeddlingActionTitle", VmOperator),
    ])
    .prototyped(),
    Message::new("set_other_config", "25.8.0", ReadOnly, "Sets the client's notes on the task.")
        .params(&[Param::new("self", Ref("task")), Param::new("value", TEXT_MAP)])
        .or_async()
        .prototyped(),
];
