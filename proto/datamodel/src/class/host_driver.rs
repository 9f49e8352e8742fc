//! The class `Host_driver`.

use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("Host_driver", "25.2.0", "A driver on a host that comes in variants.")
    .prototyped()
    .fields(FIELDS)
    .messages(MESSAGES);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "25.2.0", "Unique identifier of the object.").prototyped(),
    Field::fixed("host", Ref("host"), "25.2.0", "The host this belongs to.")
        .default(Default::Null)
        .prototyped(),
    Field::runtime("name", Text, "25.2.0", "The name.").prototyped(),
    Field::runtime("friendly_name", Text, "25.2.0", "The friendly name.").prototyped(),
    Field::runtime(
        "variants",
        Set(&Ref("Driver_variant")),
        "25.2.0",
        "The variants, as a set of references.",
    )
    .rows_of("Driver_variant", "driver")
    .prototyped(),
    Field::runtime(
        "active_variant",
        Ref("Driver_variant"),
        "25.2.0",
        "The active variant: a Driver variant.",
    )
    .prototyped(),
    Field::runtime(
        "selected_variant",
        Ref("Driver_variant"),
        "25.2.0",
        "The selected variant: a Driver variant.",
    )
    .prototyped(),
    Field::runtime("type", Text, "25.2.0", "Kind of the object.").prototyped(),
    Field::runtime("description", Text, "25.2.0", "The description.").prototyped(),
    Field::runtime("info", Text, "25.2.0", "The info.").prototyped(),
];

const MESSAGES: &[Message] = &[
    Message::new("deselect", "25.2.0", PoolAdmin, "Deselects the Host driver.")
        .params(&[Param::new("self", Ref("Host_driver"))])
        .or_async()
        .prototyped(),
    Message::new("rescan", "25.2.0", PoolAdmin, "Rescans the Host driver.")
        .params(&[Param::new("host", Ref("host"))])
        .or_async()
        .prototyped(),
    Message::new("select", "25.2.0", PoolAdmin, "Selects the Host driver.")
        .params(&[Param::new("self", Ref("Host_driver")), Param::new("variant", Ref("Driver_variant"))])
        .or_async()
        .prototyped(),
];
