//! The class `LVHD`.

use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("LVHD", "dundee", "Settings of repositories on logical volumes.")
    .no_get_all()
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[Field::runtime("uuid", Text, "rio", "Unique identifier of the object.")];

const MESSAGES: &[Message] = &[Message::new(
    "enable_thin_provisioning",
    "dundee",
    PoolAdmin,
    "Enables thin provisioning of the LVHD.",
)
.params(&[
    Param::new("host", Ref("host")),
    Param::new("SR", Ref("SR")),
    Param::new("initial_allocation", Int),
    Param::new("allocation_quantum", Int),
])
.result(Text)
.or_async()
.extension("LVHD.enable_thin_provisioning")];
