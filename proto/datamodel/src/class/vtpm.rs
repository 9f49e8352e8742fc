//! The class `VTPM`.

use crate::model;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("VTPM", "22.26.0", "A trusted platform module of a VM.")
    .prototyped()
    .fields(FIELDS)
    .messages(MESSAGES);

/// `vtpm_operations`
pub const VTPM_OPERATIONS: model::Enum = model::Enum::new("vtpm_operations", &["destroy"]);

/// `persistence_backend`
pub const PERSISTENCE_BACKEND: model::Enum = model::Enum::new("persistence_backend", &["xapi"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime(
        "allowed_operations",
        Set(&Enum(&VTPM_OPERATIONS)),
        "rio",
        "Operations that could begin now.",
    )
    .default(Default::EmptySet)
    .volatile(),
    Field::runtime(
        "current_operations",
        Map(&Text, &Enum(&VTPM_OPERATIONS)),
        "rio",
        "Operations under way, by task.",
    )
    .default(Default::EmptyMap)
    .volatile(),
    Field::fixed("VM", Ref("VM"), "rio", "The VM this belongs to."),
    Field::runtime("backend", Ref("VM"), "rio", "The backend: a VM.").default(Default::Null),
    Field::runtime("persistence_backend", Enum(&PERSISTENCE_BACKEND), "22.26.0", "The persistence backend.")
        .default(Default::Text("xapi"))
        .prototyped(),
    Field::fixed("is_unique", Bool, "22.26.0", "True if it is unique.")
        .default(Default::Bool(false))
        .prototyped(),
    Field::runtime("is_protected", Bool, "22.26.0", "True if it is protected.")
        .default(Default::Bool(false))
        .prototyped(),
    Field::internal("contents", Ref("secret"), "22.26.0", "The contents: a secret."),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "22.26.0", VmAdmin, "Creates a VTPM.")
        .params(&[Param::new("vM", Ref("VM")), Param::new("is_unique", Bool)])
        .result(Ref("VTPM"))
        .or_async()
        .prototyped(),
    Message::new("destroy", "22.26.0", VmAdmin, "Destroys the VTPM.")
        .params(&[Param::new("self", Ref("VTPM"))])
        .or_async()
        .prototyped(),
    Message::new("get_contents", "unlisted", LocalRoot, "Answers contents of the VTPM.")
        .params(&[Param::new("self", Ref("VTPM"))])
        .result(Text)
        .or_async()
        .hidden()
        .secret(),
    Message::new("set_contents", "unlisted", LocalRoot, "Sets contents of the VTPM.")
        .params(&[Param::new("self", Ref("VTPM")), Param::new("contents", Text)])
        .or_async()
        .hidden()
        .secret(),
];
