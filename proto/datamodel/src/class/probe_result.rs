//! The class `probe_result`.

use crate::model::TEXT_MAP;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::new("probe_result", "lima", "What a probe found at a place.").record_only().fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::runtime("configuration", TEXT_MAP, "lima", "The configuration, as keys and values."),
    Field::runtime("complete", Bool, "lima", "True if complete."),
    Field::runtime("sr", Maybe(&Record("sr_stat")), "lima", "The SR."),
    Field::runtime("extra_info", TEXT_MAP, "lima", "The extra info, as keys and values."),
];
