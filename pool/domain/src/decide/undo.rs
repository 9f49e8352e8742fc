//! Undoing one entry of the log: what it set is set back, if it is still as the entry left it.
//!
//! Only what clients set by `set_`, `add_to_` and `remove_from_` can be undone by writing: such a field holds a wish.
//! What else an entry wrote followed something that happened (a VM was started, a volume was made), which no write
//! takes back.

use proto_types::generated::{session, task};
use proto_types::schema::Qualifier;
use proto_types::{ApiError, Field, Ref, Value};

use crate::database::Database;
use crate::draft::Draft;
use crate::transaction::{Change, Transaction};

/// One field that is set back.
#[derive(Clone, Debug, PartialEq)]
pub struct Restored {
    /// The object.
    pub object: Ref,
    /// The field.
    pub field: Field,
    /// What the entry had set.
    pub from: Value,
    /// What it was before, and is again.
    pub to: Value,
}

/// Sets back what `entry` set. `before` is the database as it was just before the entry.
///
/// # Errors
/// `OPERATION_NOT_ALLOWED` says why not: the entry did more than set fields, an object has gone since, or a field has
/// been set again since. Nothing is set then.
pub fn undo(
    draft: &mut Draft<'_>,
    before: &Database,
    entry: &Transaction,
) -> Result<Vec<Restored>, ApiError> {
    let mut restored = Vec::new();
    for change in &entry.changes {
        let class = draft.db().get(change.reference()).map(|row| row.class);
        if class.is_some_and(|class| class == session::CLASS || class == task::CLASS) {
            continue;
        }
        match change {
            Change::Touch { .. } => {}
            Change::Insert { .. } | Change::Delete { .. } => {
                return Err(refused("it made or removed an object".to_owned()));
            }
            Change::Update { reference, fields } => {
                for (field, set) in fields {
                    restored.push(set_back(draft, before, *reference, *field, set)?);
                }
            }
        }
    }
    if restored.is_empty() {
        return Err(refused("it set nothing".to_owned()));
    }
    for item in &restored {
        draft.set(item.object, item.field, item.to.clone());
    }
    Ok(restored)
}

fn set_back(
    draft: &mut Draft<'_>,
    before: &Database,
    object: Ref,
    field: Field,
    set: &Value,
) -> Result<Restored, ApiError> {
    let def = field.class.def().fields.get(usize::from(field.index));
    let name = format!("{}.{}", field.class.name(), def.map_or("?", |def| def.name));
    if !def.is_some_and(|def| def.qualifier == Qualifier::ReadWrite && !def.internal) {
        return Err(refused(format!("it changed {name}, which no client sets")));
    }
    let Ok(now) = draft.read(field.class, object) else {
        return Err(refused(format!("the object whose {name} it set has gone")));
    };
    if now.get(field) != set {
        return Err(refused(format!("{name} has been set again since")));
    }
    let Some(old) = before.of_class(field.class, object) else {
        return Err(refused(format!(
            "the object whose {name} it set was not there before"
        )));
    };
    Ok(Restored {
        object,
        field,
        from: set.clone(),
        to: old.get(field).clone(),
    })
}

fn refused(why: String) -> ApiError {
    ApiError::new("OPERATION_NOT_ALLOWED", [why])
}

#[cfg(test)]
mod test {
    use proto_types::DateTime;
    use proto_types::generated::vm;
    use uuid::Uuid;

    use super::*;
    use crate::apply::apply;
    use crate::facts::Facts;
    use crate::transaction::Origin;

    fn object() -> Ref {
        Ref::from_uuid(Uuid::from_u128(7))
    }

    /// Applies one entry, and gives the state before it and the entry.
    fn write(db: &mut Database, changes: Vec<Change>) -> (Database, Transaction) {
        let before = db.clone();
        let entry = Transaction {
            request: Uuid::new_v4(),
            reads: Vec::new(),
            changes,
            decided_at: DateTime(1),
            origin: Origin::default(),
        };
        apply(db, db.applied() + 1, &entry);
        (before, entry)
    }

    fn set(fields: Vec<(Field, Value)>) -> Vec<Change> {
        vec![Change::Update {
            reference: object(),
            fields,
        }]
    }

    fn with_a_vm() -> Database {
        let mut db = Database::default();
        let insert = Change::Insert {
            class: vm::CLASS,
            reference: object(),
            fields: vec![(vm::NAME_LABEL, "web".into())],
        };
        write(&mut db, vec![insert]);
        db
    }

    fn undone(db: &Database, (before, entry): &(Database, Transaction)) -> Result<Vec<Restored>, String> {
        let facts = Facts::new(DateTime(2), Uuid::new_v4);
        let mut draft = Draft::new(db, &facts);
        let answer = undo(&mut draft, before, entry).map_err(|error| error.description().join(": "))?;
        let mut after = db.clone();
        apply(
            &mut after,
            db.applied() + 1,
            &draft.finish(Uuid::new_v4(), Origin::default()),
        );
        assert_eq!(after.get(object()).unwrap().get(vm::NAME_LABEL).as_str(), "web");
        Ok(answer)
    }

    #[test]
    fn a_rename_is_undone_though_other_fields_were_set_since() {
        let mut db = with_a_vm();
        let rename = write(&mut db, set(vec![(vm::NAME_LABEL, "www".into())]));
        write(&mut db, set(vec![(vm::NAME_DESCRIPTION, "of the shop".into())]));
        let restored = undone(&db, &rename).unwrap();
        assert_eq!(restored.len(), 1);
        assert_eq!(restored[0].to, Value::from("web"));
    }

    #[test]
    fn what_was_set_again_or_followed_an_event_is_left_alone() {
        let mut db = with_a_vm();
        let first = write(&mut db, set(vec![(vm::NAME_LABEL, "www".into())]));
        write(&mut db, set(vec![(vm::NAME_LABEL, "shop".into())]));
        let error = undone(&db, &first).unwrap_err();
        assert!(error.contains("VM.name_label has been set again"), "{error}");
        let started = write(&mut db, set(vec![(vm::DOMID, 3.into())]));
        let error = undone(&db, &started).unwrap_err();
        assert!(error.contains("VM.domid, which no client sets"), "{error}");
        let gone = write(&mut db, vec![Change::Delete { reference: object() }]);
        assert!(undone(&db, &gone).is_err());
        assert!(undone(&db, &first).unwrap_err().contains("has gone"));
    }
}
