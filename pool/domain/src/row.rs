//! One object of the database.

use std::sync::{Arc, OnceLock};

use proto_types::{ClassId, Field, Ref, Value};

use crate::database::Index;

/// One object: its class, its values in the order of the class's fields, and the log indices that made it so.
#[derive(Debug)]
pub struct Row {
    /// The class.
    pub class: ClassId,
    /// The reference.
    pub reference: Ref,
    /// One value per field of the class.
    pub values: Arc<[Value]>,
    /// The log index that created the row.
    pub created: Index,
    /// The log index that last changed the row.
    pub version: Index,
    /// The encoded form of the record, filled by whoever first encodes it; a changed row starts empty.
    pub encoded: Encoded,
}

/// A slot for the encoded record of one row state.
#[derive(Debug, Default)]
pub struct Encoded(OnceLock<Arc<[u8]>>);

impl Encoded {
    /// The kept bytes, made by `encode` at the first call.
    pub fn get_or_init(&self, encode: impl FnOnce() -> Arc<[u8]>) -> &Arc<[u8]> {
        self.0.get_or_init(encode)
    }
}

impl Row {
    /// Makes a row state.
    pub fn new(class: ClassId, reference: Ref, values: Arc<[Value]>, created: Index, version: Index) -> Row {
        Row {
            class,
            reference,
            values,
            created,
            version,
            encoded: Encoded::default(),
        }
    }

    /// The value of a field; `Void` if the field is of another class.
    pub fn get(&self, field: Field) -> &Value {
        debug_assert_eq!(field.class, self.class, "field of another class");
        self.at(field.index)
    }

    /// The value at a position in the class's field list.
    pub fn at(&self, index: u16) -> &Value {
        self.values.get(usize::from(index)).unwrap_or(&Value::Void)
    }

    /// The value of a field by its wire name.
    pub fn named(&self, name: &str) -> Option<&Value> {
        self.class.def().field(name).map(|i| self.at(i))
    }

    /// The object's `uuid` field, or `""` where the class has none.
    pub fn uuid(&self) -> &str {
        self.named("uuid").map_or("", Value::as_str)
    }

    /// The same state without its encoded form, for when something the record derives from has changed.
    pub fn forget_encoded(&self) -> Row {
        Row::new(
            self.class,
            self.reference,
            Arc::clone(&self.values),
            self.created,
            self.version,
        )
    }
}
