//! The class `USB_group`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("USB_group", "inverness", "Like USB devices, of which a VM gets any.")
    .writer(PoolAdmin)
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "inverness", "Unique identifier of the object."),
    Field::settable("name_label", Text, "inverness", "Name shown to people; need not be unique.")
        .default(Default::Text("")),
    Field::settable("name_description", Text, "inverness", "Free text about the object.")
        .default(Default::Text("")),
    Field::runtime("PUSBs", Set(&Ref("PUSB")), "inverness", "The PUSBs, as a set of references.")
        .rows_of("PUSB", "USB_group"),
    Field::runtime("VUSBs", Set(&Ref("VUSB")), "inverness", "The VUSBs, as a set of references.")
        .rows_of("VUSB", "USB_group"),
    Field::settable("other_config", TEXT_MAP, "inverness", "Further settings as keys and values.")
        .default(Default::EmptyMap),
];

const MESSAGES: &[Message] = &[
    Message::new("create", "inverness", PoolAdmin, "Creates a USB group.")
        .params(&[
            Param::optional("name_label", Text, Default::Text("")),
            Param::optional("name_description", Text, Default::Text("")),
            Param::optional("other_config", TEXT_MAP, Default::EmptyMap),
        ])
        .result(Ref("USB_group"))
        .or_async(),
    Message::new("destroy", "inverness", PoolAdmin, "Destroys the USB group.")
        .params(&[Param::new("self", Ref("USB_group"))])
        .or_async(),
];
