//! The one way in which values become bytes, whatever the protocol.

use proto_types::{DateTime, Ref, Value};

/// The member of an event batch whose integers are 32-bit numbers on the wire, the only place where they are.
const COUNTS: &str = "valid_ref_counts";

/// Appends values to a message of one protocol.
///
/// Calls nest: inside [`ValueWriter::set`] each value written is a member of the set, inside [`ValueWriter::map`]
/// only [`ValueWriter::member`] may be called, and inside that exactly one value must be written.
pub trait ValueWriter: Sized {
    /// Text, or an enum's member.
    fn text(&mut self, text: &str);
    /// A 64-bit integer.
    fn int(&mut self, number: i64);
    /// An integer of the type int32.
    fn int32(&mut self, number: i64);
    /// A float.
    fn float(&mut self, number: f64);
    /// A truth value.
    fn truth(&mut self, truth: bool);
    /// A point in time.
    fn time(&mut self, at: DateTime);
    /// A reference.
    fn reference(&mut self, reference: Ref);
    /// Nothing, the result of a void message.
    fn void(&mut self);
    /// A set, whose members `members` writes.
    fn set(&mut self, members: impl FnOnce(&mut Self));
    /// A map or record, whose members `members` writes.
    fn map(&mut self, members: impl FnOnce(&mut Self));
    /// One member of a map or record; `value` writes its value.
    fn member(&mut self, name: &str, value: impl FnOnce(&mut Self));

    /// Any value.
    fn value(&mut self, value: &Value) {
        match value {
            Value::Void => self.void(),
            Value::Str(text) => self.text(text),
            Value::Int(number) => self.int(*number),
            Value::Float(number) => self.float(*number),
            Value::Bool(truth) => self.truth(*truth),
            Value::Time(at) => self.time(*at),
            Value::Ref(reference) => self.reference(*reference),
            Value::Set(items) => self.set(|w| {
                for item in items {
                    w.value(item);
                }
            }),
            Value::Map(entries) => self.map(|w| {
                for (key, value) in entries {
                    with_key(key, |name| w.member(name, |w| w.value(value)));
                }
            }),
            Value::Record(members) => self.map(|w| {
                for (name, value) in members {
                    w.field(name, value);
                }
            }),
        }
    }

    /// One field of a record; an absent optional is left out.
    fn field(&mut self, name: &str, value: &Value) {
        match value {
            Value::Void => {}
            Value::Map(counts) if name == COUNTS => self.member(name, |w| {
                w.map(|w| {
                    for (class, count) in counts {
                        w.member(class.as_str(), |w| w.int32(count.as_int()));
                    }
                });
            }),
            value => self.member(name, |w| w.value(value)),
        }
    }

    /// A set of strings.
    fn strings<S: AsRef<str>>(&mut self, items: impl IntoIterator<Item = S>) {
        self.set(|w| {
            for item in items {
                w.text(item.as_ref());
            }
        });
    }
}

/// Hands over the key of a map in its spelling as a string.
pub(crate) fn with_key(key: &Value, then: impl FnOnce(&str)) {
    match key {
        Value::Str(text) => then(text),
        Value::Ref(reference) => with_reference(*reference, then),
        Value::Int(number) => then(&number.to_string()),
        Value::Bool(truth) => then(if *truth { "true" } else { "false" }),
        Value::Time(at) => then(&at.to_string()),
        Value::Float(number) => {
            let mut out = Vec::with_capacity(24);
            crate::float::write_float(&mut out, *number);
            then(std::str::from_utf8(&out).unwrap_or_default());
        }
        // The data model has no such keys.
        Value::Void | Value::Set(_) | Value::Map(_) | Value::Record(_) => then(""),
    }
}

/// Hands over the spelling of a reference without an allocation.
pub(crate) fn with_reference(reference: Ref, then: impl FnOnce(&str)) {
    if reference.is_null() {
        return then("OpaqueRef:NULL");
    }
    let mut text = *b"OpaqueRef:00000000-0000-0000-0000-000000000000";
    if let Some(number) = text.get_mut(10..) {
        reference.as_uuid().as_hyphenated().encode_lower(number);
    }
    then(std::str::from_utf8(&text).unwrap_or_default());
}
