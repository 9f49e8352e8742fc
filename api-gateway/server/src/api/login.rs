//! Log-in and log-out.

use std::sync::{Arc, PoisonError};

use argon2::{Argon2, PasswordHash, PasswordVerifier};
use pool_domain::Database;
use pool_domain::decide::session::{self, NewSession};
use proto_types::generated::{session as sessions, tarn_credential};
use proto_types::{ApiError, Args, Ref, Value};
use uuid::Uuid;

use super::Api;
use super::gate::Entry;

/// `session.login_with_password`: over the local socket the credentials are not looked at.
///
/// # Errors
/// `SESSION_AUTHENTICATION_FAILED [user, text]`.
pub async fn with_password(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let user = if entry.is_local_root {
        "root".to_owned()
    } else {
        args.text(0)?.to_owned()
    };
    if !entry.is_local_root {
        check(api, &entry.db, &user, args.text(1)?).await?;
    }
    let originator = args.at(3).map(Value::as_str).unwrap_or_default().to_owned();
    let new = NewSession {
        user,
        is_local_superuser: true,
        originator,
        permissions: Vec::new(),
        host: (api.host)(),
    };
    let limits = *api.sessions.borrow();
    let origin = entry.caller.history("session.login_with_password");
    // Only when one has to give way does it matter which was used last.
    let is_full = entry.db.count(sessions::CLASS) >= limits.most;
    let used = if is_full { api.take_activity() } else { Vec::new() };
    let (reference, _) = api
        .ops
        .decide(&origin, |d| {
            session::note_activity(d, &used);
            Ok(session::login(d, new.clone(), limits))
        })
        .await?;
    Ok(reference.into())
}

/// `session.slave_local_login_with_password`: a session of this node alone, also when no leader is known.
///
/// # Errors
/// As [`with_password`].
pub async fn local(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    if !entry.is_local_root {
        check(api, &entry.db, args.text(0)?, args.text(1)?).await?;
    }
    let reference = Ref::from_uuid(Uuid::new_v4());
    let mut sessions = api.local.lock().unwrap_or_else(PoisonError::into_inner);
    // Kept in memory only; a bound keeps a runaway script from filling it.
    if sessions.len() >= api.sessions.borrow().most {
        sessions.clear();
    }
    sessions.insert(reference, ());
    Ok(reference.into())
}

/// `session.local_logout`.
pub fn local_logout(api: &Api, session: Ref) -> Value {
    api.local
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&session);
    Value::Void
}

/// `session.change_password`: of the caller, who must be a local superuser.
///
/// # Errors
/// `USER_IS_NOT_LOCAL_SUPERUSER [text]`; `SESSION_AUTHENTICATION_FAILED` for a wrong old password, which is not asked for
/// on the local socket; `CHANGE_PASSWORD_REJECTED [text]` for one that is no password.
pub async fn change_password(api: &Arc<Api>, entry: &Entry, args: &Args) -> Result<Value, ApiError> {
    let user = entry.caller.user.clone();
    let is_known = |db: &Database| credential(db, &user).is_some();
    if !entry.caller.is_superuser || !is_known(&entry.db) {
        let text = "Only the local superuser can execute this operation";
        return Err(ApiError::new("USER_IS_NOT_LOCAL_SUPERUSER", [text]));
    }
    let (old, new) = (args.text(0)?, args.text(1)?.to_owned());
    if !entry.is_local_root {
        check(api, &entry.db, &user, old).await?;
    }
    if new.is_empty() || new.contains('\0') {
        return Err(ApiError::new(
            "CHANGE_PASSWORD_REJECTED",
            ["The password is empty or holds a NUL"],
        ));
    }
    let hashed = tokio::task::spawn_blocking(move || hash(&new)).await;
    let Ok(Ok(hashed)) = hashed else {
        return Err(ApiError::new(
            "CHANGE_PASSWORD_REJECTED",
            ["The password could not be hashed"],
        ));
    };
    let origin = entry.caller.history("session.change_password");
    api.ops
        .decide(&origin, |d| {
            if let Some(row) = credential(d.db(), &user) {
                d.note(row);
                d.set(row, tarn_credential::HASH, hashed.as_str());
            }
            Ok(Value::Void)
        })
        .await
        .map(|(value, _)| value)
}

fn credential(db: &Database, user: &str) -> Option<Ref> {
    db.rows(tarn_credential::CLASS)
        .find(|c| c.get(tarn_credential::NAME).as_str() == user)
        .map(|c| c.reference)
}

/// `session.slave_login` and `session.slave_local_login`: hosts of a pool know one another by certificates, and there is
/// no secret with which they would log in.
///
/// # Errors
/// Always `SESSION_AUTHENTICATION_FAILED`.
pub fn no_pool_secret() -> Result<Value, ApiError> {
    let text = "Authentication failure";
    Err(ApiError::new("SESSION_AUTHENTICATION_FAILED", ["", text]))
}

/// Checks a password against the pool's credentials, off the threads that answer calls.
///
/// # Errors
/// `SESSION_AUTHENTICATION_FAILED [user, text]`.
pub async fn check(api: &Api, db: &Database, user: &str, password: &str) -> Result<(), ApiError> {
    let failed = || {
        ApiError::new(
            "SESSION_AUTHENTICATION_FAILED",
            [user.to_owned(), "Authentication failure".to_owned()],
        )
    };
    let hash = db
        .rows(tarn_credential::CLASS)
        .find(|c| c.get(tarn_credential::NAME).as_str() == user)
        .map(|c| c.get(tarn_credential::HASH).as_str().to_owned());
    let _turn = Arc::clone(&api.hashing)
        .acquire_owned()
        .await
        .map_err(|_| failed())?;
    let password = password.to_owned();
    let matches = tokio::task::spawn_blocking(move || {
        // An unknown user costs as much time as a wrong password.
        let text = hash.as_deref().unwrap_or(UNKNOWN_USER);
        let parsed = PasswordHash::new(text);
        let right = parsed.is_ok_and(|h| Argon2::default().verify_password(password.as_bytes(), &h).is_ok());
        right && hash.is_some()
    })
    .await
    .unwrap_or(false);
    if matches { Ok(()) } else { Err(failed()) }
}

/// A hash of nothing that anyone knows.
const UNKNOWN_USER: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes a password for the pool's credentials.
///
/// # Errors
/// If the system's source of randomness fails.
pub fn hash(password: &str) -> Result<String, argon2::password_hash::Error> {
    use argon2::PasswordHasher;
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|h| h.to_string())
}
