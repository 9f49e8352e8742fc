//! The internal class `tarn_saga`.

use crate::model::TEXTS;
use crate::vocabulary::*;

/// Description of the class.
pub const CLASS: Class =
    Class::internal("tarn_saga", "A long operation under way, so that another leader can finish or undo it.")
        .fields(FIELDS);

const FIELDS: &[Field] = &[
    Field::internal("operation", Text, "tarn-1", "Name of the operation, such as `vm_start`."),
    Field::internal("params", Text, "tarn-1", "Parameters, as JSON."),
    Field::internal("state", Text, "tarn-1", "Where it stands: running, undoing, done, failed, stuck."),
    Field::internal("completed", TEXTS, "tarn-1", "Steps done, in order."),
    Field::internal("outputs", Text, "tarn-1", "Outputs of the steps, as JSON."),
    Field::internal("task", Ref("task"), "tarn-1", "The task that clients watch."),
    Field::internal("host", Ref("host"), "tarn-1", "The host it works on, if one."),
    Field::internal("started", Time, "tarn-1", "When it began."),
    Field::internal("error", TEXTS, "tarn-1", "Why it failed: code and parameters."),
];
