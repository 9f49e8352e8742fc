//! The class `message`.

use crate::model;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("message", "orlando", "A message of the pool.")
    .no_getters()
    .fields(FIELDS)
    .messages(MESSAGES);

/// `cls`
pub const CLS: model::Enum = model::Enum::new(
    "cls",
    &[
        "VM",
        "Host",
        "SR",
        "Pool",
        "VMPP",
        "VMSS",
        "PVS_proxy",
        "VDI",
        "Certificate",
    ],
);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime("name", Text, "rio", "The name."),
    Field::runtime("priority", Int, "rio", "The priority, a number."),
    Field::runtime("cls", Enum(&CLS), "orlando", "The cls."),
    Field::runtime("obj_uuid", Text, "rio", "The obj uuid."),
    Field::runtime("timestamp", Time, "rio", "Time of timestamp."),
    Field::runtime("body", Text, "rio", "The body."),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "orlando", PoolOperator, "Creates a message.")
        .params(&[
            Param::new("name", Text),
            Param::new("priority", Int),
            Param::new("cls", Enum(&CLS)),
            Param::new("obj_uuid", Text),
            Param::new("body", Text),
        ])
        .result(Ref("message")),
    Message::new("destroy", "orlando", PoolOperator, "Destroys the message.")
        .params(&[Param::new("self", Ref("message"))]),
    Message::new("get", "orlando", ReadOnly, "Gets the message.")
        .params(&[
            Param::new("cls", Enum(&CLS)),
            Param::new("obj_uuid", Text),
            Param::new("since", Time),
        ])
        .result(Map(&Ref("message"), &Record("message"))),
    Message::new("get_all", "orlando", ReadOnly, "Answers all of the message.")
        .kind(Kind::GetAll)
        .result(Set(&Ref("message"))),
    Message::new(
        "get_all_records",
        "orlando",
        ReadOnly,
        "Answers all records of the message.",
    )
    .kind(Kind::GetAllRecords)
    .result(Map(&Ref("message"), &Record("message"))),
    Message::new(
        "get_all_records_where",
        "orlando",
        ReadOnly,
        "Answers all records where of the message.",
    )
    .kind(Kind::GetAllRecordsWhere)
    .params(&[Param::new("expr", Text)])
    .result(Map(&Ref("message"), &Record("message"))),
    Message::new(
        "get_by_uuid",
        "orlando",
        ReadOnly,
        "Answers by uuid of the message.",
    )
    .kind(Kind::GetByUuid)
    .params(&[Param::new("uuid", Text)])
    .result(Ref("message")),
    Message::new(
        "get_record",
        "orlando",
        ReadOnly,
        "Answers record of the message.",
    )
    .kind(Kind::GetRecord)
    .params(&[Param::new("self", Ref("message"))])
    .result(Record("message")),
    Message::new("get_since", "orlando", ReadOnly, "Answers since of the message.")
        .params(&[Param::new("since", Time)])
        .result(Map(&Ref("message"), &Record("message"))),
    Message::new(
        "destroy_all",
        "26.6.0",
        PoolOperator,
        "Destroys all of the message.",
    )
    .params(&[Param::new("filters", TEXT_MAP)])
    .or_async()
    .prototyped(),
    Message::new(
        "destroy_many",
        "22.19.0",
        PoolOperator,
        "Destroys many of the message.",
    )
    .params(&[Param::new("messages", Set(&Ref("message")))])
    .or_async()
    .prototyped(),
];
