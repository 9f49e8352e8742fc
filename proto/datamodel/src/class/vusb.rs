//! The class `VUSB`.

use crate::model;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("VUSB", "inverness", "A USB device of a VM.")
    .writer(PoolAdmin)
    .fields(FIELDS)
    .messages(MESSAGES);

/// `vusb_operations`
pub const VUSB_OPERATIONS: model::Enum = model::Enum::new("vusb_operations", &["attach", "plug", "unplug"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "inverness", "Unique identifier of the object."),
    Field::runtime(
        "allowed_operations",
        Set(&Enum(&VUSB_OPERATIONS)),
        "rio",
        "Operations that could begin now.",
    )
    .default(Default::EmptySet)
    .volatile(),
    Field::runtime(
        "current_operations",
        Map(&Text, &Enum(&VUSB_OPERATIONS)),
        "rio",
        "Operations under way, by task.",
    )
    .default(Default::EmptyMap)
    .volatile(),
    Field::runtime("VM", Ref("VM"), "inverness", "The VM this belongs to."),
    Field::runtime("USB_group", Ref("USB_group"), "inverness", "The USB group it belongs to."),
    Field::settable("other_config", TEXT_MAP, "inverness", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::runtime("currently_attached", Bool, "rio", "True while attached.").default(Default::Bool(false)),
    Field::internal(
        "attached",
        Ref("PUSB"),
        "tarn-1",
        "The device set aside for it, from the VM's start on.",
    ),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "inverness", PoolAdmin, "Creates a VUSB.")
        .params(&[
            Param::new("VM", Ref("VM")),
            Param::new("USB_group", Ref("USB_group")),
            Param::optional("other_config", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Ref("VUSB"))
        .or_async(),
    Message::new("destroy", "inverness", PoolAdmin, "Destroys the VUSB.")
        .params(&[Param::new("self", Ref("VUSB"))])
        .or_async(),
    Message::new("unplug", "inverness", PoolAdmin, "Unplugs the VUSB.")
        .params(&[Param::new("self", Ref("VUSB"))])
        .or_async(),
];
