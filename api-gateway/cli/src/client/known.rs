//! What is known of objects that records refer to: uuid, name, and whole records of those that only hold metrics.
//!
//! A few are asked for one by one; many of a class are fetched in one call.

use std::collections::HashMap;
use std::rc::Rc;

use gateway_codec::WireValue;
use proto_types::{ClassId, Value};

use super::{Client, NULL, Object, text_of};
use crate::failure::Failure;

/// With so many references to a class, one call for all of its records is quicker than one for each.
const MANY: usize = 8;

/// Objects by reference.
#[derive(Default)]
pub struct Known {
    names: HashMap<String, Name>,
    records: HashMap<String, Option<Rc<WireValue>>>,
    /// Classes of which everything is known.
    whole: Vec<&'static str>,
}

/// How people call an object.
#[derive(Clone, Default)]
struct Name {
    uuid: Option<String>,
    label: Option<String>,
}

impl Client {
    /// The uuid of what a reference means; nothing if it means nothing.
    pub fn known_uuid(&self, class: &'static str, reference: &str) -> Option<String> {
        self.name(class, reference).uuid
    }

    /// The name of what a reference means; nothing if it means nothing or has none.
    pub fn known_label(&self, class: &'static str, reference: &str) -> Option<String> {
        self.name(class, reference).label
    }

    /// The record behind a reference; nothing if it means nothing.
    pub fn known_record(&self, class: &'static str, reference: &str) -> Option<Rc<WireValue>> {
        if reference == NULL || reference.is_empty() {
            return None;
        }
        let known = self.known.borrow().records.get(reference).cloned();
        if let Some(record) = known {
            return record;
        }
        if self.known.borrow().whole.contains(&class) {
            return None;
        }
        let record = self
            .object(class, reference)
            .ok()
            .map(|object| Rc::new(object.record));
        self.known
            .borrow_mut()
            .records
            .insert(reference.to_owned(), record.clone());
        record
    }

    /// Fetches a whole class if so many references to it are going to be looked at.
    ///
    /// # Errors
    /// As every call.
    pub fn expect_references(&self, class: &'static str, count: usize) -> Result<(), Failure> {
        if count < MANY || self.known.borrow().whole.contains(&class) {
            return Ok(());
        }
        for object in self.objects(class, "true")? {
            self.learn(object);
        }
        self.known.borrow_mut().whole.push(class);
        Ok(())
    }

    /// Remembers an object that was read anyway.
    pub fn learn(&self, object: Object) {
        let name = Name {
            uuid: Some(object.text("uuid").to_owned()),
            label: object.record.member("name_label").map(text_of),
        };
        let mut known = self.known.borrow_mut();
        known.names.insert(object.reference.clone(), name);
        known
            .records
            .insert(object.reference, Some(Rc::new(object.record)));
    }

    /// Forgets what a reference was found to mean, because it may be of another class.
    pub fn forget(&self, reference: &str) {
        self.known.borrow_mut().names.remove(reference);
    }

    /// Forgets everything, for who looks at objects again later.
    pub fn forget_all(&self) {
        *self.known.borrow_mut() = Known::default();
    }

    fn name(&self, class: &'static str, reference: &str) -> Name {
        if reference == NULL || reference.is_empty() {
            return Name::default();
        }
        if let Some(name) = self.known.borrow().names.get(reference) {
            return name.clone();
        }
        if self.known.borrow().whole.contains(&class) {
            return Name::default();
        }
        let this = [Value::str(reference)];
        let uuid = self.text(&format!("{class}.get_uuid"), &this).ok();
        let has_label = ClassId::by_name(class).is_some_and(|c| c.def().field("name_label").is_some());
        let label = match uuid {
            Some(_) if has_label => self.text(&format!("{class}.get_name_label"), &this).ok(),
            _ => None,
        };
        let name = Name { uuid, label };
        self.known
            .borrow_mut()
            .names
            .insert(reference.to_owned(), name.clone());
        name
    }
}
