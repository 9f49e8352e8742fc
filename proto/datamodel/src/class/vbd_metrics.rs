//! The class `VBD_metrics`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("VBD_metrics", "rio", "Traffic of a block device; now a metric.")
    .volatile()
    .writer(VmAdmin)
    .deprecated("tampa")
    .removed("tampa")
    .fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime("io_read_kbs", Float, "rio", "The io read kbs.")
        .default(Default::Float(0.0))
        .volatile()
        .deprecated("tampa")
        .removed("tampa"),
    Field::runtime("io_write_kbs", Float, "rio", "The io write kbs.")
        .default(Default::Float(0.0))
        .volatile()
        .deprecated("tampa")
        .removed("tampa"),
    Field::runtime("last_updated", Time, "rio", "When this was last measured.")
        .default(Default::Epoch)
        .deprecated("tampa")
        .removed("tampa"),
    Field::settable("other_config", TEXT_MAP, "orlando", "Further settings as keys and values.")
        .default(Default::EmptyMap)
        .deprecated("tampa")
        .removed("tampa"),
];
