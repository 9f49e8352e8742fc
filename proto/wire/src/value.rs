//! Values of the data model to and from their stored form.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use proto_types::{DateTime, Ref, Value};
use uuid::Uuid;

use crate::stored;
use crate::stored::value::Kind;

/// Values nested deeper than this are refused; the data model nests three levels.
pub const DEEPEST: usize = 16;

/// Bytes that do not hold what they should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Not protobuf, or cut off.
    #[error("not a message: {0}")]
    NotAMessage(String),
    /// A part that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A reference or uuid that is not 16 bytes long.
    #[error("a reference has {0} bytes")]
    Reference(usize),
    /// Nested deeper than [`DEEPEST`].
    #[error("a value is nested too deeply")]
    TooDeep,
    /// A class this build does not know.
    #[error("class {0:?} is unknown to this build")]
    UnknownClass(String),
}

impl From<prost::DecodeError> for Malformed {
    fn from(error: prost::DecodeError) -> Self {
        Malformed::NotAMessage(error.to_string())
    }
}

/// The stored form of a reference.
pub fn reference_to_wire(reference: Ref) -> Bytes {
    uuid_to_wire(reference.as_uuid())
}

/// Reads a reference.
///
/// # Errors
/// [`Malformed::Reference`] unless there are 16 bytes.
pub fn reference_from_wire(bytes: &[u8]) -> Result<Ref, Malformed> {
    uuid_from_wire(bytes).map(Ref::from_uuid)
}

/// The stored form of a uuid.
pub fn uuid_to_wire(uuid: Uuid) -> Bytes {
    Bytes::copy_from_slice(uuid.as_bytes())
}

/// Reads a uuid.
///
/// # Errors
/// [`Malformed::Reference`] unless there are 16 bytes.
pub fn uuid_from_wire(bytes: &[u8]) -> Result<Uuid, Malformed> {
    Uuid::from_slice(bytes).map_err(|_| Malformed::Reference(bytes.len()))
}

/// The stored form of a value.
pub fn to_wire(value: &Value) -> stored::Value {
    let kind = match value {
        Value::Void => Kind::Nothing(stored::Nothing {}),
        Value::Str(text) => Kind::Text(text.to_string()),
        Value::Int(number) => Kind::Number(*number),
        Value::Float(number) => Kind::Real(*number),
        Value::Bool(truth) => Kind::Truth(*truth),
        Value::Time(at) => Kind::Time(at.0),
        Value::Ref(reference) => Kind::Reference(reference_to_wire(*reference)),
        Value::Set(items) => Kind::Set(stored::Set {
            items: items.iter().map(to_wire).collect(),
        }),
        Value::Map(map) => Kind::Map(stored::Map {
            pairs: map
                .iter()
                .map(|(key, value)| stored::Pair {
                    key: Some(to_wire(key)),
                    value: Some(to_wire(value)),
                })
                .collect(),
        }),
        Value::Record(members) => Kind::Record(stored::Record {
            members: members
                .iter()
                .map(|(name, value)| stored::FieldValue {
                    name: name.to_string(),
                    value: Some(to_wire(value)),
                })
                .collect(),
        }),
    };
    stored::Value { kind: Some(kind) }
}

/// Reads a value.
///
/// # Errors
/// [`Malformed`] when a part is missing, a reference has the wrong length, or the nesting is too deep.
pub fn from_wire(value: stored::Value) -> Result<Value, Malformed> {
    from_wire_at(value, 0)
}

fn from_wire_at(value: stored::Value, depth: usize) -> Result<Value, Malformed> {
    if depth > DEEPEST {
        return Err(Malformed::TooDeep);
    }
    let inner =
        |value: Option<stored::Value>| from_wire_at(value.ok_or(Malformed::Missing("value"))?, depth + 1);
    Ok(match value.kind.ok_or(Malformed::Missing("kind of value"))? {
        Kind::Nothing(stored::Nothing {}) => Value::Void,
        Kind::Text(text) => Value::Str(Arc::from(text)),
        Kind::Number(number) => Value::Int(number),
        Kind::Real(number) => Value::Float(number),
        Kind::Truth(truth) => Value::Bool(truth),
        Kind::Time(seconds) => Value::Time(DateTime(seconds)),
        Kind::Reference(bytes) => Value::Ref(reference_from_wire(&bytes)?),
        Kind::Set(set) => Value::Set(
            set.items
                .into_iter()
                .map(|item| inner(Some(item)))
                .collect::<Result<Vec<_>, _>>()?,
        ),
        Kind::Map(map) => Value::Map(
            map.pairs
                .into_iter()
                .map(|pair| Ok((inner(pair.key)?, inner(pair.value)?)))
                .collect::<Result<BTreeMap<_, _>, Malformed>>()?,
        ),
        Kind::Record(record) => Value::Record(
            record
                .members
                .into_iter()
                .map(|member| Ok((Arc::from(member.name), inner(member.value)?)))
                .collect::<Result<Vec<_>, Malformed>>()?,
        ),
    })
}

#[cfg(test)]
mod test {
    use super::*;
    use prost::Message;

    #[test]
    fn every_kind_of_value_reads_back() {
        let r = Ref::from_uuid(Uuid::from_u128(7));
        let all = Value::Set(vec![
            Value::Void,
            Value::str("é"),
            Value::Int(i64::MIN),
            Value::Float(f64::NAN),
            Value::Bool(true),
            Value::Time(DateTime(-1)),
            Value::Ref(r),
            Value::Ref(Ref::NULL),
            Value::string_map([("a", "b")]),
            Value::Record(vec![(Arc::from("x"), Value::Int(1))]),
        ]);
        let bytes = to_wire(&all).encode_to_vec();
        assert_eq!(
            from_wire(stored::Value::decode(bytes.as_slice()).unwrap()),
            Ok(all)
        );
    }

    #[test]
    fn deep_nesting_is_refused() {
        let mut value = Value::Void;
        for _ in 0..40 {
            value = Value::Set(vec![value]);
        }
        assert_eq!(from_wire(to_wire(&value)), Err(Malformed::TooDeep));
    }

    #[test]
    fn a_short_reference_is_refused() {
        let value = stored::Value {
            kind: Some(Kind::Reference(Bytes::from_static(b"abc"))),
        };
        assert_eq!(from_wire(value), Err(Malformed::Reference(3)));
    }
}
