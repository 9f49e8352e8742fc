//! The class `sr_stat`.

use crate::model;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class = Class::new("sr_stat", "lima", "Size and health of a repository found by a probe.")
    .record_only()
    .fields(FIELDS);

/// `sr_health`
pub const SR_HEALTH: model::Enum =
    model::Enum::new("sr_health", &["healthy", "recovering", "unreachable", "unavailable"]);

const FIELDS: &[Field] = &[
    Field::runtime("uuid", Maybe(&Text), "lima", "Unique identifier of the object."),
    Field::runtime("name_label", Text, "lima", "Name shown to people; need not be unique."),
    Field::runtime("name_description", Text, "lima", "Free text about the object."),
    Field::runtime("free_space", Int, "lima", "The free space, a number."),
    Field::runtime("total_space", Int, "lima", "The total space, a number."),
    Field::runtime("clustered", Bool, "lima", "True if clustered."),
    Field::runtime("health", Enum(&SR_HEALTH), "lima", "The health."),
];
