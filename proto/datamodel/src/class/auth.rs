//! The class `auth`.

use crate::model::{TEXT_MAP, TEXTS};
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("auth", "george", "Questions to the directory of users.")
    .record_only()
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[];

const MESSAGES: &[Message] = &[
    Message::new("get_group_membership", "george", ReadOnly, "Answers group membership of the auth.")
        .params(&[Param::new("subject_identifier", Text)])
        .result(TEXTS),
    Message::new("get_subject_identifier", "george", ReadOnly, "Answers subject identifier of the auth.")
        .params(&[Param::new("subject_name", Text)])
        .result(Text),
    Message::new(
        "get_subject_information_from_identifier",
        "george",
        ReadOnly,
        "Answers subject information from identifier of the auth.",
    )
    .params(&[Param::new("subject_identifier", Text)])
    .result(TEXT_MAP),
];
