//! The internal class `tarn_event_queue`.

use crate::model::TEXTS;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::internal("tarn_event_queue", "What a session of the old event calls asked for and has read.")
        .fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::internal("session", Ref("session"), "tarn-1", "Whose it is."),
    Field::internal("classes", TEXTS, "tarn-1", "Subscriptions, as the client wrote them."),
    Field::internal("read", Int, "tarn-1", "All up to this log index has been read."),
];
