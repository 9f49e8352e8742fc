//! The class `message`.

use crate::model;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("message", "orlando", "A notice to people about an object, such as an alert.")
        .no_getters()
        .fields(FIELDS)
        .messages(MESSAGES);

/// `cls`
pub const CLS: model::Enum =
    model::Enum::new("cls", &["VM", "Host", "SR", "Pool", "VMPP", "VMSS", "PVS_proxy", "VDI", "Certificate"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime("name", Text, "rio", "What happened, such as `VM_STARTED`."),
    Field::runtime("priority", Int, "rio", "How urgent, from 1, the most, to 5."),
    Field::runtime("cls", Enum(&CLS), "orlando", "Class of the object it is about."),
    Field::runtime("obj_uuid", Text, "rio", "Uuid of the object it is about."),
    Field::runtime("timestamp", Time, "rio", "When it was written."),
    Field::runtime("body", Text, "rio", "Details, as text or XML."),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "orlando", PoolOperator, "Writes a notice.")
        .params(&[
            Param::new("name", Text),
            Param::new("priority", Int),
            Param::new("cls", Enum(&CLS)),
            Param::new("obj_uuid", Text),
            Param::new("body", Text),
        ])
        .result(Ref("message")),
    Message::new("destroy", "orlando", PoolOperator, "Deletes the notice.")
        .params(&[Param::new("self", Ref("message"))]),
    Message::new("get", "orlando", ReadOnly, "Answers the notices about one object since a time.")
        .params(&[Param::new("cls", Enum(&CLS)), Param::new("obj_uuid", Text), Param::new("since", Time)])
        .result(Map(&Ref("message"), &Record("message"))),
    Message::new("get_all", "orlando", ReadOnly, "Lists every notice.")
        .kind(Kind::GetAll)
        .result(Set(&Ref("message"))),
    Message::new("get_all_records", "orlando", ReadOnly, "Answers all fields of every notice.")
        .kind(Kind::GetAllRecords)
        .result(Map(&Ref("message"), &Record("message"))),
    Message::new(
        "get_all_records_where",
        "orlando",
        ReadOnly,
        "Answers all fields of every notice that satisfies an expression.",
    )
    .kind(Kind::GetAllRecordsWhere)
    .params(&[Param::new("expr", Text)])
    .result(Map(&Ref("message"), &Record("message"))),
    Message::new("get_by_uuid", "orlando", ReadOnly, "Finds the notice with this uuid.")
        .kind(Kind::GetByUuid)
        .params(&[Param::new("uuid", Text)])
        .result(Ref("message")),
    Message::new("get_record", "orlando", ReadOnly, "Answers all fields of the notice.")
        .kind(Kind::GetRecord)
        .params(&[Param::new("self", Ref("message"))])
        .result(Record("message")),
    Message::new("get_since", "orlando", ReadOnly, "Answers the notices since a time.")
        .params(&[Param::new("since", Time)])
        .result(Map(&Ref("message"), &Record("message"))),
    Message::new("destroy_all", "26.6.0", PoolOperator, "Deletes all notices that match.")
        .params(&[Param::new("filters", TEXT_MAP)])
        .or_async()
        .prototyped(),
    Message::new("destroy_many", "22.19.0", PoolOperator, "Deletes several notices.")
        .params(&[Param::new("messages", Set(&Ref("message")))])
        .or_async()
        .prototyped(),
];
