//! The class `Driver_variant`.

use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("Driver_variant", "25.2.0", "One variant of a host's driver.")
    .prototyped()
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "25.2.0", "Unique identifier of the object.").prototyped(),
    Field::runtime("name", Text, "25.2.0", "The name.").prototyped(),
    Field::runtime("driver", Ref("Host_driver"), "25.2.0", "The driver: a Host driver.").prototyped(),
    Field::runtime("version", Text, "25.2.0", "Version.").prototyped(),
    Field::runtime("hardware_present", Bool, "25.2.0", "True if hardware present.").prototyped(),
    Field::runtime("priority", Float, "25.2.0", "The priority.").prototyped(),
    Field::runtime("status", Text, "25.2.0", "Present state.").prototyped(),
];

const MESSAGES: &[Message] = &[Message::new("select", "25.2.0", PoolAdmin, "Selects the Driver variant.")
    .params(&[Param::new("self", Ref("Driver_variant"))])
    .or_async()
    .prototyped()];
