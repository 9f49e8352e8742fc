//! The class `host_cpu`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("host_cpu", "rio", "A processor of a host.").deprecated("midnight-ride").fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Text, "rio", "Unique identifier of the object."),
    Field::runtime("host", Ref("host"), "rio", "The host this belongs to."),
    Field::runtime("number", Int, "rio", "The number, a number."),
    Field::runtime("vendor", Text, "rio", "The vendor."),
    Field::runtime("speed", Int, "rio", "The speed, a number."),
    Field::runtime("modelname", Text, "rio", "The modelname."),
    Field::runtime("family", Int, "rio", "The family, a number."),
    Field::runtime("model", Int, "rio", "The model, a number."),
    Field::runtime("stepping", Text, "rio", "The stepping."),
    Field::runtime("flags", Text, "rio", "The flags."),
    Field::runtime("features", Text, "rio", "The features."),
    Field::runtime("utilisation", Float, "rio", "The utilisation.").volatile(),
    Field::settable("other_config", TEXT_MAP, "orlando", "Further settings as keys and values.")
        .default(Default::EmptyMap),
];
