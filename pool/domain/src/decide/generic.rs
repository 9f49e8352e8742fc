//! The messages that exist for every class: setters, map and set members, plain `create` and `destroy`.

use std::collections::BTreeMap;

use proto_types::schema::{Default as FieldDefault, Qualifier, Type};
use proto_types::{ApiError, ClassId, Field, Ref, Value};

use crate::draft::Draft;

/// Sets a field, as `set_X`.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn set(
    draft: &mut Draft<'_>,
    class: ClassId,
    index: u16,
    reference: Ref,
    value: Value,
) -> Result<(), ApiError> {
    exists(draft, class, reference)?;
    draft.update(reference, vec![(Field { class, index }, value)]);
    Ok(())
}

/// Adds a key to a map, as `add_to_X`.
///
/// # Errors
/// `HANDLE_INVALID`; `MAP_DUPLICATE_KEY [class, field, reference, key]` if it is there.
pub fn add_to(
    draft: &mut Draft<'_>,
    class: ClassId,
    index: u16,
    reference: Ref,
    (key, value): (Value, Value),
) -> Result<(), ApiError> {
    let field = Field { class, index };
    let row = draft.read(class, reference)?;
    if row.get(field).as_map().is_some_and(|m| m.contains_key(&key)) {
        return Err(ApiError::new(
            "MAP_DUPLICATE_KEY",
            [
                class.name().to_owned(),
                field.def().name.to_owned(),
                reference.to_string(),
                key.as_str().to_owned(),
            ],
        ));
    }
    draft.put_key(reference, field, key, value);
    Ok(())
}

/// Removes a key from a map, as `remove_from_X`; silently fine when absent.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn remove_from(
    draft: &mut Draft<'_>,
    class: ClassId,
    index: u16,
    reference: Ref,
    key: Value,
) -> Result<(), ApiError> {
    exists(draft, class, reference)?;
    draft.remove_key(reference, Field { class, index }, key);
    Ok(())
}

/// Adds a member to a set, as `add_X`; silently fine when present.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn add_member(
    draft: &mut Draft<'_>,
    class: ClassId,
    index: u16,
    reference: Ref,
    member: Value,
) -> Result<(), ApiError> {
    let field = Field { class, index };
    let row = draft.read(class, reference)?;
    let mut members = row.get(field).as_set().to_vec();
    if !members.contains(&member) {
        members.push(member);
        draft.set(reference, field, Value::Set(members));
    }
    Ok(())
}

/// Removes a member from a set, as `remove_X`; silently fine when absent.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn remove_member(
    draft: &mut Draft<'_>,
    class: ClassId,
    index: u16,
    reference: Ref,
    member: &Value,
) -> Result<(), ApiError> {
    let field = Field { class, index };
    let row = draft.read(class, reference)?;
    let mut members = row.get(field).as_set().to_vec();
    members.retain(|m| m != member);
    draft.set(reference, field, Value::Set(members));
    Ok(())
}

/// The fields of a `create` call's record that the class takes, with defaults for those left out.
///
/// Fields the server computes are ignored, as are members the class does not know.
///
/// # Errors
/// `INTERNAL_ERROR` for a missing member that has no default.
pub fn fields_of(class: ClassId, record: &Value) -> Result<Vec<(Field, Value)>, ApiError> {
    let given: BTreeMap<&str, &Value> = match record {
        Value::Record(members) => members.iter().map(|(n, v)| (&**n, v)).collect(),
        _ => BTreeMap::new(),
    };
    let mut fields = Vec::new();
    for (def, index) in class.def().fields.iter().zip(0u16..) {
        if def.internal || def.derived_from.is_some() || def.qualifier == Qualifier::Runtime {
            continue;
        }
        let field = Field { class, index };
        match given.get(def.name) {
            Some(value) => fields.push((field, (*value).clone())),
            None if matches!(def.default, FieldDefault::None) && !matches!(def.ty, Type::Set(_)) => {
                return Err(ApiError::internal(format!(
                    "field {} of {} is missing",
                    def.name,
                    class.name()
                )));
            }
            None => fields.push((field, def.default_value())),
        }
    }
    Ok(fields)
}

/// Makes a row from a record, as the plain `create`.
///
/// # Errors
/// As [`fields_of`].
pub fn create(draft: &mut Draft<'_>, class: ClassId, record: &Value) -> Result<Ref, ApiError> {
    let fields = fields_of(class, record)?;
    Ok(draft.insert(class, fields))
}

/// Removes a row, as the plain `destroy`.
///
/// # Errors
/// `HANDLE_INVALID`.
pub fn destroy(draft: &mut Draft<'_>, class: ClassId, reference: Ref) -> Result<(), ApiError> {
    draft.read(class, reference)?;
    draft.delete(reference);
    Ok(())
}

/// Says whether the object is there without resting the transaction on its state: a plain write of one field
/// does not care what else has changed.
fn exists(draft: &Draft<'_>, class: ClassId, reference: Ref) -> Result<(), ApiError> {
    match draft.db().of_class(class, reference) {
        Some(_) => Ok(()),
        None => Err(ApiError::handle_invalid(class.name(), reference)),
    }
}
