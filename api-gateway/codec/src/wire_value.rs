//! Values as they came over the wire, before anybody knows their types.

use proto_types::ApiError;

/// A decoded value of which only the form on the wire is known.
#[derive(Clone, Debug, PartialEq)]
pub enum WireValue {
    /// Text: `<string>` or bare text, a JSON string.
    String(String),
    /// `<int>`, `<i4>`, `<i8>`, or a whole JSON number.
    Int(i64),
    /// `<boolean>`, or a JSON truth value.
    Bool(bool),
    /// `<double>`, or a JSON number with a fraction or exponent.
    Double(f64),
    /// The text of a `<dateTime.iso8601>`; JSON has only strings.
    DateTime(String),
    /// `<array>`, or a JSON array.
    Array(Vec<WireValue>),
    /// `<struct>`, or a JSON object: members in the order of the wire.
    Struct(Vec<(String, WireValue)>),
    /// `<nil/>`, or JSON's `null`.
    Nil,
}

impl WireValue {
    /// The text, if this is a string.
    pub fn as_str(&self) -> Option<&str> {
        if let WireValue::String(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// The last member of that name, if this is a struct.
    pub fn member(&self, name: &str) -> Option<&WireValue> {
        if let WireValue::Struct(members) = self {
            members
                .iter()
                .rev()
                .find(|(n, _)| n == name)
                .map(|(_, value)| value)
        } else {
            None
        }
    }

    /// The form in words, for error texts.
    pub fn kind(&self) -> &'static str {
        match self {
            WireValue::String(_) => "string",
            WireValue::Int(_) => "int",
            WireValue::Bool(_) => "boolean",
            WireValue::Double(_) => "double",
            WireValue::DateTime(_) => "dateTime.iso8601",
            WireValue::Array(_) => "array",
            WireValue::Struct(_) => "struct",
            WireValue::Nil => "nil",
        }
    }
}

/// One decoded call. The session, if the message takes one, is the first of `params`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The method as sent, such as `VM.start` or `Async.VM.start`.
    pub method: String,
    /// Positional parameters.
    pub params: Vec<WireValue>,
}

/// What a server answered, seen from the client.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The result; `system.listMethods` answers it without a status.
    Success(WireValue),
    /// The error of the API.
    Failure(ApiError),
}
