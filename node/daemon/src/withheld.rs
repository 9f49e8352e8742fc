//! Objects as JSON without what is nobody's business outside the pool.

use pool_domain::Database;
use proto_types::generated::{
    secret, session, tarn_authority, tarn_credential, tarn_event_queue, tarn_join_token, tarn_saga,
    tarn_setting, vm,
};
use proto_types::{ClassId, Field, Value};
use serde_json::Value as Json;

/// Classes that are nobody's business outside the pool; a session's reference is as good as a password.
const WITHHELD: &[ClassId] = &[
    secret::CLASS,
    session::CLASS,
    tarn_authority::CLASS,
    tarn_credential::CLASS,
    tarn_event_queue::CLASS,
    tarn_join_token::CLASS,
];

/// Fields that may hold what a client wants nobody to know.
const CLOSED: &[Field] = &[
    tarn_saga::PARAMS,
    tarn_saga::OUTPUTS,
    tarn_setting::VALUE,
    vm::XENSTORE_DATA,
];

/// Keys of maps whose values are withheld, by any of these within their names.
const SUSPECT: &[&str] = &[
    "pass",
    "secret",
    "token",
    "key",
    "chap",
    "credential",
    "auth",
    "user-data",
    "userdata",
    "config-drive",
];

/// What stands in the place of what is withheld.
pub const NOTHING: &str = "(withheld)";

/// Says whether objects of a class are withheld whole.
pub fn has(class: ClassId) -> bool {
    WITHHELD.contains(&class)
}

/// A field's value, as far as it may be shown.
pub fn shown(db: &Database, field: Field, value: &Value) -> Json {
    if has(field.class) || CLOSED.contains(&field) {
        NOTHING.into()
    } else {
        json(db, value)
    }
}

fn json(db: &Database, value: &Value) -> Json {
    match value {
        Value::Void => Json::Null,
        Value::Str(text) => (&**text).into(),
        Value::Int(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Bool(truth) => (*truth).into(),
        Value::Time(time) => time.0.into(),
        Value::Ref(reference) if db.of_class(session::CLASS, *reference).is_some() => NOTHING.into(),
        Value::Ref(reference) => reference.to_string().into(),
        Value::Set(items) => items.iter().map(|item| json(db, item)).collect(),
        Value::Map(pairs) => pairs
            .iter()
            .map(|(key, value)| {
                let key = match key {
                    Value::Str(text) => text.to_string(),
                    other => json(db, other).to_string(),
                };
                let lower = key.to_lowercase().replace('_', "-");
                let suspect = SUSPECT.iter().any(|part| lower.contains(part));
                let value = if suspect { NOTHING.into() } else { json(db, value) };
                (key, value)
            })
            .collect(),
        Value::Record(members) => members
            .iter()
            .map(|(name, value)| (name.to_string(), json(db, value)))
            .collect(),
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_withheld_and_the_rest_is_shown() {
        let value = Value::string_map([
            ("chappassword", "s1"),
            ("cifs_PASSWORD", "s2"),
            ("user-data", "s3"),
            ("target", "192.0.2.1"),
        ]);
        let shown = json(&Database::default(), &value).to_string();
        assert!(
            !shown.contains("s1") && !shown.contains("s2") && !shown.contains("s3"),
            "{shown}"
        );
        assert!(shown.contains("192.0.2.1"));
    }
}
