//! Setting fields: which messages do it, and words as values.

use proto_types::Value;
use proto_types::schema::Type;

use super::Kind;
use super::field::{Field, Setter, Tag};
use super::shown::{member_meant, type_of};
use crate::client::{Client, NULL, Object};
use crate::failure::Failure;
use crate::values;

/// The messages that may be sent to write a field, for the test that there are such.
#[cfg(test)]
pub fn messages(kind: &Kind, field: &Field) -> Vec<String> {
    if field.is_computed() || field.via.is_some() {
        return Vec::new();
    }
    let (class, column) = (kind.class, field.column);
    match (field.setter, field.tag) {
        (Setter::Keys(message), _) => vec![message.to_owned()],
        (Setter::Whole(_), _) => vec![format!("{class}.set_{column}")],
        (Setter::AddRemove(add, remove), _) => vec![add.to_owned(), remove.to_owned()],
        (Setter::Members, _) => vec![
            format!("{class}.set_{column}"),
            format!("{class}.add_{column}"),
            format!("{class}.remove_{column}"),
        ],
        (_, Tag::Rw) => vec![format!("{class}.set_{column}")],
        (_, Tag::Srw) => vec![
            format!("{class}.add_{column}"),
            format!("{class}.remove_{column}"),
        ],
        (_, Tag::Mrw) => vec![
            format!("{class}.add_to_{column}"),
            format!("{class}.remove_from_{column}"),
        ],
        (_, Tag::Ro | Tag::Sro | Tag::Mro) => Vec::new(),
    }
}

/// Whether `param-set name=value` sets it.
pub fn is_settable(field: &Field) -> bool {
    field.tag == Tag::Rw || matches!(field.setter, Setter::Members)
}

/// Whether `param-set name:key=value` sets it.
pub fn has_settable_keys(field: &Field) -> bool {
    field.tag == Tag::Mrw || matches!(field.setter, Setter::Keys(_) | Setter::Whole(_))
}

/// A reference as an argument; an empty word is the null reference.
///
/// # Errors
/// When there is no object of the uuid.
pub fn reference(client: &Client, class: &str, uuid: &str) -> Result<Value, Failure> {
    if uuid.is_empty() {
        return Ok(Value::str(NULL));
    }
    client.by_uuid(class, uuid).map(Value::str)
}

/// A word as a value of a type.
///
/// # Errors
/// When it is none.
pub fn word(client: &Client, name: &str, ty: &Type, text: &str) -> Result<Value, Failure> {
    Ok(match ty {
        Type::Int => Value::Int(values::int(name, text)?),
        Type::Float => Value::Float(values::float(name, text)?),
        Type::Bool => Value::Bool(values::truth(text).ok_or_else(|| {
            Failure::cli(format!(
                "Failed to parse parameter '{name}': expecting a boolean (true or false)"
            ))
        })?),
        Type::Enum(def) => Value::str(member_meant(def.name, def.members, text).ok_or_else(|| {
            let names: Vec<String> = def.members.iter().map(|m| format!("'{m}'")).collect();
            Failure::cli(format!("Expected {}, got {text}", names.join(", ")))
        })?),
        Type::Ref(class) => reference(client, class, text)?,
        Type::Set(item) => {
            let parts = text.split(',').filter(|part| !part.is_empty());
            Value::Set(
                parts
                    .map(|part| word(client, name, item, part))
                    .collect::<Result<_, _>>()?,
            )
        }
        Type::DateTime => Value::Time(
            text.parse()
                .map_err(|_| Failure::cli(format!("Failed to parse parameter '{name}': expecting a date")))?,
        ),
        Type::Void | Type::String | Type::Map(..) | Type::Record(_) | Type::Option(_) => Value::str(text),
    })
}

/// Sets a whole field.
///
/// # Errors
/// When it is read-only, the word is no value of its type, or the API refuses.
pub fn set(client: &Client, kind: &Kind, field: &Field, object: &Object, text: &str) -> Result<(), Failure> {
    if !is_settable(field) {
        return Err(Failure::cli(match field.tag {
            Tag::Mrw => format!(
                "Field '{}' is a map or set. use the 'name:key=value' syntax.",
                field.name
            ),
            _ => format!("Field '{}' is read-only.", field.name),
        }));
    }
    let value = match (field.setter, type_of(kind.class, field.column)) {
        (Setter::Bytes, _) => Value::Int(values::bytes(field.name, text)?),
        (_, Some(ty)) => word(client, field.name, ty, text)?,
        (_, None) => Value::str(text),
    };
    send(
        client,
        &format!("{}.set_{}", kind.class, field.column),
        object,
        &[value],
    )
}

