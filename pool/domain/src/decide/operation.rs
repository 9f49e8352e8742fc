//! Marks that an operation works on an object: `current_operations`, with the task's reference as key.

use proto_types::{Field, Ref, Value};

use crate::draft::Draft;

/// Notes on an object that a task works on it.
pub fn begin(draft: &mut Draft<'_>, object: Ref, field: Field, task: Ref, operation: &str) {
    draft.put_key(object, field, task.to_string(), Value::str(operation));
}

/// Whether a task's note is there. An operator's word that a VM is down takes notes away, and whatever the task comes to
/// afterwards is no longer about that VM: it may have been started anew since.
pub fn is_noted(draft: &Draft<'_>, object: Ref, field: Field, task: Ref) -> bool {
    draft
        .db()
        .get(object)
        .is_some_and(|row| row.get(field).get(&task.to_string()).is_some())
}

/// Takes the note away; nothing happens if the object or the note is gone.
pub fn end(draft: &mut Draft<'_>, object: Ref, field: Field, task: Ref) {
    draft.remove_key(object, field, Value::from(task.to_string()));
}
