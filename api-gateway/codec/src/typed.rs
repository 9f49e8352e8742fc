//! Wire values against the types of the data model.

use std::collections::BTreeMap;
use std::sync::Arc;

use proto_types::schema::{ClassDef, EnumDef, FieldDef, Qualifier, Type};
use proto_types::{ApiError, ClassId, Value};

use crate::WireValue;

/// Why a value is not of the type that the data model asks for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TypeError {
    /// The form on the wire does not fit the type.
    #[error("expected {expected}, got {got}")]
    Shape {
        /// The type.
        expected: &'static str,
        /// The form on the wire.
        got: &'static str,
    },
    /// The text is no number of the type.
    #[error("{text:?} is not of type {expected}")]
    Text {
        /// The type.
        expected: &'static str,
        /// What was sent.
        text: String,
    },
    /// The enum has no such member.
    #[error("{text:?} is not a member of enum {name}")]
    Enum {
        /// The enum.
        name: &'static str,
        /// What was sent.
        text: String,
    },
    /// The text is no reference, so it names no object of the class.
    #[error("{text:?} is not a reference to {class}")]
    Reference {
        /// The class that is referred to.
        class: &'static str,
        /// What was sent.
        text: String,
    },
    /// A record lacks a member that has no default.
    #[error("record of {class} lacks {field}")]
    Missing {
        /// The class.
        class: &'static str,
        /// The member.
        field: &'static str,
    },
}

impl From<TypeError> for ApiError {
    /// `HANDLE_INVALID` for what cannot be a reference, `INTERNAL_ERROR` with a text for the rest.
    fn from(error: TypeError) -> ApiError {
        match error {
            TypeError::Reference { class, text } => ApiError::handle_invalid(class, text),
            other => ApiError::internal(other.to_string()),
        }
    }
}

/// Which members of a record are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Records {
    /// What a client may give to `create`: other members are ignored, missing ones get their defaults.
    Given,
    /// What a server sends: every field that is there.
    Complete,
}

/// Reads an argument of a call.
///
/// Integers may come as strings, floats as integers or strings, times as strings, `""` as the null reference. Truth
/// values, enums, sets, maps and structs are taken in their own form only. Records hold the fields that a client may
/// give, in the order of the class.
///
/// # Errors
/// [`TypeError`], which turns into the error of the API.
pub fn decode(wire: &WireValue, ty: &Type) -> Result<Value, TypeError> {
    read(wire, ty, Records::Given)
}

/// Reads a result on the client side: records hold every field that the server sent, in the order of the class.
///
/// # Errors
/// As [`decode`].
pub fn decode_result(wire: &WireValue, ty: &Type) -> Result<Value, TypeError> {
    read(wire, ty, Records::Complete)
}

/// The value in its own form: structs become records, times that are not of the API's form stay texts.
pub fn untyped(wire: &WireValue) -> Value {
    match wire {
        WireValue::String(text) => Value::str(text),
        WireValue::Int(number) => Value::Int(*number),
        WireValue::Bool(truth) => Value::Bool(*truth),
        WireValue::Double(number) => Value::Float(*number),
        WireValue::DateTime(text) => text.parse().map_or_else(|_| Value::str(text), Value::Time),
        WireValue::Array(items) => Value::Set(items.iter().map(untyped).collect()),
        WireValue::Struct(members) => Value::Record(
            members
                .iter()
                .map(|(name, value)| (Arc::from(name.as_str()), untyped(value)))
                .collect(),
        ),
        WireValue::Nil => Value::Void,
    }
}

fn read(wire: &WireValue, ty: &Type, records: Records) -> Result<Value, TypeError> {
    match ty {
        Type::Void => Ok(Value::Void),
        Type::String => text(wire, "string").map(Value::str),
        Type::Int => int(wire),
        Type::Float => float(wire),
        Type::Bool => match wire {
            WireValue::Bool(truth) => Ok(Value::Bool(*truth)),
            other => Err(shape("bool", other)),
        },
        Type::DateTime => match wire {
            WireValue::DateTime(text) | WireValue::String(text) => time(text),
            other => Err(shape("datetime", other)),
        },
        Type::Enum(def) => text(wire, "enum").and_then(|text| member(text, def)),
        Type::Ref(class) => text(wire, "reference").and_then(|text| reference(text, class)),
        Type::Set(item) => match wire {
            WireValue::Array(items) => items
                .iter()
                .map(|value| read(value, item, records))
                .collect::<Result<_, _>>()
                .map(Value::Set),
            other => Err(shape("set", other)),
        },
        Type::Map(key, value) => match wire {
            WireValue::Struct(members) => {
                let mut map = BTreeMap::new();
                for (name, wire) in members {
                    map.insert(map_key(name, key)?, read(wire, value, records)?);
                }
                Ok(Value::Map(map))
            }
            other => Err(shape("map", other)),
        },
        Type::Record(class) => match wire {
            WireValue::Struct(members) => match ClassId::by_name(class) {
                Some(class) => record(members, class.def(), records),
                None => Ok(untyped(wire)),
            },
            other => Err(shape("record", other)),
        },
        Type::Option(inner) => match wire {
            WireValue::Nil => Ok(Value::Void),
            other => read(other, inner, records),
        },
    }
}

