//! A transaction in the making: reads are noted, writes are seen by later reads.

use std::sync::Arc;

use proto_types::{ApiError, ClassId, Field, Ref, Value};

use crate::apply;
use crate::database::{Database, Index};
use crate::facts::Facts;
use crate::row::Row;
use crate::transaction::{Change, Origin, RequestId, Transaction};

/// A transaction in the making.
pub struct Draft<'a> {
    facts: &'a Facts,
    base: Database,
    working: Database,
    reads: Vec<(Ref, Index)>,
    changes: Vec<Change>,
}

impl<'a> Draft<'a> {
    /// Begins on a snapshot.
    pub fn new(db: &Database, facts: &'a Facts) -> Draft<'a> {
        Draft {
            facts,
            base: db.clone(),
            working: db.clone(),
            reads: Vec::new(),
            changes: Vec::new(),
        }
    }

    /// The facts of this decision.
    pub fn facts(&self) -> &'a Facts {
        self.facts
    }

    /// The database with the changes so far. Reads through it are not noted.
    pub fn db(&self) -> &Database {
        &self.working
    }

    /// Reads a row and notes its version: the transaction is refused if it has changed by then.
    ///
    /// # Errors
    /// `HANDLE_INVALID` if there is no such row of the class.
    pub fn read(&mut self, class: ClassId, reference: Ref) -> Result<Arc<Row>, ApiError> {
        self.note(reference);
        self.working
            .of_class(class, reference)
            .cloned()
            .ok_or_else(|| ApiError::handle_invalid(class.name(), reference))
    }

    /// Notes the version of a row without looking at it.
    pub fn note(&mut self, reference: Ref) {
        // Rows this draft made are not part of what it rests on.
        let version = self.base.get(reference).map_or(0, |r| r.version);
        let made_here = version == 0 && self.working.get(reference).is_some();
        if !made_here && !self.reads.iter().any(|(r, _)| *r == reference) {
            self.reads.push((reference, version));
        }
    }

    /// Makes a row with a fresh reference and, where the class has one and none is given, a fresh uuid.
    pub fn insert(&mut self, class: ClassId, fields: Vec<(Field, Value)>) -> Ref {
        let reference = self.facts.reference();
        self.insert_as(class, reference, fields);
        reference
    }

    /// Makes a row under a reference chosen before.
    pub fn insert_as(&mut self, class: ClassId, reference: Ref, mut fields: Vec<(Field, Value)>) {
        if let Some(index) = class.def().field("uuid") {
            let uuid = Field { class, index };
            if !fields.iter().any(|(f, v)| *f == uuid && !v.as_str().is_empty()) {
                fields.retain(|(f, _)| *f != uuid);
                fields.push((uuid, Value::from(self.facts.uuid_text())));
            }
        }
        self.push(Change::Insert {
            class,
            reference,
            fields,
        });
    }

    /// Sets one field.
    pub fn set(&mut self, reference: Ref, field: Field, value: impl Into<Value>) {
        self.update(reference, vec![(field, value.into())]);
    }

    /// Sets several fields; those that already have the value are left out.
    pub fn update(&mut self, reference: Ref, mut fields: Vec<(Field, Value)>) {
        let Some(row) = self.working.get(reference) else {
            return;
        };
        fields.retain(|(f, v)| row.get(*f) != v);
        if !fields.is_empty() {
            self.push(Change::Update { reference, fields });
        }
    }

    /// Puts a key into a map field.
    pub fn put_key(&mut self, reference: Ref, field: Field, key: impl Into<Value>, value: impl Into<Value>) {
        let Some(row) = self.working.get(reference) else {
            return;
        };
        let mut map = row.get(field).as_map().cloned().unwrap_or_default();
        map.insert(key.into(), value.into());
        self.note(reference);
        self.set(reference, field, Value::Map(map));
    }

    /// Takes a key out of a map field; nothing happens if it is not there.
    pub fn remove_key(&mut self, reference: Ref, field: Field, key: impl Into<Value>) {
        let Some(row) = self.working.get(reference) else {
            return;
        };
        let mut map = row.get(field).as_map().cloned().unwrap_or_default();
        if map.remove(&key.into()).is_some() {
            self.note(reference);
            self.set(reference, field, Value::Map(map));
        }
    }

    /// Stamps a row as changed.
    pub fn touch(&mut self, reference: Ref) {
        if self.working.get(reference).is_some() {
            self.push(Change::Touch { reference });
        }
    }

    /// Removes a row; nothing happens if it is gone.
    pub fn delete(&mut self, reference: Ref) {
        if self.working.get(reference).is_some() {
            self.push(Change::Delete { reference });
        }
    }

    /// Says whether nothing would be written.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Ends the draft. Rows whose `allowed_operations` the changes alter are stamped as well, so that
    /// clients that follow events see it.
    pub fn finish(mut self, request: RequestId, origin: Origin) -> Transaction {
        let own = self
            .changes
            .iter()
            .filter(|change| !crate::allowed::is_of_labels(change))
            .map(Change::reference)
            .collect();
        for reference in crate::allowed::altered(&self.base, &self.working, &own) {
            self.push(Change::Touch { reference });
        }
        Transaction {
            request,
            reads: self.reads,
            changes: self.changes,
            decided_at: self.facts.now,
            origin,
        }
    }

    fn push(&mut self, change: Change) {
        // The working copy takes each change as apply would, under an index no entry has yet.
        let index = self.base.applied().saturating_add(1);
        apply::write_one(&mut self.working, index, &change);
        self.changes.push(change);
    }
}