/// Sets one key of a map, which may be there already.
///
/// # Errors
/// As [`set`].
pub fn set_key(
    client: &Client,
    kind: &Kind,
    field: &Field,
    object: &Object,
    key: &str,
    text: &str,
) -> Result<(), Failure> {
    match field.setter {
        Setter::Keys(message) => send(client, message, object, &[Value::str(key), Value::str(text)]),
        _ if field.tag == Tag::Mrw => {
            let key = api_key(kind, field, key)?;
            if object.map(field.column).iter().any(|(known, _)| *known == key) {
                remove_key(client, kind, field, object, &key)?;
            }
            add_key(client, kind, field, object, &key, text)
        }
        _ => Err(Failure::cli(format!("Map field '{}' is read-only.", field.name))),
    }
}

/// Sets a whole map that can only be set so.
///
/// # Errors
/// When a key is none of those allowed, or the API refuses.
pub fn set_whole(
    client: &Client,
    kind: &Kind,
    field: &Field,
    object: &Object,
    map: &[(String, String)],
) -> Result<(), Failure> {
    if let Setter::Whole(keys) = field.setter
        && let Some((key, _)) = map.iter().find(|(key, _)| !keys.contains(&key.as_str()))
    {
        return Err(Failure::cli(format!(
            "Unknown key '{key}': expecting {}",
            keys.join(", ")
        )));
    }
    let map = Value::string_map(map.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    send(
        client,
        &format!("{}.set_{}", kind.class, field.column),
        object,
        &[map],
    )
}

/// Adds a key to a map.
///
/// # Errors
/// When the key is none of those allowed, or the API refuses.
pub fn add_key(
    client: &Client,
    kind: &Kind,
    field: &Field,
    object: &Object,
    key: &str,
    text: &str,
) -> Result<(), Failure> {
    if let Setter::OnlyKeys(keys) = field.setter
        && !keys.contains(&key)
    {
        let names: Vec<String> = keys.iter().map(|k| format!("'{k}'")).collect();
        return Err(Failure::cli(format!(
            "Failed to add parameter '{key}': expecting {}",
            names.join(",")
        )));
    }
    let key = api_key(kind, field, key)?;
    let args = [Value::str(key), Value::str(text)];
    send(
        client,
        &format!("{}.add_to_{}", kind.class, field.column),
        object,
        &args,
    )
}

/// Removes a key from a map.
///
/// # Errors
/// What the API refuses.
pub fn remove_key(
    client: &Client,
    kind: &Kind,
    field: &Field,
    object: &Object,
    key: &str,
) -> Result<(), Failure> {
    let key = api_key(kind, field, key)?;
    let message = format!("{}.remove_from_{}", kind.class, field.column);
    send(client, &message, object, &[Value::str(key)])
}

/// Adds a member to a set, or removes it.
///
/// # Errors
/// When it is none, or the API refuses.
pub fn change_member(
    client: &Client,
    kind: &Kind,
    field: &Field,
    object: &Object,
    change: Change,
    text: &str,
) -> Result<(), Failure> {
    let message = match (field.setter, change) {
        (Setter::AddRemove(add, _), Change::Add) => add.to_owned(),
        (Setter::AddRemove(_, remove), Change::Remove) => remove.to_owned(),
        (_, Change::Add) => format!("{}.add_{}", kind.class, field.column),
        (_, Change::Remove) => format!("{}.remove_{}", kind.class, field.column),
    };
    let value = match type_of(kind.class, field.column) {
        Some(Type::Set(item)) => word(client, field.name, item, text)?,
        _ => Value::str(text),
    };
    send(client, &message, object, &[value])
}

/// What happens to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It comes.
    Add,
    /// It goes.
    Remove,
}

/// Keys that are members of an enum have spellings of their own.
fn api_key(kind: &Kind, field: &Field, key: &str) -> Result<String, Failure> {
    match type_of(kind.class, field.column) {
        Some(Type::Map(Type::Enum(def), _)) => match member_meant(def.name, def.members, key) {
            Some(member) => Ok(member.to_owned()),
            None => Err(proto_types::ApiError::new("INVALID_VALUE", ["blocked_operation", key]).into()),
        },
        _ => Ok(key.to_owned()),
    }
}

fn send(client: &Client, message: &str, object: &Object, rest: &[Value]) -> Result<(), Failure> {
    let mut args = vec![Value::str(&object.reference)];
    args.extend_from_slice(rest);
    client.call(message, &args).map(|_| ())
}
