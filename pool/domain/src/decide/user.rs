//! The pool's own users: each a name with the hash of a password, and a subject that has the roles.

use proto_types::generated::permissions::RoleDef;
use proto_types::generated::{subject, tarn_credential};
use proto_types::{ApiError, Ref, Value};

use crate::access;
use crate::database::Database;
use crate::decide::{subject as subjects, unique};
use crate::draft::Draft;

/// Longest name of a user.
const LONGEST_NAME: usize = 64;

/// A user as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: String,
    /// Names of the roles; `local-root` for the superuser, none if the user cannot log in.
    pub roles: Vec<String>,
}

/// The identifier under which a user is a subject.
pub fn identifier(name: &str) -> String {
    format!("local:{name}")
}

/// The credential of a name.
pub fn credential(db: &Database, name: &str) -> Option<Ref> {
    db.rows(tarn_credential::CLASS)
        .find(|c| c.get(tarn_credential::NAME).as_str() == name)
        .map(|c| c.reference)
}

/// Makes a user with a role.
///
/// # Errors
/// `INVALID_VALUE` for a name that is none, `SUBJECT_ALREADY_EXISTS` for one that is taken, `ROLE_NOT_FOUND`.
pub fn add(draft: &mut Draft<'_>, name: &str, hash: &str, role: &str) -> Result<Ref, ApiError> {
    let fits = !name.is_empty()
        && name.len() <= LONGEST_NAME
        && !name.contains(|c: char| c.is_control() || c == ':');
    if !fits {
        return Err(ApiError::new("INVALID_VALUE", ["name", name]));
    }
    let role = wanted(role)?;
    let sid = identifier(name);
    if credential(draft.db(), name).is_some() || access::subject_of(draft.db(), &sid).is_some() {
        return Err(ApiError::bare("SUBJECT_ALREADY_EXISTS"));
    }
    unique::one_at_a_time(draft);
    draft.insert(
        tarn_credential::CLASS,
        vec![
            (tarn_credential::NAME, name.into()),
            (tarn_credential::HASH, hash.into()),
            (tarn_credential::SUBJECT, sid.as_str().into()),
        ],
    );
    // The keys under which GUIs look for a subject's name.
    let shown = [
        ("subject-name", name),
        ("subject-is-group", "false"),
        ("subject-gecos", name),
    ];
    Ok(draft.insert(
        subject::CLASS,
        vec![
            (subject::SUBJECT_IDENTIFIER, sid.into()),
            (subject::OTHER_CONFIG, Value::string_map(shown)),
            (subject::ROLES, Value::refs([access::reference_of(role)])),
        ],
    ))
}

fn wanted(role: &str) -> Result<&'static RoleDef, ApiError> {
    access::assignable(role).ok_or_else(|| ApiError::bare("ROLE_NOT_FOUND"))
}

/// Sets the password of a user or of the superuser. Sessions of a user end: whoever knew the old one is out.
///
/// # Errors
/// `SUBJECT_CANNOT_BE_RESOLVED` if there is no such user.
pub fn set_password(draft: &mut Draft<'_>, name: &str, hash: &str) -> Result<(), ApiError> {
    let (reference, sid) = known(draft, name)?;
    draft.set(reference, tarn_credential::HASH, hash);
    subjects::log_out(draft, &sid, Ref::NULL);
    Ok(())
}

/// Gives a user one role in place of all others.
///
/// # Errors
/// `SUBJECT_CANNOT_BE_RESOLVED`; `ROLE_NOT_FOUND`; `OPERATION_NOT_ALLOWED` for the superuser.
pub fn set_role(draft: &mut Draft<'_>, name: &str, role: &str) -> Result<(), ApiError> {
    let role = access::reference_of(wanted(role)?);
    let (_, sid) = not_superuser(draft, name)?;
    let Some(row) = access::subject_of(draft.db(), &sid).cloned() else {
        return Err(ApiError::bare("SUBJECT_CANNOT_BE_RESOLVED"));
    };
    let held = row.get(subject::ROLES).as_refs();
    if !held.contains(&role) {
        subjects::add_role(draft, row.reference, role)?;
    }
    for other in held.into_iter().filter(|other| *other != role) {
        subjects::remove_role(draft, row.reference, other)?;
    }
    Ok(())
}

/// Removes a user; the user's sessions end.
///
/// # Errors
/// `SUBJECT_CANNOT_BE_RESOLVED`; `OPERATION_NOT_ALLOWED` for the superuser.
pub fn remove(draft: &mut Draft<'_>, name: &str) -> Result<(), ApiError> {
    let (reference, sid) = not_superuser(draft, name)?;
    draft.delete(reference);
    if let Some(row) = access::subject_of(draft.db(), &sid).map(|s| s.reference) {
        subjects::destroy(draft, row)?;
    }
    subjects::log_out(draft, &sid, Ref::NULL);
    Ok(())
}

fn known(draft: &mut Draft<'_>, name: &str) -> Result<(Ref, String), ApiError> {
    let found = credential(draft.db(), name).ok_or_else(|| ApiError::bare("SUBJECT_CANNOT_BE_RESOLVED"))?;
    let row = draft.read(tarn_credential::CLASS, found)?;
    Ok((found, row.get(tarn_credential::SUBJECT).as_str().to_owned()))
}

fn not_superuser(draft: &mut Draft<'_>, name: &str) -> Result<(Ref, String), ApiError> {
    let (reference, sid) = known(draft, name)?;
    if sid.is_empty() {
        let text = "The local superuser stays, and has no role";
        return Err(ApiError::new("OPERATION_NOT_ALLOWED", [text]));
    }
    Ok((reference, sid))
}

/// All users by name.
pub fn list(db: &Database) -> Vec<User> {
    let mut users: Vec<User> = db
        .rows(tarn_credential::CLASS)
        .map(|c| User {
            name: c.get(tarn_credential::NAME).as_str().to_owned(),
            roles: roles(db, c.get(tarn_credential::SUBJECT).as_str()),
        })
        .collect();
    users.sort_by(|a, b| a.name.cmp(&b.name));
    users
}

fn roles(db: &Database, sid: &str) -> Vec<String> {
    if sid.is_empty() {
        return vec![proto_types::schema::Role::LocalRoot.name().to_owned()];
    }
    let row = access::subject_of(db, sid);
    let held = row.map(|s| s.get(subject::ROLES).as_refs()).unwrap_or_default();
    held.into_iter()
        .filter_map(access::role_of)
        .map(|def| def.name.to_owned())
        .collect()
}
