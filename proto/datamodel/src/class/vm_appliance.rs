//! The class `VM_appliance`.

use crate::model;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("VM_appliance", "boston", "VMs that start and stop together, in order.")
    .constructible()
    .fields(FIELDS)
    .messages(MESSAGES);

/// `vm_appliance_operation`
pub const VM_APPLIANCE_OPERATION: model::Enum =
    model::Enum::new("vm_appliance_operation", &["start", "clean_shutdown", "hard_shutdown", "shutdown"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::settable("name_label", Text, "rio", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::settable("name_description", Text, "rio", "Free text about the object.")
        .default(Default::Text("")),
    Field::runtime(
        "allowed_operations",
        Set(&Enum(&VM_APPLIANCE_OPERATION)),
        "rio",
        "Operations that could begin now.",
    )
    .default(Default::EmptySet)
    .volatile(),
    Field::runtime(
        "current_operations",
        Map(&Text, &Enum(&VM_APPLIANCE_OPERATION)),
        "rio",
        "Operations under way, by task.",
    )
    .default(Default::EmptyMap)
    .volatile(),
    Field::runtime("VMs", Set(&Ref("VM")), "rio", "The VMs, as a set of references.")
        .rows_of("VM", "appliance"),
];

const MESSAGES: &[Message] = &[
    Message::new("clean_shutdown", "boston", PoolOperator, "Cleans shutdown of the VM appliance.")
        .params(&[Param::new("self", Ref("VM_appliance"))])
        .errors(&["OPERATION_PARTIALLY_FAILED"])
        .or_async(),
    Message::new("hard_shutdown", "boston", PoolOperator, "Hards shutdown of the VM appliance.")
        .params(&[Param::new("self", Ref("VM_appliance"))])
        .errors(&["OPERATION_PARTIALLY_FAILED"])
        .or_async(),
    Message::new("recover", "boston", ReadOnly, "Recovers the VM appliance.")
        .params(&[
            Param::new("self", Ref("VM_appliance")),
            Param::new("session_to", Ref("session")),
            Param::new("force", Bool),
        ])
        .errors(&["VM_REQUIRES_SR"])
        .or_async(),
    Message::new("shutdown", "boston", PoolOperator, "Shutdowns the VM appliance.")
        .params(&[Param::new("self", Ref("VM_appliance"))])
        .errors(&["OPERATION_PARTIALLY_FAILED"])
        .or_async(),
    Message::new("start", "boston", PoolOperator, "Starts the VM appliance.")
        .params(&[Param::new("self", Ref("VM_appliance")), Param::new("paused", Bool)])
        .errors(&["OPERATION_PARTIALLY_FAILED"])
        .or_async(),
    Message::new("assert_can_be_recovered", "boston", ReadOnly, "Fails unless can be recovered holds.")
        .params(&[Param::new("self", Ref("VM_appliance")), Param::new("session_to", Ref("session"))])
        .errors(&["VM_REQUIRES_SR"])
        .or_async(),
    Message::new(
        "get_SRs_required_for_recovery",
        "creedence",
        ReadOnly,
        "Answers SRs required for recovery of the VM appliance.",
    )
    .params(&[Param::new("self", Ref("VM_appliance")), Param::new("session_to", Ref("session"))])
    .result(Set(&Ref("SR")))
    .or_async(),
];
