//! The class `PUSB`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("PUSB", "inverness", "A physical USB device of a host.")
    .writer(PoolAdmin)
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "inverness", "Unique identifier of the object."),
    Field::fixed("USB_group", Ref("USB_group"), "inverness", "The USB group it belongs to.")
        .default(Default::Null),
    Field::fixed("host", Ref("host"), "inverness", "The host this belongs to.").default(Default::Null),
    Field::fixed("path", Text, "inverness", "The path.").default(Default::Text("")),
    Field::fixed("vendor_id", Text, "inverness", "The vendor id.").default(Default::Text("")),
    Field::fixed("vendor_desc", Text, "inverness", "The vendor desc.").default(Default::Text("")),
    Field::fixed("product_id", Text, "inverness", "The product id.").default(Default::Text("")),
    Field::fixed("product_desc", Text, "inverness", "The product desc.").default(Default::Text("")),
    Field::fixed("serial", Text, "inverness", "The serial.").default(Default::Text("")),
    Field::fixed("version", Text, "inverness", "Version.").default(Default::Text("")),
    Field::fixed("description", Text, "inverness", "The description.").default(Default::Text("")),
    Field::runtime("passthrough_enabled", Bool, "inverness", "True if passthrough enabled.")
        .default(Default::Bool(false)),
    Field::settable("other_config", TEXT_MAP, "inverness", "Further settings as keys and values.")
        .default(Default::EmptyMap),
    Field::fixed("speed", Float, "stockholm", "The speed.").default(Default::Float(-1.0)),
];

const MESSAGES: &[Message] = &[
    Message::new("scan", "inverness", PoolAdmin, "Scans the PUSB.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async(),
    Message::new("set_passthrough_enabled", "inverness", PoolAdmin, "Sets passthrough enabled of the PUSB.")
        .params(&[Param::new("self", Ref("PUSB")), Param::new("value", Bool)])
        .or_async(),
];
