//! The class `console`.

use crate::model;
use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("console", "rio", "A way to a VM's screen or terminal.")
    .constructible()
    .writer(VmAdmin)
    .fields(FIELDS);

/// `console_protocol`
pub const CONSOLE_PROTOCOL: model::Enum = model::Enum::new("console_protocol", &["vt100", "rfb", "rdp"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime(
        "protocol",
        Enum(&CONSOLE_PROTOCOL),
        "rio",
        "What is spoken: RFB, RDP or a text terminal.",
    ),
    Field::runtime("location", Text, "rio", "Address at which it is reached."),
    Field::runtime("VM", Ref("VM"), "rio", "The VM this belongs to."),
    Field::settable("other_config", TEXT_MAP, "rio", "Further settings as keys and values."),
    Field::internal("port", Int, "rio", "TCP port on the host; -1 if not yet known."),
];
