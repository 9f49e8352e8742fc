//! The class `host_metrics`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("host_metrics", "rio", "Memory and liveness of a host.").fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime("memory_total", Int, "rio", "The memory total, a number."),
    Field::runtime("memory_free", Int, "rio", "The memory free, a number.")
        .default(Default::Int(0))
        .deprecated("midnight-ride")
        .removed("tampa"),
    Field::runtime("live", Bool, "rio", "True if live."),
    Field::runtime("last_updated", Time, "rio", "When this was last measured."),
    Field::settable("other_config", TEXT_MAP, "orlando", "Further settings as keys and values.")
        .default(Default::EmptyMap),
];