fn shape(expected: &'static str, got: &WireValue) -> TypeError {
    TypeError::Shape {
        expected,
        got: got.kind(),
    }
}

fn text<'a>(wire: &'a WireValue, expected: &'static str) -> Result<&'a str, TypeError> {
    wire.as_str().ok_or_else(|| shape(expected, wire))
}

fn bad_text(expected: &'static str, text: &str) -> TypeError {
    TypeError::Text {
        expected,
        text: text.to_owned(),
    }
}

fn int(wire: &WireValue) -> Result<Value, TypeError> {
    match wire {
        WireValue::Int(number) => Ok(Value::Int(*number)),
        WireValue::String(text) => text
            .trim()
            .parse()
            .map(Value::Int)
            .map_err(|_| bad_text("int", text)),
        other => Err(shape("int", other)),
    }
}

fn float(wire: &WireValue) -> Result<Value, TypeError> {
    match wire {
        WireValue::Double(number) => Ok(Value::Float(*number)),
        #[allow(
            clippy::cast_precision_loss,
            reason = "the API accepts whole numbers as floats"
        )]
        WireValue::Int(number) => Ok(Value::Float(*number as f64)),
        WireValue::String(text) => text
            .trim()
            .parse()
            .map(Value::Float)
            .map_err(|_| bad_text("float", text)),
        other => Err(shape("float", other)),
    }
}

fn time(text: &str) -> Result<Value, TypeError> {
    text.trim()
        .parse()
        .map(Value::Time)
        .map_err(|_| bad_text("datetime", text))
}

fn member(text: &str, def: &'static EnumDef) -> Result<Value, TypeError> {
    if def.members.contains(&text) {
        Ok(Value::str(text))
    } else {
        Err(TypeError::Enum {
            name: def.name,
            text: text.to_owned(),
        })
    }
}

fn reference(text: &str, class: &'static str) -> Result<Value, TypeError> {
    text.parse().map(Value::Ref).map_err(|_| TypeError::Reference {
        class,
        text: text.to_owned(),
    })
}

/// Keys of maps are strings on the wire, whatever their type.
fn map_key(name: &str, ty: &Type) -> Result<Value, TypeError> {
    match ty {
        Type::String => Ok(Value::str(name)),
        Type::Int => name
            .trim()
            .parse()
            .map(Value::Int)
            .map_err(|_| bad_text("int", name)),
        Type::Float => name
            .trim()
            .parse()
            .map(Value::Float)
            .map_err(|_| bad_text("float", name)),
        Type::Bool => match name {
            "true" | "1" => Ok(Value::Bool(true)),
            "false" | "0" => Ok(Value::Bool(false)),
            other => Err(bad_text("bool", other)),
        },
        Type::DateTime => time(name),
        Type::Enum(def) => member(name, def),
        Type::Ref(class) => reference(name, class),
        Type::Void | Type::Set(_) | Type::Map(..) | Type::Record(_) | Type::Option(_) => {
            Err(bad_text("map key", name))
        }
    }
}

fn record(
    members: &[(String, WireValue)],
    class: &'static ClassDef,
    records: Records,
) -> Result<Value, TypeError> {
    let mut fields = Vec::with_capacity(class.fields.len());
    for def in class.fields.iter().filter(|def| is_looked_at(def, records)) {
        let value = match members.iter().rev().find(|(name, _)| name == def.name) {
            Some((_, wire)) => read(wire, &def.ty, records)?,
            None if records == Records::Complete => continue,
            None => match (def.default.value(), &def.ty) {
                (Some(value), _) => value,
                (None, Type::Option(_)) => Value::Void,
                (None, _) => {
                    return Err(TypeError::Missing {
                        class: class.name,
                        field: def.name,
                    });
                }
            },
        };
        if !matches!(value, Value::Void) {
            fields.push((Arc::from(def.name), value));
        }
    }
    Ok(Value::Record(fields))
}

fn is_looked_at(def: &FieldDef, records: Records) -> bool {
    match records {
        Records::Complete => true,
        Records::Given => !def.internal && def.qualifier != Qualifier::Runtime,
    }
}

#[cfg(test)]
mod test;
