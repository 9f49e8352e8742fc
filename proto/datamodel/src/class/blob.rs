//! The class `blob`.

use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("blob", "orlando", "Some bytes attached to an object, read and written over HTTP.")
        .fields(FIELDS)
        .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::settable("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::settable("name_description", Text, "rio", "Free text about the object.")
        .default(Default::Text("")),
    Field::runtime("size", Int, "rio", "Size in bytes."),
    Field::settable("public", Bool, "tampa", "True if public.").default(Default::Bool(false)),
    Field::fixed("last_updated", Time, "rio", "When this was last measured."),
    Field::fixed("mime_type", Text, "rio", "The mime type."),
    Field::internal("content", Text, "tarn-1", "Its bytes, in base64."),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "orlando", PoolOperator, "Creates a blob.")
        .params(&[Param::new("mime_type", Text), Param::optional("public", Bool, Default::Bool(false))])
        .result(Ref("blob")),
    Message::new("destroy", "orlando", PoolOperator, "Destroys the blob.")
        .params(&[Param::new("self", Ref("blob"))]),
];
