//! Reading: records with their derived fields, and look-ups.

use std::sync::Arc;

use proto_types::generated::session;
use proto_types::schema::FieldDef;
use proto_types::{ApiError, ClassId, Ref, Value};

use crate::database::Database;
use crate::row::Row;
use crate::{access, allowed};

/// The row behind a reference.
///
/// # Errors
/// `HANDLE_INVALID [class, reference]`.
pub fn find(db: &Database, class: ClassId, reference: Ref) -> Result<&Arc<Row>, ApiError> {
    db.of_class(class, reference)
        .ok_or_else(|| ApiError::handle_invalid(class.name(), reference))
}

/// The value of one field as clients see it, derived fields included.
pub fn field(db: &Database, row: &Row, index: u16) -> Value {
    if Some(index) == row.class.def().field("allowed_operations")
        && let Some(operations) = allowed::operations(db, row)
    {
        return operations;
    }
    if row.class == session::CLASS && index == session::RBAC_PERMISSIONS.index {
        return access::session_permissions(db, row);
    }
    row.at(index).clone()
}

/// Whether clients may see something else of a field than is stored.
pub fn may_be_derived(def: &FieldDef) -> bool {
    matches!(def.name, "allowed_operations" | "rbac_permissions")
}

/// The whole record as clients see it: every field that is not internal, in the class's order.
pub fn record(db: &Database, row: &Row) -> Value {
    let members = row
        .class
        .def()
        .fields
        .iter()
        .zip(0u16..)
        .filter(|(f, _)| !f.internal);
    Value::Record(
        members
            .map(|(f, i)| (Arc::from(f.name), field(db, row, i)))
            .collect(),
    )
}

/// The object with a uuid.
///
/// # Errors
/// `UUID_INVALID [class, uuid]`, also when the uuid is that of another class's object.
pub fn by_uuid(db: &Database, class: ClassId, uuid: &str) -> Result<Ref, ApiError> {
    db.by_uuid(class, uuid)
        .map(|r| r.reference)
        .ok_or_else(|| ApiError::new("UUID_INVALID", [class.name(), uuid]))
}

/// All objects with exactly this name.
pub fn by_name_label(db: &Database, class: ClassId, label: &str) -> Vec<Ref> {
    let Some(index) = class.def().field("name_label") else {
        return Vec::new();
    };
    db.rows(class)
        .filter(|r| r.at(index).as_str() == label)
        .map(|r| r.reference)
        .collect()
}
