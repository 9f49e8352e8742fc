//! Who may do what, by the rows: subjects, their roles, and what sessions and tasks are whose.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use proto_types::generated::permissions::{PERMISSIONS, ROLES, RoleDef};
use proto_types::generated::{role, session, subject, task};
use proto_types::schema::Role;
use proto_types::{Ref, Value};
use uuid::Uuid;

use crate::database::Database;
use crate::row::Row;

/// The permission to do to anybody's task what everybody may do to their own.
pub const ANY_TASK: &str = "task.destroy/any";
/// Least role for that.
pub const ANY_TASK_ROLE: Role = Role::PoolOperator;

/// The role behind the reference of a role.
pub fn role_of(reference: Ref) -> Option<&'static RoleDef> {
    static BY_REF: OnceLock<HashMap<Ref, &'static RoleDef>> = OnceLock::new();
    let table = BY_REF.get_or_init(|| ROLES.iter().map(|def| (reference_of(def), def)).collect());
    table.get(&reference).copied()
}

/// The reference of a role, the same in every pool.
pub fn reference_of(def: &RoleDef) -> Ref {
    Uuid::try_parse(def.uuid).map(Ref::from_uuid).unwrap_or_default()
}

/// The role of a name, if subjects can have it.
pub fn assignable(name: &str) -> Option<&'static RoleDef> {
    ROLES.iter().find(|def| def.name == name && !def.internal)
}

/// The subject with an identifier.
pub fn subject_of<'a>(db: &'a Database, identifier: &str) -> Option<&'a Arc<Row>> {
    db.rows(subject::CLASS)
        .find(|s| s.get(subject::SUBJECT_IDENTIFIER).as_str() == identifier)
}

/// The highest role of a subject. Each role contains those below it, so that it stands for all of them.
pub fn highest_role(db: &Database, of: Ref) -> Option<Role> {
    let row = db.of_class(subject::CLASS, of)?;
    let roles = row.get(subject::ROLES).as_refs();
    roles
        .into_iter()
        .filter_map(role_of)
        .filter(|def| !def.internal)
        .map(|def| def.role)
        .max()
}

/// Names of the permissions of a role.
pub fn permissions(held: Option<Role>) -> Value {
    let def = held.and_then(|held| ROLES.iter().find(|def| def.role == held));
    Value::strings(def.into_iter().flat_map(RoleDef::permissions))
}

/// What a session may do: nothing is listed for the local superuser, to whom no role applies.
pub fn session_permissions(db: &Database, row: &Row) -> Value {
    permissions(highest_role(db, row.get(session::SUBJECT).as_ref()))
}

/// The reference of a permission, which clients see as a role of its own.
pub fn permission_reference(name: &str) -> Ref {
    use md5::{Digest, Md5};
    let mut hash = Md5::new();
    hash.update(b"permission ");
    hash.update(name.as_bytes());
    Ref::from_uuid(Uuid::from_bytes(hash.finalize().into()))
}

/// The permission behind a reference, as a row that is in no database: what each role may do is the data model's.
pub fn permission_row(reference: Ref) -> Option<&'static Arc<Row>> {
    static ROWS: OnceLock<HashMap<Ref, Arc<Row>>> = OnceLock::new();
    let rows = ROWS.get_or_init(|| {
        let row = |name: &'static str| {
            let reference = permission_reference(name);
            let values = role::CLASS.def().fields.iter().map(|field| match field.name {
                "uuid" => Value::str(reference.as_uuid().to_string()),
                "name_label" => Value::str(name),
                "name_description" => Value::str(format!("Permission to call {name}.")),
                _ => field.default_value(),
            });
            let row = Row::new(role::CLASS, reference, values.collect(), 0, 0);
            (reference, Arc::new(row))
        };
        PERMISSIONS.iter().map(|p| row(p.name)).collect()
    });
    rows.get(&reference)
}

/// Says whether a task was begun in a session, or in another one of the same subject.
pub fn is_own_task(db: &Database, row: &Row, by: Ref) -> bool {
    let owner = row.get(task::SESSION).as_ref();
    let sid = |of: Ref| {
        db.of_class(session::CLASS, of)
            .map(|s| s.get(session::AUTH_USER_SID).as_str())
            .filter(|sid| !sid.is_empty())
    };
    !owner.is_null() && (owner == by || (sid(owner).is_some() && sid(owner) == sid(by)))
}

/// Names a session in the audit trail without telling it, for whoever knows it can use it.
pub fn track(of: Ref) -> String {
    use md5::{Digest, Md5};
    let mut hash = Md5::new();
    hash.update(b"session ");
    hash.update(of.as_uuid().as_bytes());
    let digest: [u8; 16] = hash.finalize().into();
    Uuid::from_bytes(digest).simple().to_string()
}
