//! One value of a field, parameter or result, after its type has been checked.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{DateTime, Ref};

/// A value of the data model.
///
/// Strings and enums are shared, so that a copy of a row costs no copy of its text. The order is total (floats
/// by bits of `total_cmp`), because values are keys of maps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Value {
    /// No value: the result of a `void` message, or an absent optional.
    Void,
    /// Text, or the name of an enum member.
    Str(Arc<str>),
    /// A 64-bit integer.
    Int(i64),
    /// A double-precision number.
    Float(f64),
    /// Truth.
    Bool(bool),
    /// A point in time.
    Time(DateTime),
    /// A reference to an object, possibly null.
    Ref(Ref),
    /// A set; order is kept as given.
    Set(Vec<Value>),
    /// A map.
    Map(#[serde(with = "pairs")] BTreeMap<Value, Value>),
    /// A record: field name to value, in field order. Absent optionals are left out.
    Record(Vec<(Arc<str>, Value)>),
}

/// A map as a list of pairs: forms such as JSON take nothing but text as keys.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::Value;

    pub(super) fn serialize<S: Serializer>(map: &BTreeMap<Value, Value>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<Value, Value>, D::Error> {
        Ok(Vec::<(Value, Value)>::deserialize(from)?.into_iter().collect())
    }
}

impl Value {
    /// Text.
    pub fn str(text: impl AsRef<str>) -> Value {
        Value::Str(Arc::from(text.as_ref()))
    }

    /// The empty map.
    pub fn empty_map() -> Value {
        Value::Map(BTreeMap::new())
    }

    /// A set of strings.
    pub fn strings<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> Value {
        Value::Set(items.into_iter().map(Value::str).collect())
    }

    /// A set of references.
    pub fn refs(items: impl IntoIterator<Item = Ref>) -> Value {
        Value::Set(items.into_iter().map(Value::Ref).collect())
    }

    /// A map from strings to strings.
    pub fn string_map<K: AsRef<str>, V: AsRef<str>>(items: impl IntoIterator<Item = (K, V)>) -> Value {
        Value::Map(
            items
                .into_iter()
                .map(|(k, v)| (Value::str(k), Value::str(v)))
                .collect(),
        )
    }

    /// The text, or `""` for anything else.
    pub fn as_str(&self) -> &str {
        if let Value::Str(s) = self { s } else { "" }
    }

    /// The integer, or 0.
    pub fn as_int(&self) -> i64 {
        if let Value::Int(i) = self { *i } else { 0 }
    }

    /// The float, or 0.
    pub fn as_float(&self) -> f64 {
        if let Value::Float(f) = self { *f } else { 0.0 }
    }

    /// The truth value, or false.
    pub fn as_bool(&self) -> bool {
        matches!(self, Value::Bool(true))
    }

    /// The reference, or null.
    pub fn as_ref(&self) -> Ref {
        if let Value::Ref(r) = self { *r } else { Ref::NULL }
    }

    /// The time, or the epoch.
    pub fn as_time(&self) -> DateTime {
        if let Value::Time(t) = self {
            *t
        } else {
            DateTime::EPOCH
        }
    }

    /// The members of a set, or none.
    pub fn as_set(&self) -> &[Value] {
        if let Value::Set(items) = self { items } else { &[] }
    }

    /// The references in a set.
    pub fn as_refs(&self) -> Vec<Ref> {
        self.as_set().iter().map(Value::as_ref).collect()
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&BTreeMap<Value, Value>> {
        if let Value::Map(m) = self { Some(m) } else { None }
    }

    /// The text under a text key of a map.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.as_map()?.get(&Value::str(key)).map(Value::as_str)
    }

    /// The member of a record.
    pub fn member(&self, name: &str) -> Option<&Value> {
        if let Value::Record(members) = self {
            members.iter().find(|(n, _)| &**n == name).map(|(_, v)| v)
        } else {
            None
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Value::Void => 0,
            Value::Str(_) => 1,
            Value::Int(_) => 2,
            Value::Float(_) => 3,
            Value::Bool(_) => 4,
            Value::Time(_) => 5,
            Value::Ref(_) => 6,
            Value::Set(_) => 7,
            Value::Map(_) => 8,
            Value::Record(_) => 9,
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Value::Str(a), Value::Str(b)) => a.cmp(b),
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Time(a), Value::Time(b)) => a.cmp(b),
            (Value::Ref(a), Value::Ref(b)) => a.cmp(b),
            (Value::Set(a), Value::Set(b)) => a.cmp(b),
            (Value::Map(a), Value::Map(b)) => a.cmp(b),
            (Value::Record(a), Value::Record(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Value {}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::str(text)
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Str(Arc::from(text))
    }
}
impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Value::str(text)
    }
}
impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}
impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Float(number)
    }
}
impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
    }
}
impl From<Ref> for Value {
    fn from(reference: Ref) -> Self {
        Value::Ref(reference)
    }
}
impl From<DateTime> for Value {
    fn from(at: DateTime) -> Self {
        Value::Time(at)
    }
}
impl From<crate::Bytes> for Value {
    fn from(bytes: crate::Bytes) -> Self {
        Value::Int(bytes.as_i64())
    }
}
impl From<Vec<Ref>> for Value {
    fn from(items: Vec<Ref>) -> Self {
        Value::refs(items)
    }
}
impl From<()> for Value {
    fn from((): ()) -> Self {
        Value::Void
    }
}
